//! [`Bucket`]: the rows that share a cell and a year.

use std::cmp::Ordering;
use std::fmt;

/// One (`grid_partition`, year of `datetime`) pair: the unit of partitioning and of compaction.
///
/// Buckets are ordered by cell, then by year, with no year last. They are written `8128fffffffffff/2020`, and
/// `8128fffffffffff/null` where there is no year.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// `grid_partition` of all its rows.
    pub cell: String,
    /// Year of `datetime` of all its rows; `None` where it is null.
    pub year: Option<i32>,
}

impl Bucket {
    fn key(&self) -> (&str, bool, Option<i32>) {
        (&self.cell, self.year.is_none(), self.year)
    }
}

impl Ord for Bucket {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Bucket {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.year {
            Some(year) => write!(f, "{}/{year}", self.cell),
            None => write!(f, "{}/null", self.cell),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_ordered_by_cell_and_year_with_no_year_last() {
        let bucket = |cell: &str, year| Bucket { cell: cell.into(), year };
        let mut buckets = [bucket("b", Some(1)), bucket("a", None), bucket("a", Some(2020)), bucket("a", Some(-1))];
        buckets.sort();
        assert_eq!(buckets.map(|b| b.to_string()), ["a/-1", "a/2020", "a/null", "b/1"]);
    }
}
