//! The data files that manifests name: one pass over all manifests, a few of them at a time.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{ManifestContentType, ManifestFile};

use super::VerifyProgress;
use super::finding::{Check, Finding, Findings, LOST_DELETES, ONLY_OLDER};
use super::named::{check_location, count, unreadable};
use super::parquet_file::{self, Depth, Expected};
use super::part_file::{Footer, PartFile};
use super::part_rows;
use super::recorded::Recorded;
use super::snapshots::{Contents, Manifests};
use super::stored::{Stored, Unnamed};
use crate::maintenance::expire::hash;
use crate::table::leases::error::Result;
use crate::table::location::to_url;
use crate::table::manifests::files::LiveFiles;
use crate::table::manifests::{live_files_with_bounds, may_hold};
use crate::table::{LiveFile, Warehouse, WarehouseError};

/// Manifests that are read at a time.
const MANIFESTS: usize = 4;

/// Files that are asked for at a time, where the listing does not have them.
const FILES: usize = 16;

/// Files whose pages are read at a time, each a column of a row group.
const PAGES: usize = 4;

/// Looks at all data files. Those of the current snapshot of which nothing is wrong are wanted with [`Depth::Pages`].
pub(super) struct DataFiles<'a> {
    pub session: &'a SessionContext,
    pub warehouse: &'a Warehouse,
    pub depth: Depth,
    pub progress: &'a VerifyProgress,
}

/// What a look at the data files came to.
pub(super) struct Checked {
    /// Those of the current snapshot of which nothing is wrong, if they are wanted.
    pub whole: Vec<PartFile>,
    /// What is wrong with files that only older snapshots name.
    pub of_older: Vec<Finding>,
}

impl DataFiles<'_> {
    pub async fn check(
        &self,
        manifests: &mut Manifests,
        stored: &Arc<Stored>,
        unnamed: &mut Unnamed,
        findings: &mut Findings,
    ) -> Result<Checked> {
        let (mut whole, mut seen) = (vec![], HashSet::new());
        // By location: several manifests may name one.
        let mut of_older = BTreeMap::new();
        let read = |(number, manifest): (usize, ManifestFile)| {
            let (io, columns) = (self.warehouse.io().clone(), Arc::clone(self.warehouse.columns()));
            async move { (number, live_files_with_bounds(io, manifest, columns).await) }
        };
        let all: Vec<_> = manifests.all.iter().cloned().enumerate().map(read).collect();
        let mut contents = futures::stream::iter(all).buffered(MANIFESTS);
        while let Some((number, read)) = contents.next().await {
            let manifest = &manifests.all[number];
            let files = match read {
                Ok(files) => files,
                Err(e) => {
                    findings.push(unreadable(stored, &manifest.manifest_path, &e).await?);
                    continue;
                }
            };
            manifests.contents[number] = Some(Contents::of(&files.files));
            findings.extend(listed(manifest, &files));
            let is_current = manifests.is_current[number];
            files.files.iter().for_each(|file| unnamed.is_named(&file.location));
            let mut parts = vec![];
            for (n, file) in files.files.iter().enumerate() {
                if is_current && !seen.insert(hash(&file.location)) {
                    findings.add(Check::NamedOnce, &file.location, "to be named once", "several times");
                    continue;
                }
                parts.push(PartFile::new(self.warehouse, n, file.clone()));
            }
            let (parts, lost) = self.stored(parts, stored, findings).await?;
            let is_data = manifest.content == ManifestContentType::Data;
            match is_current {
                true => push_lost(lost, is_data, findings),
                false => of_older.extend(lost.into_iter().map(|(file, finding)| (file.location, finding))),
            }
            if is_current && self.depth == Depth::Pages {
                let (parts, lost) = self.read_pages(parts, stored).await?;
                push_lost(lost, is_data, findings);
                if is_data {
                    whole.extend(self.check_rows(parts, &files, findings).await?);
                }
            } else if is_current {
                self.progress.add(&Contents::of(&files.files));
            }
        }
        // What the newest snapshot names, too, has been found there.
        of_older.retain(|location, _| !findings.damaged.data_files.contains_key(location));
        let of_older = of_older.into_values().map(|finding| finding.with_way_out(ONLY_OLDER)).collect();
        Ok(Checked { whole, of_older })
    }

    /// The files that are there and as large as they should be, and what is wrong with the others.
    async fn stored(
        &self,
        parts: Vec<PartFile>,
        stored: &Stored,
        findings: &mut Findings,
    ) -> Result<(Vec<PartFile>, Vec<(LiveFile, Finding)>)> {
        let check = |part: PartFile| async move {
            let found = check_location(stored, &part.live.location, Some(part.live.bytes)).await?;
            Ok::<_, crate::maintenance::MaintenanceError>((part, found))
        };
        let checks: Vec<_> = parts.into_iter().map(check).collect();
        let mut checked = futures::stream::iter(checks).buffered(FILES);
        let (mut there, mut lost) = (vec![], vec![]);
        while let Some((part, found)) = checked.try_next().await? {
            if let Some((found, expected)) = part.wrong_folder(self.warehouse) {
                findings.add(Check::Folder, &part.live.location, expected, found);
            }
            match found {
                Some(finding) => lost.push((part.live, finding)),
                None => there.push(part),
            }
        }
        Ok((there, lost))
    }

    /// Reads files from end to end: those that can be read, with their footers, and what is wrong with the others.
    async fn read_pages(
        &self,
        parts: Vec<PartFile>,
        stored: &Arc<Stored>,
    ) -> Result<(Vec<PartFile>, Vec<(LiveFile, Finding)>)> {
        let check = |part: PartFile| {
            let stored = Arc::clone(stored);
            // Checksums take longer than reading.
            let task = SpawnedTask::spawn(async move {
                let url = to_url(&part.live.location)?;
                let live = &part.live;
                let expected = Expected { location: &live.location, url: &url, bytes: live.bytes, rows: live.rows };
                let read = parquet_file::check(expected, Depth::Pages, &stored).await?;
                Ok::<_, crate::maintenance::MaintenanceError>((part, read))
            });
            async move { task.join_unwind().await.map_err(WarehouseError::Cancelled)? }
        };
        let (mut readable, mut lost) = (vec![], vec![]);
        // Tasks begin when they are made: here, as they are wanted.
        let mut checked = futures::stream::iter(parts).map(check).buffered(PAGES);
        while let Some((part, read)) = checked.try_next().await? {
            self.progress.add(&Contents::of(std::slice::from_ref(&part.live)));
            match read {
                Ok(metadata) => readable.push(PartFile { footer: Footer::new(metadata), ..part }),
                Err(finding) => lost.push((part.live, finding)),
            }
        }
        Ok((readable, lost))
    }

    /// Compares the rows of the data files of a manifest with what is recorded of them; those that are whole, without their footers.
    async fn check_rows(
        &self,
        mut readable: Vec<PartFile>,
        recorded: &LiveFiles,
        findings: &mut Findings,
    ) -> Result<Vec<PartFile>> {
        let recorded = Recorded { warehouse: self.warehouse, files: recorded };
        let found = part_rows::check(self.session, self.warehouse, &readable, &recorded).await?;
        let faulty: HashSet<&str> = found.iter().map(|finding| finding.object.as_str()).collect();
        readable.retain(|part| !faulty.contains(part.live.location.as_str()));
        readable.iter_mut().for_each(|part| part.footer = None);
        findings.extend(found);
        Ok(readable)
    }
}

/// Reports files of the newest snapshot that are gone, or cannot be read.
fn push_lost(lost: Vec<(LiveFile, Finding)>, is_data: bool, findings: &mut Findings) {
    for (file, finding) in lost {
        match is_data {
            true => findings.push_data_file(&file, finding),
            false => findings.push(finding.with_way_out(LOST_DELETES)),
        }
    }
}

/// Compares the rows and the cells of a manifest with what its list says.
fn listed(manifest: &ManifestFile, files: &LiveFiles) -> Vec<Finding> {
    let differs =
        |expected: String, found: String| Finding::new(Check::Listed, &manifest.manifest_path, expected, found);
    let mut differences = vec![];
    let rows = manifest.added_rows_count.zip(manifest.existing_rows_count).map(|(added, existing)| added + existing);
    let found = Contents::of(&files.files).rows;
    if let Some(expected) = rows.filter(|expected| *expected != found) {
        differences.push(differs(count(expected, "row"), count(found, "row")));
    }
    let mut cells = files.files.iter().filter_map(|file| file.cell.as_deref());
    if let Some(cell) = cells.find(|cell| !may_hold(manifest, [*cell])) {
        differences.push(differs("cells within the bounds of its list".to_owned(), format!("cell {cell}")));
    }
    differences
}
