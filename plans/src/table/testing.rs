//! Small warehouses in temporary folders, for the tests of this module.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use chrono::{Datelike, TimeZone, Utc};
use iceberg::spec::TableMetadata;
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use parquet::file::metadata::ParquetMetaData;

use super::catalog::Proposed;
use super::create::Warehouse;
use super::state::TableState;
use crate::model::items::ItemSchema;
use crate::model::layout::bucket_folder;
use crate::model::part_file::{ColumnStatistics, PackedColumns, PartFile};

/// A warehouse that promotes `platform` and `latitude`, at resolution 1.
pub async fn warehouse(folder: &tempfile::TempDir) -> Warehouse {
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    Warehouse::open_or_create(&path("catalog.db"), &path("wh"), &items(), 1).await.unwrap()
}

/// Gives a table other metadata, as another engine does.
pub async fn commit_metadata(warehouse: &Warehouse, base: &TableState, next: TableMetadata) {
    let location: iceberg::MetadataLocation = base.metadata_location.parse().unwrap();
    let location = location.with_next_version();
    next.write_to(warehouse.io(), &location).await.unwrap();
    let next = Proposed { metadata: next.into(), location: Some(location.to_string()) };
    warehouse.catalog().commit(base, &next).await;
}

pub fn items() -> ItemSchema {
    let column = |name, data_type| Field::new(name, data_type, true);
    let declared = Schema::new(vec![column("platform", DataType::Utf8), column("latitude", DataType::Float64)]);
    ItemSchema::from_declared(&declared).unwrap()
}

/// The record of a file that does not exist.
pub fn record(warehouse: &Warehouse, cell: &str, year: Option<i32>, name: &str) -> PartFile {
    let path = format!("{}{}/{name}.parquet", warehouse.url(), bucket_folder(cell, year));
    let id = ColumnStatistics {
        field_id: warehouse.field_ids()["id"],
        values: 3,
        nulls: 0,
        lower: Some(b"a".to_vec()),
        upper: Some(b"z".to_vec()),
    };
    PartFile {
        path,
        cell: cell.to_owned(),
        year,
        rows: 3,
        bytes: 100,
        sequence: None,
        columns: [id].into_iter().collect(),
    }
}

/// A row of a test file.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub id: String,
    /// Microseconds since 1970.
    pub datetime: Option<i64>,
    pub start_datetime: Option<i64>,
    pub end_datetime: Option<i64>,
    pub updated: Option<i64>,
    pub platform: Option<String>,
    pub latitude: Option<f64>,
}

impl Row {
    pub fn new(id: &str, date: Option<(i32, u32, u32)>) -> Self {
        let micros = |(y, m, d)| Utc.with_ymd_and_hms(y, m, d, 0, 0, 0).unwrap().timestamp_micros();
        Self { id: id.to_owned(), datetime: date.map(micros), ..Self::default() }
    }

    pub fn year(&self) -> Option<i32> {
        self.datetime.map(|t| Utc.timestamp_micros(t).unwrap().year())
    }
}

/// Writes rows of one bucket as a part file.
pub fn write_part(warehouse: &Warehouse, cell: &str, name: &str, rows: &[Row]) -> PartFile {
    let year = rows[0].year();
    assert!(rows.iter().all(|row| row.year() == year), "one bucket per file");
    let url = warehouse.url().join(&format!("{}/{name}.parquet", bucket_folder(cell, year))).unwrap();
    let file = url.to_file_path().unwrap();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();

    let batch = batch(warehouse.items(), cell, rows);
    let schema = Arc::new(Schema::new(with_ids(batch.schema().fields(), "", warehouse.field_ids())));
    let columns =
        batch.columns().iter().zip(schema.fields()).map(|(a, f)| arrow::compute::cast(a, f.data_type()).unwrap());
    let batch = RecordBatch::try_new(schema.clone(), columns.collect()).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&file).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    let metadata = writer.close().unwrap();
    let bytes = std::fs::metadata(&file).unwrap().len();
    let (cell, rows) = (cell.to_owned(), rows.len() as u64);
    PartFile { path: url.into(), cell, year, rows, bytes, sequence: None, columns: statistics(&metadata) }
}

pub fn batch(items: &ItemSchema, cell: &str, rows: &[Row]) -> RecordBatch {
    let times = |time: fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(time).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let column = |field: &FieldRef| -> ArrayRef {
        match field.name().as_str() {
            "id" => Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| &r.id))),
            "grid_partition" => Arc::new(StringViewArray::from_iter_values(rows.iter().map(|_| cell))),
            "datetime" => times(|row| row.datetime),
            "start_datetime" => times(|row| row.start_datetime),
            "end_datetime" => times(|row| row.end_datetime),
            "updated" => times(|row| row.updated),
            "platform" => Arc::new(rows.iter().map(|r| r.platform.clone()).collect::<StringViewArray>()),
            "latitude" => Arc::new(rows.iter().map(|r| r.latitude).collect::<Float64Array>()),
            _ => new_null_array(field.data_type(), rows.len()),
        }
    };
    let schema = items.table_schema();
    RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect()).unwrap()
}

/// The fields with Iceberg ids, and with plain strings in place of views, as the sink writes them.
fn with_ids(fields: &Fields, parent: &str, ids: &std::collections::BTreeMap<String, i32>) -> Fields {
    let with_id = |field: &FieldRef| {
        let path = format!("{parent}{}", field.name());
        let data_type = match field.data_type() {
            DataType::Struct(children) => DataType::Struct(with_ids(children, &format!("{path}."), ids)),
            DataType::List(element) => {
                DataType::List(with_ids(&Fields::from(vec![element.clone()]), &format!("{path}."), ids)[0].clone())
            }
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        };
        let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), ids[&path].to_string())]);
        Arc::new(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(id))
    };
    fields.iter().map(with_id).collect()
}

fn statistics(metadata: &ParquetMetaData) -> PackedColumns {
    let [group] = metadata.row_groups() else { panic!("one row group") };
    let columns = group.columns().iter().map(|column| {
        let found = column.statistics().unwrap();
        ColumnStatistics {
            field_id: column.column_descr().self_type().get_basic_info().id(),
            values: column.num_values() as u64,
            nulls: found.null_count_opt().unwrap(),
            lower: found.min_bytes_opt().map(<[u8]>::to_vec),
            upper: found.max_bytes_opt().map(<[u8]>::to_vec),
        }
    });
    columns.collect()
}
