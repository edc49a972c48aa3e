//! Cells in SQL: the 15 hexadecimal digits of the H3 index, in lower case.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, ListBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err, plan_err};
use earthcatalog_stac_rows::NO_CELL;
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

/// The cell that `function` is called with in a row; `None` for null and for `__none__`, which rows without a geometry have in
/// place of a cell.
pub(crate) fn cell_argument(function: &str, text: Option<&str>) -> Result<Option<CellIndex>> {
    text.filter(|text| *text != NO_CELL).map(|text| parse_cell(function, text)).transpose()
}

/// The cells of a list that `function` is called with, ascending, each once; nulls and `__none__` are left out.
pub(crate) fn cells_of_list(function: &str, list: &ArrayRef) -> Result<Vec<CellIndex>> {
    let cells = list.as_string_view().iter().map(|text| cell_argument(function, text));
    let mut cells = cells.filter_map(Result::transpose).collect::<Result<Vec<_>>>()?;
    cells.sort_unstable();
    cells.dedup();
    Ok(cells)
}

/// The types with which `function` is called: a list of texts, and then `others`; a plan error for anything else than a list.
pub(crate) fn coerce_cell_list(function: &str, types: &[DataType], others: &[DataType]) -> Result<Vec<DataType>> {
    use DataType::{FixedSizeList, LargeList, List, ListView, Null};
    match types {
        [List(_) | LargeList(_) | ListView(_) | FixedSizeList(..) | Null, rest @ ..] if rest.len() == others.len() => {
            Ok([&[cell_list_type()], others].concat())
        }
        _ => plan_err!("{function} takes a list of cells{}", if others.is_empty() { "" } else { " and a resolution" }),
    }
}

/// An error if `function` would make more cells than [`MAX_CELLS`] for a row.
pub(crate) fn check_count(function: &str, count: u64) -> Result<()> {
    match count <= MAX_CELLS {
        true => Ok(()),
        false => exec_err!("{function}: there are {count} cells, more than {MAX_CELLS}; give a coarser resolution"),
    }
}

/// The most cells that a list of finer cells has.
const MAX_CELLS: u64 = 1_000_000;

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
