//! [`Checkpoint`]: what one task of a run wrote; only what it names counts.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, exec_err, internal_err};
use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::layout;
use crate::model::part_file::{ChunkRecord, PackedColumns, PartFile, SinkRecord};
use crate::model::task_files::IdFile;
use crate::runtime::leaf_by_partition;
use crate::source::StacExec;
use crate::stores::{ConditionalObject, below};

/// Names what a partition of a leaf operator does, the same whenever the run is started; `None` of one that cannot tell.
/// The operators stand above the sink, so those that make a sink's plan say how.
pub type TaskOf = fn(&Arc<dyn ExecutionPlan>, usize) -> Option<String>;

/// Has a sink leave a checkpoint for each partition, and skip the partitions that have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoints {
    /// Folder of the run, ending in `/`.
    pub folder: Url,
    /// Whether part files lie beside their checkpoint, to be merged later, and not where the table has its files.
    pub staged: bool,
    /// Whether they are for one job on a cluster alone, which may do a task twice, and not for another start of the run.
    pub of_job: bool,
}

impl Checkpoints {
    /// Name of the task that `partition` of `plan` is, which has this `number` in the whole plan: the same whenever the
    /// run is started, or within the job. Errors if no source tells the partitions of `plan` apart.
    pub fn task(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        partition: usize,
        number: usize,
        task_of: TaskOf,
    ) -> Result<String> {
        if self.of_job {
            return Ok(format!("partition-{number:05}"));
        }
        let leaf = leaf_by_partition(plan);
        if leaf.is_some_and(|leaf| leaf.is::<StacExec>()) {
            return Ok(format!("chunk-{number:05}"));
        }
        match leaf.and_then(|leaf| task_of(leaf, partition)) {
            Some(task) => Ok(task),
            None => internal_err!("the partitions of a plan without one source have no checkpoints"),
        }
    }

    /// The checkpoint of a task, which need not exist.
    pub fn of(&self, task: &str) -> Result<ConditionalObject> {
        let path = format!("{task}/{}", layout::CHECKPOINT);
        Ok(ConditionalObject::at(&below(&self.folder, &path)?)?)
    }
}

/// The document `ingest_stats.json` of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Version of earthcatalog that wrote it.
    pub engine: String,
    /// Id of the attempt that counts; the names of its files begin with it.
    pub attempt: String,
    /// What became of a chunk; absent for a group of buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<ChunkRecord>,
    /// The ids of its rows, until the run is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<IdFile>,
    pub rows: u64,
    pub bytes: u64,
    /// Wall time of the attempt.
    pub seconds: f64,
    /// In the order in which they were written.
    pub files: Vec<CheckpointFile>,
}

/// A part file in a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointFile {
    /// Below the warehouse.
    pub path: String,
    pub cell: String,
    pub year: Option<i32>,
    pub rows: u64,
    pub bytes: u64,
    /// Statistics for the commit; none of a file that is merged before.
    #[serde(default, skip_serializing_if = "PackedColumns::is_empty")]
    pub columns: PackedColumns,
}

/// Who wrote the checkpoint of a task.
#[derive(Debug)]
pub enum Recorded {
    /// This attempt: its files count.
    Ours,
    /// Another one was faster; what it wrote counts.
    Theirs(Box<Checkpoint>),
}

impl Checkpoint {
    /// Of the records of an attempt, whose part files are below `warehouse`.
    pub fn new(attempt: &str, records: &[SinkRecord], warehouse: &Url, seconds: f64) -> Self {
        let (mut chunk, mut ids, mut files) = (None, None, vec![]);
        for record in records {
            match record {
                SinkRecord::Chunk(record) => chunk = Some(record.clone()),
                SinkRecord::Ids(file) => ids = Some(file.clone()),
                SinkRecord::Data(part) => files.push(CheckpointFile::new(part, warehouse)),
            }
        }
        Self {
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            attempt: attempt.to_owned(),
            chunk,
            ids,
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            seconds: (seconds * 1000.0).round() / 1000.0,
            files,
        }
    }

    /// The records that the attempt handed on.
    pub fn into_records(self, warehouse: &Url) -> Vec<SinkRecord> {
        let data = self.files.into_iter().map(|file| SinkRecord::Data(file.into_part(warehouse)));
        data.chain(self.ids.map(SinkRecord::Ids)).chain(self.chunk.map(SinkRecord::Chunk)).collect()
    }

    /// The checkpoint at `object`, if there is one.
    pub async fn read(object: &ConditionalObject) -> Result<Option<Self>> {
        let Some(found) = object.read().await? else { return Ok(None) };
        match serde_json::from_slice(&found.bytes) {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            Err(e) => {
                let location = object.location();
                exec_err!("checkpoint {location} cannot be read: {e}; delete it to do its part of the run again")
            }
        }
    }

    /// Writes the checkpoint, unless another attempt has.
    ///
    /// Errors: whether it was written is unknown, and so the files of the attempt must stay.
    pub async fn record(&self, object: &ConditionalObject) -> Result<Recorded> {
        let bytes = serde_json::to_vec(self).map_err(|e| DataFusionError::External(Box::new(e)))?;
        let created = object.create(bytes.into()).await;
        if let Ok(Some(_)) = created {
            return Ok(Recorded::Ours);
        }
        // Also after an error: the request may have arrived, and only its answer was lost.
        match Self::read(object).await? {
            Some(found) if found.attempt == self.attempt => Ok(Recorded::Ours),
            Some(found) => Ok(Recorded::Theirs(Box::new(found))),
            None => match created {
                Err(e) => Err(e.into()),
                _ => exec_err!("checkpoint {} was there, and is gone; start the run again", object.location()),
            },
        }
    }
}

impl CheckpointFile {
    fn new(part: &PartFile, warehouse: &Url) -> Self {
        let PartFile { path, cell, year, rows, bytes, columns, .. } = part.clone();
        let path = path.strip_prefix(warehouse.as_str()).map_or(path.clone(), str::to_owned);
        Self { path, cell, year, rows, bytes, columns }
    }

    fn into_part(self, warehouse: &Url) -> PartFile {
        let Self { path, cell, year, rows, bytes, columns } = self;
        PartFile { path: format!("{warehouse}{path}"), cell, year, rows, bytes, sequence: None, columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::part_file::ColumnStatistics;

    fn checkpoint(attempt: &str, warehouse: &Url) -> Checkpoint {
        let bound = Some(vec![1, 255]);
        let column = ColumnStatistics { field_id: 7, values: 9, nulls: 1, lower: bound.clone(), upper: bound };
        let part = PartFile {
            path: format!("{warehouse}grid_partition=81a/year=2020/{attempt}-00000-00000.parquet"),
            cell: "81a".into(),
            year: Some(2020),
            rows: 9,
            bytes: 100,
            sequence: None,
            columns: [column].into_iter().collect(),
        };
        Checkpoint::new(attempt, &[SinkRecord::Data(part)], warehouse, 0.25)
    }

    #[tokio::test]
    async fn the_first_attempt_to_end_counts_and_the_others_take_its_records() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Url::from_directory_path(folder.path()).unwrap();
        let checkpoints =
            Checkpoints { folder: warehouse.join("_checkpoints/run/").unwrap(), staged: false, of_job: false };
        let object = checkpoints.of("buckets-1").unwrap();
        assert!(Checkpoint::read(&object).await.unwrap().is_none());

        let (one, two) = (checkpoint("one", &warehouse), checkpoint("two", &warehouse));
        assert!(matches!(one.record(&object).await.unwrap(), Recorded::Ours));
        // Asked again, because the answer was lost, it is still the same one.
        assert!(matches!(one.record(&object).await.unwrap(), Recorded::Ours));
        let Recorded::Theirs(found) = two.record(&object).await.unwrap() else { panic!("two attempts count") };
        assert_eq!(*found, one);
        let [SinkRecord::Data(part)] = &found.into_records(&warehouse)[..] else { panic!("one file") };
        assert_eq!(part.path, format!("{warehouse}grid_partition=81a/year=2020/one-00000-00000.parquet"));
        assert_eq!(part.columns.iter().next().unwrap().lower, Some(&[1, 255][..]));
    }

    #[tokio::test]
    async fn a_damaged_checkpoint_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let object = ConditionalObject::at(&Url::from_file_path(folder.path().join("c.json")).unwrap()).unwrap();
        object.create("{".into()).await.unwrap();
        let error = Checkpoint::read(&object).await.unwrap_err().to_string();
        assert!(error.contains("c.json cannot be read") && error.contains("delete it"), "{error}");
    }
}
