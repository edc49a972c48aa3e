//! `manifest.json` of an inventory: names the data files, and, of S3's, their columns.
//!
//! | of | members |
//! |---|---|
//! | S3 Inventory | `destinationBucket`, `fileFormat`, `fileSchema`, `files` of `key` |
//! | Google's Storage Insights | `report_shards_file_names`, which lie beside it |
//! | Azure's blob inventory | `destinationContainer`, `files` of `blob` |
//!
//! Sources: AWS user guide, "Locating your Amazon S3 Inventory list"; Google Cloud, "Storage Insights inventory reports";
//! Microsoft Learn, "Azure Storage blob inventory".

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, plan_err};
use object_store::ObjectStoreExt;
use serde::Deserialize;
use url::Url;

use super::columns::Columns;
use super::{csv, parquet};
use crate::source::keys::KeyBase;
use crate::source::planner::Planner;
use crate::stores::stores;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    /// ARN, `arn:aws:s3:::<bucket>`: the bucket with the data files.
    destination_bucket: String,
    file_format: String,
    file_schema: String,
    files: Vec<DataFile>,
}

#[derive(Debug, Deserialize)]
struct DataFile {
    key: String,
}

#[derive(Debug, Deserialize)]
struct GoogleManifest {
    report_shards_file_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AzureManifest {
    destination_container: String,
    files: Vec<Blob>,
}

#[derive(Debug, Deserialize)]
struct Blob {
    blob: String,
}

/// The data files that a manifest names.
struct DataFiles {
    /// With the data files; empty where they lie beside the manifest.
    bucket: String,
    keys: Vec<String>,
    /// Of CSV files without headers.
    columns: Option<Columns>,
}

impl DataFiles {
    fn parse(location: &Url, json: &[u8]) -> Result<Self> {
        if let Ok(GoogleManifest { report_shards_file_names: keys }) = serde_json::from_slice(json) {
            return Ok(Self { bucket: String::new(), keys, columns: None });
        }
        if let Ok(AzureManifest { destination_container: bucket, files }) = serde_json::from_slice(json) {
            return Ok(Self { bucket, keys: files.into_iter().map(|file| file.blob).collect(), columns: None });
        }
        let manifest: Manifest = serde_json::from_slice(json).map_err(|e| {
            DataFusionError::Plan(format!(
                "{location} is no S3 Inventory manifest: {e}; set option 'format' for other JSON"
            ))
        })?;
        let columns = match manifest.file_format.to_ascii_lowercase().as_str() {
            "csv" => match Columns::by_name(manifest.file_schema.split(',')) {
                Some(columns) => Some(columns),
                None => return plan_err!("{location}: fileSchema {:?} has no column Key", manifest.file_schema),
            },
            "parquet" => None,
            "orc" => {
                return plan_err!(
                    "{location}: ORC inventories cannot be read; configure the inventory with format Parquet or CSV, or convert its data files to Parquet and pass those"
                );
            }
            other => return plan_err!("{location}: fileFormat is {other:?}; it must be CSV or Parquet"),
        };
        let bucket = manifest.destination_bucket.rsplit(':').next().unwrap_or_default().to_owned();
        Ok(Self { bucket, keys: manifest.files.into_iter().map(|file| file.key).collect(), columns })
    }
}

pub(super) async fn plan(location: &Url, planner: &mut Planner<'_>, keys: &Arc<KeyBase>) -> Result<()> {
    let (store, path) = stores().locate(location)?;
    let files = DataFiles::parse(location, &store.get(&path).await?.bytes().await?)?;
    let mut layout = None;
    for key in &files.keys {
        if planner.is_full() {
            break;
        }
        let layout = match layout {
            Some(layout) => layout,
            None => *layout.insert(Layout::find(location, &files.bucket, key).await?),
        };
        let Some(url) = layout.resolve(location, key) else {
            return plan_err!("{location}: data file {key:?} has no valid key");
        };
        if files.columns.is_none() && key.ends_with("parquet") {
            parquet::plan(&url, planner, keys).await?;
        } else {
            csv::plan(&url, files.columns.as_ref(), planner, keys).await?;
        }
    }
    Ok(())
}

/// Where the data files are, relative to the manifest.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    /// Their keys start this many folders above the manifest's: the destination bucket, or a copy of its tree.
    Above(usize),
    /// In folder `data` beside the manifest's folder, as below one inventory's prefix.
    SiblingData,
    /// In folder `data` beside the manifest.
    Data,
    /// Beside the manifest.
    Beside,
}

impl Layout {
    /// The first layout in which the data file `key` is there.
    async fn find(manifest: &Url, bucket: &str, key: &str) -> Result<Self> {
        let depth = manifest.path_segments().map_or(0, Iterator::count).saturating_sub(1);
        if matches!(manifest.scheme(), "s3" | "s3a") && manifest.host_str() == Some(bucket) {
            return Ok(Self::Above(depth));
        }
        let beside = [Self::SiblingData, Self::Data, Self::Beside];
        for layout in beside.into_iter().chain((0..=depth).map(Self::Above)) {
            let Some(url) = layout.resolve(manifest, key) else { continue };
            let (store, path) = stores().locate(&url)?;
            match store.head(&path).await {
                Ok(_) => return Ok(layout),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        plan_err!(
            "{manifest} names data file {key}, which is not below any folder above the manifest nor beside it; copy the data files too, or read the manifest in place, in bucket {bucket:?}"
        )
    }

    fn resolve(self, manifest: &Url, key: &str) -> Option<Url> {
        let name = key.rsplit('/').next()?;
        let (up, key) = match self {
            Self::Above(up) => (up, key.to_owned()),
            Self::SiblingData => (1, format!("data/{name}")),
            Self::Data => (0, format!("data/{name}")),
            Self::Beside => (0, name.to_owned()),
        };
        let mut url = manifest.clone();
        {
            let mut segments = url.path_segments_mut().ok()?;
            // The manifest's own name, then the folders above it.
            (0..=up).for_each(|_| {
                segments.pop();
            });
            segments.extend(key.split('/'));
        }
        Some(url)
    }
}

/// Where the data files of a manifest could be; for [`crate::source::fuzzing`].
pub(in crate::source) fn candidates(location: &Url, manifest: &[u8]) -> Option<Vec<Url>> {
    let manifest: Manifest = serde_json::from_slice(manifest).ok()?;
    Columns::by_name(manifest.file_schema.split(','))?;
    let layouts = [Layout::SiblingData, Layout::Data, Layout::Beside].into_iter().chain((0..9).map(Layout::Above));
    let files = |layout: Layout| manifest.files.iter().filter_map(move |file| layout.resolve(location, &file.key));
    Some(layouts.flat_map(files).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_resolve_keys_without_taking_them_for_urls() {
        let manifest = Url::parse("file:///copy/inv/src/cfg/2026-04-22T01-00Z/manifest.json").unwrap();
        let resolve = |layout: Layout| layout.resolve(&manifest, "inv/src/cfg/data/a b.csv.gz").unwrap().to_string();
        assert_eq!(resolve(Layout::Above(4)), "file:///copy/inv/src/cfg/data/a%20b.csv.gz");
        assert_eq!(resolve(Layout::SiblingData), "file:///copy/inv/src/cfg/data/a%20b.csv.gz");
        assert_eq!(resolve(Layout::Data), "file:///copy/inv/src/cfg/2026-04-22T01-00Z/data/a%20b.csv.gz");
        assert_eq!(resolve(Layout::Beside), "file:///copy/inv/src/cfg/2026-04-22T01-00Z/a%20b.csv.gz");
    }

    #[tokio::test]
    async fn in_the_destination_bucket_nothing_is_probed() {
        let manifest = Url::parse("s3://dest/inv/src/cfg/date/manifest.json").unwrap();
        let layout = Layout::find(&manifest, "dest", "inv/src/cfg/data/a.parquet").await.unwrap();
        let url = layout.resolve(&manifest, "inv/src/cfg/data/a.parquet").unwrap();
        assert_eq!(url.as_str(), "s3://dest/inv/src/cfg/data/a.parquet");
    }
}
