//! [`merge_manifests`]: writes many small manifests again as a few large ones.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use iceberg::spec::{ManifestContentType, ManifestFile, Operation, TableMetadata};

use super::summary::{ExpireOptions, ExpireSummary};
use crate::table::commit::snapshot_id;
use crate::table::known_ids::KnownIds;
use crate::table::leases::error::Result;
use crate::table::manifests::{MAX_ENTRIES, MetadataFiles, first_cell, live_manifests};
use crate::table::rewrite::{Rewrite, rewrite_metadata};
use crate::table::{TableState, Warehouse, snapshot};

/// Up to so many manifests, a scan reads them all at once anyway.
const FEW_MANIFESTS: usize = 8;

/// Entries per manifest, on average, below which merging is worth a snapshot.
const SMALL_AVERAGE: usize = 100;

/// Entries that are sorted at a time. An entry takes some 2 kB of memory.
const ENTRIES_AT_ONCE: usize = 10_000;

/// Merges the small manifests of the current snapshot if there are many: sorted by cell, so that a scan of one cell reads
/// few. Commits one snapshot without a change of files; most tables, most of the time, need none.
pub async fn merge_manifests(warehouse: &Warehouse, options: &ExpireOptions) -> Result<ExpireSummary> {
    let start = Instant::now();
    let merge = Merge { warehouse, snapshot: snapshot_id() };
    let (small, _) = merge.choose(&*warehouse.load().await?).await?;
    let merged = match small.len() {
        0 => None,
        _ if options.dry_run => Some(small.len() as u64),
        _ => rewrite_metadata(warehouse, "merge", &merge).await?,
    };
    let (manifests_merged, seconds) = (merged.unwrap_or_default(), start.elapsed().as_secs_f64());
    Ok(ExpireSummary { manifests_merged, seconds, ..ExpireSummary::default() })
}

struct Merge<'a> {
    warehouse: &'a Warehouse,
    snapshot: i64,
}

impl Merge<'_> {
    /// The small manifests, in the order of their cells, and the others; no small ones where merging is not worth it.
    async fn choose(&self, base: &TableState) -> Result<(Vec<ManifestFile>, Vec<ManifestFile>)> {
        let metadata = &base.metadata;
        let Some(current) = metadata.current_snapshot() else { return Ok((vec![], vec![])) };
        let live = live_manifests(self.warehouse.io(), metadata, current).await?;
        // What another engine partitioned otherwise, or deletes rows, stays as it is.
        let ours = |m: &ManifestFile| {
            m.content == ManifestContentType::Data && m.partition_spec_id == metadata.default_partition_spec_id()
        };
        let (ours, mut others): (Vec<_>, Vec<_>) = live.into_iter().partition(ours);
        if ours.len() <= FEW_MANIFESTS || ours.iter().map(entries).sum::<usize>() >= SMALL_AVERAGE * ours.len() {
            others.extend(ours);
            return Ok((vec![], others));
        }
        let (mut small, large): (Vec<_>, Vec<_>) = ours.into_iter().partition(|m| entries(m) < MAX_ENTRIES / 2);
        others.extend(large);
        small.sort_by_cached_key(first_cell);
        Ok((small, others))
    }
}

impl Rewrite for Merge<'_> {
    type Outcome = u64;

    fn snapshot(&self) -> i64 {
        self.snapshot
    }

    async fn rewrite(&self, base: &TableState, files: &mut MetadataFiles) -> Result<Option<(TableMetadata, u64)>> {
        let metadata = &base.metadata;
        let (small, kept) = self.choose(base).await?;
        // The second: an earlier attempt became visible after all.
        if small.is_empty() || metadata.snapshot_by_id(self.snapshot).is_some() {
            return Ok(None);
        }
        let mut merged = vec![];
        for group in groups(&small) {
            merged.extend(files.write_without(group.to_vec(), &HashSet::new(), metadata).await?);
        }
        // The names that Iceberg's own rewrite of manifests uses.
        let counts = [("created", merged.len()), ("replaced", small.len()), ("kept", kept.len())];
        let mut summary: BTreeMap<_, _> =
            counts.iter().map(|(name, n)| (format!("manifests-{name}"), n.to_string())).collect();
        summary.insert("entries-processed".to_owned(), small.iter().map(entries).sum::<usize>().to_string());
        merged.extend(kept);

        let mut summary = snapshot::summary(Operation::Replace, &[], &[], &[], &summary, metadata);
        let before = metadata.current_snapshot().into_iter();
        summary.additional_properties.extend(before.flat_map(|snapshot| KnownIds::same_properties(snapshot)));
        let next = snapshot::on_top_of(base, self.snapshot, summary, files.write_list(merged, metadata).await?, None)?;
        Ok(Some((next, small.len() as u64)))
    }
}

/// Neighbours with at most [`ENTRIES_AT_ONCE`] entries together.
fn groups(manifests: &[ManifestFile]) -> Vec<&[ManifestFile]> {
    let mut groups = vec![];
    let (mut begin, mut sum) = (0, 0);
    for (i, manifest) in manifests.iter().enumerate() {
        if sum + entries(manifest) > ENTRIES_AT_ONCE {
            groups.push(&manifests[begin..i]);
            (begin, sum) = (i, 0);
        }
        sum += entries(manifest);
    }
    groups.push(&manifests[begin..]);
    groups
}

/// Live entries of a manifest.
fn entries(manifest: &ManifestFile) -> usize {
    let count = |n: Option<u32>| n.unwrap_or_default() as usize;
    count(manifest.added_files_count) + count(manifest.existing_files_count)
}
