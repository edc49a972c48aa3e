//! What a commit does with the ids of its run: compares them with those of the table, and lists them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::Int64Type;
use datafusion::common::{DataFusionError, Result, ScalarValue, Statistics, internal_datafusion_err};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{EmptyRecordBatchStream, ExecutionPlan, SendableRecordBatchStream, execute_stream};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use url::Url;

use super::file::{HASH, ID_SCHEMA, IdEncoder, IdHash};
use crate::model::task_files::IdFile;
use crate::runtime::{ScanFile, parquet_scan, within};

/// Memory for the sort of a run's ids, in bytes; what needs more goes to disk.
const MEMORY: usize = 256 << 20;

/// Column with the number of the list that an id is from; the run itself is [`RUN`].
const LIST: &str = "list";
const RUN: i64 = -1;

/// The ids of a table after a run.
#[derive(Debug)]
pub struct Merged {
    /// So many lists of the table stay as they are, from the first.
    pub kept: usize,
    /// The list that takes the place of the others, and has the ids of the run: a Parquet file, and its length.
    pub list: (Vec<u8>, u64),
    /// Ids of the run that have more than one version now.
    pub repeated: BTreeSet<IdHash>,
}

/// Merges the lists of the tasks of a run with those of the table.
///
/// Reads all of them, two bytes an id. Lists of the table that are not much longer than what is merged already are
/// written again, so that a table has few of them, each much longer than the next.
pub async fn merge(run: &[IdFile], table: &[IdFile]) -> Result<Merged> {
    let mut kept = table.len();
    let mut length: u64 = run.iter().map(|file| file.ids).sum();
    while let Some(list) = kept.checked_sub(1).map(|last| &table[last]).filter(|list| list.ids <= 2 * length) {
        length += list.ids;
        kept -= 1;
    }
    let mut merging = Merging { kept, encoder: IdEncoder::try_new()?, repeated: BTreeSet::new(), current: None };
    let mut stream = sorted(run, table).await?;
    while let Some(batch) = stream.try_next().await? {
        let lists = batch.column(1).as_primitive::<Int64Type>().values();
        for (hash, list) in hashes(&batch).zip(lists) {
            merging.add(hash, *list)?;
        }
    }
    merging.finish()
}

struct Merging {
    kept: usize,
    encoder: IdEncoder,
    repeated: BTreeSet<IdHash>,
    /// The hash whose occurrences are coming in.
    current: Option<Occurrences>,
}

#[derive(Clone, Copy)]
struct Occurrences {
    hash: i64,
    in_run: bool,
    /// Whether it is in a list that is written again.
    listed: bool,
    several: bool,
}

impl Merging {
    fn add(&mut self, hash: i64, list: i64) -> Result<()> {
        let (in_run, listed) = (list == RUN, usize::try_from(list).is_ok_and(|list| list >= self.kept));
        match &mut self.current {
            Some(current) if current.hash == hash => {
                current.in_run |= in_run;
                current.listed |= listed;
                current.several = true;
                Ok(())
            }
            current => {
                let ended = current.replace(Occurrences { hash, in_run, listed, several: false });
                self.end(ended)
            }
        }
    }

    fn end(&mut self, ended: Option<Occurrences>) -> Result<()> {
        let Some(ended) = ended.filter(|ended| ended.in_run || ended.listed) else { return Ok(()) };
        if ended.in_run && ended.several {
            self.repeated.insert(IdHash(ended.hash));
        }
        self.encoder.push(ended.hash)
    }

    fn finish(mut self) -> Result<Merged> {
        let last = self.current.take();
        self.end(last)?;
        Ok(Merged { kept: self.kept, list: self.encoder.finish()?, repeated: self.repeated })
    }
}

/// The hashes of a batch.
pub(super) fn hashes(batch: &RecordBatch) -> impl Iterator<Item = i64> {
    batch.column(0).as_primitive::<Int64Type>().values().iter().copied()
}

/// All hashes in ascending order, each with the number of its list in `lists`, or [`RUN`].
pub(super) async fn sorted(run: &[IdFile], lists: &[IdFile]) -> Result<SendableRecordBatchStream> {
    let (config, runtime) = within(1, Some(MEMORY))?;
    let session = SessionContext::new_with_config_rt(config, runtime);
    let mut inputs = vec![];
    if !run.is_empty() {
        // One after the other: the lists of tasks are many, and short.
        let scan = numbered(scan(&session, run).await?, RUN)?;
        let sorted = SortExec::new(ordering()?, scan).with_preserve_partitioning(true);
        inputs.push(Arc::new(sorted) as Arc<dyn ExecutionPlan>);
    }
    for (number, list) in lists.iter().enumerate() {
        inputs.push(numbered(scan(&session, std::slice::from_ref(list)).await?, number as i64)?);
    }
    let union = match inputs.len() {
        0 => return Ok(Box::pin(EmptyRecordBatchStream::new(Arc::clone(&ID_SCHEMA)))),
        1 => inputs.swap_remove(0),
        _ => UnionExec::try_new(inputs)?,
    };
    execute_stream(Arc::new(SortPreservingMergeExec::new(ordering()?, union)), session.task_ctx())
}

async fn scan(session: &SessionContext, files: &[IdFile]) -> Result<Arc<dyn ExecutionPlan>> {
    let files = files.iter().map(|file| {
        let url = Url::parse(&file.path).map_err(|e| DataFusionError::External(Box::new(e)))?;
        Ok(ScanFile { url, bytes: file.bytes, sequence: 0, statistics: None })
    });
    let (schema, files) = (TableSchema::from(Arc::clone(&ID_SCHEMA)), files.collect::<Result<_>>()?);
    parquet_scan(&session.state(), schema, files, Statistics::new_unknown(&ID_SCHEMA), None, None).await
}

fn numbered(scan: Arc<dyn ExecutionPlan>, list: i64) -> Result<Arc<dyn ExecutionPlan>> {
    let number: Arc<dyn PhysicalExpr> = Arc::new(Literal::new(ScalarValue::Int64(Some(list))));
    let hash: Arc<dyn PhysicalExpr> = Arc::new(Column::new(HASH, 0));
    Ok(Arc::new(ProjectionExec::try_new([(hash, HASH.to_owned()), (number, LIST.to_owned())], scan)?))
}

fn ordering() -> Result<LexOrdering> {
    let hash = PhysicalSortExpr::new(Arc::new(Column::new(HASH, 0)), SortOptions::default());
    LexOrdering::new([hash]).ok_or_else(|| internal_datafusion_err!("ids are sorted by nothing"))
}

#[cfg(test)]
mod tests {
    use super::super::file::encode;
    use super::*;

    fn file(folder: &tempfile::TempDir, name: &str, hashes: &[i64]) -> IdFile {
        let bytes = encode(hashes.iter().copied().map(IdHash)).unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let path = Url::from_file_path(path).unwrap().to_string();
        IdFile { path, ids: hashes.len() as u64, bytes: bytes.len() as u64 }
    }

    async fn merged(run: &[IdFile], table: &[IdFile]) -> (usize, Vec<i64>, Vec<i64>) {
        let Merged { kept, list: (bytes, ids), repeated } = merge(run, table).await.unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 1024);
        let listed: Vec<i64> = reader.unwrap().flat_map(|batch| hashes(&batch.unwrap()).collect::<Vec<_>>()).collect();
        assert_eq!(listed.len() as u64, ids);
        (kept, listed, repeated.into_iter().map(|hash| hash.0).collect())
    }

    #[tokio::test]
    async fn an_id_is_repeated_if_a_task_two_tasks_or_the_table_had_it() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = [file(&folder, "1", &[1, 3, 3, 5]), file(&folder, "2", &[2, 5, 7])];
        assert_eq!(merged(&tasks, &[]).await, (0, vec![1, 2, 3, 5, 7], vec![3, 5]));
        let table = file(&folder, "3", &(7..40).collect::<Vec<_>>());
        assert_eq!(merged(&tasks, &[table]).await, (1, vec![1, 2, 3, 5, 7], vec![3, 5, 7]));
        assert_eq!(merged(&[], &[]).await, (0, vec![], vec![]));
    }

    #[tokio::test]
    async fn lists_that_are_about_as_long_are_merged() {
        let folder = tempfile::tempdir().unwrap();
        let table = [
            file(&folder, "1", &(0..100).collect::<Vec<_>>()),
            file(&folder, "2", &(100..106).collect::<Vec<_>>()),
            file(&folder, "3", &[200]),
        ];
        let run = [file(&folder, "4", &[300, 100, 50].map(|n| n * 10).into_iter().rev().collect::<Vec<_>>())];
        let (kept, listed, repeated) = merged(&run, &table).await;
        assert_eq!((kept, repeated), (1, vec![]));
        assert_eq!(listed, [100, 101, 102, 103, 104, 105, 200, 500, 1000, 3000]);
    }
}
