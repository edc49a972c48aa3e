//! The schema of table `items`: fixed columns, and the properties that a script promotes to columns.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use thiserror::Error;

use crate::item::{DROPPED_KEY, OTHER_KEY, PROPERTY_KEY, is_ignored};

/// Name of the column with the H3 cell of a row (15 hex digits), or [`NO_CELL`].
pub const GRID_PARTITION: &str = "grid_partition";

/// `grid_partition` of an Item that touches no cell: its geometry is null or empty.
pub const NO_CELL: &str = "__none__";

/// The time columns, each named as the STAC property that it holds.
pub const TIME_COLUMNS: [&str; 6] =
    ["datetime", "start_datetime", "mid_datetime", "end_datetime", "created", "updated"];

/// The columns of a footprint's bounds, in the order of GeoJSON's `bbox`.
pub const BOUNDS_COLUMNS: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// Why a set of promoted columns makes no table.
#[derive(Debug, Error, PartialEq)]
pub enum ItemSchemaError {
    #[error(
        "column {column} is declared twice, or is a column that every table of Items has; remove it from the column list"
    )]
    DuplicateColumn { column: String },
    #[error(
        "column {column} has type {data_type}; a promoted property can be VARCHAR, BOOLEAN, INT, BIGINT, FLOAT, DOUBLE or TIMESTAMP"
    )]
    UnsupportedType { column: String, data_type: DataType },
}

/// Why rows are no whole Items.
#[derive(Debug, Error, PartialEq)]
pub enum NotItems {
    #[error("the rows have no column {}, without which Items are not whole; select all columns of table items", .0.join(", "))]
    Missing(Vec<String>),
    #[error("column {} is computed, and no column of an Item; leave it out", .0.join(", "))]
    Foreign(Vec<String>),
}

/// A STAC property that has a column of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted {
    /// Name of the property in `properties`, such as `proj:code`.
    pub property: String,
    /// Name of the column: the property with `:` as `_`, unless another engine has renamed it.
    pub column: String,
    /// Utf8View, Boolean, Int32, Int64, Float32, Float64 or Timestamp(µs, UTC).
    pub data_type: DataType,
}

impl Promoted {
    /// `declared` is the name in `CREATE EXTERNAL TABLE`, where `"proj:code"` is the property and `proj_code` its column.
    pub fn new(declared: &str, data_type: &DataType) -> Result<Self, ItemSchemaError> {
        Self::in_column(&declared.replace(':', "_"), declared, data_type)
    }

    /// As [`Self::new`], in a column of another name.
    pub fn in_column(column: &str, property: &str, data_type: &DataType) -> Result<Self, ItemSchemaError> {
        let column = column.to_owned();
        let data_type = match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
            DataType::Timestamp(..) => timestamp(),
            same @ (DataType::Boolean | DataType::Int32 | DataType::Int64 | DataType::Float32 | DataType::Float64) => {
                same.clone()
            }
            other => return Err(ItemSchemaError::UnsupportedType { column, data_type: other.clone() }),
        };
        Ok(Self { property: property.to_owned(), column, data_type })
    }

    /// The type as a column list in SQL has it.
    pub fn sql_type(&self) -> &'static str {
        match self.data_type {
            DataType::Boolean => "BOOLEAN",
            DataType::Int32 => "INT",
            DataType::Int64 => "BIGINT",
            DataType::Float32 => "FLOAT",
            DataType::Float64 => "DOUBLE",
            DataType::Timestamp(..) => "TIMESTAMP",
            _ => "VARCHAR",
        }
    }
}

/// The columns of table `items`, in order.
///
/// | column | type | null when |
/// |---|---|---|
/// | `id` | Utf8View | never |
/// | `grid_partition` | Utf8View | never |
/// | `collection` | Utf8View | absent |
/// | `geometry` | BinaryView, WKB in degrees, OGC:CRS84, `geoarrow.wkb` | null in the Item |
/// | `bbox` | Struct of `xmin`, `ymin`, `xmax`, `ymax`: Float64, degrees | geometry null or empty |
/// | `xmin`, `ymin`, `xmax`, `ymax` | Float64, degrees: the bounds of the geometry's coordinates | geometry null or empty |
/// | [`TIME_COLUMNS`] | Timestamp(µs, UTC) | absent, or no RFC 3339 time |
/// | promoted properties | as declared | absent, or not representable |
/// | `stac_version` | Utf8View | absent |
/// | `stac_extensions` | List of Utf8View | absent |
/// | `assets`, `links` | Utf8View, JSON text as in the source | absent |
/// | `properties` | Utf8View, JSON object of what has no column or does not fit it exactly | nothing is left |
/// | `extra` | Utf8View, JSON object of other top-level members, and what the columns cannot reproduce | nothing is left |
/// | columns of other engines | as they made them | that engine has not filled them |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemSchema {
    promoted: Vec<Promoted>,
    others: Vec<FieldRef>,
    dropped: BTreeMap<i32, String>,
    table: SchemaRef,
    item: SchemaRef,
}

impl ItemSchema {
    pub fn try_new(promoted: Vec<Promoted>) -> Result<Self, ItemSchemaError> {
        Self::with_others(promoted, vec![])
    }

    /// `others` are columns that other engines have added: they say nothing of the Item, and stay with its row. Each can be
    /// null.
    pub fn with_others(promoted: Vec<Promoted>, others: Vec<Field>) -> Result<Self, ItemSchemaError> {
        let mark = |field: Field| {
            let metadata = HashMap::from([(OTHER_KEY.to_owned(), "true".to_owned())]);
            Arc::new(field.with_nullable(true).with_metadata(metadata))
        };
        Self::new(promoted, others.into_iter().map(mark).collect(), BTreeMap::new())
    }

    /// This schema, of which older files have columns that are no longer promoted: their Iceberg field ids, and the
    /// properties that they hold.
    pub fn with_dropped(self, dropped: BTreeMap<i32, String>) -> Result<Self, ItemSchemaError> {
        Self::new(self.promoted, self.others, dropped)
    }

    fn new(
        promoted: Vec<Promoted>,
        others: Vec<FieldRef>,
        dropped: BTreeMap<i32, String>,
    ) -> Result<Self, ItemSchemaError> {
        let table = Arc::new(Schema::new(table_fields(&promoted, &others, &dropped)));
        for (i, field) in table.fields().iter().enumerate() {
            if table.fields()[..i].iter().any(|earlier| earlier.name() == field.name()) {
                return Err(ItemSchemaError::DuplicateColumn { column: field.name().clone() });
            }
        }
        let item = table.fields().iter().filter(|f| f.name() != GRID_PARTITION).cloned().collect::<Fields>();
        Ok(Self { promoted, others, dropped, table, item: Arc::new(Schema::new(item)) })
    }

    /// The schema that a column list declares, as `CREATE EXTERNAL TABLE items (platform VARCHAR, "proj:code" VARCHAR, …)`.
    pub fn from_declared(columns: &Schema) -> Result<Self, ItemSchemaError> {
        let promoted = columns.fields().iter().map(|f| Promoted::new(f.name(), f.data_type()));
        Self::try_new(promoted.collect::<Result<_, _>>()?)
    }

    /// The schema behind the Arrow schema of a table of Items: its promoted columns carry [`PROPERTY_KEY`], those of other
    /// engines [`OTHER_KEY`].
    pub fn from_table(table: &Schema) -> Result<Self, ItemSchemaError> {
        let promoted = table.fields().iter().filter_map(|f| {
            let property = f.metadata().get(PROPERTY_KEY)?;
            Some(Promoted::in_column(f.name(), property, f.data_type()))
        });
        let others = table.fields().iter().filter(|f| f.metadata().contains_key(OTHER_KEY));
        let others = others.map(|f| f.as_ref().clone());
        let schema = Self::with_others(promoted.collect::<Result<_, _>>()?, others.collect())?;
        schema.with_dropped(table.field_with_name("properties").map(dropped).unwrap_or_default())
    }

    /// Columns of table `items`: one row per Item and cell.
    pub fn table_schema(&self) -> &SchemaRef {
        &self.table
    }

    /// Columns of a source of Items: as the table, without `grid_partition`.
    pub fn item_schema(&self) -> &SchemaRef {
        &self.item
    }

    pub fn promoted(&self) -> &[Promoted] {
        &self.promoted
    }

    /// Columns of older files that are no longer promoted: the properties that they hold, by Iceberg field id.
    pub fn dropped(&self) -> &BTreeMap<i32, String> {
        &self.dropped
    }

    /// Columns that other engines have added.
    pub fn others(&self) -> &[FieldRef] {
        &self.others
    }

    /// Checks that rows of `schema` are whole Items of this table; in which cell, of which year and commit they are may be
    /// said, too.
    pub fn check_items(&self, schema: &Schema) -> Result<(), NotItems> {
        let columns = self.item.fields();
        let names = |fields: Vec<&FieldRef>| fields.into_iter().map(|field| field.name().clone()).collect();
        let lacks = |field: &&FieldRef| match schema.field_with_name(field.name()) {
            // A promoted column that was computed anew no longer says of which property it is.
            Ok(found) => found.metadata().get(PROPERTY_KEY) != field.metadata().get(PROPERTY_KEY),
            Err(_) => !is_ignored(field),
        };
        let missing: Vec<_> = columns.iter().filter(lacks).collect();
        let is_foreign = |field: &&FieldRef| !is_ignored(field) && self.item.index_of(field.name()).is_err();
        let foreign: Vec<_> = schema.fields().iter().filter(is_foreign).collect();
        match (missing.is_empty(), foreign.is_empty()) {
            (false, _) => Err(NotItems::Missing(names(missing))),
            (true, false) => Err(NotItems::Foreign(names(foreign))),
            (true, true) => Ok(()),
        }
    }

    /// The columns by which rows are sorted within a part file, nulls last.
    pub fn sort_columns(&self) -> Vec<&str> {
        let platform = self.promoted.iter().filter(|p| p.property == "platform").map(|p| p.column.as_str());
        platform.chain(["datetime"]).collect()
    }
}

/// Timestamp in microseconds, UTC.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// What [`DROPPED_KEY`] says of column `properties`.
pub fn dropped(properties: &Field) -> BTreeMap<i32, String> {
    // Nobody but this module writes it.
    properties.metadata().get(DROPPED_KEY).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

fn table_fields(promoted: &[Promoted], others: &[FieldRef], dropped: &BTreeMap<i32, String>) -> Fields {
    let text = |name: &str| Field::new(name, DataType::Utf8View, true);
    let mut fields = vec![
        Field::new("id", DataType::Utf8View, false),
        Field::new(GRID_PARTITION, DataType::Utf8View, false),
        text("collection"),
        geometry_field(),
        Field::new("bbox", DataType::Struct(bounds_fields().into()), true),
    ];
    fields.extend(bounds_fields().into_iter().map(|f| f.with_nullable(true)));
    fields.extend(TIME_COLUMNS.map(|name| Field::new(name, timestamp(), true)));
    fields.extend(promoted.iter().map(|p| {
        Field::new(&p.column, p.data_type.clone(), true)
            .with_metadata(HashMap::from([(PROPERTY_KEY.to_owned(), p.property.clone())]))
    }));
    let element: FieldRef = Arc::new(Field::new("element", DataType::Utf8View, true));
    fields.push(text("stac_version"));
    fields.push(Field::new("stac_extensions", DataType::List(element), true));
    let mut properties = text("properties");
    if !dropped.is_empty() {
        let json = serde_json::json!(dropped).to_string();
        properties = properties.with_metadata(HashMap::from([(DROPPED_KEY.to_owned(), json)]));
    }
    fields.extend([text("assets"), text("links"), properties, text("extra")]);
    fields.into_iter().map(Arc::new).chain(others.iter().cloned()).collect()
}

fn geometry_field() -> Field {
    // `geoarrow.wkb` with longitude and latitude on WGS 84 and planar edges, as GeoJSON (RFC 7946, section 4) defines.
    let metadata = [
        ("ARROW:extension:name", "geoarrow.wkb"),
        ("ARROW:extension:metadata", r#"{"crs":"OGC:CRS84","crs_type":"authority_code"}"#),
    ];
    Field::new("geometry", DataType::BinaryView, true)
        .with_metadata(metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into())
}

fn bounds_fields() -> Vec<Field> {
    BOUNDS_COLUMNS.map(|name| Field::new(name, DataType::Float64, false)).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn its_live() -> ItemSchema {
        let declared = Schema::new(vec![
            Field::new("platform", DataType::Utf8, true),
            Field::new("proj:code", DataType::Utf8, true),
        ]);
        ItemSchema::from_declared(&declared).unwrap()
    }

    #[test]
    fn a_colon_in_a_property_is_an_underscore_in_its_column() {
        let schema = its_live();
        assert_eq!(schema.promoted()[1].property, "proj:code");
        assert_eq!(schema.table_schema().field_with_name("proj_code").unwrap().data_type(), &DataType::Utf8View);
    }

    #[test]
    fn the_arrow_schema_alone_restores_the_promoted_properties() {
        assert_eq!(ItemSchema::from_table(its_live().table_schema()).unwrap(), its_live());
    }

    #[test]
    fn a_promoted_column_cannot_hide_a_fixed_one() {
        let declared = Schema::new(vec![Field::new("assets", DataType::Utf8, true)]);
        let error = ItemSchema::from_declared(&declared).unwrap_err();
        assert_eq!(error, ItemSchemaError::DuplicateColumn { column: "assets".into() });
    }

    #[test]
    fn rows_are_items_if_they_have_all_columns_of_items_and_no_others() {
        let (items, table) = (its_live(), its_live().table_schema().clone());
        assert_eq!(items.check_items(items.item_schema()), Ok(()));
        assert_eq!(items.check_items(&table), Ok(()), "the cell says nothing of the Item");
        let without = |name: &str| {
            let fields = table.fields().iter().filter(|field| field.name() != name).cloned();
            Schema::new(fields.collect::<Vec<_>>())
        };
        assert_eq!(items.check_items(&without("bbox")), Ok(()), "xmin to ymax have it as well");
        assert_eq!(items.check_items(&without("assets")), Err(NotItems::Missing(vec!["assets".into()])));
        let computed = |name: &str| {
            let rest = without(name);
            let computed = Arc::new(Field::new(name, DataType::Utf8, true));
            Schema::new(rest.fields().iter().cloned().chain([computed]).collect::<Vec<_>>())
        };
        assert_eq!(items.check_items(&computed("area")), Err(NotItems::Foreign(vec!["area".into()])));
        assert_eq!(items.check_items(&computed("platform")), Err(NotItems::Missing(vec!["platform".into()])));
    }

    #[test]
    fn rows_are_sorted_by_platform_only_where_it_is_promoted() {
        assert_eq!(its_live().sort_columns(), ["platform", "datetime"]);
        assert_eq!(ItemSchema::try_new(vec![]).unwrap().sort_columns(), ["datetime"]);
    }
}
