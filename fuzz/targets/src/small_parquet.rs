//! Small Parquet files: ours reads what parquet's own reader reads, or refuses.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use earthcatalog_small_parquet::{Offered, PageHeader, SmallFileFormat, SmallFileReader};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::seeds;

static FORMAT: LazyLock<Arc<SmallFileFormat>> = LazyLock::new(seeds::small_file_format);

pub fn fuzz_small_parquet(data: &[u8]) {
    if let Some(header) = PageHeader::read(data) {
        assert!(header.length <= data.len());
    }
    let schema = without_views(&seeds::row_schema());
    let mut reader = SmallFileReader::try_new(Arc::clone(&FORMAT), Arc::clone(&schema)).unwrap();
    let Ok(Offered::Read(rows)) = reader.offer(data) else { return };
    let Ok(Some(ours)) = reader.take_batch() else { return };
    assert_eq!(ours.num_rows(), rows);
    super::not_ours_from_here();
    let Some(theirs) = super::caught(|| by_parquet(data, &schema)) else { return };
    assert_eq!(ours.num_rows(), theirs.num_rows());
    for (field, column) in schema.fields().iter().zip(ours.columns()) {
        let theirs = cast(theirs.column_by_name(field.name()).unwrap(), field.data_type()).unwrap();
        assert!(same(column.as_ref(), theirs.as_ref()), "{field}: {column:?} is not {theirs:?}");
    }
}

/// Whether two columns hold the same, whatever lies under nulls; NaN is NaN.
fn same(a: &dyn Array, b: &dyn Array) -> bool {
    (0..a.len()).all(|row| {
        a.is_null(row) && b.is_null(row) || format!("{:?}", a.slice(row, 1)) == format!("{:?}", b.slice(row, 1))
    })
}

fn by_parquet(data: &[u8], schema: &SchemaRef) -> Option<RecordBatch> {
    // The schema that the file says it was made from can be damaged, too; ours does not look at it.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::copy_from_slice(data), options).ok()?;
    let batches = reader.build().ok()?.collect::<Result<Vec<_>, _>>().ok()?;
    let first = batches.first()?.schema();
    let rows = concat_batches(&first, &batches).ok()?;
    schema.fields().iter().all(|field| rows.column_by_name(field.name()).is_some()).then_some(rows)
}

fn without_views(schema: &Schema) -> SchemaRef {
    let field = |field: &Arc<Field>| {
        let data_type = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(data_type)
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}
