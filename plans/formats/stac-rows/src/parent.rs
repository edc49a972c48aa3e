//! STAC documents that lead to Items, and are none.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// What a document of a static catalog is, if not an Item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    Catalog,
    Collection,
}

impl Parent {
    /// What the document is that is the whole of `json`; `None` if it is neither, or not JSON.
    ///
    /// Before STAC 1.0 a Catalog had no `type`; it is told by what else it must have.
    pub fn of(json: &[u8]) -> Option<Self> {
        let body = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let members: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
        let has = |name: &str| members.contains_key(name);
        match members.get("type").map(|kind| kind.get()) {
            Some("\"Catalog\"") => Some(Self::Catalog),
            Some("\"Collection\"") => Some(Self::Collection),
            None if has("stac_version") && has("links") && has("extent") => Some(Self::Collection),
            None if has("stac_version") && has("links") && has("description") => Some(Self::Catalog),
            _ => None,
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Collection => "collection",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogs_and_collections_are_told_from_other_documents() {
        for (text, parent) in [
            (r#"{"id":"c","type":"Catalog"}"#, Some(Parent::Catalog)),
            ("\u{feff}{\"type\": \"Collection\", \"links\": []}", Some(Parent::Collection)),
            (r#"{"stac_version":"0.9.0","id":"c","links":[],"description":""}"#, Some(Parent::Catalog)),
            (r#"{"stac_version":"0.9.0","description":"","links":[],"extent":{}}"#, Some(Parent::Collection)),
            (r#"{"type":"FeatureCollection","features":[],"stac_version":"1.0.0","links":[],"extent":{}}"#, None),
            (r#"{"links":[],"description":""}"#, None),
            (r#"{"type":"Catalog""#, None),
            ("[]", None),
        ] {
            assert_eq!(Parent::of(text.as_bytes()), parent, "{text}");
        }
    }
}
