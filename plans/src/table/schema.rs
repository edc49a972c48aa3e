//! The Iceberg side of [`ItemSchema`]: schema, partition spec, sort order and properties of table `items`, and back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use iceberg::spec::{
    DEFAULT_SCHEMA_NAME_MAPPING, ListType, MappedField, NameMapping, NestedField, NestedFieldRef, NullOrder,
    PartitionSpec, PrimitiveType, Schema, SortDirection, SortField, SortOrder, StructType, TableMetadata,
    TableMetadataBuilder, Transform, Type, UnboundPartitionSpec,
};

use super::error::{Result, WarehouseError};
use crate::model::items::{GRID_PARTITION, ItemSchema, Promoted, timestamp};
use crate::model::versions::SEQUENCE;

/// Property with the kind of grid; there is `h3` only.
pub const GRID_TYPE: &str = "earthcatalog.grid.type";
/// Property with the H3 resolution of `grid_partition`.
pub const GRID_RESOLUTION: &str = "earthcatalog.grid.resolution";
/// Property with a JSON object from the field id of a promoted column to its STAC property: another engine may rename the
/// column, or drop it and add one of its name.
pub const PROMOTED: &str = "earthcatalog.promoted-fields";
/// The same from name to STAC property, in tables that were made before.
const PROMOTED_BY_NAME: &str = "earthcatalog.promoted";
/// Partition field of the year of `datetime`.
pub const YEAR: &str = "year";

/// Metadata of a new, empty table of `items` at `location`.
pub fn new_metadata(items: &ItemSchema, h3_resolution: u8, location: &str) -> Result<TableMetadata> {
    let schema = iceberg_schema(items, location)?;
    let spec = partition_spec(&schema).map_err(WarehouseError::metadata(location))?;
    let order = sort_order(items, &schema).map_err(WarehouseError::metadata(location))?;
    let properties = HashMap::from([
        (GRID_TYPE.to_owned(), "h3".to_owned()),
        (GRID_RESOLUTION.to_owned(), h3_resolution.to_string()),
        ("write.parquet.compression-codec".to_owned(), "zstd".to_owned()),
    ]);
    let version = iceberg::spec::FormatVersion::V2;
    let build = || {
        // Creation assigns the field ids anew, so that only its result can be mapped to names and properties.
        let new = TableMetadataBuilder::new(schema, spec, order, location.to_owned(), version, properties)?;
        let new = new.build()?.metadata;
        let mapping = serde_json::to_string(&name_mapping(new.current_schema().as_struct()))?;
        let by_id = |p: &Promoted| {
            let id = required_id(new.current_schema(), &p.column)?;
            Ok((id.to_string(), p.property.clone().into()))
        };
        let promoted = items.promoted().iter().map(by_id).collect::<iceberg::Result<serde_json::Map<_, _>>>()?;
        let promoted = serde_json::Value::from(promoted).to_string();
        let of_ids =
            HashMap::from([(DEFAULT_SCHEMA_NAME_MAPPING.to_owned(), mapping), (PROMOTED.to_owned(), promoted)]);
        Ok(new.into_builder(None).set_properties(of_ids)?.build()?.metadata)
    };
    build().map_err(WarehouseError::metadata(location))
}

/// The columns of an existing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    pub items: ItemSchema,
    /// Field ids by dotted path: `id`, `bbox`, `bbox.xmin`, `stac_extensions.element`.
    pub field_ids: BTreeMap<String, i32>,
    /// What other engines have added and files that we write cannot hold: each column with the reason.
    pub unkept: Vec<String>,
}

/// The columns of an existing table: those of Items, and of other engines.
pub fn columns(metadata: &TableMetadata) -> Result<Columns> {
    let not_items = |reason: String| WarehouseError::NotItems { location: metadata.location().to_owned(), reason };
    let mut properties = promoted_by_id(metadata).map_err(not_items)?;
    let fields = metadata.current_schema().as_struct().fields();
    let own = ItemSchema::try_new(vec![])?;
    let is_own = |name: &str| own.table_schema().index_of(name).is_ok();
    let (mut promoted, mut others, mut unkept) = (vec![], vec![], vec![]);
    // The order of columns is the schema's: a JSON object has none.
    for field in fields.iter().filter(|field| !is_own(&field.name)) {
        let (name, arrow) = (&field.name, arrow_type(&field.field_type));
        match (properties.remove(&field.id), arrow) {
            (Some(property), Some(data_type)) => promoted.push(Promoted::in_column(name, &property, &data_type)?),
            (Some(_), None) => return Err(not_items(format!("column {name} has type {}", field.field_type))),
            // Table function `buckets` and scans add columns of these names.
            (None, _) if [YEAR, SEQUENCE].contains(&name.as_str()) => {
                unkept.push(format!("{name} (a name that earthcatalog uses)"));
            }
            (None, _) if field.required => unkept.push(format!("{name} (required)")),
            (None, Some(data_type)) => others.push(Field::new(name, data_type, true)),
            (None, None) => unkept.push(format!("{name} ({})", field.field_type)),
        }
    }
    // What is left are properties of columns that are gone.
    let items = ItemSchema::with_others(promoted, others)?.with_dropped(properties)?;
    for column in own.table_schema().fields() {
        let field = fields.iter().find(|f| f.name == *column.name());
        let field = field.ok_or_else(|| not_items(format!("column {} is missing", column.name())))?;
        let expected = iceberg_type(column.data_type(), &mut 0);
        if !expected.as_ref().is_some_and(|expected| same_type(expected, &field.field_type)) {
            return Err(not_items(format!("column {} has type {}", field.name, field.field_type)));
        }
    }
    Ok(Columns { items, field_ids: field_ids(metadata.current_schema()), unkept })
}

/// The STAC properties of columns, by field id, also of columns that are no longer there; the reason, if that cannot be told.
fn promoted_by_id(metadata: &TableMetadata) -> Result<BTreeMap<i32, String>, String> {
    let parsed = |name: &str| {
        let json = metadata.properties().get(name)?;
        Some(serde_json::from_str::<HashMap<String, String>>(json).map_err(|e| format!("property {name}: {e}")))
    };
    if let Some(by_id) = parsed(PROMOTED).transpose()? {
        return Ok(by_id.into_iter().filter_map(|(id, property)| Some((id.parse().ok()?, property))).collect());
    }
    let Some(mut by_name) = parsed(PROMOTED_BY_NAME).transpose()? else {
        return Err(format!("it has no property {PROMOTED}"));
    };
    let fields = metadata.current_schema().as_struct().fields();
    Ok(fields.iter().filter_map(|field| Some((field.id, by_name.remove(&field.name)?))).collect())
}

/// The Iceberg field of a promoted property.
pub(super) fn promoted_field(promoted: &Promoted, id: i32) -> NestedField {
    // A promoted property has no type that Iceberg lacks.
    let field_type = iceberg_type(&promoted.data_type, &mut 0).unwrap_or(Type::Primitive(PrimitiveType::String));
    NestedField::optional(id, &promoted.column, field_type)
}

/// Whether files that name columns as the schema does now are all that there can be: another engine has never changed it.
pub fn is_first(metadata: &TableMetadata) -> bool {
    let schema = metadata.current_schema();
    schema.schema_id() == 0
        && metadata.schemas_iter().len() == 1
        && metadata.last_column_id() == schema.highest_field_id()
}

/// H3 resolution of an existing table.
pub fn h3_resolution(metadata: &TableMetadata) -> Result<u8> {
    let property = metadata.properties().get(GRID_RESOLUTION).map(String::as_str);
    property.and_then(|p| p.parse().ok()).filter(|r| *r <= 15).ok_or_else(|| WarehouseError::NotItems {
        location: metadata.location().to_owned(),
        reason: format!("property {GRID_RESOLUTION} is {}, not 0 to 15", property.unwrap_or("absent")),
    })
}

fn field_ids(schema: &Schema) -> BTreeMap<String, i32> {
    schema.field_id_to_name_map().iter().map(|(id, name)| (name.clone(), *id)).collect()
}

fn iceberg_schema(items: &ItemSchema, location: &str) -> Result<Schema> {
    let columns = items.table_schema().fields();
    let unsupported = || WarehouseError::NotItems {
        location: location.to_owned(),
        reason: "a column has a type that Iceberg lacks".to_owned(),
    };
    let fields = iceberg_fields(columns, &mut 0).ok_or_else(unsupported)?;
    Schema::builder().with_fields(fields).build().map_err(WarehouseError::metadata(location))
}

fn iceberg_fields(columns: &Fields, last_id: &mut i32) -> Option<Vec<NestedFieldRef>> {
    let field = |column: &Arc<Field>| {
        *last_id += 1;
        let (id, required) = (*last_id, !column.is_nullable());
        Some(Arc::new(NestedField::new(id, column.name(), iceberg_type(column.data_type(), last_id)?, required)))
    };
    columns.iter().map(field).collect()
}

fn iceberg_type(data_type: &DataType, last_id: &mut i32) -> Option<Type> {
    Some(Type::Primitive(match data_type {
        DataType::Utf8View => PrimitiveType::String,
        DataType::BinaryView => PrimitiveType::Binary,
        DataType::Boolean => PrimitiveType::Boolean,
        DataType::Int32 => PrimitiveType::Int,
        DataType::Int64 => PrimitiveType::Long,
        DataType::Float32 => PrimitiveType::Float,
        DataType::Float64 => PrimitiveType::Double,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => PrimitiveType::Timestamptz,
        DataType::Struct(fields) => return Some(Type::Struct(StructType::new(iceberg_fields(fields, last_id)?))),
        DataType::List(element) => {
            *last_id += 1;
            let id = *last_id;
            let element_type = iceberg_type(element.data_type(), last_id)?;
            let element = NestedField::list_element(id, element_type, !element.is_nullable());
            return Some(Type::List(ListType::new(Arc::new(element))));
        }
        _ => return None,
    }))
}

/// Type of a column beside those that every table of Items has; `None` where our files hold no such column.
fn arrow_type(field_type: &Type) -> Option<DataType> {
    Some(match field_type.as_primitive_type()? {
        PrimitiveType::String => DataType::Utf8View,
        PrimitiveType::Boolean => DataType::Boolean,
        PrimitiveType::Int => DataType::Int32,
        PrimitiveType::Long => DataType::Int64,
        PrimitiveType::Float => DataType::Float32,
        PrimitiveType::Double => DataType::Float64,
        PrimitiveType::Timestamptz => timestamp(),
        _ => return None,
    })
}

/// Equality of types, whatever their field ids.
fn same_type(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Struct(a), Type::Struct(b)) => {
            let (a, b) = (a.fields(), b.fields());
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| a.name == b.name && same_type(&a.field_type, &b.field_type))
        }
        (Type::List(a), Type::List(b)) => same_type(&a.element_field.field_type, &b.element_field.field_type),
        _ => a == b,
    }
}

fn partition_spec(schema: &Schema) -> iceberg::Result<UnboundPartitionSpec> {
    let id = |name: &str| required_id(schema, name);
    Ok(UnboundPartitionSpec::builder()
        .add_partition_field(id(GRID_PARTITION)?, GRID_PARTITION, Transform::Identity)?
        .add_partition_field(id("datetime")?, YEAR, Transform::Year)?
        .build())
}

/// Whether a partition spec is that of buckets: by cell, then by year.
pub fn is_by_bucket(spec: &PartitionSpec, metadata: &TableMetadata) -> bool {
    let id = |name: &str| metadata.current_schema().field_id_by_name(name);
    let fields = spec.fields().iter().map(|field| (Some(field.source_id), field.transform));
    fields.eq([(id(GRID_PARTITION), Transform::Identity), (id("datetime"), Transform::Year)])
}

/// The partitioning of new files, where it is not by bucket.
pub fn foreign_partitioning(metadata: &TableMetadata) -> Option<String> {
    let spec = metadata.default_partition_spec();
    let fields = || spec.fields().iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
    (!is_by_bucket(spec, metadata)).then(fields)
}

/// Id of the sort order in which rows lie in our files, if the table has one.
pub fn sort_order_id(metadata: &TableMetadata) -> Option<i64> {
    let schema = metadata.current_schema();
    let own = sort_order(&columns(metadata).ok()?.items, schema).ok()?;
    metadata.sort_orders_iter().find(|order| order.fields == own.fields).map(|order| order.order_id)
}

pub(super) fn sort_order(items: &ItemSchema, schema: &Schema) -> iceberg::Result<SortOrder> {
    let fields = items.sort_columns().into_iter().map(|name| {
        let order = SortField::builder().source_id(required_id(schema, name)?).transform(Transform::Identity);
        Ok(order.direction(SortDirection::Ascending).null_order(NullOrder::Last).build())
    });
    SortOrder::builder().with_order_id(1).with_fields(fields.collect::<iceberg::Result<_>>()?).build(schema)
}

fn required_id(schema: &Schema, name: &str) -> iceberg::Result<i32> {
    let missing = || iceberg::Error::new(iceberg::ErrorKind::DataInvalid, format!("column {name} is missing"));
    schema.field_id_by_name(name).ok_or_else(missing)
}

fn name_mapping(fields: &StructType) -> NameMapping {
    NameMapping::new(fields.fields().iter().map(mapped).collect())
}

fn mapped(field: &NestedFieldRef) -> MappedField {
    let children = match field.field_type.as_ref() {
        Type::Struct(fields) => fields.fields().iter().map(mapped).collect(),
        Type::List(list) => vec![mapped(&list.element_field)],
        _ => vec![],
    };
    MappedField::new(Some(field.id), vec![field.name.clone()], children)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn its_live() -> ItemSchema {
        let declared = arrow::datatypes::Schema::new(vec![
            Field::new("percent_valid_pixels", DataType::Int32, true),
            Field::new("platform", DataType::Utf8, true),
            Field::new("proj:code", DataType::Utf8, true),
            Field::new("processed", DataType::Timestamp(TimeUnit::Second, None), true),
        ]);
        ItemSchema::from_declared(&declared).unwrap()
    }

    #[test]
    fn the_metadata_alone_restores_the_schema_of_the_items() {
        let metadata = new_metadata(&its_live(), 3, "file:///wh").unwrap();
        let Columns { items, unkept, .. } = columns(&metadata).unwrap();
        assert_eq!((items, unkept), (its_live(), vec![]));
        assert!(is_first(&metadata));
        assert_eq!(h3_resolution(&metadata).unwrap(), 3);
    }

    #[test]
    fn metadata_survives_its_json() {
        let metadata = new_metadata(&its_live(), 1, "file:///wh").unwrap();
        let json = serde_json::to_vec(&metadata).unwrap();
        assert_eq!(serde_json::from_slice::<TableMetadata>(&json).unwrap(), metadata);
    }

    #[test]
    fn every_leaf_has_an_id_and_the_name_mapping_knows_it() {
        let metadata = new_metadata(&its_live(), 1, "file:///wh").unwrap();
        let ids = field_ids(metadata.current_schema());
        assert_eq!((ids["id"], ids["grid_partition"]), (1, 2));
        assert!(ids.contains_key("bbox.xmin") && ids.contains_key("stac_extensions.element"), "{ids:?}");
        let mapping: serde_json::Value =
            serde_json::from_str(&metadata.properties()[DEFAULT_SCHEMA_NAME_MAPPING]).unwrap();
        assert_eq!(mapping[4]["names"][0], "bbox");
        assert_eq!(mapping[4]["fields"][0]["field-id"], ids["bbox.xmin"]);
    }

    #[test]
    fn buckets_are_cell_and_year_and_rows_are_sorted_nulls_last() {
        let metadata = new_metadata(&its_live(), 1, "file:///wh").unwrap();
        let spec = metadata.default_partition_spec().fields();
        let spec: Vec<_> = spec.iter().map(|f| (f.name.as_str(), f.transform)).collect();
        assert_eq!(spec, [("grid_partition", Transform::Identity), ("year", Transform::Year)]);
        let order = &metadata.default_sort_order().fields;
        let ids = field_ids(metadata.current_schema());
        assert_eq!(order.iter().map(|f| f.source_id).collect::<Vec<_>>(), [ids["platform"], ids["datetime"]]);
        assert!(order.iter().all(|f| f.null_order == NullOrder::Last));
    }

    #[test]
    fn another_table_is_refused_with_the_reason() {
        let mut json = serde_json::to_value(new_metadata(&its_live(), 1, "file:///wh").unwrap()).unwrap();
        json["properties"].as_object_mut().unwrap().remove(PROMOTED);
        let metadata: TableMetadata = serde_json::from_str(&json.to_string()).unwrap();
        let error = columns(&metadata).unwrap_err().to_string();
        assert_eq!(error, "file:///wh is no table of Items: it has no property earthcatalog.promoted-fields");
    }
}
