//! [`PrunedBy`]: what kept files from being read.

use std::collections::HashSet;
use std::fmt;

use arrow::array::{ArrayRef, BooleanArray};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};

use crate::model::items::GRID_PARTITION;

/// How many files were left out, each for the first of these reasons that sufficed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrunedBy {
    /// Their cell.
    pub cell: u64,
    /// Their year.
    pub year: u64,
    /// The bounds of a column.
    pub bounds: u64,
    /// The index by id.
    pub index: u64,
}

impl PrunedBy {
    pub fn all(&self) -> u64 {
        self.cell + self.year + self.bounds + self.index
    }
}

impl fmt::Display for PrunedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = [(self.cell, "cell"), (self.year, "year"), (self.bounds, "bounds"), (self.index, "index")];
        let mut reasons = reasons.into_iter().filter(|(files, _)| *files > 0);
        let Some((files, by)) = reasons.next() else { return write!(f, "none") };
        write!(f, "{files} by {by}")?;
        reasons.try_for_each(|(files, by)| write!(f, " {files} by {by}"))
    }
}

/// What is known of containers by their cell alone.
pub(super) struct ByCell<'a>(pub &'a dyn PruningStatistics);

impl PruningStatistics for ByCell<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.0.min_values(of_cell(column)?)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.0.max_values(of_cell(column)?)
    }

    fn num_containers(&self) -> usize {
        self.0.num_containers()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.0.null_counts(of_cell(column)?)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        self.0.row_counts()
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        self.0.contained(of_cell(column)?, values)
    }
}

fn of_cell(column: &Column) -> Option<&Column> {
    Some(column).filter(|column| column.name == GRID_PARTITION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_left_out_nothing_are_not_told() {
        assert_eq!(PrunedBy { cell: 7, year: 0, bounds: 2, index: 1 }.to_string(), "7 by cell 2 by bounds 1 by index");
        assert_eq!(PrunedBy::default().to_string(), "none");
    }
}
