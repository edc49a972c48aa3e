//! What lies beside the table, and snapshots name: the known ids, the ingest record, the index by id, statistics; and the
//! documents of collections, which are in the table's properties.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use url::Url;

use super::finding::{Check, Finding, Findings, ONLY_OLDER};
use super::named::{check_file, check_location, unreadable};
use super::parquet_file::{self, Depth, Expected};
use super::stored::{Stored, Unnamed};
use crate::model::task_files::{IdFile, RecordFile};
use crate::table::ingest_record::RecordList;
use crate::table::known_ids::KnownIds;
use crate::table::leases::error::Result;
use crate::table::{CollectionDocument, ItemIndex, TableState, Warehouse, WarehouseError};

/// Files that are read at a time.
const CONCURRENCY: usize = 8;

/// A file that a document names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct NamedFile {
    /// URL.
    path: String,
    bytes: u64,
    rows: u64,
    kind: &'static str,
}

/// Looks at what the snapshots of a table name beside Iceberg's own files, and at the table's properties.
pub(super) async fn check(
    warehouse: &Warehouse,
    state: &TableState,
    depth: Depth,
    stored: &Stored,
    unnamed: &mut Unnamed,
    findings: &mut Findings,
) -> Result<()> {
    let metadata = &state.metadata;
    let files = named_by_documents(warehouse, state, stored, unnamed, findings).await?;
    files.keys().for_each(|file| unnamed.is_named(&file.path));
    let checks: Vec<_> = files.keys().map(|file| check_named(file, depth, stored)).collect();
    let found: Vec<_> = futures::stream::iter(checks).buffered(CONCURRENCY).try_collect().await?;
    for ((file, is_current), found) in files.iter().zip(found) {
        let Some(finding) = found else { continue };
        match (is_current, file.kind) {
            (false, _) => {}
            (true, RecordList::PROPERTY) => drop(findings.damaged.record_files.insert(file.path.clone())),
            (true, kind) => drop(findings.damaged.documents.insert(kind)),
        }
        findings.push(if *is_current { finding } else { finding.with_way_out(ONLY_OLDER) });
    }

    let statistics = metadata.statistics_iter().map(|file| (&file.statistics_path, file.file_size_in_bytes));
    let of_partitions =
        metadata.partition_statistics_iter().map(|file| (&file.statistics_path, file.file_size_in_bytes));
    for (location, bytes) in statistics.chain(of_partitions) {
        unnamed.is_named(location);
        let way_out = "nothing of ours reads it; write the statistics again with the engine that wrote them";
        let found = check_location(stored, location, u64::try_from(bytes).ok()).await?;
        findings.extend(found.map(|finding| finding.with_way_out(way_out)));
    }
    for (key, reason) in CollectionDocument::broken(metadata) {
        findings.add(Check::Collection, key, "a STAC Collection", reason);
    }
    Ok(())
}

/// The files that the documents of all snapshots name, each once, and whether the newest snapshot has such a document.
async fn named_by_documents(
    warehouse: &Warehouse,
    state: &TableState,
    stored: &Stored,
    unnamed: &mut Unnamed,
    findings: &mut Findings,
) -> Result<BTreeMap<NamedFile, bool>> {
    // Of the snapshots that name the same, one stands for all.
    let all = |key: &'static str| -> BTreeMap<&str, i64> {
        let named = state.metadata.snapshots().filter_map(|of| {
            let text = of.summary().additional_properties.get(key)?;
            Some((text.as_str(), of.snapshot_id()))
        });
        named.collect()
    };
    let mut files = BTreeMap::new();
    let mut add = |file: NamedFile, of_current: bool| *files.entry(file).or_insert(false) |= of_current;
    let of_current =
        [(KnownIds::PROPERTY, state.known_ids()), (RecordList::PROPERTY, state.inherited(RecordList::PROPERTY))];
    for (kind, of_current) in of_current {
        for location in all(kind).into_keys() {
            unnamed.is_named(location);
            let is_current = of_current == Some(location);
            match NamedFile::in_document(warehouse, kind, location).await {
                Ok(of_document) => of_document.into_iter().for_each(|file| add(file, is_current)),
                Err(e) => {
                    let found = unreadable(stored, location, &e).await?;
                    findings.push(found.with_way_out(if is_current { way_out(kind) } else { ONLY_OLDER }));
                    if is_current {
                        findings.damaged.documents.insert(kind);
                    }
                }
            }
        }
    }
    let index = state.metadata.current_snapshot().and_then(|current| ItemIndex::for_snapshot(state, current));
    for (text, snapshot) in all(ItemIndex::PROPERTY) {
        match serde_json::from_str::<ItemIndex>(text) {
            Ok(ItemIndex { path, bytes, entries: rows, .. }) => {
                let is_current = index.as_ref().is_some_and(|index| index.path == path);
                add(NamedFile { path, bytes, rows, kind: ItemIndex::PROPERTY }, is_current);
            }
            Err(e) => {
                let object = format!("property {} of snapshot {snapshot}", ItemIndex::PROPERTY);
                findings.push(Finding::new(Check::Index, object, "what describes an index", e));
            }
        }
    }
    Ok(files)
}

impl NamedFile {
    /// The files that a document of known ids or of the ingest record names.
    async fn in_document(
        warehouse: &Warehouse,
        kind: &'static str,
        location: &str,
    ) -> Result<Vec<Self>, WarehouseError> {
        let io = warehouse.io();
        if kind == KnownIds::PROPERTY {
            let known = KnownIds::read(io, location).await?;
            let file = |file: &IdFile| Self { path: file.path.clone(), bytes: file.bytes, rows: file.ids, kind };
            return Ok(known.files().map(file).collect());
        }
        let list = RecordList::read(io, location).await?;
        let file = |file: RecordFile| Self { path: file.path, bytes: file.bytes, rows: file.rows, kind };
        Ok(list.files.into_iter().map(file).collect())
    }
}

/// What is wrong with a file, if something is.
async fn check_named(file: &NamedFile, depth: Depth, stored: &Stored) -> Result<Option<Finding>> {
    let url = match Url::parse(&file.path) {
        Ok(url) => url,
        Err(e) => return Ok(Some(Finding::new(Check::Exists, &file.path, "the URL of a file", e))),
    };
    let mut found = check_file(stored, &file.path, &url, Some(file.bytes)).await?;
    if found.is_none() {
        let expected = Expected { location: &file.path, url: &url, bytes: file.bytes, rows: file.rows };
        found = parquet_file::check(expected, depth, stored).await?.err();
    }
    Ok(found.map(|finding| finding.with_way_out(way_out(file.kind))))
}

fn way_out(kind: &str) -> &'static str {
    match kind {
        RecordList::PROPERTY => {
            "put it back from a backup, or have `earthcatalog verify --repair` forget it: the next `earthcatalog incremental` then ingests objects again that are in the table"
        }
        ItemIndex::PROPERTY => "build the index again with `earthcatalog verify --repair`",
        _ => {
            "put it back from a backup, or have `earthcatalog verify --repair` forget it, and compact the whole table, which lists the ids again"
        }
    }
}
