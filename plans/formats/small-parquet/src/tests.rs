//! Small files against parquet's own writer and reader, and against damage.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array,
    ListBuilder, RecordBatch, StringViewArray, StringViewBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, ArrowWriter, encode_arrow_schema};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use proptest::prelude::*;

use super::{Encoder, Error, MAX_ROWS, Offered, SmallFileFormat, SmallFileReader};

const OWN: (&str, &str) = ("geo", "{}");

fn schema() -> SchemaRef {
    let bounds = ["xmin", "xmax"].map(|name| Field::new(name, DataType::Float64, false));
    let element = Arc::new(Field::new("element", DataType::Utf8View, true));
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8View, false),
        Field::new("geometry", DataType::BinaryView, true),
        Field::new("bbox", DataType::Struct(bounds.to_vec().into()), true),
        Field::new("datetime", time, true),
        Field::new("platform", DataType::Utf8View, true),
        Field::new("int", DataType::Int32, true),
        Field::new("long", DataType::Int64, true),
        Field::new("float", DataType::Float32, true),
        Field::new("double", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new("extensions", DataType::List(element), true),
    ]))
}

/// The schema with texts that lie one behind the other, as files are read.
fn without_views() -> SchemaRef {
    let field = |field: &Arc<Field>| {
        let data_type = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(data_type)
    };
    Arc::new(Schema::new(schema().fields().iter().map(field).collect::<Vec<_>>()))
}

fn properties() -> WriterPropertiesPtr {
    let stored = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&schema()));
    let sorting = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_sorting_columns(Some(vec![sorting]))
        .set_created_by("tests".to_owned())
        .set_key_value_metadata(Some(vec![stored]));
    Arc::new(properties.build())
}

fn format() -> Arc<SmallFileFormat> {
    let parquet = ArrowSchemaConverter::new().convert(&schema()).unwrap();
    let bounded = |path: &[String]| path[0] != "geometry";
    Arc::new(SmallFileFormat::try_new(schema(), &parquet, &properties(), bounded).unwrap())
}

#[derive(Debug, Clone)]
struct Row {
    id: String,
    text: Option<String>,
    number: Option<i64>,
    float: Option<f64>,
    flag: Option<bool>,
    extensions: Option<Vec<Option<String>>>,
}

fn row(n: usize) -> Row {
    Row {
        id: format!("item {n}"),
        text: [None, Some("é𝄞 ".repeat(n * 7)), Some(String::new())][n % 3].clone(),
        number: n.is_multiple_of(2).then_some(n as i64 - 5),
        float: (!n.is_multiple_of(4)).then_some(n as f64 - 1.5),
        flag: (!n.is_multiple_of(5)).then_some(n.is_multiple_of(3)),
        extensions: (!n.is_multiple_of(4))
            .then(|| (1..n % 4).map(|k| (k < 2).then(|| format!("extension {k}"))).collect()),
    }
}

fn rows(from: usize, to: usize) -> RecordBatch {
    batch(&(from..to).map(row).collect::<Vec<_>>())
}

fn batch(rows: &[Row]) -> RecordBatch {
    let schema = schema();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        let numbers = || rows.iter().map(|row| row.number);
        let floats = || rows.iter().map(|row| row.float);
        match field.name().as_str() {
            "id" => Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| &row.id))),
            "platform" => Arc::new(rows.iter().map(|row| row.text.clone()).collect::<StringViewArray>()),
            "geometry" => {
                Arc::new(rows.iter().map(|row| row.text.as_ref().map(String::as_bytes)).collect::<BinaryViewArray>())
            }
            "datetime" => Arc::new(numbers().collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
            "int" => Arc::new(numbers().map(|n| n.map(|n| n as i32)).collect::<Int32Array>()),
            "long" => Arc::new(numbers().collect::<Int64Array>()),
            "float" => Arc::new(floats().map(|n| n.map(|n| n as f32)).collect::<Float32Array>()),
            "double" => Arc::new(floats().collect::<Float64Array>()),
            "flag" => Arc::new(rows.iter().map(|row| row.flag).collect::<BooleanArray>()),
            "bbox" => {
                let DataType::Struct(fields) = field.data_type() else { panic!("bbox is a struct") };
                let child: ArrayRef = Arc::new(Float64Array::from_iter_values(floats().map(|n| n.unwrap_or(0.0))));
                let valid = NullBuffer::from_iter(floats().map(|n| n.is_some()));
                Arc::new(StructArray::new(Fields::clone(fields), vec![Arc::clone(&child), child], Some(valid)))
            }
            _ => {
                let element = Field::new("element", DataType::Utf8View, true);
                let mut lists = ListBuilder::new(StringViewBuilder::new()).with_field(element);
                for row in rows {
                    row.extensions.iter().flatten().for_each(|text| lists.values().append_option(text.as_ref()));
                    lists.append(row.extensions.is_some());
                }
                Arc::new(lists.finish())
            }
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn small(format: &Arc<SmallFileFormat>, rows: &[RecordBatch]) -> Vec<u8> {
    Encoder::try_new(Arc::clone(format)).unwrap().encode(rows, OWN).unwrap().0
}

/// The same rows, by parquet's own writer.
fn by_parquet(rows: &RecordBatch) -> Vec<u8> {
    let options =
        ArrowWriterOptions::new().with_properties(properties().as_ref().clone()).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(vec![], schema(), options).unwrap();
    writer.write(rows).unwrap();
    writer.append_key_value_metadata(KeyValue::new(OWN.0.to_owned(), OWN.1.to_owned()));
    writer.into_inner().unwrap()
}

fn read_by_parquet(file: Vec<u8>) -> RecordBatch {
    let reader = ParquetRecordBatchReader::try_new(Bytes::from(file), 1024).unwrap();
    let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn reader(format: &Arc<SmallFileFormat>) -> SmallFileReader {
    SmallFileReader::try_new(Arc::clone(format), without_views()).unwrap()
}

fn assert_same(read: &RecordBatch, expected: &RecordBatch) {
    assert_eq!(read.num_rows(), expected.num_rows());
    for (column, field) in read.columns().iter().zip(read.schema().fields()) {
        let expected = cast(expected.column_by_name(field.name()).unwrap(), field.data_type()).unwrap();
        assert_eq!(column.to_data(), expected.to_data(), "{}", field.name());
    }
}

fn any_row() -> impl Strategy<Value = Row> {
    let text = || prop_oneof!["[a-z]{0,12}", "[é𝄞\u{10ffff}a]{10,40}", "x{60,70}", "[ -~]{0,400}"];
    let float = prop_oneof![-180.0..180.0, Just(0.0), Just(-0.0)];
    let extensions = prop::option::of(prop::collection::vec(prop::option::of(text()), 0..4));
    (text(), prop::option::of(text()), any::<Option<i64>>(), prop::option::of(float), any::<Option<bool>>(), extensions)
        .prop_map(|(id, text, number, float, flag, extensions)| Row { id, text, number, float, flag, extensions })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_by_parquet_and_by_ours(
        rows in prop::collection::vec(any_row(), 1..70),
        cut in any::<prop::sample::Index>(),
    ) {
        let (format, rows) = (format(), batch(&rows));
        let cut = cut.index(rows.num_rows());
        let file = small(&format, &[rows.slice(0, cut), rows.slice(cut, rows.num_rows() - cut)]);
        let mut ours = reader(&format);
        prop_assert_eq!(ours.offer(&file).unwrap(), Offered::Read(rows.num_rows()));
        assert_same(&ours.take_batch().unwrap().unwrap(), &rows);
        let parquet = read_by_parquet(file);
        prop_assert_eq!(&parquet, &read_by_parquet(by_parquet(&rows)));
    }
}

fn metadata(file: Vec<u8>) -> ParquetMetaData {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.parse_and_finish(&Bytes::from(file)).unwrap()
}

#[test]
fn the_footer_is_the_one_that_parquet_writes() {
    let rows = rows(0, 5);
    let (small, other) = (metadata(small(&format(), std::slice::from_ref(&rows))), metadata(by_parquet(&rows)));
    assert_eq!(small.file_metadata(), other.file_metadata());
    let (small, other) = (small.row_group(0), other.row_group(0));
    assert_eq!(small.sorting_columns(), other.sorting_columns());
    for (small, other) in small.columns().iter().zip(other.columns()) {
        assert_eq!(small.column_descr(), other.column_descr());
        if !["geometry", "extensions"].contains(&small.column_path().parts()[0].as_str()) {
            assert_eq!(small.statistics(), other.statistics(), "{}", small.column_path());
        }
    }
}

#[test]
fn the_page_index_is_the_one_that_parquet_writes() {
    let rows = rows(0, 5);
    let index = |file: Vec<u8>| {
        let metadata = metadata(file);
        let (index, offsets) = (metadata.column_index().unwrap(), metadata.offset_index().unwrap());
        let schema = schema();
        let flat = schema.fields().iter().filter(|field| !field.data_type().is_nested() && field.name() != "geometry");
        let columns = flat.map(|field| {
            let parquet = metadata.file_metadata().schema_descr();
            let converter = StatisticsConverter::try_new(field.name(), &schema, parquet).unwrap();
            let [min, max] = [StatisticsConverter::data_page_mins, StatisticsConverter::data_page_maxes]
                .map(|bound| bound(&converter, index, offsets, &[0]).unwrap().to_data());
            (field.name().clone(), min, max, converter.data_page_null_counts(index, offsets, &[0]).unwrap())
        });
        columns.collect::<Vec<_>>()
    };
    assert_eq!(index(small(&format(), std::slice::from_ref(&rows))), index(by_parquet(&rows)));
}

#[test]
fn what_small_files_hold_comes_back_in_one_batch() {
    let format = format();
    let mut reader = reader(&format);
    for round in 0..2 {
        let files = [rows(0, 1), rows(1, 10), rows(10, 40 + round)];
        for file in &files {
            let offered = reader.offer(&small(&format, std::slice::from_ref(file))).unwrap();
            assert_eq!(offered, Offered::Read(file.num_rows()));
        }
        assert_same(&reader.take_batch().unwrap().unwrap(), &concat_batches(&schema(), &files).unwrap());
        assert!(reader.take_batch().unwrap().is_none());
    }
}

#[test]
fn columns_that_are_not_wanted_are_not_read() {
    let format = format();
    let wanted = Arc::new(without_views().project(&[5, 0]).unwrap());
    let mut reader = SmallFileReader::try_new(Arc::clone(&format), wanted).unwrap();
    reader.offer(&small(&format, &[rows(0, 3)])).unwrap();
    let read = reader.take_batch().unwrap().unwrap();
    assert_eq!((read.num_columns(), read.column(1).as_string::<i32>().value(2)), (2, "item 2"));
}

#[test]
fn a_file_of_another_writer_or_table_is_left_to_others() {
    let format = format();
    let mut reader = reader(&format);
    let other = by_parquet(&rows(0, 5));
    for other in [&other[..], b"", b"PAR1", b"no Parquet file at all", &small(&format, &[rows(0, 3)])[8..]] {
        // A file without its first bytes still has its footer; its pages are not where that says.
        if let Ok(offered) = reader.offer(other) {
            assert_eq!(offered, Offered::OtherFormat, "{} bytes", other.len());
        }
    }
}

#[test]
fn a_damaged_file_is_refused_or_has_as_many_rows_and_is_never_a_panic() {
    let format = format();
    let file = small(&format, &[rows(0, 9)]);
    let mut refused = 0;
    for at in (0..file.len()).step_by(3) {
        for flip in [0x55, 0x80, 0x01, 0xff] {
            let mut damaged = file.clone();
            damaged[at] ^= flip;
            let mut reader = reader(&format);
            match reader.offer(&damaged).and_then(|_| reader.take_batch()) {
                Err(_) => refused += 1,
                Ok(None) => {}
                Ok(Some(read)) => assert_eq!(read.num_rows(), 9, "byte {at}"),
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn rows_that_are_too_many_are_refused() {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int32, false)]));
    let parquet = ArrowSchemaConverter::new().convert(&schema).unwrap();
    let format = SmallFileFormat::try_new(Arc::clone(&schema), &parquet, &properties(), |_| true).unwrap();
    let column: ArrayRef = Arc::new(Int32Array::from_iter_values(0..MAX_ROWS as i32 + 1));
    let rows = RecordBatch::try_new(schema, vec![column]).unwrap();
    let mut encoder = Encoder::try_new(Arc::new(format)).unwrap();
    assert!(encoder.encode(&[rows.slice(0, MAX_ROWS)], OWN).is_ok());
    assert!(matches!(encoder.encode(&[rows], OWN), Err(Error::TooMany(n)) if n == MAX_ROWS + 1));
}
