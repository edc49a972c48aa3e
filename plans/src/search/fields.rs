//! [`Fields`]: parameter `fields`, and what it leaves of an Item.

use serde_json::{Map, Value};

use super::texts::texts;

/// Members that an Item has to have; they are there unless they are excluded.
const DEFAULT: [&str; 9] =
    ["type", "stac_version", "id", "geometry", "bbox", "links", "assets", "collection", "properties.datetime"];

/// Which members of Items are returned, by the rules of STAC API's fields extension. A member of `properties` is
/// `properties.eo:cloud_cover`, or without its prefix where it is no member of the Item itself.
///
/// - With `include`, the members named there, and no others; of a member that is named, all that is in it, but for what
///   `exclude` names in it.
/// - With `exclude` alone, all but those.
/// - With neither, what each Item has to have: the members of STAC's core, and `datetime`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    include: Vec<Vec<String>>,
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
            return Ok(Self {
                include: include.into_iter().map(|name| path(name.trim_start_matches('+'))).collect(),
                exclude: exclude.into_iter().map(|name| path(&name[1..])).collect(),
            });
        };
        if let Some(name) = object.keys().find(|name| !matches!(name.as_str(), "include" | "exclude")) {
            return Err(format!("{name} is neither include nor exclude"));
        }
        let list = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(vec![]),
            Some(names) => texts(names).map(|names| names.iter().map(|name| path(name)).collect()),
        };
        Ok(Self { include: list("include")?, exclude: list("exclude")? })
    }

    /// What is returned of an Item.
    pub fn select(&self, item: Map<String, Value>) -> Map<String, Value> {
        let include = match (self.include.is_empty(), self.exclude.is_empty()) {
            (true, true) => DEFAULT.iter().map(|name| split(name)).collect(),
            (true, false) => vec![vec![]],
            (false, _) => self.include.clone(),
        };
        let include: Vec<&[String]> = include.iter().map(Vec::as_slice).collect();
        let exclude: Vec<&[String]> = self.exclude.iter().map(Vec::as_slice).collect();
        select(item, &include, &exclude)
    }

    /// Whether all is returned that is not excluded.
    pub fn has_all(&self) -> bool {
        self.include.is_empty() && !self.exclude.is_empty()
    }

    /// Whether anything is returned of what `name` names.
    pub fn has(&self, name: &str) -> bool {
        let path = split(name);
        let is_above = |other: &Vec<String>| path.starts_with(other);
        let excluded = self.exclude.iter().any(is_above);
        let reaches = |other: &Vec<String>| is_above(other) || other.starts_with(&path);
        let included = match (self.include.is_empty(), self.exclude.is_empty()) {
            (true, true) => DEFAULT.iter().any(|known| reaches(&split(known))),
            (true, false) => true,
            (false, _) => self.include.iter().any(reaches),
        };
        included && !excluded
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

fn select(object: Map<String, Value>, include: &[&[String]], exclude: &[&[String]]) -> Map<String, Value> {
    /// The rest of the ways that go through `name`.
    fn through<'a>(paths: &[&'a [String]], name: &str) -> Vec<&'a [String]> {
        paths
            .iter()
            .filter_map(|path| path.split_first().filter(|(first, _)| *first == name).map(|(_, rest)| rest))
            .collect()
    }
    let all = include.iter().any(|path| path.is_empty());
    let mut kept = Map::new();
    for (name, value) in object {
        let (mut inner, outer) = (through(include, &name), through(exclude, &name));
        if all {
            inner.push(&[]);
        }
        if inner.is_empty() || outer.iter().any(|path| path.is_empty()) {
            continue;
        }
        let is_whole = outer.is_empty() && inner.iter().any(|path| path.is_empty());
        match value {
            Value::Object(members) if !is_whole => {
                kept.insert(name, Value::Object(select(members, &inner, &outer)));
            }
            value => {
                kept.insert(name, value);
            }
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
        assert_eq!(selected(json!("id,-id")), json!({}));
    }

    #[test]
    fn a_member_of_which_nothing_is_returned_need_not_be_read() {
        let has = |fields: Value, name: &str| Fields::parse(&fields).unwrap().has(name);
        assert!(has(json!("assets.B1"), "assets") && !has(json!("assets.B1"), "links"));
        assert!(has(json!("-assets.B1"), "assets") && !has(json!("-assets"), "assets"));
        assert!(has(json!({}), "properties") && has(json!("datetime"), "properties"));
        assert!(has(json!("properties"), "platform") && !has(json!("properties,-platform"), "platform"));
        assert!(has(json!("id"), "id") && !has(json!("id"), "platform") && !has(json!({}), "platform"));
        assert!(Fields::parse(&json!({"only": []})).unwrap_err().contains("neither include nor exclude"));
    }
}
