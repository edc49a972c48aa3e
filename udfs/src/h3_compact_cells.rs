//! `h3_compact_cells(cells)`: the fewest cells that cover the same.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use h3o::{CellIndex, Resolution};

use crate::cell_text::{CellListBuilder, cell_list_type, cells_of_list, coerce_cell_list};

/// `h3_compact_cells(cells) -> List(Utf8View)`: the fewest H3 cells that cover what the cells of a list cover, ascending: where
/// all children of a cell are there, it takes their place.
///
/// Cells may be of several resolutions, and come twice. Nulls and `__none__` in the list are left out. Null for null; an
/// error for text that is no cell.
pub fn h3_compact_cells_udf() -> ScalarUDF {
    ScalarUDF::from(H3CompactCells { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3CompactCells {
    signature: Signature,
}

impl ScalarUDFImpl for H3CompactCells {
    fn name(&self) -> &str {
        "h3_compact_cells"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_cell_list(self.name(), types, &[])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(cell_list_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = args.args[0].to_array(args.number_rows)?;
        let mut compacted = CellListBuilder::default();
        for list in lists.as_list::<i32>().iter() {
            match list {
                Some(list) => compacted.append(&compact(&cells_of_list(self.name(), &list)?)),
                None => compacted.append_null(),
            }
        }
        Ok(ColumnarValue::Array(compacted.finish()))
    }
}

/// The fewest cells that cover what these cover, ascending.
fn compact(cells: &[CellIndex]) -> Vec<CellIndex> {
    let mut compacted: BTreeSet<CellIndex> = cells.iter().copied().collect();
    compacted.retain(|cell| !ancestors(*cell).any(|ancestor| cells.binary_search(&ancestor).is_ok()));
    let mut resolution = compacted.iter().map(|cell| cell.resolution()).max();
    while let Some((fine, coarse)) = resolution.and_then(|fine| Some((fine, fine.pred()?))) {
        let finest = compacted.iter().filter(|cell| cell.resolution() == fine);
        let parents: BTreeSet<CellIndex> = finest.filter_map(|cell| cell.parent(coarse)).collect();
        for parent in parents {
            if parent.children(fine).all(|child| compacted.contains(&child)) {
                for child in parent.children(fine) {
                    compacted.remove(&child);
                }
                compacted.insert(parent);
            }
        }
        resolution = Some(coarse);
    }
    compacted.into_iter().collect()
}

/// The coarser cells that a cell lies in.
fn ancestors(cell: CellIndex) -> impl Iterator<Item = CellIndex> {
    let coarser = Resolution::range(Resolution::Zero, cell.resolution()).filter(move |r| *r < cell.resolution());
    coarser.filter_map(move |resolution| cell.parent(resolution))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Children and compacting undo each other, whatever else is there, and h3o's own answer is the same where it gives one.
        #[test]
        fn compacting_undoes_uncompacting(
            places in prop::collection::vec((-90.0..90.0_f64, -180.0..180.0_f64, 0..4_u8), 1..5),
            dropped in any::<prop::sample::Index>(),
        ) {
            let cells = places.iter().map(|(lat, lng, resolution)| {
                h3o::LatLng::new(*lat, *lng).unwrap().to_cell(Resolution::try_from(*resolution).unwrap())
            });
            let mut cells: Vec<_> = cells.collect();
            cells.sort_unstable();
            cells.dedup();
            let compacted = compact(&cells);
            let fine: BTreeSet<_> = CellIndex::uncompact(cells, Resolution::Four).collect();
            let mut fine: Vec<_> = fine.into_iter().collect();
            prop_assert_eq!(&compact(&fine), &compacted);
            fine.remove(dropped.index(fine.len()));
            let mut theirs = fine.clone();
            CellIndex::compact(&mut theirs).unwrap();
            theirs.sort_unstable();
            prop_assert_eq!(&compact(&fine), &theirs);
            let again: BTreeSet<_> = CellIndex::uncompact(theirs, Resolution::Four).collect();
            prop_assert_eq!(again.into_iter().collect::<Vec<_>>(), fine);
        }
    }

    #[test]
    fn all_cells_of_the_globe_are_the_base_cells() {
        let all: BTreeSet<_> = CellIndex::base_cells().flat_map(|cell| cell.children(Resolution::Two)).collect();
        let all: Vec<_> = all.into_iter().collect();
        assert!(compact(&all).into_iter().eq(CellIndex::base_cells()));
    }
}
