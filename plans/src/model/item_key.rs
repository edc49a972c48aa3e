//! [`ItemKey`]: what tells an Item from others.

use std::fmt;

use serde::Serialize;

/// The identity of an Item: STAC asks for ids that are unique within a collection. No collection is a value, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ItemKey {
    pub collection: Option<String>,
    pub id: String,
}

impl ItemKey {
    /// Columns of table `items` that have it.
    pub const COLUMNS: [&str; 2] = ["collection", "id"];

    pub fn new(collection: Option<&str>, id: &str) -> Self {
        Self { collection: collection.map(str::to_owned), id: id.to_owned() }
    }

    /// Bytes that no other key has: hashes of keys are made of them.
    pub fn write(collection: Option<&str>, id: &str, mut write: impl FnMut(&[u8])) {
        // Neither byte is in any UTF-8 text.
        match collection {
            Some(collection) => {
                write(collection.as_bytes());
                write(&[0xFF]);
            }
            None => write(&[0xFE]),
        }
        write(id.as_bytes());
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.collection {
            Some(collection) => write!(f, "{collection}/{}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_have_the_same_bytes() {
        let bytes = |collection, id| {
            let mut bytes: Vec<u8> = vec![];
            ItemKey::write(collection, id, |part| bytes.extend(part));
            bytes
        };
        let keys = [(None, "ab"), (Some(""), "ab"), (Some("a"), "b"), (Some("ab"), ""), (None, ""), (Some("b"), "a")];
        let distinct: std::collections::BTreeSet<_> = keys.map(|(collection, id)| bytes(collection, id)).into();
        assert_eq!(distinct.len(), keys.len());
    }
}
