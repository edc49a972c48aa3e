//! [`repair`]: takes out of a table what is lost, so that what is left can be asked and written again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use iceberg::spec::TableMetadata;
use serde::Serialize;

use super::item_index::build_again;
use super::verify::Damaged;
use crate::query::ItemsTable;
use crate::scan::WarehouseTable;
use crate::table::commit::snapshot_id;
use crate::table::ingest_record::RecordList;
use crate::table::known_ids::KnownIds;
use crate::table::leases::error::Result;
use crate::table::location::to_url;
use crate::table::manifests::MetadataFiles;
use crate::table::rewrite::{Rewrite, rewrite_metadata, with_same_files};
use crate::table::state::KIND;
use crate::table::{Change, Committer, IdChange, ItemIndex, TableState, Warehouse};

/// What a repair did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Data files that the newest snapshot names no more, and their rows.
    pub files_removed: u64,
    pub rows_removed: u64,
    /// Rows of Items that had rows in these files, in all of their cells: written from the rows that are left of them.
    pub rows_restored: u64,
    /// What the newest snapshot says no more, because it is lost: properties of it.
    pub forgotten: BTreeSet<&'static str>,
    /// Files of the ingest record that are lost.
    pub record_files_removed: u64,
    /// The index by id was built again.
    pub index_built: bool,
}

/// Items that one statement writes again.
const IDS: usize = 1_000;

/// The tables of a repair in a session.
const CELLS: &str = "repair$cells";
const ITEMS: &str = "repair$items";
const TOUCHED: &str = "repair$touched";

/// Puts right what [`verify`](super::verify) has found `damaged`, in a snapshot each:
///
/// 1. What is known of ids and of ingested objects is forgotten as far as it is lost. Questions are right without the ids, and
///    slower until the whole table is compacted; objects that are forgotten are ingested once more.
/// 2. Data files that are gone or cannot be read are taken out of the table.
/// 3. Items that touch their cells, and are left in others, get their rows back. An Item of which no row is left is gone.
/// 4. The index by id is built again.
///
/// Older snapshots stay as they are, and so do the damaged files: who finds a backup rolls back.
/// Killed in between, `verify` with `deep` finds what is left to do.
///
/// Errors: manifests cannot be read, another writer has changed a damaged file's bucket, or a store fails.
pub async fn repair(session: &SessionContext, warehouse: &Warehouse, damaged: &Damaged) -> Result<Repaired> {
    let mut repaired = Repaired::default();
    let documents = [KnownIds::PROPERTY, RecordList::PROPERTY].into_iter();
    let forgotten: BTreeSet<_> = documents.filter(|kind| damaged.documents.contains(kind)).collect();
    if !forgotten.is_empty() || !damaged.record_files.is_empty() {
        let forgetting = Forgetting { warehouse, forgotten: &forgotten, damaged, snapshot: snapshot_id() };
        if let Some(record_files) = rewrite_metadata(warehouse, "repair", &forgetting).await? {
            repaired.record_files_removed = record_files;
            repaired.forgotten = forgotten;
        }
    }
    if !damaged.data_files.is_empty() {
        let remove = damaged.data_files.keys().map(|location| Ok(to_url(location)?.to_string()));
        let remove = remove.collect::<Result<Vec<_>>>()?;
        let summary = BTreeMap::from([(KIND.to_owned(), "repair".to_owned())]);
        let change = Change { remove, ids: IdChange::Same, summary, ..Change::default() };
        Committer::new(warehouse.clone()).commit(change).await?;
        repaired.files_removed = damaged.data_files.len() as u64;
        repaired.rows_removed = damaged.data_files.values().map(|file| file.rows).sum();
    }
    repaired.rows_restored = restore(session, warehouse, damaged).await?;
    if damaged.documents.contains(ItemIndex::PROPERTY) {
        let state = warehouse.load().await?;
        if let Some(current) = state.metadata.current_snapshot() {
            repaired.index_built = build_again(session, warehouse, current).await?.is_some();
        }
    }
    Ok(repaired)
}

/// Writes the rows of all Items again that have, or had, rows in the damaged files, or that lack one; how many.
async fn restore(session: &SessionContext, warehouse: &Warehouse, damaged: &Damaged) -> Result<u64> {
    let mut cells = BTreeMap::<Option<i32>, Vec<String>>::new();
    for file in damaged.data_files.values() {
        // A file that is partitioned otherwise has no cell.
        cells.entry(file.year).or_default().extend(file.cell.as_ref().map(|cell| format!("'{cell}'")));
    }
    cells.retain(|_, cells| !cells.is_empty());
    let conditions = cells.into_iter().map(|(year, cells)| {
        let in_year = match year {
            Some(year) => format!("date_part('year', datetime) = {year}"),
            None => "datetime IS NULL".to_owned(),
        };
        let resolution = warehouse.h3_resolution();
        format!("({in_year} AND array_has_any(h3_cells(geometry, {resolution}), [{}]))", cells.join(", "))
    });
    let mut touched: Vec<String> =
        conditions.map(|condition| format!("SELECT * FROM \"{ITEMS}\" WHERE {condition}")).collect();
    // Those with one of the ids in another collection are written again, too, which does no harm.
    let ids: BTreeSet<&str> = damaged.items.iter().map(|item| item.id.as_str()).collect();
    let ids: Vec<String> = ids.into_iter().map(|id| format!("'{}'", id.replace('\'', "''"))).collect();
    let of_ids = ids.chunks(IDS).map(|ids| format!("SELECT * FROM \"{ITEMS}\" WHERE id IN ({})", ids.join(", ")));
    touched.extend(of_ids);
    let tables: [(&str, Arc<dyn TableProvider>); 2] = [
        (CELLS, Arc::new(WarehouseTable::new(warehouse.clone()))),
        (ITEMS, Arc::new(ItemsTable::new(warehouse.clone()))),
    ];
    for (name, table) in tables {
        session.register_table(name, table)?;
    }
    let mut restored = 0;
    for touched in touched {
        session.register_table(TOUCHED, session.sql(&touched).await?.into_view())?;
        let insert = format!("INSERT INTO \"{CELLS}\" SELECT * FROM h3_fanout(\"{TOUCHED}\", \"{CELLS}\")");
        for batch in session.sql(&insert).await?.collect().await? {
            restored += batch.column(0).as_primitive::<UInt64Type>().values().iter().sum::<u64>();
        }
        session.deregister_table(TOUCHED)?;
    }
    for name in [CELLS, ITEMS] {
        session.deregister_table(name)?;
    }
    Ok(restored)
}

/// A snapshot with the same files that says no more what is lost.
struct Forgetting<'a> {
    warehouse: &'a Warehouse,
    forgotten: &'a BTreeSet<&'static str>,
    damaged: &'a Damaged,
    snapshot: i64,
}

impl Rewrite for Forgetting<'_> {
    /// Files of the ingest record that are left out.
    type Outcome = u64;

    fn snapshot(&self) -> i64 {
        self.snapshot
    }

    async fn rewrite(&self, base: &TableState, files: &mut MetadataFiles) -> Result<Option<(TableMetadata, u64)>> {
        let metadata = &base.metadata;
        let Some(current) = metadata.current_snapshot() else { return Ok(None) };
        if metadata.snapshot_by_id(self.snapshot).is_some() {
            return Ok(None);
        }
        let mut own = vec![(KIND.to_owned(), "repair".to_owned())];
        if !self.forgotten.contains(KnownIds::PROPERTY) {
            own.extend(KnownIds::same_properties(current));
        }
        let is_lost = self.forgotten.contains(RecordList::PROPERTY);
        let mut record = if is_lost { RecordList::default() } else { RecordList::of(self.warehouse, base).await? };
        let before = record.files.len();
        let lost: HashSet<&String> = self.damaged.record_files.iter().collect();
        record.files.retain(|file| !lost.contains(&file.path));
        let removed = before - record.files.len();
        if is_lost || removed > 0 {
            let location = files.write_record_list(&record).await?;
            own.push((RecordList::PROPERTY.to_owned(), location));
        }
        let next = with_same_files(self.warehouse.io(), base, current, self.snapshot, own, files).await?;
        Ok(Some((next, removed as u64)))
    }
}
