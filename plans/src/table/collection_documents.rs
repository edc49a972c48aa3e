//! [`CollectionDocument`]: a STAC Collection that somebody gave for the Items of a table.
//!
//! A table keeps them in its properties: every engine hands those on, and no clean-up takes them for a file that nobody
//! needs.

use std::collections::HashMap;

use iceberg::spec::TableMetadata;
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use super::leases::error::{MaintenanceError, Result};
use super::manifests::MetadataFiles;
use super::rewrite::{Rewrite, rewrite_metadata};
use super::{TableState, Warehouse, WarehouseError};

/// Table property with the document of a collection, behind it the collection's id.
const COLLECTION: &str = "earthcatalog.collection.";

/// Largest document, in bytes: every reader of the table reads it, and every commit writes it again.
const MAX_BYTES: usize = 256 * 1024;

/// Links to what lies around a document where it was published; where it is published next, others are there.
const AROUND: [&str; 11] = [
    "self",
    "root",
    "parent",
    "child",
    "item",
    "items",
    "aggregate",
    "aggregations",
    "http://www.opengis.net/def/rel/ogc/1.0/queryables",
    "http://www.opengis.net/def/rel/ogc/1.0/sortables",
    "collection",
];

/// Why a JSON document is not kept as a Collection.
#[derive(Debug, Error)]
pub enum DocumentError {
    #[error("it is not a STAC Collection: {0}")]
    NotCollection(String),
    #[error(
        "collection {id}: the document has {bytes} bytes, and the table keeps {MAX_BYTES} at most, because every reader reads it; move long members, such as links, to a document that it links to"
    )]
    TooLarge { id: String, bytes: usize },
}

/// A STAC Collection as it was given, without its links to what lay around it. What it lacks is not added.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionDocument {
    id: String,
    members: Map<String, Value>,
}

impl CollectionDocument {
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The documents that a table keeps, by id. A property that another program has broken is not one.
    pub fn all(metadata: &TableMetadata) -> Vec<Self> {
        let mut all: Vec<_> = Self::kept(metadata).filter_map(|(_, document)| document.ok()).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// The properties of a table that should have documents and do not, each with the reason.
    pub(crate) fn broken(metadata: &TableMetadata) -> Vec<(String, String)> {
        let broken = Self::kept(metadata).filter_map(|(key, document)| Some((key.to_owned(), document.err()?)));
        let mut broken: Vec<_> = broken.collect();
        broken.sort();
        broken
    }

    /// Each property of a table that should have a document, with it, or why it has none.
    fn kept(metadata: &TableMetadata) -> impl Iterator<Item = (&str, Result<Self, String>)> {
        metadata.properties().iter().filter_map(|(key, text)| {
            let id = key.strip_prefix(COLLECTION)?;
            let json = serde_json::from_str::<Value>(text).map_err(|e| e.to_string());
            let document = json.and_then(|json| Self::try_from(json).map_err(|e| e.to_string()));
            let document = document.and_then(|document| match document.id == id {
                true => Ok(document),
                false => Err(format!("its id is {}", document.id)),
            });
            Some((key.as_str(), document))
        })
    }

    /// The JSON text.
    pub fn to_json(&self) -> String {
        Value::Object(self.members.clone()).to_string()
    }
}

impl TryFrom<Value> for CollectionDocument {
    type Error = DocumentError;

    fn try_from(json: Value) -> Result<Self, DocumentError> {
        let refused = |reason: &str| DocumentError::NotCollection(reason.to_owned());
        let Value::Object(mut members) = json else { return Err(refused("it is not an object")) };
        match members.get("type") {
            Some(Value::String(kind)) if kind == "Collection" => {}
            Some(kind) => return Err(refused(&format!("its type is {kind}"))),
            None => return Err(refused("it has no type")),
        }
        let id = members.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| refused("it has no id that is a text"))?.to_owned();
        let published = link_to_self(&members);
        if let Some(Value::Array(links)) = members.get_mut("links") {
            links.retain(|link| !link["rel"].as_str().is_some_and(|rel| AROUND.contains(&rel)));
            links.iter_mut().for_each(|link| resolve(link, published.as_ref()));
        }
        if let Some(Value::Object(assets)) = members.get_mut("assets") {
            assets.iter_mut().for_each(|(_, asset)| resolve(asset, published.as_ref()));
        }
        let document = Self { id, members };
        match document.to_json().len() {
            bytes if bytes > MAX_BYTES => Err(DocumentError::TooLarge { id: document.id, bytes }),
            _ => Ok(document),
        }
    }
}

/// Where a document says that it was published.
fn link_to_self(members: &Map<String, Value>) -> Option<Url> {
    let links = members.get("links")?.as_array()?;
    let link = links.iter().find(|link| link["rel"] == "self")?;
    Url::parse(link["href"].as_str()?).ok()
}

/// Makes the address of a link or asset absolute, if it is known of what it is a part.
fn resolve(link: &mut Value, base: Option<&Url>) {
    let Some(href) = link.get("href").and_then(Value::as_str) else { return };
    if let Some(absolute) = base.and_then(|base| base.join(href).ok()) {
        link["href"] = absolute.as_str().into();
    }
}

/// What is to become of the documents of a table.
#[derive(Debug, Clone, Default)]
pub struct DocumentChange {
    /// These are put in the place of those with the same ids.
    pub add: Vec<CollectionDocument>,
    /// Ids of those that go.
    pub remove: Vec<String>,
}

impl DocumentChange {
    /// Makes the change visible, beside any other writer; whether it changed anything.
    ///
    /// Errors: as [`MaintenanceError`] says; then nothing is changed, or it is unknown.
    pub async fn commit(&self, warehouse: &Warehouse) -> Result<bool> {
        Ok(rewrite_metadata(warehouse, "collections", self).await?.is_some())
    }
}

impl Rewrite for DocumentChange {
    type Outcome = ();

    async fn rewrite(&self, base: &TableState, _: &mut MetadataFiles) -> Result<Option<(TableMetadata, ())>> {
        let kept = base.metadata.properties();
        let add: HashMap<_, _> = self.add.iter().map(|given| (property(&given.id), given.to_json())).collect();
        let add: HashMap<_, _> = add.into_iter().filter(|(key, text)| kept.get(key) != Some(text)).collect();
        let remove: Vec<_> = self.remove.iter().map(|id| property(id)).filter(|key| kept.contains_key(key)).collect();
        if add.is_empty() && remove.is_empty() {
            return Ok(None);
        }
        let failed = |e| MaintenanceError::from(WarehouseError::metadata(&base.metadata_location)(e));
        let builder = base.next();
        let next = builder.set_properties(add).and_then(|builder| builder.remove_properties(&remove));
        Ok(Some((next.and_then(|builder| builder.build()).map_err(failed)?.metadata, ())))
    }
}

fn property(id: &str) -> String {
    format!("{COLLECTION}{id}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::testing::{Row, warehouse, write_part};
    use crate::table::{Change, Committer};

    fn given(id: &str, title: &str) -> CollectionDocument {
        json!({"type": "Collection", "id": id, "title": title}).try_into().unwrap()
    }

    async fn kept(warehouse: &Warehouse) -> Vec<(String, Value)> {
        let all = CollectionDocument::all(&warehouse.load().await.unwrap().metadata);
        all.into_iter().map(|document| (document.id.clone(), document.members["title"].clone())).collect()
    }

    #[tokio::test]
    async fn documents_are_kept_over_commits_and_expiry_and_are_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let change = |add: &[CollectionDocument], remove: &[&str]| DocumentChange {
            add: add.to_vec(),
            remove: remove.iter().map(|id| (*id).to_owned()).collect(),
        };
        assert!(change(&[given("b", "1"), given("a.b/ü", "1")], &[]).commit(&warehouse).await.unwrap());
        assert!(!change(&[given("b", "1")], &["c"]).commit(&warehouse).await.unwrap(), "nothing changes");
        let part = write_part(&warehouse, "81a", "1", &[Row::new("x", None)]);
        Committer::new(warehouse.clone()).commit(Change { add: vec![part], ..Change::default() }).await.unwrap();
        let one = |title: &str| ("b".to_owned(), json!(title));
        assert_eq!(kept(&warehouse).await, [("a.b/ü".to_owned(), json!("1")), one("1")]);
        assert!(change(&[given("b", "2")], &["a.b/ü"]).commit(&warehouse).await.unwrap());
        assert_eq!(kept(&warehouse).await, [one("2")]);
    }

    #[tokio::test]
    async fn changes_at_the_same_time_are_all_made() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let commits = (0..8).map(|i| {
            let warehouse = warehouse.clone();
            async move {
                let change = DocumentChange { add: vec![given(&i.to_string(), "x")], ..DocumentChange::default() };
                change.commit(&warehouse).await.unwrap()
            }
        });
        assert_eq!(futures::future::join_all(commits).await, [true; 8]);
        assert_eq!(kept(&warehouse).await.len(), 8);
    }

    #[test]
    fn links_to_neighbours_go_and_others_stay_where_they_led() {
        let document = CollectionDocument::try_from(json!({
            "type": "Collection", "id": "a",
            "links": [
                {"rel": "self", "href": "https://example.com/stac/a/collection.json"},
                {"rel": "item", "href": "./x.json"},
                {"rel": "license", "href": "../LICENSE"},
                {"rel": "about", "href": "https://example.org/"},
            ],
            "assets": {"thumbnail": {"href": "a.png"}},
        }));
        let document = document.unwrap();
        assert_eq!(
            document.members["links"],
            json!([{"rel": "license", "href": "https://example.com/stac/LICENSE"},
                {"rel": "about", "href": "https://example.org/"}])
        );
        assert_eq!(document.members["assets"]["thumbnail"]["href"], "https://example.com/stac/a/a.png");
    }

    #[test]
    fn what_is_not_a_collection_is_refused_with_the_reason() {
        let long = "x".repeat(MAX_BYTES);
        for (json, words) in [
            (json!([]), "it is not an object"),
            (json!({"type": "Feature", "id": "a"}), "its type is \"Feature\""),
            (json!({"id": "a"}), "it has no type"),
            (json!({"type": "Collection", "id": 7}), "it has no id"),
            (json!({"type": "Collection", "id": "a", "description": long}), "collection a: the document has 262"),
        ] {
            let error = CollectionDocument::try_from(json).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
