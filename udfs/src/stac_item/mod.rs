//! `stac_item(*)`: the Item that a row was made from.

pub mod canonical;
mod geojson;
mod member;

use std::any::Any;
use std::sync::Arc;

use arrow::array::StringViewBuilder;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use member::{ItemColumns, Role};

pub(crate) const NAME: &str = "stac_item";

/// Columns of a row that say nothing about its Item: the cell, and the bounds that `xmin` to `ymax` have as well.
pub(crate) fn is_ignored(column: &str) -> bool {
    column == "grid_partition" || column == "bbox"
}

/// `stac_item(*) -> Utf8View`: the STAC Item (JSON text) that a row of table `items` was made from, member for member
/// equal as JSON values.
///
/// The arguments are columns of the table, told apart by their names and by the field metadata `stac.property`, which
/// names the property that a promoted column holds; a star stands for all of them. A column that is not given is
/// absent from the Item. Texts in `assets`, `links`, `properties` and `extra` are passed through as they are.
///
/// Never null. Errors: a column that is no column of an Item, and texts or geometries that cannot be read.
pub fn stac_item_udf() -> ScalarUDF {
    ScalarUDF::from(StacItem { signature: Signature::variadic_any(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StacItem {
    signature: Signature,
}

impl ScalarUDFImpl for StacItem {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        for field in args.arg_fields {
            // A star that is not expanded yet has no type.
            if field.data_type() != &DataType::Null && Role::of(field).is_none() {
                return plan_err!(
                    "stac_item: column {} ({}) is no column of an Item; name the columns to use, as in stac_item(id, geometry, properties)",
                    field.name(),
                    field.data_type()
                );
            }
        }
        Ok(Arc::new(Field::new(NAME, DataType::Utf8View, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut columns = ItemColumns::default();
        for (value, field) in args.args.iter().zip(&args.arg_fields) {
            let Some(role) = Role::of(field) else {
                return exec_err!("stac_item: column {} is no column of an Item", field.name());
            };
            columns.add(role, &value.to_array(args.number_rows)?)?;
        }
        let mut items = StringViewBuilder::with_capacity(args.number_rows);
        let mut text = Vec::new();
        for row in 0..args.number_rows {
            text.clear();
            let item = columns.write_item(row, &mut text).and_then(|()| Ok(str::from_utf8(&text)?));
            items.append_value(item.map_err(|e| exec_datafusion_err!("stac_item: {e}"))?);
        }
        Ok(ColumnarValue::Array(Arc::new(items.finish())))
    }
}
