//! Functions of the queries of a verification.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, Volatility, cast, create_udf, ident};
use earthcatalog_udfs::bounds_of;

use crate::model::item_key::ItemKey;
use crate::model::items::BOUNDS_COLUMNS;
use crate::table::item_index::hash_of_id;
use crate::table::known_ids::IdHash;

fn function(
    name: &str,
    arguments: Vec<DataType>,
    result: DataType,
    evaluate: impl Fn(&[ColumnarValue]) -> Result<ColumnarValue> + Send + Sync + 'static,
) -> ScalarUDF {
    create_udf(name, arguments, result, Volatility::Immutable, Arc::new(evaluate))
}

/// `id_hash(collection, id) -> Int64`: what stands for an Item in the lists of known ids; null where `id` is.
pub(super) fn id_hash() -> Expr {
    let hash = function("id_hash", vec![DataType::Utf8View; 2], DataType::Int64, |arguments| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let keys = columns[0].as_string_view().iter().zip(columns[1].as_string_view());
        let hashes = keys.map(|(collection, id)| id.map(|id| IdHash::new(collection, id).bits() as i64));
        Ok(ColumnarValue::Array(Arc::new(hashes.collect::<Int64Array>())))
    });
    hash.call(ItemKey::COLUMNS.map(|name| cast(ident(name), DataType::Utf8View)).to_vec())
}

/// The texts of a column, and nothing of what the schema of a table says of it: a union is of columns of which the same is said.
pub(super) fn plain(column: &str) -> Expr {
    let plain = function("plain", vec![DataType::Utf8View], DataType::Utf8View, |arguments| Ok(arguments[0].clone()));
    plain.call(vec![cast(ident(column), DataType::Utf8View)]).alias(column)
}

/// `hash_of_id(id) -> Int64`: what stands for an id in the index by id.
pub(super) fn index_hash() -> Expr {
    let hash = function("hash_of_id", vec![DataType::Utf8View], DataType::Int64, |arguments| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let hashes = columns[0].as_string_view().iter().map(|id| id.map(hash_of_id));
        Ok(ColumnarValue::Array(Arc::new(hashes.collect::<Int64Array>())))
    });
    hash.call(vec![cast(ident("id"), DataType::Utf8View)])
}

/// `box_holds(geometry, xmin, ymin, xmax, ymax) -> Boolean`: whether the bounds of a row hold its geometry, which they need not
/// where it is null or empty. False where it is not WKB. Never null.
pub(super) fn box_holds() -> Expr {
    let types = [vec![DataType::BinaryView], vec![DataType::Float64; 4]].concat();
    let holds = function("box_holds", types, DataType::Boolean, |arguments| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let geometries = columns[0].as_binary_view();
        let sides: Vec<_> = columns[1..].iter().map(|column| column.as_primitive::<Float64Type>()).collect();
        let holds = |row: usize| {
            if geometries.is_null(row) {
                return true;
            }
            let Ok(bounds) = bounds_of(geometries.value(row)) else { return false };
            let Some([west, south, east, north]) = bounds else { return true };
            let side = |n: usize| sides[n].is_valid(row).then(|| sides[n].value(row));
            let (Some(xmin), Some(ymin), Some(xmax), Some(ymax)) = (side(0), side(1), side(2), side(3)) else {
                return false;
            };
            xmin <= west && ymin <= south && xmax >= east && ymax >= north
        };
        let rows: BooleanArray = (0..geometries.len()).map(|row| Some(holds(row))).collect();
        Ok(ColumnarValue::Array(Arc::new(rows)))
    });
    let geometry = cast(ident("geometry"), DataType::BinaryView);
    holds.call([vec![geometry], BOUNDS_COLUMNS.map(ident).to_vec()].concat())
}
