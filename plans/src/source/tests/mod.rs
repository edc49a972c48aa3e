//! The source as a user meets it: SQL over real files in a temporary folder.

mod cells;
mod direct;
mod inventories;
mod real_data;
mod sql;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::AsArray;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt;

use super::chunk_outcome;
use crate::model::chunk::{ChunkCounts, ChunkOutcome};
use crate::session::session;

/// An Item that every decoder takes.
fn item(id: &str) -> String {
    format!(
        r#"{{"type":"Feature","stac_version":"1.0.0","id":"{id}","geometry":{{"type":"Point","coordinates":[1.0,2.0]}},"bbox":[1.0,2.0,1.0,2.0],"properties":{{"datetime":"2020-01-02T03:04:05Z"}},"links":[],"assets":{{}}}}"#
    )
}

fn collection(ids: &[&str]) -> String {
    let features = ids.iter().map(|id| item(id)).collect::<Vec<_>>().join(",\n");
    format!(r#"{{"type":"FeatureCollection","features":[{features}],"links":[]}}"#)
}

fn gzip<T: AsRef<[u8]>>(bytes: T) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// A folder of test files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with an Item `<n>.json` for each `n` in `0..items`.
    fn with_items(items: usize) -> Self {
        let folder = Self::new();
        (0..items).for_each(|n| drop(folder.put(&format!("{n}.json"), item(&format!("item-{n}")))));
        folder
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn root(&self) -> &Path {
        self.0.path()
    }
}

/// A session with table `source` over a location.
async fn source(location: impl AsRef<Path>, options: &[(&str, &str)]) -> Result<SessionContext> {
    let context = session(2)?;
    let options = options.iter().map(|(k, v)| format!("'{k}' '{v}'")).collect::<Vec<_>>().join(", ");
    let options = if options.is_empty() { String::new() } else { format!("OPTIONS ({options})") };
    let location = location.as_ref().to_str().unwrap();
    context.sql(&format!("CREATE EXTERNAL TABLE source STORED AS STAC LOCATION '{location}' {options}")).await?;
    Ok(context)
}

/// What reading every chunk gives.
#[derive(Debug, Default)]
struct Read {
    /// Ids in the order of the source.
    ids: Vec<String>,
    outcomes: Vec<ChunkOutcome>,
}

impl Read {
    fn counts(&self) -> ChunkCounts {
        let mut counts = ChunkCounts::default();
        self.outcomes.iter().for_each(|outcome| counts.merge(&outcome.counts));
        let accounted = counts.items + counts.superseded + counts.skipped_total() + counts.rejected_total();
        assert_eq!(counts.listed, accounted, "{counts:?}");
        assert_eq!(counts.items, self.ids.len() as u64);
        assert_eq!(counts.rejected_total(), self.outcomes.iter().map(|o| o.rejects.len() as u64).sum::<u64>());
        counts
    }

    /// `listed` by chunk.
    fn listed(&self) -> Vec<u64> {
        self.outcomes.iter().map(|outcome| outcome.counts.listed).collect()
    }

    /// Names of the rejected objects and why, in order.
    fn rejects(&self) -> Vec<(String, &'static str)> {
        let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
        let rejects = self.outcomes.iter().flat_map(|outcome| &outcome.rejects);
        rejects.map(|reject| (name(&reject.object), reject.kind.name())).collect()
    }
}

async fn plan(context: &SessionContext, query: &str) -> Result<Arc<dyn ExecutionPlan>> {
    context.sql(query).await?.create_physical_plan().await
}

async fn read_plan(context: &SessionContext, plan: Arc<dyn ExecutionPlan>) -> Result<Read> {
    let mut read = Read::default();
    for (partition, stream) in
        execute_stream_partitioned(Arc::clone(&plan), context.task_ctx())?.into_iter().enumerate()
    {
        for batch in stream.try_collect::<Vec<_>>().await? {
            let ids = batch.column(0).as_string_view().iter().map(|id| id.unwrap().to_owned());
            read.ids.extend(ids);
        }
        read.outcomes.extend(chunk_outcome(&plan, partition));
    }
    assert_eq!(read.outcomes.len(), plan.output_partitioning().partition_count());
    Ok(read)
}

/// Reads a location chunk by chunk.
async fn read(location: impl AsRef<Path>, options: &[(&str, &str)]) -> Result<Read> {
    let context = source(location, options).await?;
    let plan = plan(&context, "SELECT id FROM source").await?;
    read_plan(&context, plan).await
}

async fn read_error(location: impl AsRef<Path>, options: &[(&str, &str)]) -> String {
    read(location, options).await.map(|read| read.ids).unwrap_err().strip_backtrace()
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("item-{n}")).collect()
}

fn is_plan_error(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::Plan(_))
}
