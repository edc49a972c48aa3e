//! [`read`]: STAC Collections from files, folders, stores and standard input.

use std::collections::HashMap;
use std::io::Read;

use earthcatalog_plans::stores::{ObjectError, StoreError, folder_url, location_url, stores};
use earthcatalog_plans::table::CollectionDocument;
use earthcatalog_plans::table::collection_documents::DocumentError;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use serde_json::Value;
use thiserror::Error;
use url::Url;

/// Name of a Collection in a STAC folder.
const IN_FOLDERS: &str = "collection.json";

/// Why a document could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("cannot read standard input: {0}")]
    Input(std::io::Error),
    #[error(transparent)]
    Location(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("{0}: it is not JSON: {1}")]
    NotJson(String, serde_json::Error),
    #[error("{0}: {1}")]
    Document(String, DocumentError),
    #[error("{0}: there is no file {IN_FOLDERS} in it, nor below; name the documents one by one")]
    NoneInFolder(String),
    #[error("{0}: there is no Collection in it")]
    Empty(String),
    #[error("collection {id} is given twice, by {first} and by {second}; leave one of them out")]
    Twice { id: String, first: String, second: String },
}

/// The Collections of some locations, in their order. None is returned unless all can be.
pub async fn read(locations: &[String]) -> Result<Vec<CollectionDocument>, ReadError> {
    let mut all: Vec<CollectionDocument> = vec![];
    let mut seen: HashMap<String, String> = HashMap::new();
    for location in locations {
        for (name, bytes) in bytes_at(location).await? {
            for document in documents(&name, &bytes)? {
                let id = document.id().to_owned();
                if let Some(first) = seen.insert(id.clone(), name.clone()) {
                    return Err(ReadError::Twice { id, first, second: name });
                }
                all.push(document);
            }
        }
    }
    Ok(all)
}

/// What is at a location, each with its name.
async fn bytes_at(location: &str) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
    if location == "-" {
        let mut bytes = vec![];
        std::io::stdin().read_to_end(&mut bytes).map_err(ReadError::Input)?;
        return Ok(vec![("standard input".to_owned(), bytes)]);
    }
    let is_folder = location.ends_with('/') || std::path::Path::new(location).is_dir();
    let urls = if is_folder { in_folder(location).await? } else { vec![location_url(location)?] };
    let mut found = vec![];
    for url in urls {
        let (store, path) = stores().locate(&url)?;
        let failed = |source| unreadable(&url, source);
        let bytes = store.get(&path).await.map_err(failed)?.bytes().await.map_err(failed)?;
        let name = if is_folder { url.to_string() } else { location.to_owned() };
        found.push((name, bytes.to_vec()));
    }
    Ok(found)
}

fn unreadable(url: &Url, source: object_store::Error) -> ObjectError {
    ObjectError::Store { location: url.to_string(), source: Box::new(source) }
}

/// The Collections of a STAC folder.
async fn in_folder(location: &str) -> Result<Vec<Url>, ReadError> {
    let folder = folder_url(location)?;
    let (store, path) = stores().locate(&folder)?;
    let listed = store.list(Some(&path)).try_filter(|object| {
        let is_collection = object.location.filename() == Some(IN_FOLDERS);
        std::future::ready(is_collection)
    });
    let mut urls: Vec<Url> = vec![];
    for object in listed.try_collect::<Vec<_>>().await.map_err(|source| unreadable(&folder, source))? {
        let mut url = folder.clone();
        url.set_path(&format!("/{}", object.location));
        urls.push(url);
    }
    urls.sort();
    if urls.is_empty() { Err(ReadError::NoneInFolder(location.to_owned())) } else { Ok(urls) }
}

/// The Collections of a JSON text: one, a list, or member `collections`, as a STAC API lists them.
fn documents(name: &str, bytes: &[u8]) -> Result<Vec<CollectionDocument>, ReadError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let json: Value = serde_json::from_slice(bytes).map_err(|e| ReadError::NotJson(name.to_owned(), e))?;
    let list = match json {
        Value::Array(list) => list,
        Value::Object(mut object) if !object.contains_key("type") && object.contains_key("collections") => {
            match object.remove("collections") {
                Some(Value::Array(list)) => list,
                _ => vec![],
            }
        }
        one => vec![one],
    };
    if list.is_empty() {
        return Err(ReadError::Empty(name.to_owned()));
    }
    let document = |json| CollectionDocument::try_from(json).map_err(|e| ReadError::Document(name.to_owned(), e));
    list.into_iter().map(document).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(json: &Value) -> Result<Vec<String>, String> {
        let found = documents("x.json", json.to_string().as_bytes()).map_err(|e| e.to_string())?;
        Ok(found.iter().map(|document| document.id().to_owned()).collect())
    }

    #[test]
    fn one_or_several_collections_are_read() {
        let one = |id: &str| json!({"type": "Collection", "id": id});
        assert_eq!(ids(&one("a")).unwrap(), ["a"]);
        assert_eq!(ids(&json!([one("a"), one("b")])).unwrap(), ["a", "b"]);
        assert_eq!(ids(&json!({"collections": [one("a")], "links": []})).unwrap(), ["a"]);
        assert_eq!(ids(&json!({"collections": []})).unwrap_err(), "x.json: there is no Collection in it");
        let error = ids(&json!([one("a"), {"type": "Catalog", "id": "b"}])).unwrap_err();
        assert_eq!(error, "x.json: it is not a STAC Collection: its type is \"Catalog\"");
        let error = documents("x.json", b"{").unwrap_err().to_string();
        assert!(error.starts_with("x.json: it is not JSON: EOF"), "{error}");
    }
}
