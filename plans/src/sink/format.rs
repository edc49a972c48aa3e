//! How part files are written: their schema, their settings, and what is recorded of each column.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result};
use earthcatalog_small_parquet::{LeafPath, SmallFileFormat};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, encode_arrow_schema};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterPropertiesPtr};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};

use super::WriteTarget;
use super::geo::{GEOMETRY, GeoColumns};
use crate::model::field_ids::with_field_ids;

/// Rows of a row group, at most.
pub const ROW_GROUP_ROWS: usize = 100_000;

/// Encoded bytes of a row group, at most.
pub const ROW_GROUP_BYTES: usize = 64 << 20;

/// Columns whose least and greatest values tell nothing: long text, and WKB.
const UNBOUNDED: [&str; 6] = [GEOMETRY, "stac_extensions", "assets", "links", "properties", "extra"];

/// Everything that the part files of one table have in common; made once, shared by all of them.
#[derive(Debug)]
pub struct PartFileFormat {
    /// Schema of the rows, with field ids.
    pub arrow: SchemaRef,
    pub parquet: SchemaDescPtr,
    pub properties: WriterPropertiesPtr,
    /// Of the leaf columns, in the order of the schema.
    pub leaves: Vec<Leaf>,
    pub geo: GeoColumns,
    /// How files of few rows are written.
    pub small: Arc<SmallFileFormat>,
}

/// A leaf column of a part file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Iceberg field id.
    pub field_id: i32,
    /// Whether its least and greatest values are recorded.
    pub bounded: bool,
    /// Where its values are in a batch of rows.
    pub path: LeafPath,
}

impl Leaf {
    /// Whether its statistics are worth an entry in a manifest: files are chosen by columns of their own, with bounds.
    /// The metrics of all columns would make reading and writing manifests the largest cost of a small change.
    pub fn is_recorded(&self) -> bool {
        self.bounded && matches!(self.path, LeafPath::Column { .. })
    }
}

impl PartFileFormat {
    /// An error if `target` lacks the field id of a column.
    pub fn try_new(target: &WriteTarget) -> Result<Self> {
        let rows = target.schema.table_schema();
        let arrow = Arc::new(Schema::new(with_field_ids(rows.fields(), "", &target.field_ids)?));
        let parquet = Arc::new(ArrowSchemaConverter::new().convert(&arrow)?);

        let mut properties = properties(rows)?
            .set_sorting_columns(Some(sorting_columns(target, &parquet)))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
        for column in parquet.columns() {
            if is_unbounded(column.path().parts()) {
                properties = properties
                    .set_column_statistics_enabled(column.path().clone(), EnabledStatistics::Chunk)
                    .set_column_dictionary_enabled(column.path().clone(), false);
            }
        }

        let properties = Arc::new(properties.build());
        let small = SmallFileFormat::try_new(Arc::clone(&arrow), &parquet, &properties, |path| !is_unbounded(path));
        let small = small.map_err(|e| DataFusionError::External(Box::new(e)))?;
        let field_ids = parquet.columns().iter().map(|column| column.self_type().get_basic_info().id());
        let leaf = |(field_id, leaf): (i32, &earthcatalog_small_parquet::Leaf)| Leaf {
            field_id,
            bounded: leaf.bounded,
            path: leaf.path,
        };
        let leaves = field_ids.zip(small.leaves()).map(leaf).collect();
        Ok(Self { leaves, geo: GeoColumns::try_new(&arrow)?, small: Arc::new(small), properties, arrow, parquet })
    }
}

/// What all Parquet files have in common that hold rows of this schema.
pub(super) fn properties(rows: &Schema) -> Result<WriterPropertiesBuilder> {
    Ok(WriterProperties::builder()
        .set_created_by(concat!("earthcatalog ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_key_value_metadata(Some(vec![stored_schema(rows)])))
}

fn is_unbounded(path: &[String]) -> bool {
    path.first().is_some_and(|column| UNBOUNDED.contains(&column.as_str()))
}

/// The Arrow schema as readers shall see it: plain text and binary, which every one of them knows, in place of views.
fn stored_schema(rows: &Schema) -> KeyValue {
    fn stored(field: &FieldRef) -> FieldRef {
        let data_type = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            DataType::Struct(fields) => DataType::Struct(fields.iter().map(stored).collect()),
            DataType::List(element) => DataType::List(stored(element)),
            other => other.clone(),
        };
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    }
    let schema = Schema::new_with_metadata(rows.fields().iter().map(stored).collect::<Vec<_>>(), HashMap::new());
    KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&schema))
}

fn sorting_columns(target: &WriteTarget, parquet: &SchemaDescriptor) -> Vec<SortingColumn> {
    let leaf = |name: &str| parquet.columns().iter().position(|column| column.path().parts() == [name]);
    let columns = target.schema.sort_columns();
    let sorting = columns.into_iter().filter_map(leaf);
    sorting.map(|leaf| SortingColumn { column_idx: leaf as i32, descending: false, nulls_first: false }).collect()
}
