//! The Items of the current snapshot as a whole: their cells, and what is known of them beside the table.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::functions_aggregate::expr_fn::{bool_or, count, max, min};
use datafusion::functions_window::expr_fn::first_value;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, ident, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use url::Url;

use super::finding::{Check, Finding, Findings};
use super::functions::{id_hash, index_hash, plain};
use super::named;
use super::part_file::{FILE, PartFile, table};
use crate::model::item_key::ItemKey;
use crate::model::versions::{DIGEST, digest};
use crate::runtime::{FilesTable, ScanFile};
use crate::scan::records::IngestedTable;
use crate::table::item_index;
use crate::table::known_ids::{ID_SCHEMA, KnownIds, are_repeated};
use crate::table::{ItemIndex, TableState, Warehouse};

/// The files of the current snapshot, of which nothing is wrong.
pub(super) struct Items<'a> {
    pub session: &'a SessionContext,
    pub warehouse: &'a Warehouse,
    pub state: &'a TableState,
    pub files: &'a [PartFile],
}

impl Items<'_> {
    /// Rows with the sequence number of each, doubled; that of a row of another engine is odd.
    fn rows(&self) -> Result<DataFrame> {
        let number = |file: &PartFile| 2 * file.live.sequence + i64::from(!file.is_ours);
        self.session.read_table(table(self.warehouse, self.files, number)?)
    }

    /// Whether the newest version of each Item is in all of its cells, and Items with several versions are listed as such.
    pub async fn versions(&self, findings: &mut Findings) -> Result<()> {
        let repeated = match self.state.metadata.current_snapshot() {
            Some(snapshot) => KnownIds::repeated_in(self.warehouse.io(), snapshot).await?,
            None => None,
        };
        // Where nothing is known, all versions are looked up.
        let unlisted = match repeated {
            Some(repeated) => !are_repeated(Arc::new(repeated)),
            None => lit(false),
        };
        let versions = self.query_of_versions()?;
        let several = ident("verify:least").not_eq(ident("verify:greatest")).and(unlisted);
        let selected = [
            ItemKey::COLUMNS.map(ident).to_vec(),
            vec![
                ident("verify:cells"),
                ident("verify:cover"),
                ident("verify:foreign"),
                several.alias("verify:unlisted"),
            ],
        ];
        let faulty = versions.select(selected.concat())?;
        let faulty = faulty.filter(ident("verify:cells").not_eq(ident("verify:cover")).or(ident("verify:unlisted")))?;
        let mut rows = faulty.execute_stream().await?;
        while let Some(batch) = rows.try_next().await? {
            let [cells, cover] = [2, 3].map(|column| batch.column(column).as_primitive::<Int64Type>().clone());
            let [foreign, unlisted] = [4, 5].map(|column| batch.column(column).as_boolean().clone());
            for row in 0..batch.num_rows() {
                let key = key(&batch, 0, row);
                let item = key.to_string();
                if cells.value(row) != cover.value(row) {
                    let check = if foreign.value(row) { Check::ForeignCover } else { Check::Cover };
                    let [has, wants] =
                        [&cells, &cover].map(|cells| named::count(cells.value(row).unsigned_abs(), "cell"));
                    findings.add(check, &item, format!("rows in {wants}"), format!("rows in {has}"));
                    if cells.value(row) < cover.value(row) {
                        findings.damaged.items.insert(key);
                    }
                }
                if unlisted.value(row) {
                    findings.add(Check::Repeated, item, "to be listed as one with several versions", "not listed");
                }
            }
        }
        Ok(())
    }

    /// By Item: cells of the newest version, cells of its cover, whether a row of it is of another engine, and the least and
    /// the greatest digest of all versions.
    fn query_of_versions(&self) -> Result<DataFrame> {
        let rows = self.rows()?;
        let cover = format!(
            "CAST(coalesce(array_length(h3_cells(geometry, {})), 1) AS BIGINT)",
            self.warehouse.h3_resolution()
        );
        let cover = rows.parse_sql_expr(&cover)?.alias("verify:cover");
        // Texts in one piece: of views, arrow-rs keeps up to a megabyte for each file where rows are exchanged, and the sort
        // asks for it (docs/design/upstream.md).
        let as_type = |data_type: DataType| move |name: &str| cast(ident(name), data_type.clone()).alias(name);
        let told_by = ["updated", "created", FILE].map(ident);
        let keys = [ItemKey::COLUMNS[0], ItemKey::COLUMNS[1], "grid_partition"];
        let columns = [keys.map(as_type(DataType::Utf8)).to_vec(), told_by.to_vec()];
        let digest = digest(self.warehouse.items().item_schema());
        let rows = rows.select([columns.concat(), vec![cover, digest]].concat())?;
        let newest = first_value(ident(DIGEST))
            .partition_by(ItemKey::COLUMNS.map(ident).to_vec())
            .order_by(["updated", "created", FILE, DIGEST].map(|name| ident(name).sort(false, false)).to_vec())
            .build()?;
        let rows = rows.window(vec![newest.alias("verify:newest")])?;
        let of_newest = || ident(DIGEST).eq(ident("verify:newest"));
        let is_foreign = (ident(FILE) % lit(2_i64)).eq(lit(1_i64));
        let counted = rows.aggregate(
            ItemKey::COLUMNS.map(ident).to_vec(),
            vec![
                count(ident("grid_partition")).distinct().filter(of_newest()).build()?.alias("verify:cells"),
                max(ident("verify:cover")).filter(of_newest()).build()?.alias("verify:cover"),
                bool_or(is_foreign).filter(of_newest()).build()?.alias("verify:foreign"),
                min(ident(DIGEST)).alias("verify:least"),
                max(ident(DIGEST)).alias("verify:greatest"),
            ],
        )?;
        let names = ["verify:cells", "verify:cover", "verify:foreign", "verify:least", "verify:greatest"].map(ident);
        counted.select([ItemKey::COLUMNS.map(as_type(DataType::Utf8View)).to_vec(), names.to_vec()].concat())
    }

    /// Whether all Items are among the known ids, and those of the ingest record are there, or were until they were deleted.
    pub async fn ids(&self, findings: &mut Findings) -> Result<()> {
        const COLUMNS: [&str; 4] = ["verify:there", "verify:known", "verify:recorded", "verify:hash"];
        let known = KnownIds::of(self.warehouse.io(), self.state).await?;
        let of_kind = |rows: DataFrame, hash: Expr, kind: usize, is_named: bool| {
            let [collection, id] = ItemKey::COLUMNS.map(|name| match is_named {
                true => plain(name),
                false => lit(ScalarValue::Utf8View(None)).alias(name),
            });
            let kinds = (0..3).map(|n| lit(n == kind).alias(COLUMNS[n]));
            rows.select([collection, id].into_iter().chain(kinds).chain([hash.alias(COLUMNS[3])]).collect::<Vec<_>>())
        };
        let mut all = of_kind(self.rows()?, id_hash(), 0, true)?;
        if let Some(known) = &known {
            let files = known.lists.iter().map(|file| scan_file(&file.path, file.bytes)).collect::<Result<_>>()?;
            let lists = FilesTable::new(TableSchema::from(Arc::clone(&ID_SCHEMA)), files);
            let lists = self.session.read_table(Arc::new(lists))?;
            let hash = ident(ID_SCHEMA.field(0).name());
            all = all.union(of_kind(lists, hash, 1, false)?)?;
        }
        let record = self.session.read_table(Arc::new(IngestedTable::new(self.warehouse.clone(), None)))?;
        let record = record.filter(ident("id").is_not_null())?;
        all = all.union(of_kind(record, id_hash(), 2, true)?)?;
        let sums = ItemKey::COLUMNS.map(|name| min(ident(name)).alias(name));
        let kinds = COLUMNS[..3].iter().map(|kind| bool_or(ident(*kind)).alias(*kind));
        let all = all.aggregate(vec![ident(COLUMNS[3])], sums.into_iter().chain(kinds).collect())?;
        let [there, is_known, recorded] = [0, 1, 2].map(|n| ident(COLUMNS[n]));
        // The lists keep the ids of Items that were deleted, of which the record still has the objects.
        let (unknown, lost) = match known {
            Some(_) => (there.clone().and(!is_known.clone()), recorded.and(!there).and(!is_known)),
            None => (lit(false), lit(false)),
        };
        let faulty = all
            .filter(unknown.clone().or(lost))?
            .select([ItemKey::COLUMNS.map(ident).to_vec(), vec![unknown.alias("verify:unknown")]].concat())?;
        let mut rows = faulty.execute_stream().await?;
        while let Some(batch) = rows.try_next().await? {
            for row in 0..batch.num_rows() {
                let item = key(&batch, 0, row).to_string();
                findings.push(match batch.column(2).as_boolean().value(row) {
                    true => Finding::new(Check::KnownIds, item, "to be among the known ids", "it is not"),
                    false => Finding::new(Check::Record, item, "an Item, because its object was ingested", "none ever"),
                });
            }
        }
        Ok(())
    }

    /// Whether the index by id has the bucket of each row of which it is to tell.
    pub async fn index(&self, findings: &mut Findings) -> Result<()> {
        let Some(snapshot) = self.state.metadata.current_snapshot() else { return Ok(()) };
        let Some(index) = ItemIndex::for_snapshot(self.state, snapshot) else { return Ok(()) };
        let is_indexed = |file: &&PartFile| file.live.file_sequence.is_some_and(|sequence| sequence <= index.sequence);
        let files: Vec<PartFile> =
            self.files.iter().filter(is_indexed).filter(|file| file.live.cell.is_some()).cloned().collect();
        let rows = self.session.read_table(table(self.warehouse, &files, |_| 0)?)?;
        let year = rows.parse_sql_expr("CAST(date_part('year', datetime) AS INT)")?;
        let rows = rows.select(vec![
            index_hash().alias("id_hash"),
            plain("grid_partition"),
            year.alias("year"),
            lit(false).alias("verify:indexed"),
            plain("id"),
        ])?;
        let schema = TableSchema::from(item_index::schema());
        let entries = FilesTable::new(schema, vec![scan_file(&index.path, index.bytes)?]);
        let entries = self.session.read_table(Arc::new(entries))?;
        let entries = entries.select(vec![
            ident("id_hash"),
            plain("grid_partition"),
            ident("year"),
            lit(true).alias("verify:indexed"),
            lit(ScalarValue::Utf8View(None)).alias("id"),
        ])?;
        let pairs = rows.union(entries)?.aggregate(
            ["id_hash", "grid_partition", "year"].map(ident).to_vec(),
            vec![bool_or(ident("verify:indexed")).alias("verify:indexed"), min(ident("id")).alias("id")],
        )?;
        let missing = pairs.filter(!ident("verify:indexed"))?.select(["id", "grid_partition"].map(ident).to_vec())?;
        let mut rows = missing.execute_stream().await?;
        while let Some(batch) = rows.try_next().await? {
            let [ids, cells] = [0, 1].map(|column| batch.column(column).as_string_view().clone());
            for row in 0..batch.num_rows() {
                let found = format!("none of Item {} in cell {}", ids.value(row), cells.value(row));
                findings.add(Check::Index, &index.path, "an entry for each row", found);
            }
        }
        Ok(())
    }
}

fn scan_file(path: &str, bytes: u64) -> Result<ScanFile> {
    let url = Url::parse(path).map_err(|e| DataFusionError::External(Box::new(e)))?;
    Ok(ScanFile { url, bytes, sequence: 0, statistics: None })
}

/// The key of an Item, whose columns begin at `first`.
fn key(batch: &RecordBatch, first: usize, row: usize) -> ItemKey {
    let [collections, ids] = [first, first + 1].map(|column| batch.column(column).as_string_view().clone());
    let text = |column: &StringViewArray| column.is_valid(row).then(|| column.value(row).to_owned());
    ItemKey { collection: text(&collections), id: text(&ids).unwrap_or_default() }
}
