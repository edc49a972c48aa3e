//! [`DeletedRows`]: which rows of a data file are deleted.

use std::ops::Range;

/// The numbers of the deleted rows of a data file, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct DeletedRows {
    /// In order, none empty, and none next to another.
    ranges: Vec<Range<u64>>,
}

impl DeletedRows {
    /// Rows in any order, some of them twice.
    pub fn new(rows: impl IntoIterator<Item = u64>) -> Self {
        let mut rows: Vec<u64> = rows.into_iter().collect();
        rows.sort_unstable();
        let mut ranges: Vec<Range<u64>> = vec![];
        for row in rows {
            match ranges.last_mut() {
                Some(last) if row < last.end => {}
                Some(last) if row == last.end => last.end += 1,
                _ => ranges.push(row..row + 1),
            }
        }
        Self { ranges }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// Whether each row of `rows` is left.
    pub fn keeps(&self, rows: Range<u64>) -> impl Iterator<Item = bool> + '_ {
        let mut next = self.ranges.partition_point(|range| range.end <= rows.start);
        rows.map(move |row| {
            while self.ranges.get(next).is_some_and(|range| range.end <= row) {
                next += 1;
            }
            self.ranges.get(next).is_none_or(|range| row < range.start)
        })
    }

    /// Starts and ends of the ranges, one after the other.
    pub fn to_bounds(&self) -> Vec<u64> {
        self.ranges.iter().flat_map(|range| [range.start, range.end]).collect()
    }

    /// What [`Self::to_bounds`] gave.
    pub fn from_bounds(bounds: &[u64]) -> Self {
        let ranges = bounds.as_chunks().0.iter().map(|[start, end]| *start..*end);
        Self { ranges: ranges.collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_left_that_are_not_deleted(rows in prop::collection::vec(0u64..40, 0..40), start in 0u64..40, n in 0u64..40) {
            let deleted = DeletedRows::new(rows.iter().copied());
            let expected: BTreeSet<u64> = rows.into_iter().collect();
            prop_assert_eq!(deleted.count(), expected.len() as u64);
            let kept: Vec<bool> = (start..start + n).map(|row| !expected.contains(&row)).collect();
            prop_assert_eq!(deleted.keeps(start..start + n).collect::<Vec<_>>(), kept);
            prop_assert_eq!(DeletedRows::from_bounds(&deleted.to_bounds()), deleted);
        }
    }
}
