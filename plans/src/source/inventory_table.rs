//! [`InventoryTable`]: the objects that an inventory lists, as a table (`STORED AS INVENTORY`).

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, StringViewArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::cast::as_string_view_array;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableType, ident};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use url::Url;

use super::chunk::{ChunkList, Content};
use super::keys::KeyBase;
use super::options::StacOptions;
use super::plan_chunks::list_objects;
use super::planner::name_hash;
use super::spool::Entry;
use crate::model::chunk::ChunkCounts;
use crate::table::Warehouse;

/// Columns of an inventory.
///
/// | column | meaning |
/// |---|---|
/// | `bucket` | null where the inventory names none |
/// | `key` | decoded; a path or a URL where there is no bucket |
/// | `object` | its name in the [ingest record](crate::table::ingest_record): `s3://<bucket>/<key>`, or a URL |
/// | `e_tag`, `last_modified` | its version, as far as the inventory tells (UTC) |
pub static INVENTORY_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("bucket", DataType::Utf8View, true),
        Field::new("key", DataType::Utf8View, false),
        Field::new("object", DataType::Utf8View, false),
        Field::new("e_tag", DataType::Utf8View, true),
        Field::new("last_modified", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
    ]))
});

/// The objects that an inventory, or a folder, lists, but for those that its options leave out: the newest version of
/// each that is an Item by its name. Of a folder, or of a file of Items, files are listed, however many Items they have.
#[derive(Debug)]
pub struct InventoryTable {
    location: Url,
    options: StacOptions,
    /// The warehouse whose newest object is where `since` is, under option `since` = `last`.
    since_last_of: Option<Warehouse>,
    /// With a column `object`: these objects are never too old.
    rejects: Option<Arc<dyn TableProvider>>,
    selection: Mutex<Selection>,
}

/// What a scan of an inventory found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Selection {
    /// Objects that it lists.
    pub objects: u64,
    /// Rows that its options leave out.
    pub left_out: ChunkCounts,
}

impl Selection {
    fn of(chunks: &ChunkList) -> Result<Self> {
        let mut selection = Self::default();
        for chunk in &chunks.chunks {
            let Content::Objects { objects, .. } = &chunk.content else {
                return plan_err!(
                    "{}: option 'format' says what is in the file, and a list of objects is wanted; leave it out, or ingest the file as a source of its own",
                    chunk.id.file
                );
            };
            let ChunkCounts { superseded, skipped, .. } = &chunk.planned;
            let listed = superseded + chunk.planned.skipped_total();
            let left_out =
                ChunkCounts { listed, superseded: *superseded, skipped: skipped.clone(), ..ChunkCounts::default() };
            selection.add(&Self { objects: objects.entries, left_out });
        }
        Ok(selection)
    }

    pub fn add(&mut self, other: &Self) {
        self.objects += other.objects;
        self.left_out.merge(&other.left_out);
    }
}

impl InventoryTable {
    pub fn new(location: Url, options: StacOptions, since_last_of: Option<Warehouse>) -> Self {
        Self { location, options, since_last_of, rejects: None, selection: Mutex::default() }
    }

    /// The same, in which `since` leaves out no object that column `object` of `rejects` has.
    pub fn retrying(self, rejects: Arc<dyn TableProvider>) -> Self {
        Self { rejects: Some(rejects), ..self }
    }

    /// What the last scan found.
    pub(super) fn selection(&self) -> Selection {
        self.selection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl TableProvider for InventoryTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&INVENTORY_SCHEMA)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut options = self.options.clone();
        if let Some(warehouse) = &self.since_last_of {
            options.since = warehouse.load().await?.max_last_modified();
        }
        let never_too_old = match self.rejects.as_ref().filter(|_| options.since.is_some()) {
            Some(rejects) => rejected(rejects, state).await?,
            None => HashSet::new(),
        };
        let disk = &state.runtime_env().disk_manager;
        let chunks = Arc::new(list_objects(&self.location, &options, never_too_old, disk).await?);
        *self.selection.lock().unwrap_or_else(PoisonError::into_inner) = Selection::of(&chunks)?;
        // Whatever repartitions them works on all partitions at once, and keeps rows of each.
        let each = chunks.chunks.len().div_ceil(state.config().target_partitions()).max(1);
        let partitions = (0..chunks.chunks.len()).step_by(each).map(|first| {
            let numbers = first..(first + each).min(chunks.chunks.len());
            Arc::new(ListedChunks { chunks: Arc::clone(&chunks), numbers }) as Arc<dyn PartitionStream>
        });
        let partitions = partitions.collect();
        let scan = StreamingTableExec::try_new(self.schema(), partitions, projection, [], false, limit)?;
        Ok(Arc::new(scan))
    }
}

/// The objects that a table of rejects names, as [`Planner`](super::planner::Planner) knows them.
async fn rejected(rejects: &Arc<dyn TableProvider>, state: &dyn Session) -> Result<HashSet<u64>> {
    let plan = LogicalPlanBuilder::scan("rejects", provider_as_source(Arc::clone(rejects)), None)?;
    let plan = state.create_physical_plan(&plan.project([ident("object")])?.build()?).await?;
    let mut batches = execute_stream(plan, state.task_ctx())?;
    let mut objects = HashSet::new();
    while let Some(batch) = batches.try_next().await? {
        objects.extend(as_string_view_array(batch.column(0))?.iter().flatten().map(name_hash));
    }
    Ok(objects)
}

/// The objects of some chunks.
struct ListedChunks {
    chunks: Arc<ChunkList>,
    numbers: Range<usize>,
}

impl fmt::Debug for ListedChunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chunks {:?}", self.numbers)
    }
}

impl PartitionStream for ListedChunks {
    fn schema(&self) -> &SchemaRef {
        &INVENTORY_SCHEMA
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (rows, chunks) = (context.session_config().batch_size(), Arc::clone(&self.chunks));
        let batches = stream::iter(self.numbers.clone()).flat_map(move |number| chunks.batches(number, rows));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&INVENTORY_SCHEMA), batches))
    }
}

impl ChunkList {
    /// The objects of a chunk, in batches of so many rows.
    fn batches(&self, number: usize, rows: usize) -> BoxStream<'static, Result<RecordBatch>> {
        let Content::Objects { objects, keys, .. } = &self.chunks[number].content else {
            return stream::empty().boxed();
        };
        let keys = Arc::clone(keys);
        self.spool.read(objects, rows).map(move |entries| batch(&entries?, &keys)).boxed()
    }
}

fn batch(entries: &[Entry], keys: &KeyBase) -> Result<RecordBatch> {
    let texts = |of: &dyn Fn(&Entry) -> Option<String>| -> ArrayRef {
        Arc::new(entries.iter().map(of).collect::<StringViewArray>())
    };
    let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let times = entries.iter().map(|entry| entry.version.last_modified).collect::<TimestampMillisecondArray>();
    let columns = vec![
        texts(&|entry| known(&entry.bucket)),
        texts(&|entry| Some(entry.key.clone())),
        texts(&|entry| Some(keys.name(entry))),
        texts(&|entry| known(&entry.version.e_tag)),
        Arc::new(times.with_timezone("UTC")),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&INVENTORY_SCHEMA), columns)?)
}
