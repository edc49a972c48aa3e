//! Table `runs`: what was done to a warehouse, and what is under way.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use iceberg::spec::{Operation, Snapshot, TableMetadata};
use uuid::Uuid;

use crate::checkpoint::{CheckpointedRun, RunRecord, RunReport, RunState};
use crate::maintenance::runs_heard_of;
use crate::table::Warehouse;
use crate::table::state::{KIND, REMOVED, RUN, UPDATED};

/// Columns of table `runs`.
///
/// | column | meaning |
/// |---|---|
/// | `run` | id; rejects carry it too |
/// | `kind` | `backfill`, `incremental`, `ingest`; `insert` of the rows of a query; `delete`; `update`; `compact`; what a script calls its own (`SET earthcatalog.kind`); null of one at work that is no backfill |
/// | `state` | `finished`, `running`, or `interrupted`: the same backfill goes on with it |
/// | `started`, `ended` | null where unknown |
/// | `snapshot_id` | the last one that it committed; null where there was none |
/// | `inventory` | of a backfill |
/// | `chunks`, `chunks_done` | of a backfill |
/// | `listed`, `items`, `rejected`, `superseded`, `skipped` | objects, and what became of them: `listed` is the sum of the others; null where nothing was listed, or not all is read |
/// | `removed` | Items, of a `delete` |
/// | `updated` | Items, of an `update` |
/// | `rows`, `files` | added; of a finished run |
pub static RUNS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, name != "run" && name != "state");
    let time = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let mut fields = ["run", "kind", "state"].map(|name| field(name, DataType::Utf8View)).to_vec();
    fields.extend(["started", "ended"].map(|name| field(name, time())));
    fields.push(field("snapshot_id", DataType::Int64));
    fields.push(field("inventory", DataType::Utf8View));
    fields.extend(COUNTS.map(|name| field(name, DataType::UInt64)));
    Arc::new(Schema::new(fields))
});

const COUNTS: [&str; 11] = [
    "chunks",
    "chunks_done",
    "listed",
    "items",
    "rejected",
    "superseded",
    "skipped",
    "removed",
    "updated",
    "rows",
    "files",
];

/// The runs of a warehouse, oldest first: those that left checkpoints, those whose snapshots are retained, and those at
/// work.
#[derive(Debug)]
pub struct RunsTable {
    warehouse: Warehouse,
}

/// The kind of runs that leave checkpoints.
const BACKFILL: &str = "backfill";

/// A row.
#[derive(Debug, Default)]
struct Run {
    run: String,
    kind: Option<String>,
    state: Option<RunState>,
    started: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    snapshot: Option<i64>,
    inventory: Option<String>,
    /// By name, of [`COUNTS`].
    counts: BTreeMap<&'static str, u64>,
}

impl RunsTable {
    pub fn new(warehouse: Warehouse) -> Self {
        Self { warehouse }
    }

    async fn runs(&self) -> Result<Vec<Run>> {
        let at_work = runs_heard_of(&self.warehouse).await?;
        let checkpointed = CheckpointedRun::all(&self.warehouse).await?;
        // Last, so that a run that ends meanwhile is found as one that has ended.
        let state = self.warehouse.load().await?;
        let backfills: HashSet<String> = checkpointed.iter().map(|run| run.record.commit()).collect();
        let mut runs: Vec<_> = checkpointed.into_iter().map(Run::of_checkpoints).collect();
        let committed = committed(&state.metadata).into_iter().filter(|(commit, _)| !backfills.contains(commit));
        runs.extend(committed.map(|(_, run)| run));
        let known: HashSet<String> = runs.iter().map(|run| run.run.clone()).chain(backfills).collect();
        runs.extend(at_work.into_iter().filter(|run| !known.contains(run)).map(|run| Run::at_work(&run)));
        runs.sort_by(|a, b| (a.started.or(a.ended), &a.run).cmp(&(b.started.or(b.ended), &b.run)));
        Ok(runs)
    }
}

/// The runs that the retained snapshots tell of, by the ids of their commits.
fn committed(metadata: &TableMetadata) -> BTreeMap<String, Run> {
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    let mut snapshots: Vec<_> = metadata.snapshots().collect();
    snapshots.sort_by_key(|snapshot| snapshot.sequence_number());
    for snapshot in snapshots {
        let Some(name) = snapshot.summary().additional_properties.get(RUN) else { continue };
        // One that commits in groups numbers the later ones.
        let name = name.split_once('#').map_or(name.as_str(), |(run, _)| run);
        runs.entry(name.to_owned()).or_insert_with(|| Run::named(name)).add(snapshot);
    }
    runs
}

impl Run {
    fn named(commit: &str) -> Self {
        // A backfill is called so whether or not its checkpoints are still there.
        if let Some((run, started)) = RunRecord::of_commit(commit) {
            let kind = Some(BACKFILL.to_owned());
            return Self { run: run.to_owned(), kind, started: Some(started), ..Self::default() };
        }
        // Ids that we make begin with the time.
        let started = Uuid::parse_str(commit).ok().and_then(|id| id.get_timestamp());
        let started = started.map(|time| time.to_unix());
        let started = started.and_then(|(seconds, nanos)| DateTime::from_timestamp(seconds.try_into().ok()?, nanos));
        Self { run: commit.to_owned(), started, ..Self::default() }
    }

    fn at_work(run: &str) -> Self {
        Self { state: Some(RunState::Running), ..Self::named(run) }
    }

    fn of_checkpoints(CheckpointedRun { record, state, chunks_done }: CheckpointedRun) -> Self {
        let RunRecord { run, inventory, chunks, started, finished, .. } = record;
        let mut counts = BTreeMap::from([("chunks", chunks), ("chunks_done", chunks_done)]);
        if let Some(finished) = &finished {
            counts.extend(counts_of(&finished.report));
        }
        Self {
            run,
            kind: Some(BACKFILL.to_owned()),
            state: Some(state),
            started: Some(started),
            ended: finished.as_ref().map(|finished| finished.at),
            snapshot: finished.and_then(|finished| finished.report.snapshot),
            inventory: Some(inventory),
            counts,
        }
    }

    /// Takes in a snapshot of the run.
    fn add(&mut self, snapshot: &Snapshot) {
        let properties = &snapshot.summary().additional_properties;
        let count = |property: &str| properties.get(property).and_then(|n| n.parse::<u64>().ok());
        let by_what_it_does = match snapshot.summary().operation {
            Operation::Append if properties.contains_key("earthcatalog.listed") => "ingest",
            Operation::Append => "insert",
            _ if properties.contains_key(REMOVED) => "delete",
            _ if properties.contains_key(UPDATED) => "update",
            _ => "compact",
        };
        let kind = properties.get(KIND).map_or(by_what_it_does, String::as_str);
        self.kind.get_or_insert_with(|| kind.to_owned());
        self.state = Some(RunState::Finished);
        self.ended = DateTime::from_timestamp_millis(snapshot.timestamp_ms());
        self.snapshot = Some(snapshot.snapshot_id());
        for name in ["listed", "items", "rejected", "superseded", "skipped", "removed", "updated"] {
            if let Some(n) = count(&format!("earthcatalog.{name}")) {
                self.counts.insert(name, n);
            }
        }
        for (name, property) in [("rows", "added-records"), ("files", "added-data-files")] {
            *self.counts.entry(name).or_default() += count(property).unwrap_or_default();
        }
    }
}

fn counts_of(report: &RunReport) -> [(&'static str, u64); 7] {
    [
        ("listed", report.listed),
        ("items", report.items),
        ("rejected", report.rejected_total()),
        ("superseded", report.superseded),
        ("skipped", report.skipped_total()),
        ("rows", report.rows),
        ("files", report.files),
    ]
}

#[async_trait]
impl TableProvider for RunsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&RUNS_SCHEMA)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = rows(&self.runs().await?)?;
        MemTable::try_new(self.schema(), vec![vec![rows]])?.scan(session, projection, filters, limit).await
    }
}

fn rows(runs: &[Run]) -> Result<RecordBatch> {
    let texts = |of: &dyn Fn(&Run) -> Option<String>| -> ArrayRef {
        Arc::new(runs.iter().map(of).collect::<StringViewArray>())
    };
    let times = |of: fn(&Run) -> Option<DateTime<Utc>>| -> ArrayRef {
        let times = runs.iter().map(|run| of(run).map(|time| time.timestamp_millis()));
        Arc::new(times.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
    };
    let mut columns = vec![
        texts(&|run| Some(run.run.clone())),
        texts(&|run| run.kind.clone()),
        texts(&|run| run.state.map(|state| state.name().to_owned())),
        times(|run| run.started),
        times(|run| run.ended),
        Arc::new(runs.iter().map(|run| run.snapshot).collect::<Int64Array>()),
        texts(&|run| run.inventory.clone()),
    ];
    for name in COUNTS {
        columns.push(Arc::new(runs.iter().map(|run| run.counts.get(name).copied()).collect::<UInt64Array>()));
    }
    Ok(RecordBatch::try_new(Arc::clone(&RUNS_SCHEMA), columns)?)
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use super::*;
    use crate::maintenance::RunLease;
    use crate::table::testing::{Row, warehouse, write_part};
    use crate::table::{Change, Committer};

    #[tokio::test]
    async fn finished_runs_are_told_by_snapshots_and_others_by_what_they_left() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        // Given a run of an inventory, a query's, one that commits twice, and a merge of manifests, which is no run,
        let commit = async |name: &str, summary: &[(&str, &str)]| {
            let add = vec![write_part(&warehouse, "81a", name, &[Row::new(name, Some((2020, 1, 1)))])];
            let summary = summary.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            Committer::new(warehouse.clone()).commit(Change { add, summary, ..Change::default() }).await.unwrap();
        };
        let counts = [("items", "7"), ("rejected", "2"), ("superseded", "1"), ("skipped", "0"), ("listed", "10")];
        let names = counts.map(|(name, n)| (format!("earthcatalog.{name}"), n));
        let mut summary: Vec<_> = names.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        let id = "018f0a1c-0000-7000-8000-000000000000";
        summary.push((RUN, id));
        commit("a", &summary).await;
        commit("b", &[(RUN, "q"), (KIND, "nightly")]).await;
        commit("c", &[(RUN, "g")]).await;
        commit("d", &[(RUN, "g#2")]).await;
        commit("e", &[]).await;
        // a backfill whose checkpoints are gone,
        commit("f", &[(RUN, "0123456789abcdef-01234567-18f0a1c0000"), ("earthcatalog.listed", "1")]).await;
        // and one at work.
        let lease = RunLease::begin(&warehouse, "w").await.unwrap();

        let context = crate::session::session(1).unwrap();
        context.register_table("runs", Arc::new(RunsTable::new(warehouse.clone()))).unwrap();
        let sql = "SELECT run, kind, state, started, ended IS NULL AS open, listed, items + rejected + superseded + skipped AS sum,
                          rows, files FROM runs ORDER BY run";
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        insta::assert_snapshot!(pretty_format_batches(&rows).unwrap(), @r"
        +--------------------------------------+----------+----------+--------------------------+-------+--------+-----+------+-------+
        | run                                  | kind     | state    | started                  | open  | listed | sum | rows | files |
        +--------------------------------------+----------+----------+--------------------------+-------+--------+-----+------+-------+
        | 0123456789abcdef-01234567            | backfill | finished | 2024-04-23T08:39:18.272Z | false | 1      |     | 1    | 1     |
        | 018f0a1c-0000-7000-8000-000000000000 | ingest   | finished | 2024-04-23T08:39:18.272Z | false | 10     | 10  | 1    | 1     |
        | g                                    | insert   | finished |                          | false |        |     | 2    | 2     |
        | q                                    | nightly  | finished |                          | false |        |     | 1    | 1     |
        | w                                    |          | running  |                          | true  |        |     |      |       |
        +--------------------------------------+----------+----------+--------------------------+-------+--------+-----+------+-------+
        ");
        lease.release().await.unwrap();
    }
}
