//! [`build_item_index`]: builds the index by id of a table, and names it in a snapshot.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, Int32Builder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::common::{DataFusionError, Result as DataFusionResult, exec_datafusion_err};
use datafusion::functions::datetime::expr_fn::date_part;
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility, cast, create_udf, ident, lit};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use iceberg::spec::{SnapshotRef, TableMetadata};
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use url::Url;
use uuid::Uuid;

use crate::model::items::GRID_PARTITION;
use crate::model::layout::item_index_name;
use crate::scan::WarehouseTable;
use crate::stores::{self, ObjectError, stores};
use crate::table::commit::snapshot_id;
use crate::table::item_index::{hash_of_id, schema};
use crate::table::known_ids::KnownIds;
use crate::table::leases::RunLease;
use crate::table::leases::error::{MaintenanceError, Result};
use crate::table::manifests::MetadataFiles;
use crate::table::rewrite::{Rewrite, rewrite_metadata, with_same_files};
use crate::table::{ItemIndex, TableState, Warehouse};

/// Entries of a page, which is what a look-up reads: some 100 kB.
const PAGE: usize = 16_384;

/// Entries of a row group.
const ROW_GROUP: usize = 1 << 20;

/// Entries that are encoded at a time.
const BATCH: usize = 8_192;

/// What was built.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltIndex {
    /// `None`: the table is empty, or has such an index already.
    pub built: Option<(ItemIndex, i64)>,
    pub seconds: f64,
}

/// Builds an index of the newest snapshot, and commits a snapshot without a change of files that names it; nothing where
/// the newest one has an index of all of its rows, which is there. `session` says how much memory the sort may take.
///
/// Errors: rows cannot be read; another engine has put an older state in the table's place meanwhile.
pub async fn build_item_index(session: &SessionContext, warehouse: &Warehouse) -> Result<BuiltIndex> {
    let start = Instant::now();
    let state = warehouse.load().await?;
    let built = match state.metadata.current_snapshot() {
        Some(of) if !is_indexed(&state, of).await => build_again(session, warehouse, of).await?,
        _ => None,
    };
    Ok(BuiltIndex { built, seconds: start.elapsed().as_secs_f64() })
}

/// As [`build_item_index`], of a snapshot, whatever index it has; what was built.
pub(super) async fn build_again(
    session: &SessionContext,
    warehouse: &Warehouse,
    of: &SnapshotRef,
) -> Result<Option<(ItemIndex, i64)>> {
    let lease = RunLease::begin(warehouse, &format!("index-{}", Uuid::now_v7().simple())).await?;
    let built = async {
        let rows = rows(session, warehouse, of.snapshot_id()).await?;
        let url = warehouse.url().join(&format!("metadata/{}", item_index_name(Uuid::new_v4())));
        let url = url.map_err(|e| exec_datafusion_err!("{}: {e}", warehouse.url()))?;
        let (entries, bytes) = match write(rows, &url).await {
            Ok(written) => written,
            Err(e) => {
                remove(&url).await;
                return Err(e.into());
            }
        };
        stores::sync([url.clone()]).await?;
        let index = ItemIndex { path: url.to_string(), bytes, entries, sequence: of.sequence_number() };
        let naming = Naming { warehouse, index, of: Arc::clone(of), snapshot: snapshot_id() };
        match rewrite_metadata(warehouse, "index", &naming).await {
            Ok(Some(index)) => Ok(Some((index, naming.snapshot))),
            Ok(None) => {
                remove(&url).await;
                Ok(None)
            }
            Err(e @ MaintenanceError::UnknownOutcome { .. }) => Err(e),
            Err(e) => {
                remove(&url).await;
                Err(e)
            }
        }
    };
    let built = built.await;
    drop(lease.release().await);
    built
}

/// Whether a snapshot has an index of all of its rows, of which the file is there, as long as it was.
async fn is_indexed(state: &TableState, of: &SnapshotRef) -> bool {
    let index = ItemIndex::for_snapshot(state, of).filter(|index| index.sequence >= of.sequence_number());
    let Some(index) = index else { return false };
    let Ok(url) = Url::parse(&index.path) else { return false };
    let Ok((store, path)) = stores().locate(&url) else { return false };
    store.head(&path).await.is_ok_and(|file| file.size == index.bytes)
}

/// What cannot be deleted is an orphan, which a clean-up removes.
async fn remove(url: &Url) {
    if let Ok((store, path)) = stores().locate(url) {
        drop(store.delete(&path).await);
    }
}

/// Hash, cell and year of all rows, in that order; some more than once.
async fn rows(
    session: &SessionContext,
    warehouse: &Warehouse,
    snapshot: i64,
) -> DataFusionResult<SendableRecordBatchStream> {
    let hash = create_udf(
        "hash_of_id",
        vec![DataType::Utf8View],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(|arguments: &[ColumnarValue]| {
            let ids = ColumnarValue::values_to_arrays(arguments)?;
            let hashes = ids[0].as_string_view().iter().map(|id| id.map(hash_of_id));
            Ok(ColumnarValue::Array(Arc::new(hashes.collect::<arrow::array::Int64Array>())))
        }),
    );
    let year = cast(date_part(lit("year"), ident("datetime")), DataType::Int32);
    let columns: Vec<Expr> = vec![
        hash.call(vec![cast(ident("id"), DataType::Utf8View)]).alias("id_hash"),
        cast(ident(GRID_PARTITION), DataType::Utf8).alias("cell"),
        year.alias("year"),
    ];
    let order = ["id_hash", "cell", "year"].map(|column| ident(column).sort(true, false));
    let table = Arc::new(WarehouseTable::at_snapshot(warehouse.clone(), snapshot));
    let rows = session.read_table(table)?.select(columns)?.sort(order.to_vec())?;
    rows.execute_stream().await
}

/// Writes the rows, each once; how many there are, and the bytes of the file.
async fn write(mut rows: SendableRecordBatchStream, url: &Url) -> DataFusionResult<(u64, u64)> {
    let (store, path) = stores().locate(url).map_err(|e| DataFusionError::External(Box::new(e)))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(Default::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(PAGE)
        .set_write_batch_size(PAGE / 4)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_column_encoding(ColumnPath::from("id_hash"), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(ColumnPath::from("id_hash"), false)
        .build();
    let out = BufWriter::new(Arc::clone(&store), path.clone());
    let mut writer = AsyncArrowWriter::try_new(out, schema(), Some(properties))?;
    let mut entries = Entries::default();
    while let Some(batch) = rows.try_next().await? {
        entries.extend(&batch);
        if entries.len() >= BATCH {
            writer.write(&entries.take()?).await?;
        }
    }
    writer.write(&entries.take()?).await?;
    writer.close().await?;
    let written = store.head(&path).await.map_err(ObjectError::store(url.as_str()))?;
    Ok((entries.all, written.size))
}

/// Rows that are to be written.
#[derive(Default)]
struct Entries {
    hashes: Int64Builder,
    cells: StringBuilder,
    years: Int32Builder,
    last: Option<(i64, String, Option<i32>)>,
    all: u64,
}

impl Entries {
    /// Takes in sorted rows, each of them once.
    fn extend(&mut self, batch: &RecordBatch) {
        let hashes = batch.column(0).as_primitive::<Int64Type>();
        let (cells, years) = (batch.column(1).as_string::<i32>(), batch.column(2).as_primitive::<Int32Type>());
        for row in 0..batch.num_rows() {
            let year = years.is_valid(row).then(|| years.value(row));
            let (hash, cell) = (hashes.value(row), cells.value(row));
            if self.last.as_ref().is_some_and(|(h, c, y)| *h == hash && c == cell && *y == year) {
                continue;
            }
            self.hashes.append_value(hash);
            self.cells.append_value(cell);
            self.years.append_option(year);
            self.last = Some((hash, cell.to_owned(), year));
            self.all += 1;
        }
    }

    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        self.hashes.len()
    }

    fn take(&mut self) -> DataFusionResult<RecordBatch> {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.hashes.finish()), Arc::new(self.cells.finish()), Arc::new(self.years.finish())];
        Ok(RecordBatch::try_new(schema(), columns)?)
    }
}

/// A snapshot that names an index.
struct Naming<'a> {
    warehouse: &'a Warehouse,
    index: ItemIndex,
    /// The snapshot of whose rows it tells.
    of: SnapshotRef,
    snapshot: i64,
}

impl Rewrite for Naming<'_> {
    type Outcome = ItemIndex;

    fn snapshot(&self) -> i64 {
        self.snapshot
    }

    async fn rewrite(
        &self,
        base: &TableState,
        files: &mut MetadataFiles,
    ) -> Result<Option<(TableMetadata, ItemIndex)>> {
        let metadata = &base.metadata;
        let Some(current) = metadata.current_snapshot() else { return Ok(None) };
        // An earlier attempt became visible after all, or the table went back to before the rows of the index.
        let descends = base.line_of(Some(current)).any(|snapshot| snapshot.snapshot_id() == self.of.snapshot_id());
        if metadata.snapshot_by_id(self.snapshot).is_some() || !descends {
            return Ok(None);
        }
        // Nothing came with this snapshot.
        let is_complete = current.sequence_number() == self.index.sequence;
        let sequence = if is_complete { metadata.next_sequence_number() } else { self.index.sequence };
        let index = ItemIndex { sequence, ..self.index.clone() };
        let own = KnownIds::same_properties(current).chain([index.property()]);
        let next = with_same_files(self.warehouse.io(), base, current, self.snapshot, own, files).await?;
        Ok(Some((next, index)))
    }
}
