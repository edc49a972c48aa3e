//! [`SortKey`]: parameter `sortby`.

use serde_json::Value;

use super::texts::texts;

/// Properties by which Items can be sorted at once: plans grow with them.
const MOST_KEYS: usize = 16;

/// A property by which Items are sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    /// As in a filter: `datetime`, `properties.eo:cloud_cover`.
    pub property: String,
    pub descending: bool,
}

impl SortKey {
    /// Reads `"+a,-b,c"`, `["+a", "-b"]`, or `[{"field": "a", "direction": "desc"}]`.
    pub(super) fn parse(value: &Value) -> Result<Vec<Self>, String> {
        let keys: Vec<Self> = match value {
            Value::Array(keys) => {
                let key = |key: &Value| key.as_str().map_or_else(|| Self::from_object(key), Self::from_text);
                keys.iter().map(key).collect::<Result<_, _>>()?
            }
            value => texts(value)?.iter().map(|key| Self::from_text(key)).collect::<Result<_, _>>()?,
        };
        match keys.len() {
            0..=MOST_KEYS => Ok(keys),
            many => Err(format!("it has {many} properties, and Items can be sorted by {MOST_KEYS}")),
        }
    }

    fn from_text(text: &str) -> Result<Self, String> {
        // In a query string, a plus is a space.
        let property = text.trim().trim_start_matches(['+', '-']);
        match property {
            "" => Err("a property has no name".to_owned()),
            _ => Ok(Self { property: property.to_owned(), descending: text.trim().starts_with('-') }),
        }
    }

    fn from_object(value: &Value) -> Result<Self, String> {
        let unreadable = || format!("{value} is neither a text nor {{\"field\": …, \"direction\": …}}");
        let object = value.as_object().ok_or_else(unreadable)?;
        let is_known = |name: &String| matches!(name.as_str(), "field" | "direction");
        let field = object.get("field").and_then(Value::as_str).filter(|field| !field.is_empty());
        let property = field.filter(|_| object.keys().all(is_known)).ok_or_else(unreadable)?.to_owned();
        match object.get("direction").map(|direction| direction.as_str().unwrap_or_default()) {
            None | Some("asc") => Ok(Self { property, descending: false }),
            Some("desc") => Ok(Self { property, descending: true }),
            Some(_) => Err(format!("{} is neither asc nor desc", object["direction"])),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_texts_or_objects() {
        let key = |property: &str, descending| SortKey { property: property.to_owned(), descending };
        let expected = Ok(vec![key("a", false), key("b", true), key("c", false)]);
        for value in [
            json!("+a,-b,c"),
            json!(" a,-b,c"),
            json!(["a", "-b", "+c"]),
            json!([{"field": "a"}, {"field": "b", "direction": "desc"}, {"field": "c", "direction": "asc"}]),
        ] {
            assert_eq!(SortKey::parse(&value), expected, "{value}");
        }
        for (value, words) in [
            (json!("a,,b"), "a property has no name"),
            (json!([{"direction": "asc"}]), "is neither a text nor"),
            (json!([{"field": "a", "order": "asc"}]), "is neither a text nor"),
            (json!(7), "is not a list of texts"),
            (json!(vec!["a"; 17]), "it has 17 properties"),
        ] {
            assert!(SortKey::parse(&value).unwrap_err().contains(words), "{value}");
        }
    }
}
