//! Encodes rows of any schema as a Parquet or GeoParquet file, in pieces.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, plan_err};
use earthcatalog_udfs::wkb_of;
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::metadata::KeyValue;

use super::format::{ROW_GROUP_BYTES, ROW_GROUP_ROWS, properties};
use super::geo::{GeoColumns, GeoSummary, metadata};
use crate::runtime::ParquetWriter;

/// A Parquet file in the making. Rows of which there are more than memory holds go to row groups of 64 MB.
pub struct RowsFileEncoder {
    writer: ParquetWriter,
    /// Of the file: its geometries are WKB.
    schema: SchemaRef,
    /// Those that make the file a GeoParquet file.
    geometries: Vec<Geometry>,
}

/// A column of geometries.
struct Geometry {
    columns: GeoColumns,
    summary: GeoSummary,
    /// As it comes.
    field: Field,
}

impl RowsFileEncoder {
    /// A Parquet file, which is a GeoParquet 1.1 file where there are columns of geometries. Those, WKB or of a GeoArrow
    /// type, become WKB. `geometry` is the primary one, or else the first; a column `bbox` is the covering of `geometry`.
    pub fn parquet(schema: &SchemaRef) -> Result<Self> {
        let geometry = |columns: GeoColumns| {
            let field = schema.field(columns.geometry()).clone();
            Geometry { columns, summary: GeoSummary::default(), field }
        };
        let geometries: Vec<_> = GeoColumns::all(schema).into_iter().map(geometry).collect();
        if geometries.is_empty() {
            return Ok(Self { writer: writer(schema)?, schema: Arc::clone(schema), geometries });
        }
        let mut fields = schema.fields().to_vec();
        for Geometry { columns, field, .. } in &geometries {
            // The `geo` key alone says what it is: an Arrow extension type would say it again, and in other words.
            fields[columns.geometry()] = Arc::new(Field::new(field.name(), DataType::BinaryView, true));
        }
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { writer: writer(&schema)?, schema, geometries })
    }

    /// The same, which is a GeoParquet file.
    ///
    /// Errors: no column of geometries.
    pub fn geoparquet(schema: &SchemaRef) -> Result<Self> {
        let encoder = Self::parquet(schema)?;
        if encoder.geometries.is_empty() {
            return plan_err!(
                "GeoParquet needs a column of geometries (WKB, or what an ST_ function gives), and there is none; select one, or write plain parquet"
            );
        }
        Ok(encoder)
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut arrays = batch.columns().to_vec();
        for Geometry { columns, field, .. } in &self.geometries {
            let geometry = &mut arrays[columns.geometry()];
            *geometry = Arc::new(wkb_of(geometry, field)?) as ArrayRef;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let as_wkb = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        for Geometry { columns, summary, .. } in &mut self.geometries {
            summary.add(&as_wkb, columns)?;
        }
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
        if let Some(primary) = self.geometries.first() {
            let all = self.geometries.iter().map(|geometry| (&geometry.columns, &geometry.summary));
            let text = metadata(primary.columns.name(), all)?;
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
        let (batches, geo) = file(RowsFileEncoder::parquet(&rows().schema()).unwrap(), &[rows(), rows()]);
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 4);
        assert_eq!(batches[0].schema().field(0).data_type(), &DataType::Utf8);
        let column = &geo.unwrap()["columns"]["geometry"];
        assert_eq!(column["geometry_types"], json!(["Point"]));
        assert_eq!(column["covering"]["bbox"]["xmin"], json!(["bbox", "xmin"]));
        assert_eq!(column.get("bbox"), None, "the rows say no bounds of their own");
    }

    #[test]
    fn each_column_of_geometries_is_described_and_the_first_is_shown() {
        let marked = |name: &str| {
            let extension = ("ARROW:extension:name".to_owned(), "geoarrow.wkb".to_owned());
            Field::new(name, DataType::Binary, true).with_metadata([extension].into())
        };
        let column = |x: f64| Arc::new(BinaryArray::from_opt_vec(vec![Some(&point(x))])) as ArrayRef;
        let schema = Arc::new(Schema::new(vec![
            Field::new("bytes", DataType::Binary, true),
            marked("centre"),
            marked("outline"),
        ]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column(0.), column(1.), column(2.)]).unwrap();
        let (batches, geo) = file(RowsFileEncoder::geoparquet(&schema).unwrap(), &[batch]);
        let geo = geo.unwrap();
        assert_eq!(geo["primary_column"], "centre");
        let columns = geo["columns"].as_object().unwrap();
        assert_eq!(columns.keys().collect::<Vec<_>>(), ["centre", "outline"]);
        assert!(batches[0].schema().fields().iter().all(|field| field.metadata().is_empty()));
    }

    #[test]
    fn without_geometries_a_file_is_plain() {
        let numbers = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap();
        let (batches, geo) = file(RowsFileEncoder::parquet(&numbers.schema()).unwrap(), std::slice::from_ref(&numbers));
        assert_eq!((batches[0].columns(), geo), (numbers.columns(), None));
        let error = RowsFileEncoder::geoparquet(&numbers.schema()).err().unwrap().to_string();
        assert!(
            error.contains("needs a column of geometries (WKB, or what an ST_ function gives), and there is none"),
            "{error}"
        );
    }
}
