//! What the STAC specification requires of an Item, and a row does not need.
//!
//! Source: STAC Item specification 1.1.0, "Item fields" and "Common metadata" (the same in 1.0.0). Extensions are not
//! looked at.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::defect::{Defect, RejectKind};
use crate::time;

/// The members of an object, each as its text; of several with one name the last.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// A link, as far as it is required to be one.
#[derive(Deserialize)]
struct Link {
    #[serde(rename = "href")]
    _href: String,
    rel: String,
}

/// An asset, as far as it is required to be one.
#[derive(Deserialize)]
struct Asset {
    #[serde(rename = "href")]
    _href: String,
}

/// Checks the Item that is the whole of `json` for the members that STAC requires and their kinds.
///
/// Text that is not a JSON object, or not a Feature, passes: the decoder says what it is.
///
/// Errors: [`RejectKind::InvalidItem`], with all that is missing.
pub fn check_item(json: &[u8]) -> Result<(), Defect> {
    let body = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let Ok(item) = serde_json::from_slice::<Members>(body) else { return Ok(()) };
    if read::<String>(item.get("type")).is_none_or(|kind| kind != "Feature") {
        return Ok(());
    }
    let mut faults = vec![];
    let mut require = |is_met: bool, what: &str| {
        if !is_met {
            faults.push(what.to_owned());
        }
    };
    let is_text = |name: &str| read::<String>(item.get(name)).is_some_and(|text| !text.is_empty());
    require(is_text("stac_version"), "stac_version is required, a text");
    let extensions = item.get("stac_extensions");
    require(
        extensions.is_none() || read::<Vec<String>>(extensions).is_some(),
        "stac_extensions must be a list of texts",
    );
    let bbox = read::<Vec<f64>>(item.get("bbox")).is_some_and(|bbox| [4, 6].contains(&bbox.len()));
    match item.get("geometry") {
        None => require(false, "geometry is required, be it null"),
        Some(geometry) if geometry.get() == "null" => {
            require(!item.contains_key("bbox"), "bbox must not be there if geometry is null");
        }
        Some(_) => require(bbox, "bbox is required with a geometry, four or six numbers"),
    }
    let links = read::<Vec<Link>>(item.get("links"));
    require(links.is_some(), "links is required, a list of objects with href and rel");
    let is_of_collection = links.is_some_and(|links| links.iter().any(|link| link.rel == "collection"));
    require(!is_of_collection || is_text("collection"), "collection is required with a link of rel collection");
    require(
        read::<BTreeMap<String, Asset>>(item.get("assets")).is_some(),
        "assets is required, an object of objects with href",
    );
    match item.get("properties").and_then(|properties| serde_json::from_str::<Members>(properties.get()).ok()) {
        Some(properties) => check_times(&properties, require),
        None => require(false, "properties is required, an object"),
    }
    if faults.is_empty() { Ok(()) } else { Err(Defect::new(RejectKind::InvalidItem, faults.join("; "))) }
}

fn check_times(properties: &Members<'_>, mut require: impl FnMut(bool, &str)) {
    let is_time = |name: &str| {
        let text = read::<String>(properties.get(name));
        text.is_some_and(|text| time::parse(&text).is_some())
    };
    match properties.get("datetime") {
        None => require(false, "properties.datetime is required, be it null"),
        Some(null) if null.get() == "null" => require(
            is_time("start_datetime") && is_time("end_datetime"),
            "properties.start_datetime and end_datetime are required if datetime is null",
        ),
        Some(_) => {
            let has = |name: &str| properties.contains_key(name);
            require(is_time("datetime"), "properties.datetime must be a time or null");
            require(
                has("start_datetime") == has("end_datetime"),
                "properties.start_datetime and end_datetime must both be there, or neither",
            );
        }
    }
}

fn read<T: DeserializeOwned>(member: Option<&&RawValue>) -> Option<T> {
    serde_json::from_str(member?.get()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn item() -> Value {
        json!({
            "type": "Feature", "stac_version": "1.1.0", "id": "a", "bbox": [1, 2, 1, 2], "collection": "c",
            "geometry": {"type": "Point", "coordinates": [1, 2]},
            "properties": {"datetime": "2020-01-01T00:00:00Z"},
            "links": [{"rel": "collection", "href": "./c.json", "title": "C"}],
            "assets": {"data": {"href": "a.tif", "roles": []}},
        })
    }

    fn fault(item: &Value) -> Option<String> {
        check_item(item.to_string().as_bytes()).err().map(|defect| {
            assert_eq!(defect.kind, RejectKind::InvalidItem);
            defect.message
        })
    }

    #[test]
    fn whole_items_pass() {
        assert_eq!(fault(&item()), None);
        let mut other = item();
        other["geometry"] = Value::Null;
        other.as_object_mut().unwrap().remove("bbox");
        other["properties"] = json!({"datetime": null, "start_datetime": "2020-01-01T00:00:00Z",
            "end_datetime": "2020-02-01T00:00:00Z"});
        other["links"] = json!([]);
        other["assets"] = json!({});
        assert_eq!(fault(&other), None);
        // What is no Item at all is told by the decoder.
        for text in ["", "[]", "{", r#"{"type":"Collection"}"#, "{}"] {
            assert_eq!(check_item(text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (path, value, expected) in [
            ("/stac_version", json!(1.0), "stac_version is required, a text"),
            ("/bbox", json!([1, 2, 3]), "bbox is required with a geometry, four or six numbers"),
            ("/geometry", json!(null), "bbox must not be there if geometry is null"),
            ("/properties", json!(null), "properties is required, an object"),
            ("/properties", json!({}), "properties.datetime is required, be it null"),
            (
                "/properties/datetime",
                json!(null),
                "properties.start_datetime and end_datetime are required if datetime is null",
            ),
            ("/properties/datetime", json!("soon"), "properties.datetime must be a time or null"),
            ("/links", json!([{"rel": "self"}]), "links is required, a list of objects with href and rel"),
            ("/collection", json!(null), "collection is required with a link of rel collection"),
            ("/assets/data", json!("a.tif"), "assets is required, an object of objects with href"),
        ] {
            let mut item = item();
            *item.pointer_mut(path).unwrap() = value;
            assert_eq!(fault(&item).as_deref(), Some(expected), "{path}");
        }
        let bare = json!({"type": "Feature", "id": "x"});
        let expected = "stac_version is required, a text; geometry is required, be it null; links is required, a list of objects with href and rel; assets is required, an object of objects with href; properties is required, an object";
        assert_eq!(fault(&bare).as_deref(), Some(expected));
    }
}
