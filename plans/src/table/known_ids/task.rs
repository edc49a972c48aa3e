//! [`TaskIds`]: the ids in the rows of one task.

use std::collections::BTreeMap;
use std::hash::Hasher;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::{HashMap, Result};
use twox_hash::XxHash64;

use super::file::{IdHash, encode};

/// What decides in which buckets a version has rows, and which version is newer.
const TELLING: [&str; 4] = ["geometry", "datetime", "updated", "created"];

/// The ids of the rows that a task writes, bucket after bucket.
#[derive(Debug, Default)]
pub struct TaskIds {
    items: HashMap<IdHash, Rows>,
    bucket: u32,
}

/// The rows with one id.
#[derive(Debug, Clone, Copy)]
struct Rows {
    count: u32,
    /// Number of the bucket with the last of them.
    bucket: u32,
    /// Digest of the version that the first one is of.
    version: u64,
    /// Whether they are of more than one version.
    repeated: bool,
}

impl TaskIds {
    /// The rows that follow are of the next bucket.
    pub fn next_bucket(&mut self) {
        self.bucket += 1;
    }

    /// Takes in rows, the columns of table `items`, of one bucket.
    ///
    /// Two versions are told apart by what says where and when they are; where that is the same they have rows in the
    /// same buckets, and so two in this one.
    pub fn add(&mut self, rows: &RecordBatch) {
        let versions = versions(rows);
        let collections = rows.column_by_name("collection").and_then(|column| column.as_string_view_opt());
        for (i, version) in versions.into_iter().enumerate() {
            let ids = rows["id"].as_string_view();
            if ids.is_null(i) {
                continue;
            }
            let collection = collections.filter(|column| column.is_valid(i)).map(|column| column.value(i));
            let first = Rows { count: 0, bucket: 0, version, repeated: false };
            let known = self.items.entry(IdHash::new(collection, ids.value(i))).or_insert(first);
            known.repeated |= known.version != version || known.bucket == self.bucket && known.count > 0;
            known.count += 1;
            known.bucket = self.bucket;
        }
    }

    /// Distinct ids.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Ids by the number of their rows.
    pub fn fan_out(&self) -> BTreeMap<u32, u64> {
        let mut fan_out = BTreeMap::new();
        self.items.values().for_each(|rows| *fan_out.entry(rows.count).or_default() += 1);
        fan_out
    }

    /// The list of the ids as a Parquet file, with one that has several versions twice; and how long it is.
    pub fn encode(&self) -> Result<(Vec<u8>, u64)> {
        let times = |rows: &Rows| if rows.repeated { 2 } else { 1 };
        let listed = self.items.iter().flat_map(|(id, rows)| std::iter::repeat_n(*id, times(rows)));
        let mut listed: Vec<IdHash> = listed.collect();
        listed.sort_unstable();
        let length = listed.len() as u64;
        Ok((encode(listed)?, length))
    }
}

/// A digest of [`TELLING`] for each row.
fn versions(rows: &RecordBatch) -> Vec<u64> {
    let mut digests = vec![XxHash64::with_seed(0); rows.num_rows()];
    for name in TELLING {
        let Some(column) = rows.column_by_name(name) else { continue };
        for (i, digest) in digests.iter_mut().enumerate().filter(|(i, _)| column.is_valid(*i)) {
            digest.write(name.as_bytes());
            match column.as_binary_view_opt() {
                Some(geometry) => digest.write(geometry.value(i)),
                None => {
                    let time = column.as_primitive_opt::<TimestampMicrosecondType>();
                    time.into_iter().for_each(|time| digest.write_i64(time.value(i)));
                }
            }
        }
    }
    digests.iter().map(Hasher::finish).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryViewArray, StringViewArray, TimestampMicrosecondArray};

    use super::*;

    /// Rows of one bucket: id, geometry and `updated`.
    fn add(ids: &mut TaskIds, rows: &[(&str, &[u8], i64)]) {
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<StringViewArray>())),
            ("geometry", Arc::new(rows.iter().map(|row| Some(row.1)).collect::<BinaryViewArray>())),
            ("updated", Arc::new(rows.iter().map(|row| Some(row.2)).collect::<TimestampMicrosecondArray>())),
        ];
        ids.next_bucket();
        ids.add(&RecordBatch::try_from_iter(columns).unwrap());
    }

    fn repeated(ids: &TaskIds) -> Vec<IdHash> {
        ids.items.iter().filter(|(_, rows)| rows.repeated).map(|(id, _)| *id).collect()
    }

    #[test]
    fn rows_of_one_version_in_several_buckets_are_one_item() {
        let mut ids = TaskIds::default();
        add(&mut ids, &[("a", b"here", 1), ("b", b"here", 1)]);
        add(&mut ids, &[("a", b"here", 1)]);
        assert_eq!((ids.len(), ids.fan_out()), (2, [(1, 1), (2, 1)].into()));
        assert_eq!((repeated(&ids), ids.encode().unwrap().1), (vec![], 2));
    }

    #[test]
    fn an_id_is_repeated_if_a_version_lies_elsewhere_is_newer_or_shares_the_bucket() {
        for rows in
            [[("a", &b"here"[..], 1), ("a", &b"there"[..], 1)], [("a", &b"here"[..], 1), ("a", &b"here"[..], 2)]]
        {
            let mut ids = TaskIds::default();
            rows.iter().for_each(|row| add(&mut ids, &[*row]));
            assert_eq!((repeated(&ids), ids.encode().unwrap().1), (vec![IdHash::new(None, "a")], 2));
        }
        let mut ids = TaskIds::default();
        add(&mut ids, &[("a", b"here", 1), ("a", b"here", 1), ("b", b"here", 1)]);
        assert_eq!(repeated(&ids), [IdHash::new(None, "a")]);
    }
}
