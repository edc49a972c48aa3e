//! What snapshots name: their lists of manifests, and the totals that they say.

use std::collections::HashMap;

use futures::StreamExt;
use iceberg::spec::{ManifestContentType, ManifestFile, SnapshotRef};

use super::finding::{Check, Findings};
use super::named::unreadable;
use super::stored::{Stored, Unnamed};
use crate::table::leases::error::Result;
use crate::table::manifests::{all_manifests, to_be_read};
use crate::table::{LiveFile, TableState, Warehouse};

/// Lists of manifests that are read at a time.
const CONCURRENCY: usize = 8;

/// With what our properties of a snapshot begin.
const OURS: &str = "earthcatalog.";

/// The manifests that the snapshots of a table name, and what is in them.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    /// Each once, to be read.
    pub all: Vec<ManifestFile>,
    /// What each of them has; `None` until it was read.
    pub contents: Vec<Option<Contents>>,
    /// Those of the current snapshot.
    pub is_current: Vec<bool>,
    /// Of each snapshot whose list can be read, which they are.
    of: Vec<(SnapshotRef, Vec<usize>)>,
    /// Whether all lists could be read.
    pub are_complete: bool,
}

/// How much the live files of a manifest, or of a snapshot, have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
}

impl Contents {
    pub fn of(files: &[LiveFile]) -> Self {
        let sum = |of: fn(&LiveFile) -> u64| files.iter().map(of).sum();
        Self { files: files.len() as u64, rows: sum(|file| file.rows), bytes: sum(|file| file.bytes) }
    }

    fn add(self, other: Self) -> Self {
        Self { files: self.files + other.files, rows: self.rows + other.rows, bytes: self.bytes + other.bytes }
    }
}

impl Manifests {
    /// Reads the lists of all snapshots.
    pub async fn read(
        warehouse: &Warehouse,
        state: &TableState,
        stored: &Stored,
        unnamed: &mut Unnamed,
        findings: &mut Findings,
    ) -> Result<Self> {
        let (io, metadata) = (warehouse.io(), &state.metadata);
        let current = metadata.current_snapshot_id();
        let mut known = HashMap::<String, usize>::new();
        let mut manifests = Self { are_complete: true, ..Self::default() };
        let read = |snapshot: SnapshotRef| async move {
            let list = all_manifests(io, metadata, &snapshot).await;
            (snapshot, list)
        };
        let reads: Vec<_> = metadata.snapshots().cloned().map(read).collect();
        let mut lists = futures::stream::iter(reads).buffered(CONCURRENCY);
        while let Some((snapshot, list)) = lists.next().await {
            unnamed.is_named(snapshot.manifest_list());
            let list = match list {
                Ok(list) => list,
                Err(e) => {
                    manifests.are_complete = false;
                    findings.push(unreadable(stored, snapshot.manifest_list(), &e).await?);
                    continue;
                }
            };
            let mut of = vec![];
            for manifest in list {
                unnamed.is_named(&manifest.manifest_path);
                let next = manifests.all.len();
                let number = *known.entry(manifest.manifest_path.clone()).or_insert(next);
                if number == next {
                    manifests.all.push(to_be_read(manifest, metadata));
                    manifests.contents.push(None);
                    manifests.is_current.push(false);
                }
                manifests.is_current[number] |= Some(snapshot.snapshot_id()) == current;
                of.push(number);
            }
            manifests.of.push((snapshot, of));
        }
        Ok(manifests)
    }

    /// Compares the totals in the summaries of snapshots with the manifests, once these were read.
    pub fn check_totals(&self, findings: &mut Findings) {
        for (snapshot, of) in &self.of {
            let (mut data, mut deletes, mut known) = (Contents::default(), Contents::default(), true);
            for number in of {
                let Some(contents) = self.contents[*number] else {
                    known = false;
                    break;
                };
                let sum = match self.all[*number].content {
                    ManifestContentType::Data => &mut data,
                    ManifestContentType::Deletes => &mut deletes,
                };
                *sum = sum.add(contents);
            }
            if !known {
                continue;
            }
            let summary = &snapshot.summary().additional_properties;
            let is_ours = summary.keys().any(|key| key.starts_with(OURS));
            let check = if is_ours { Check::Totals } else { Check::ForeignTotals };
            for (total, expected) in [
                ("total-data-files", data.files),
                ("total-records", data.rows),
                ("total-delete-files", deletes.files),
                ("total-files-size", data.bytes + deletes.bytes),
            ] {
                // What a writer leaves out, nobody knows.
                let Some(found) = summary.get(total) else { continue };
                if found.parse() != Ok(expected) {
                    let object = format!("snapshot {}", snapshot.snapshot_id());
                    findings.add(check, object, format!("{total}={expected}, as its manifests have"), found);
                }
            }
        }
    }

    /// How much the current snapshot has, as far as its manifests could be read.
    pub fn current(&self) -> Contents {
        let of_data =
            |number: &usize| self.is_current[*number] && self.all[*number].content == ManifestContentType::Data;
        let numbers = (0..self.all.len()).filter(of_data);
        numbers.filter_map(|number| self.contents[number]).fold(Contents::default(), Contents::add)
    }

    /// Data files of the current snapshot, as its list says.
    pub fn files_of_current(&self) -> u64 {
        let current = self.all.iter().zip(&self.is_current).filter(|(_, is_current)| **is_current);
        let files =
            |m: &ManifestFile| m.added_files_count.unwrap_or_default() + m.existing_files_count.unwrap_or_default();
        current.map(|(manifest, _)| u64::from(files(manifest))).sum()
    }

    /// Whether the current snapshot has delete files.
    pub fn have_deletes(&self) -> bool {
        let is_delete =
            |number: usize| self.is_current[number] && self.all[number].content == ManifestContentType::Deletes;
        (0..self.all.len()).any(|number| is_delete(number) && self.contents[number].is_none_or(|of| of.files > 0))
    }
}
