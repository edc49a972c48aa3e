//! The buckets of a snapshot with their files, and how they are packed into groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::bucket::Bucket;
use crate::model::item_key::ItemKey;
use crate::runtime::consecutive;
use crate::sink::MAX_FILE_BYTES;
use crate::table::LiveFile;
use crate::table::deletes::{DeleteFile, DeletedRows};

/// Column with the year of a row's bucket; null where `datetime` is null.
pub(crate) const YEAR: &str = "year";

/// Bytes of files that one group should hold. Text is compressed to a tenth, and two sorts hold it twice each: a worker
/// has some forty times as much in memory.
const GROUP_BYTES: u64 = 2 << 20;

/// Groups of a plan, at most: each is a task, and larger ones go to disk.
const MAX_GROUPS: u64 = 4_096;

/// What opening a file costs, in bytes of data that could be read instead.
const FILE_LOAD: u64 = 4 << 10;

/// A bucket, and its part files in the order of their commits.
#[derive(Debug, Clone)]
pub struct BucketFiles {
    pub bucket: Bucket,
    pub files: Vec<LiveFile>,
    /// The Items whose rows here are left out: a newer version is in another bucket.
    pub superseded: BTreeSet<ItemKey>,
    /// Rows that are left out since another engine has deleted them, by the location of their file.
    pub(crate) deleted: BTreeMap<String, Arc<DeletedRows>>,
    /// The delete files that say so.
    pub(crate) deletes: Vec<DeleteFile>,
}

impl BucketFiles {
    /// All rows of these files.
    pub(crate) fn new(bucket: Bucket, files: Vec<LiveFile>) -> Self {
        Self { bucket, files, superseded: BTreeSet::new(), deleted: BTreeMap::new(), deletes: vec![] }
    }

    /// Rows that are read.
    pub fn rows(&self) -> u64 {
        let deleted: u64 = self.deleted.values().map(|rows| rows.count()).sum();
        self.files.iter().map(|file| file.rows).sum::<u64>().saturating_sub(deleted)
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Its files, where those that one run cut to size count as one: they hold no two versions of an Item.
    pub fn parts(&self) -> usize {
        let of_run = |files: &[LiveFile]| files.iter().filter(|file| file.bytes < MAX_FILE_BYTES).count().max(1);
        self.files.chunk_by(|a, b| a.sequence == b.sequence).map(of_run).sum()
    }

    /// The data sequence number of its newest rows, and of files that are written in the place of its own.
    pub fn sequence(&self) -> i64 {
        let of_deletes = self.deletes.iter().filter_map(DeleteFile::outlived_by);
        self.files.iter().map(|file| file.sequence).chain(of_deletes).max().unwrap_or_default()
    }

    pub(crate) fn load(&self) -> u64 {
        self.bytes() + FILE_LOAD * self.files.len() as u64
    }
}

/// The buckets of a table, in order. A file without a cell is of no bucket.
pub(crate) fn buckets(files: Vec<LiveFile>) -> Vec<BucketFiles> {
    let mut buckets: BTreeMap<Bucket, Vec<LiveFile>> = BTreeMap::new();
    for file in files {
        let Some(cell) = &file.cell else { continue };
        let bucket = Bucket { cell: cell.clone(), year: file.year };
        buckets.entry(bucket).or_default().push(file);
    }
    let bucket = |(bucket, mut files): (_, Vec<LiveFile>)| {
        files.sort_by(|a, b| (a.sequence, &a.location).cmp(&(b.sequence, &b.location)));
        BucketFiles::new(bucket, files)
    };
    buckets.into_iter().map(bucket).collect()
}

/// Cuts buckets, in their order, into groups of about the same size: a bucket is never split, small ones share a group, and
/// there are at least as many groups as workers, if there are buckets enough.
pub(crate) fn groups(buckets: Vec<BucketFiles>, workers: usize) -> Vec<Vec<BucketFiles>> {
    let load: u64 = buckets.iter().map(BucketFiles::load).sum();
    let wanted = load.div_ceil(GROUP_BYTES).min(MAX_GROUPS).max(workers as u64);
    consecutive(buckets, wanted as usize, BucketFiles::load)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(cell: &str, year: i32, name: &str, megabytes: u64, sequence: i64) -> LiveFile {
        LiveFile {
            location: name.to_owned(),
            rows: 1,
            bytes: megabytes << 20,
            cell: Some(cell.to_owned()),
            year: Some(year),
            sequence,
            file_sequence: Some(sequence),
        }
    }

    #[test]
    fn a_bucket_has_its_files_in_the_order_of_their_commits() {
        let found = buckets(vec![
            file("b", 2020, "1", 1, 1),
            file("a", 2020, "4", 1, 7),
            file("a", 2020, "3", 1, 3),
            file("a", 2020, "2", 1, 7),
        ]);
        let names = |b: &BucketFiles| b.files.iter().map(|f| f.location.clone()).collect::<Vec<_>>();
        assert_eq!(found.iter().map(|b| b.bucket.to_string()).collect::<Vec<_>>(), ["a/2020", "b/2020"]);
        assert_eq!(names(&found[0]), ["3", "2", "4"]);
        assert_eq!(found[0].sequence(), 7);
    }

    #[test]
    fn what_a_run_cut_to_size_counts_as_one_file() {
        let parts = |files: &[(u64, i64)]| {
            let files = files.iter().enumerate().map(|(i, (mb, run))| file("a", 2020, &i.to_string(), *mb, *run));
            buckets(files.collect())[0].parts()
        };
        assert_eq!(parts(&[(512, 1), (600, 1), (1, 1)]), 1);
        assert_eq!(parts(&[(512, 1), (512, 2)]), 2);
        assert_eq!(parts(&[(1, 1), (1, 1), (512, 2)]), 3);
    }

    #[test]
    fn small_buckets_share_a_group_and_none_is_split() {
        let sizes = [30, 1, 1, 3, 5, 3, 3];
        let files = sizes.iter().enumerate().map(|(i, mb)| file(&i.to_string(), 2020, "x", *mb, 1)).collect();
        let groups = groups(buckets(files), 2);
        let sizes: Vec<u64> = groups.iter().map(|g| g.iter().map(BucketFiles::bytes).sum::<u64>() >> 20).collect();
        assert_eq!(sizes.iter().sum::<u64>(), 46);
        assert_eq!(sizes[0], 30);
        assert!(sizes[1..].iter().all(|mb| *mb <= 5), "{sizes:?}");
        let order: Vec<_> = groups.iter().flatten().map(|bucket| bucket.bucket.cell.as_str()).collect();
        assert_eq!(order, ["0", "1", "2", "3", "4", "5", "6"]);
    }

    #[test]
    fn every_worker_has_a_group_as_long_as_there_are_buckets() {
        let files = || (0..3).map(|i| file(&i.to_string(), 2020, "x", 0, 1)).collect();
        assert_eq!(groups(buckets(files()), 2).len(), 2);
        assert_eq!(groups(buckets(files()), 8).len(), 3);
        assert!(groups(vec![], 8).is_empty());
    }
}
