//! Whose metadata lies in a folder: one folder holds the files of one table.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use flate2::read::GzDecoder;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectStoreExt};
use url::Url;
use uuid::Uuid;

use super::error::{Result, WarehouseError};
use super::location::to_location;
use crate::model::layout;
use crate::stores::{ObjectError, below, stores};

/// The uuid comes early in the documents of every writer that we know, and a document may have megabytes.
const HEAD: u64 = 4096;

/// Metadata files that are looked into at a time.
const CONCURRENCY: usize = 16;

/// A metadata file of a table, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundMetadata {
    /// Iceberg location.
    pub location: String,
    /// The number in its name: a later one is newer; 0 where the name has none.
    pub version: u64,
    pub table: Uuid,
}

/// The metadata files in the folder of a warehouse of which `looked_at` wants to know whose they are, by their Iceberg
/// locations. What is not a table's metadata is left out, whatever its name.
pub(crate) async fn metadata_in(folder: &Url, looked_at: impl Fn(&str) -> bool) -> Result<Vec<FoundMetadata>> {
    let metadata = below(folder, &format!("{}/", layout::METADATA))?;
    let (store, root) = stores().locate(&metadata)?;
    let listed = store.list_with_delimiter(Some(&root)).await.map_err(ObjectError::store(metadata.as_str()))?;
    let names = listed.objects.iter().filter_map(|meta| meta.location.filename());
    let mut wanted = vec![];
    for name in names.filter(|name| name.ends_with(".metadata.json") || name.ends_with(".metadata.json.gz")) {
        let url = below(&metadata, name)?;
        let location = to_location(&url)?;
        if looked_at(&location) {
            wanted.push((url, location, version(name)));
        }
    }
    let read = futures::stream::iter(wanted).map(|(url, location, version)| async move {
        let table = table_of(&url).await?;
        Ok::<_, WarehouseError>(table.map(|table| FoundMetadata { location, version, table }))
    });
    let mut found: Vec<_> =
        read.buffer_unordered(CONCURRENCY).try_filter_map(|found| std::future::ready(Ok(found))).try_collect().await?;
    found.sort_by(|a, b| (a.version, &a.location).cmp(&(b.version, &b.location)));
    Ok(found)
}

/// The newest file of each table.
pub(crate) fn newest_by_table(found: &[FoundMetadata]) -> BTreeMap<Uuid, &FoundMetadata> {
    found.iter().map(|found| (found.table, found)).collect()
}

/// The table that a metadata file is of; `None` where it is not one, or gone by now.
async fn table_of(url: &Url) -> Result<Option<Uuid>> {
    let (store, path) = stores().locate(url)?;
    let head = GetOptions { range: Some(GetRange::Bounded(0..HEAD)), ..GetOptions::default() };
    if !url.path().contains(".gz")
        && let Ok(found) = store.get_opts(&path, head).await
        && let Ok(bytes) = found.bytes().await
        && let Some(table) = table_uuid(&bytes)
    {
        return Ok(Some(table));
    }
    let whole: Result<Bytes, object_store::Error> = async { store.get(&path).await?.bytes().await }.await;
    let whole = match whole {
        Ok(bytes) => bytes,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(ObjectError::store(url.as_str())(e).into()),
    };
    let mut plain = vec![];
    match GzDecoder::new(&*whole).read_to_end(&mut plain) {
        Ok(_) => Ok(table_uuid(&plain)),
        Err(_) => Ok(table_uuid(&whole)),
    }
}

/// The value of member `table-uuid`. A text that quotes it has a backslash before the second quotation mark.
fn table_uuid(json: &[u8]) -> Option<Uuid> {
    const MEMBER: &[u8] = b"\"table-uuid\"";
    let at = json.windows(MEMBER.len()).position(|window| window == MEMBER)?;
    let value = json[at + MEMBER.len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let text = value.strip_prefix(b"\"")?.split(|byte| *byte == b'"').next()?;
    Uuid::try_parse_ascii(text).ok()
}

/// `00012-<id>.metadata.json`, or `v12.metadata.json`.
fn version(name: &str) -> u64 {
    let digits = name.trim_start_matches('v');
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_found_in_the_documents_of_other_writers_too() {
        let id = Uuid::from_u128(7);
        for text in [
            format!(r#"{{"format-version":2,"table-uuid":"{id}","location":"x"}}"#),
            format!("{{\n  \"location\" : \"x\",\n  \"table-uuid\" : \"{id}\"\n}}"),
            format!(r#"{{"properties":{{"a":"\"table-uuid\":\"no\""}},"table-uuid":"{id}"}}"#),
        ] {
            assert_eq!(table_uuid(text.as_bytes()), Some(id), "{text}");
        }
        for text in ["", "{}", r#"{"table-uuid":7}"#, r#"{"table-uuid":"x"}"#, r#"{"table-uuid"#] {
            assert_eq!(table_uuid(text.as_bytes()), None, "{text}");
        }
        let names = [("00012-x.metadata.json", 12), ("v3.metadata.json", 3), ("x.metadata.json", 0)];
        names.into_iter().for_each(|(name, expected)| assert_eq!(version(name), expected));
    }
}
