//! [`ItemSchema`] as a message: the schema of the table, whose fields say what they are.

use arrow::datatypes::Schema;
use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use datafusion_proto::protobuf;

use crate::model::items::ItemSchema;

pub(super) fn encode(items: &ItemSchema) -> Result<protobuf::Schema> {
    Ok(items.table_schema().as_ref().try_into()?)
}

pub(super) fn decode(message: Option<&protobuf::Schema>) -> Result<ItemSchema> {
    ItemSchema::from_table(&schema(message)?).map_err(|e| DataFusionError::External(Box::new(e)))
}

/// An Arrow schema that must be there.
pub(super) fn schema(message: Option<&protobuf::Schema>) -> Result<Schema> {
    let message = message.ok_or_else(|| plan_datafusion_err!("the plan is damaged: an operator lacks its schema"))?;
    Ok(message.try_into()?)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;
    use crate::model::items::Promoted;

    #[test]
    fn columns_come_back_with_their_names_and_what_they_are() {
        let promoted = [
            Promoted::new("proj:code", &DataType::Utf8),
            Promoted::in_column("lat", "latitude", &DataType::Float64),
            Promoted::new("count", &DataType::Int32),
        ];
        let others = vec![Field::new("quality", DataType::Int64, true)];
        let items = ItemSchema::with_others(promoted.map(Result::unwrap).to_vec(), others).unwrap();
        assert_eq!(decode(Some(&encode(&items).unwrap())).unwrap(), items);
    }
}
