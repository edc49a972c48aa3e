//! `h3_grid_distance(a, b)`: how many steps lie between two cells.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::cell_text::cell_argument;

/// `h3_grid_distance(a, b) -> Int64`: the steps from an H3 cell to another one of its resolution.
///
/// Null where H3 cannot tell: of cells of different resolutions, far apart, or with a pentagon between them. Null if a cell
/// is null or `__none__`; an error for text that is no cell.
pub fn h3_grid_distance_udf() -> ScalarUDF {
    let types = vec![DataType::Utf8View, DataType::Utf8View];
    ScalarUDF::from(H3GridDistance { signature: Signature::exact(types, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3GridDistance {
    signature: Signature,
}

impl ScalarUDFImpl for H3GridDistance {
    fn name(&self) -> &str {
        "h3_grid_distance"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [a, b] = [0, 1].map(|i: usize| args.args[i].to_array(args.number_rows));
        let (a, b) = (a?, b?);
        let distance = |(a, b)| match (cell_argument(self.name(), a)?, cell_argument(self.name(), b)?) {
            (Some(a), Some(b)) => Ok(a.grid_distance(b).ok().map(i64::from)),
            _ => Ok(None),
        };
        let rows = a.as_string_view().iter().zip(b.as_string_view());
        let distances: Int64Array = rows.map(distance).collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(distances)))
    }
}

#[cfg(test)]
mod tests {
    use h3o::CellIndex;

    #[test]
    fn distances_are_those_of_h3() {
        // h3-py 4.5.0: h3.grid_distance(a, b); None where it raises an error
        for (a, b, expected) in H3_PY_DISTANCES {
            let [a, b] = [a, b].map(|text| text.parse::<CellIndex>().unwrap());
            assert_eq!(a.grid_distance(b).ok(), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_ring_is_as_far_as_its_number() {
        let cell: CellIndex = "851fb467fffffff".parse().unwrap();
        for k in 0..20 {
            for other in cell.grid_ring::<Vec<CellIndex>>(k) {
                assert_eq!(cell.grid_distance(other).unwrap(), i32::try_from(k).unwrap(), "{other}");
            }
        }
    }

    #[rustfmt::skip]
    const H3_PY_DISTANCES: [(&str, &str, Option<i32>); 36] = [
        ("820797fffffffff", "821817fffffffff", Some(11)),
        ("81b4fffffffffff", "819f3ffffffffff", None),
        ("828e9ffffffffff", "82918ffffffffff", None),
        ("85e91867fffffff", "85e8dc37fffffff", Some(91)),
        ("855d9477fffffff", "8588e8b7fffffff", Some(106)),
        ("81c6bffffffffff", "81e23ffffffffff", Some(3)),
        ("85e6b22bfffffff", "85d05e1bfffffff", Some(75)),
        ("853f29b7fffffff", "851ee073fffffff", Some(51)),
        ("858b723bfffffff", "858b59affffffff", Some(42)),
        ("82d35ffffffffff", "82a167fffffffff", None),
        ("827237fffffffff", "824b9ffffffffff", Some(7)),
        ("81eefffffffffff", "81defffffffffff", Some(3)),
        ("829e1ffffffffff", "82bb67fffffffff", Some(10)),
        ("82a977fffffffff", "82c537fffffffff", Some(6)),
        ("81173ffffffffff", "81177ffffffffff", Some(1)),
        ("812a3ffffffffff", "812b3ffffffffff", Some(1)),
        ("82c58ffffffffff", "82b207fffffffff", None),
        ("82bc97fffffffff", "82ad97fffffffff", Some(6)),
        ("82e837fffffffff", "82ef6ffffffffff", Some(3)),
        ("81dd7ffffffffff", "81ee7ffffffffff", Some(2)),
        ("85868d83fffffff", "85405e8ffffffff", None),
        ("818abffffffffff", "817d7ffffffffff", None),
        ("8519049bfffffff", "850943cbfffffff", None),
        ("85e5038bfffffff", "85b953a7fffffff", None),
        ("830800fffffffff", "830800fffffffff", Some(0)),
        ("830800fffffffff", "830800fffffffff", Some(0)),
        ("830800fffffffff", "830802fffffffff", Some(1)),
        ("830802fffffffff", "830800fffffffff", Some(1)),
        ("830800fffffffff", "830803fffffffff", Some(1)),
        ("830803fffffffff", "830800fffffffff", Some(1)),
        ("830800fffffffff", "830804fffffffff", Some(1)),
        ("830804fffffffff", "830800fffffffff", Some(1)),
        ("830800fffffffff", "830805fffffffff", Some(1)),
        ("830805fffffffff", "830800fffffffff", Some(1)),
        ("830800fffffffff", "830806fffffffff", Some(1)),
        ("830806fffffffff", "830800fffffffff", Some(1)),
    ];
}
