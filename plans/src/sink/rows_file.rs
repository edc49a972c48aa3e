//! Encodes rows of any schema as a Parquet or GeoParquet file, in pieces.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use earthcatalog_udfs::wkb_of;
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::metadata::KeyValue;

use super::format::{ROW_GROUP_BYTES, ROW_GROUP_ROWS, properties};
use super::geo::{GeoColumns, GeoSummary};
use crate::runtime::ParquetWriter;

/// A Parquet file in the making. Rows of which there are more than memory holds go to row groups of 64 MB.
pub struct RowsFileEncoder {
    writer: ParquetWriter,
    geo: Option<Geo>,
}

/// What makes a file a GeoParquet file.
struct Geo {
    columns: GeoColumns,
    summary: GeoSummary,
    /// Of the file: its `geometry` is WKB.
    schema: SchemaRef,
    /// The column of geometries as it comes.
    field: Field,
}

impl RowsFileEncoder {
    /// A plain Parquet file.
    pub fn parquet(schema: &SchemaRef) -> Result<Self> {
        Ok(Self { writer: writer(schema)?, geo: None })
    }

    /// A GeoParquet 1.1 file: column `geometry`, WKB or of a GeoArrow type, becomes WKB; a column `bbox` is its covering.
    ///
    /// Errors: no such column.
    pub fn geoparquet(schema: &SchemaRef) -> Result<Self> {
        let columns = GeoColumns::of_any(schema)?;
        let field = schema.field(columns.geometry()).clone();
        let mut fields = schema.fields().to_vec();
        // The `geo` key alone says what it is: an Arrow extension type would say it again, and in other words.
        fields[columns.geometry()] = Arc::new(Field::new(field.name(), DataType::BinaryView, true));
        let schema = Arc::new(Schema::new(fields));
        let geo = Geo { columns, summary: GeoSummary::default(), schema: Arc::clone(&schema), field };
        Ok(Self { writer: writer(&schema)?, geo: Some(geo) })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let as_wkb = match &mut self.geo {
            Some(geo) => {
                let mut arrays = batch.columns().to_vec();
                let geometry = &mut arrays[geo.columns.geometry()];
                *geometry = Arc::new(wkb_of(geometry, &geo.field)?) as ArrayRef;
                let batch = RecordBatch::try_new(Arc::clone(&geo.schema), arrays)?;
                geo.summary.add(&batch, &geo.columns)?;
                batch
            }
            None => batch.clone(),
        };
        self.writer.write(&as_wkb)
    }

    /// Adds an entry to the metadata of the file.
    pub fn note(&mut self, key: &str, value: String) {
        self.writer.note(KeyValue::new(key.to_owned(), value));
    }

    /// The bytes of the row groups that are complete and were not taken before.
    pub fn take_bytes(&mut self) -> Result<Vec<u8>> {
        self.writer.take_bytes()
    }

    /// The rest of the bytes.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        if let Some(geo) = &self.geo {
            let text = geo.summary.to_json(&geo.columns)?;
            self.writer.note(KeyValue::new("geo".to_owned(), text));
        }
        Ok(self.writer.finish()?.0)
    }
}

fn writer(schema: &SchemaRef) -> Result<ParquetWriter> {
    let properties = properties(schema)?.set_max_row_group_row_count(Some(ROW_GROUP_ROWS)).build();
    let parquet = ArrowSchemaConverter::new().convert(schema)?;
    // The Arrow schema that readers see is among the properties.
    ParquetWriter::try_new(Arc::clone(schema), &parquet, Arc::new(properties), ROW_GROUP_BYTES)
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, Float64Array, Int64Array, StringViewArray, StructArray};
    use arrow::datatypes::Fields;
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use serde_json::{Value, json};

    use super::*;

    /// POINT (x 2).
    fn point(x: f64) -> Vec<u8> {
        [&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &2f64.to_le_bytes()].concat()
    }

    fn file(mut encoder: RowsFileEncoder, batches: &[RecordBatch]) -> (Vec<RecordBatch>, Option<Value>) {
        let mut bytes = vec![];
        for batch in batches {
            encoder.write(batch).unwrap();
            bytes.extend(encoder.take_bytes().unwrap());
        }
        bytes.extend(encoder.finish().unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
        let entries = reader.metadata().file_metadata().key_value_metadata().unwrap();
        let geo = entries.iter().find(|entry| entry.key == "geo").and_then(|entry| entry.value.as_deref());
        let geo = geo.map(|text| serde_json::from_str(text).unwrap());
        (reader.build().unwrap().map(Result::unwrap).collect(), geo)
    }

    fn rows() -> RecordBatch {
        let geometry = BinaryArray::from_opt_vec(vec![Some(&point(1.)), None]);
        let sides = ["xmin", "ymin", "xmax", "ymax"].map(|side| Field::new(side, DataType::Float64, true));
        let side = |a: f64| Arc::new(Float64Array::from(vec![Some(a), None])) as ArrayRef;
        let bbox = StructArray::new(Fields::from(sides.to_vec()), [1., 2., 1., 2.].map(side).to_vec(), None);
        RecordBatch::try_from_iter([
            ("name", Arc::new(StringViewArray::from(vec!["a", "b"])) as ArrayRef),
            ("geometry", Arc::new(geometry)),
            ("bbox", Arc::new(bbox)),
        ])
        .unwrap()
    }

    #[test]
    fn a_column_of_geometries_makes_a_geoparquet_file() {
        let (batches, geo) = file(RowsFileEncoder::geoparquet(&rows().schema()).unwrap(), &[rows(), rows()]);
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 4);
        assert_eq!(batches[0].schema().field(0).data_type(), &DataType::Utf8);
        let column = &geo.unwrap()["columns"]["geometry"];
        assert_eq!(column["geometry_types"], json!(["Point"]));
        assert_eq!(column["covering"]["bbox"]["xmin"], json!(["bbox", "xmin"]));
        assert_eq!(column.get("bbox"), None, "the rows say no bounds of their own");
    }

    #[test]
    fn without_geometries_a_file_is_plain() {
        let numbers = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap();
        let (batches, geo) = file(RowsFileEncoder::parquet(&numbers.schema()).unwrap(), std::slice::from_ref(&numbers));
        assert_eq!((batches[0].columns(), geo), (numbers.columns(), None));
        let error = RowsFileEncoder::geoparquet(&numbers.schema()).err().unwrap().to_string();
        assert!(error.contains("needs a column geometry, and there is none"), "{error}");
    }
}
