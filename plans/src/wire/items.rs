//! [`ItemSchema`] as a message: its promoted properties as the fields of a schema.

use arrow::datatypes::{Field, Schema};
use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use datafusion_proto::protobuf;

use crate::model::items::ItemSchema;

pub(super) fn encode(items: &ItemSchema) -> Result<protobuf::Schema> {
    let field =
        |promoted: &crate::model::items::Promoted| Field::new(&promoted.property, promoted.data_type.clone(), true);
    let declared = Schema::new(items.promoted().iter().map(field).collect::<Vec<_>>());
    Ok((&declared).try_into()?)
}

pub(super) fn decode(message: Option<&protobuf::Schema>) -> Result<ItemSchema> {
    ItemSchema::from_declared(&schema(message)?).map_err(|e| DataFusionError::External(Box::new(e)))
}

/// An Arrow schema that must be there.
pub(super) fn schema(message: Option<&protobuf::Schema>) -> Result<Schema> {
    let message = message.ok_or_else(|| plan_datafusion_err!("the plan is damaged: an operator lacks its schema"))?;
    Ok(message.try_into()?)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;

    #[test]
    fn promoted_properties_come_back_with_their_stac_names() {
        let declared = Schema::new(vec![
            Field::new("proj:code", DataType::Utf8, true),
            Field::new("latitude", DataType::Float64, true),
            Field::new("count", DataType::Int32, true),
        ]);
        let items = ItemSchema::from_declared(&declared).unwrap();
        assert_eq!(decode(Some(&encode(&items).unwrap())).unwrap(), items);
    }
}
