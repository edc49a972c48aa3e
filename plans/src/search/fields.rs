//! [`Fields`]: parameter `fields`, and what it leaves of an Item.

use serde_json::{Map, Value};

use super::texts::texts;

/// Members that an Item has to have; they are there unless they are excluded.
const DEFAULT: [&str; 9] =
    ["type", "stac_version", "id", "geometry", "bbox", "links", "assets", "collection", "properties.datetime"];

/// Which members of Items are returned, by the rules of STAC API's fields extension. A member of `properties` is
/// `properties.eo:cloud_cover`, or without its prefix where it is no member of the Item itself.
///
/// - With `include`, the members named there, and no others.
/// - With `exclude` alone, all but those.
/// - With neither, or with an `include` that is empty, what each Item has to have: the members of STAC's core, and
///   `datetime`; but for those that are excluded.
///
/// Of two that name a member and a member of it, the longer holds for the latter; a member that is both included and
/// excluded is included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// `None` where it is not given.
    include: Option<Vec<Vec<String>>>,
    exclude: Vec<Vec<String>>,
}

impl Fields {
    /// Reads `"a,-b"`, `["a", "-b"]`, or `{"include": ["a"], "exclude": ["b"]}`.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let path = |name: &str| split(name.trim());
        let Value::Object(object) = value else {
            let names = texts(value)?;
            let (exclude, include): (Vec<&str>, Vec<&str>) = names
                .iter()
                .map(|name| name.trim())
                .filter(|name| !name.is_empty())
                .partition(|name| name.starts_with('-'));
            let include: Vec<_> = include.into_iter().map(|name| path(name.trim_start_matches('+'))).collect();
            return Ok(Self {
                include: Some(include).filter(|include| !include.is_empty()),
                exclude: exclude.into_iter().map(|name| path(&name[1..])).collect(),
            });
        };
        if let Some(name) = object.keys().find(|name| !matches!(name.as_str(), "include" | "exclude")) {
            return Err(format!("{name} is neither include nor exclude"));
        }
        let list = |names: &Value| match names {
            Value::Null => Ok(vec![]),
            names => texts(names).map(|names| names.iter().map(|name| path(name)).collect()),
        };
        let include = object.get("include").map(list).transpose()?;
        Ok(Self { include, exclude: object.get("exclude").map(list).transpose()?.unwrap_or_default() })
    }

    /// The same, with what tells an Item from others and what kind of object it is, where that is not excluded.
    pub fn with_identity(mut self) -> Self {
        let identity = ["type", "stac_version", "id", "collection"].map(split);
        let identity = identity.into_iter().filter(|name| !self.exclude.contains(name));
        if let Some(include) = self.include.as_mut().filter(|include| !include.is_empty()) {
            include.extend(identity);
        }
        self
    }

    /// What is returned of an Item.
    pub fn select(&self, item: Map<String, Value>) -> Map<String, Value> {
        let include = self.included();
        let include: Vec<&[String]> = include.iter().map(Vec::as_slice).collect();
        let exclude: Vec<&[String]> = self.exclude.iter().map(Vec::as_slice).collect();
        select(item, &include, &exclude, self.has_all())
    }

    /// Whether all is returned that is not excluded.
    pub fn has_all(&self) -> bool {
        self.include.is_none() && !self.exclude.is_empty()
    }

    /// Whether anything is returned of what `name` names.
    pub fn has(&self, name: &str) -> bool {
        let path = split(name);
        // The length of the longest that names it, or what it is in.
        let longest = |paths: &[Vec<String>]| paths.iter().filter(|named| path.starts_with(named)).map(Vec::len).max();
        let include = self.included();
        let included = longest(&include).or(self.has_all().then_some(0));
        let is_in_it = |named: &Vec<String>| named.starts_with(&path);
        included.is_some() && included >= longest(&self.exclude) || include.iter().any(is_in_it)
    }

    fn included(&self) -> Vec<Vec<String>> {
        match &self.include {
            None if self.has_all() => vec![],
            Some(include) if !include.is_empty() => include.clone(),
            _ => {
                let is_left = |name: &Vec<String>| !self.exclude.iter().any(|excluded| name.starts_with(excluded));
                DEFAULT.iter().map(|name| split(name)).filter(is_left).collect()
            }
        }
    }
}

/// Members whose members may be named: what comes behind a dot is the name of one, as a whole.
const MEMBERS: [&str; 2] = ["properties", "assets"];

/// Members of an Item itself.
const OF_ITEMS: [&str; 10] = [
    "type",
    "stac_version",
    "stac_extensions",
    "id",
    "geometry",
    "bbox",
    "properties",
    "links",
    "assets",
    "collection",
];

/// The way to a member: a name of the Item, or of `properties`, and a name in it.
fn split(name: &str) -> Vec<String> {
    if let Some((member, rest)) = name.split_once('.').filter(|(member, _)| MEMBERS.contains(member)) {
        return vec![member.to_owned(), rest.to_owned()];
    }
    match OF_ITEMS.contains(&name) {
        true => vec![name.to_owned()],
        false => vec!["properties".to_owned(), name.to_owned()],
    }
}

/// The members that are included, where `is_included` says whether the object is.
fn select(
    object: Map<String, Value>,
    include: &[&[String]],
    exclude: &[&[String]],
    is_included: bool,
) -> Map<String, Value> {
    /// The rest of the ways that go through `name`; whether one ends there.
    fn through<'a>(paths: &[&'a [String]], name: &str) -> (Vec<&'a [String]>, bool) {
        let rests = paths.iter().filter_map(|path| path.split_first().filter(|(first, _)| *first == name));
        let (ends, inner): (Vec<_>, Vec<_>) = rests.map(|(_, rest)| rest).partition(|rest| rest.is_empty());
        (inner, !ends.is_empty())
    }
    let mut kept = Map::new();
    for (name, value) in object {
        let ((included, is_named), (excluded, is_excluded)) = (through(include, &name), through(exclude, &name));
        let is_included = is_named || is_included && !is_excluded;
        match value {
            Value::Object(members) if !included.is_empty() || is_included && !excluded.is_empty() => {
                kept.insert(name, Value::Object(select(members, &included, &excluded, is_included)));
            }
            value if is_included => _ = kept.insert(name, value),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selected(fields: Value) -> Value {
        let item = json!({
            "type": "Feature", "stac_version": "1.0.0", "id": "a", "geometry": null,
            "properties": {"datetime": null, "eo:cloud_cover": 7, "a.b": 1, "deep": {"x": 1}},
            "links": [], "assets": {"B1": {"href": "b1"}, "B2": {"href": "b2"}}, "x": 1,
        });
        let Value::Object(item) = item else { unreachable!() };
        Value::Object(Fields::parse(&fields).unwrap().select(item))
    }

    #[test]
    fn members_are_included_and_excluded() {
        assert_eq!(selected(json!("id")), json!({"id": "a"}));
        assert_eq!(
            selected(json!({"include": ["id", "eo:cloud_cover", "properties.a.b", "assets.B1"]})),
            json!({"id": "a", "properties": {"eo:cloud_cover": 7, "a.b": 1}, "assets": {"B1": {"href": "b1"}}})
        );
        assert_eq!(
            selected(json!("id,properties,-properties.deep,-a.b")),
            json!({"id": "a", "properties": {"datetime": null, "eo:cloud_cover": 7}})
        );
        let rest = selected(json!({"exclude": ["properties", "assets.B2", "links", "geometry"]}));
        assert_eq!(
            rest,
            json!({"type": "Feature", "stac_version": "1.0.0", "id": "a",
            "assets": {"B1": {"href": "b1"}}, "x": 1})
        );
        assert_eq!(
            selected(json!({})),
            json!({"type": "Feature", "stac_version": "1.0.0", "id": "a", "geometry": null,
            "properties": {"datetime": null}, "links": [], "assets": {"B1": {"href": "b1"}, "B2": {"href": "b2"}}})
        );
        assert_eq!(selected(json!("id,-id")), json!({"id": "a"}));
    }

    #[test]
    fn the_longer_of_two_names_holds() {
        assert_eq!(selected(json!("-properties,+properties.a.b")), json!({"properties": {"a.b": 1}}));
        let without = json!({"exclude": ["properties", "links"], "include": ["id", "properties", "datetime"]});
        assert_eq!(selected(without)["properties"]["eo:cloud_cover"], json!(7));
        let default = selected(json!({"exclude": ["geometry"], "include": []}));
        assert_eq!(default["properties"], json!({"datetime": null}));
        assert_eq!((default.get("geometry"), default.get("x")), (None, None));
        assert_eq!(selected(json!({"exclude": ["x"], "include": null})), selected(json!({})));
    }

    #[test]
    fn the_identity_stays_unless_it_is_excluded() {
        let names = |fields: Value| {
            let fields = Fields::parse(&fields).unwrap().with_identity();
            let item = json!({"type": "Feature", "stac_version": "1.0.0", "id": "a", "collection": "c", "links": []});
            let Value::Object(item) = item else { unreachable!() };
            fields.select(item).keys().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(json!("links")), "type stac_version id collection links");
        assert_eq!(names(json!("links,-id")), "type stac_version collection links");
        assert_eq!(names(json!("-id")), "type stac_version collection links");
    }

    #[test]
    fn a_member_of_which_nothing_is_returned_need_not_be_read() {
        let has = |fields: Value, name: &str| Fields::parse(&fields).unwrap().has(name);
        assert!(has(json!("assets.B1"), "assets") && !has(json!("assets.B1"), "links"));
        assert!(has(json!("-assets.B1"), "assets") && !has(json!("-assets"), "assets"));
        assert!(has(json!({}), "properties") && has(json!("datetime"), "properties"));
        assert!(has(json!("properties"), "platform") && !has(json!("properties,-platform"), "platform"));
        assert!(
            has(json!("-properties,properties.gsd"), "gsd") && !has(json!("-properties,properties.gsd"), "platform")
        );
        assert!(has(json!("-properties,properties.gsd"), "properties") && has(json!("id,-id"), "id"));
        assert!(has(json!("id"), "id") && !has(json!("id"), "platform") && !has(json!({}), "platform"));
        assert!(Fields::parse(&json!({"only": []})).unwrap_err().contains("neither include nor exclude"));
    }
}
