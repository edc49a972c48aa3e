//! What lies beside the table, and snapshots name: the known ids, the ingest record, the index by id, statistics; and the
//! documents of collections, which are in the table's properties.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use url::Url;

use super::finding::{Check, Finding, Findings};
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
    files.iter().for_each(|file| unnamed.is_named(&file.path));
    let checks: Vec<_> = files.iter().map(|file| check_named(file, depth, stored)).collect();
    let found: Vec<_> = futures::stream::iter(checks).buffered(CONCURRENCY).try_collect().await?;
    findings.extend(found.into_iter().flatten());

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

/// The files that the documents of all snapshots name, each once.
async fn named_by_documents(
    warehouse: &Warehouse,
    state: &TableState,
    stored: &Stored,
    unnamed: &mut Unnamed,
    findings: &mut Findings,
) -> Result<BTreeSet<NamedFile>> {
    // Of the snapshots that name the same, one stands for all.
    let all = |key: &'static str| -> BTreeMap<&str, i64> {
        let named = state.metadata.snapshots().filter_map(|of| {
            let text = of.summary().additional_properties.get(key)?;
            Some((text.as_str(), of.snapshot_id()))
        });
        named.collect()
    };
    let mut files = BTreeSet::new();
    for kind in [KnownIds::PROPERTY, RecordList::PROPERTY] {
        for location in all(kind).into_keys() {
            unnamed.is_named(location);
            match NamedFile::in_document(warehouse, kind, location).await {
                Ok(of_document) => files.extend(of_document),
                Err(e) => findings.push(unreadable(stored, location, &e).await?.with_way_out(way_out(kind))),
            }
        }
    }
    for (text, snapshot) in all(ItemIndex::PROPERTY) {
        match serde_json::from_str::<ItemIndex>(text) {
            Ok(ItemIndex { path, bytes, entries: rows, .. }) => {
                files.insert(NamedFile { path, bytes, rows, kind: ItemIndex::PROPERTY });
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
            "put it back from a backup; without it, the next `earthcatalog incremental` ingests objects again that are in the table"
        }
        ItemIndex::PROPERTY => "delete the file, and build the index again with `earthcatalog index`",
        _ => "put it back from a backup, or delete it and compact the whole table, which lists the ids again",
    }
}
