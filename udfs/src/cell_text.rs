//! Cells in SQL: the 15 hexadecimal digits of the H3 index, in lower case.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err};
use h3o::CellIndex;

/// Type of a list of cells.
pub(crate) fn cell_list_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)))
}

/// The digits of a cell, as ASCII.
pub(crate) struct CellText([u8; 15]);

impl CellText {
    pub(crate) fn new(cell: CellIndex) -> Self {
        let mut rest = u64::from(cell);
        let mut digits = [0; 15];
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 0xf) as usize];
            rest >>= 4;
        }
        Self(digits)
    }

    pub(crate) fn as_str(&self) -> &str {
        // Hexadecimal digits are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The cell that `function` is called with.
pub(crate) fn parse_cell(function: &str, text: &str) -> Result<CellIndex> {
    match text.parse() {
        Ok(cell) => Ok(cell),
        Err(e) => exec_err!("{function}: '{text}' is no H3 cell ({e}); a cell has 15 hexadecimal digits"),
    }
}

/// Builds a list of cells per row.
#[derive(Default)]
pub(crate) struct CellListBuilder(ListBuilder<StringViewBuilder>);

impl CellListBuilder {
    pub(crate) fn append(&mut self, cells: &[CellIndex]) {
        for cell in cells {
            self.0.values().append_value(CellText::new(*cell).as_str());
        }
        self.0.append(true);
    }

    pub(crate) fn append_null(&mut self) {
        self.0.append(false);
    }

    pub(crate) fn finish(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_written_as_h3_writes_it() {
        for cell in CellIndex::base_cells().chain("8f754e64992d6d8".parse()) {
            assert_eq!(CellText::new(cell).as_str(), cell.to_string());
        }
    }

    #[test]
    fn text_that_is_no_cell_is_named_in_the_error() {
        let error = parse_cell("h3_grid_disk", "Paris").unwrap_err().to_string();
        assert!(error.contains("h3_grid_disk: 'Paris' is no H3 cell"), "{error}");
    }
}
