//! Healthy files of the binary formats, from which the corpus was made and on which the targets build.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListBuilder,
    RecordBatch, StringArray, StringViewArray, StringViewBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use earthcatalog_manifests::{ADDED, ColumnMetrics, DataFile, EntryNumbers, Form, ManifestWriter};
use earthcatalog_small_parquet::{Encoder, SmallFileFormat};
use iceberg::io::FileIO;
use iceberg::spec::{
    ManifestWriterBuilder, NestedField, PartitionSpec, PrimitiveType, Schema as IcebergSchema, Transform, Type,
};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, ArrowWriter, encode_arrow_schema};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

/// Healthy files of a target, with their names in the corpus.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let named = |files: Vec<Vec<u8>>, extension: &str| {
        files.into_iter().enumerate().map(|(i, file)| (format!("seed-{i}.{extension}"), file)).collect()
    };
    match target {
        "wkb" => named(geometries(), "wkb"),
        "small_parquet" => named(small_files(), "parquet"),
        "stac_geoparquet" => named(vec![stac_geoparquet()], "parquet"),
        "manifest" => named(manifests(), "avro"),
        _ => vec![],
    }
}

fn geometries() -> Vec<Vec<u8>> {
    let header = |code: u32| [&[1][..], &code.to_le_bytes()].concat();
    let n = |count: u32| count.to_le_bytes().to_vec();
    let xy = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    let point = [header(1), xy(&[-45.0, 68.5])].concat();
    let line = [header(2), n(2), xy(&[0.0, 0.0, 1.0, 1.0])].concat();
    let ring = [n(4), xy(&[0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 0.0])].concat();
    let hole = [n(4), xy(&[1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 1.0])].concat();
    let polygon = [header(3), n(2), ring.clone(), hole].concat();
    let with_height = [header(1001), xy(&[1.0, 2.0, 3.0])].concat();
    let with_srid = [header(0x2000_0001), n(4326), xy(&[1.0, 2.0])].concat();
    let big_endian = [&[0, 0, 0, 0, 1][..], &1f64.to_be_bytes(), &2f64.to_be_bytes()].concat();
    vec![
        [header(4), n(2), point.clone(), point.clone()].concat(),
        [header(5), n(1), line.clone()].concat(),
        [header(6), n(2), polygon.clone(), polygon.clone()].concat(),
        [header(7), n(3), point, line, polygon].concat(),
        [header(7), n(1), header(7), n(0)].concat(),
        with_height,
        with_srid,
        big_endian,
    ]
}

/// The columns of a small file: each type that there is.
pub fn row_schema() -> SchemaRef {
    let bounds = ["xmin", "xmax"].map(|name| Field::new(name, DataType::Float64, false));
    let element = Arc::new(Field::new("element", DataType::Utf8View, true));
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8View, false),
        Field::new("geometry", DataType::BinaryView, true),
        Field::new("bbox", DataType::Struct(bounds.to_vec().into()), true),
        Field::new("datetime", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("int", DataType::Int32, true),
        Field::new("long", DataType::Int64, true),
        Field::new("float", DataType::Float32, true),
        Field::new("double", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new("extensions", DataType::List(element), true),
        Field::new("assets", DataType::Utf8View, true),
    ]))
}

pub fn small_file_format() -> Arc<SmallFileFormat> {
    let schema = row_schema();
    let stored = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&schema));
    let properties = WriterProperties::builder().set_created_by("fuzz".to_owned());
    let properties = Arc::new(properties.set_key_value_metadata(Some(vec![stored])).build());
    let parquet = ArrowSchemaConverter::new().convert(&schema).unwrap();
    Arc::new(SmallFileFormat::try_new(schema, &parquet, &properties, |path| path[0] != "geometry").unwrap())
}

fn rows(n: usize) -> RecordBatch {
    let schema = row_schema();
    let has = |i: usize| !i.is_multiple_of(3);
    let long = || (0..n).map(|i| has(i).then_some(i as i64 * 1_000_003 - 7));
    let double = || (0..n).map(|i| has(i + 1).then_some(i as f64 * 1.5 - 3.0));
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "id" => Arc::new(StringViewArray::from_iter_values((0..n).map(|i| format!("item {i}")))),
            "geometry" => {
                let point = [&[1, 1, 0, 0, 0][..], &[0; 16]].concat();
                Arc::new((0..n).map(|i| has(i).then(|| point.clone())).collect::<BinaryViewArray>())
            }
            "bbox" => {
                let DataType::Struct(fields) = field.data_type() else { unreachable!() };
                let child: ArrayRef = Arc::new(Float64Array::from_iter_values(double().map(Option::unwrap_or_default)));
                let valid = NullBuffer::from_iter(double().map(|value| value.is_some()));
                Arc::new(StructArray::new(fields.clone(), vec![Arc::clone(&child), child], Some(valid)))
            }
            "datetime" => Arc::new(long().collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
            "int" => Arc::new(long().map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
            "long" => Arc::new(long().collect::<Int64Array>()),
            "float" => Arc::new(double().map(|v| v.map(|v| v as f32)).collect::<Float32Array>()),
            "double" => Arc::new(double().collect::<Float64Array>()),
            "flag" => Arc::new((0..n).map(|i| has(i).then_some(i % 2 == 0)).collect::<BooleanArray>()),
            "extensions" => {
                let element = Field::new("element", DataType::Utf8View, true);
                let mut lists = ListBuilder::new(StringViewBuilder::new()).with_field(element);
                for i in 0..n {
                    (1..i % 4).for_each(|k| lists.values().append_option((k < 2).then_some("https://example.com/x")));
                    lists.append(i % 4 > 0);
                }
                Arc::new(lists.finish())
            }
            _ => Arc::new(
                (0..n).map(|i| has(i).then(|| r#"{"data": {"href": "a.nc"}}"#.repeat(i))).collect::<StringViewArray>(),
            ),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn small_files() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::try_new(small_file_format()).unwrap();
    [1, 5, 40].map(|n| encoder.encode(&[rows(n)], ("geo", "{}")).unwrap().0).into()
}

/// PLAIN, without compression, so that a change of a value is one.
fn stac_geoparquet() -> Vec<u8> {
    let text = |values: [&str; 2]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let point = [&[1, 1, 0, 0, 0][..], &(-45f64).to_le_bytes(), &68.5f64.to_le_bytes()].concat();
    let points: ArrayRef = Arc::new(BinaryViewArray::from_iter_values([&point, &point]));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000]).with_timezone("UTC"));
    let bounds: ArrayRef = Arc::new(StructArray::from(
        [("xmin", -45.0), ("ymin", 68.5), ("xmax", -45.0), ("ymax", 68.5)]
            .map(|(name, value)| {
                let values: ArrayRef = Arc::new(Float64Array::from(vec![value; 2]));
                (Arc::new(Field::new(name, DataType::Float64, false)), values)
            })
            .to_vec(),
    ));
    let rows = RecordBatch::try_from_iter([
        ("type", text(["Feature", "Feature"])),
        ("id", text(["a", "b"])),
        ("stac_version", text(["1.1.0", "1.1.0"])),
        ("collection", text(["c", "c"])),
        ("geometry", points),
        ("bbox", bounds),
        ("datetime", times),
        ("platform", text(["S1A", "LC08"])),
        ("assets", text([r#"{"data":{"href":"a.nc"}}"#, "{}"])),
        ("links", text(["[]", "[]"])),
    ])
    .unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let mut writer = ArrowWriter::try_new(vec![], rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.into_inner().unwrap()
}

fn manifests() -> Vec<Vec<u8>> {
    let empty = iceberg_manifest();
    let form = Form::from_manifest(&empty).unwrap();
    let mut writer = ManifestWriter::new(&form);
    for n in 0..3 {
        let bounds = [n as u8; 8];
        let column = |field_id| ColumnMetrics {
            field_id,
            values: 3,
            nulls: 1,
            lower: Some(if field_id == 3 { &bounds } else { b"a" }),
            upper: (n > 0).then_some(if field_id == 3 { &bounds } else { b"z" }),
        };
        let file = DataFile {
            location: "file:///wh/grid_partition=81a/year=2020/one.parquet",
            cell: (n > 0).then_some("81a"),
            years: (n > 1).then_some(50),
            rows: 3,
            bytes: 100,
            sort_order: Some(1),
            columns: Some([1, 3].into_iter().map(column)),
        };
        let numbers = EntryNumbers { status: ADDED, snapshot: 77, sequence: (n > 0).then_some(4), file_sequence: None };
        writer.add(numbers, &file).unwrap();
    }
    vec![writer.finish().expect("the form has a header"), empty]
}

/// A manifest without entries, by Iceberg's library.
fn iceberg_manifest() -> Vec<u8> {
    let field = |id, name: &str, of| Arc::new(NestedField::optional(id, name, Type::Primitive(of)));
    let schema = IcebergSchema::builder().with_fields([
        field(1, "id", PrimitiveType::String),
        field(2, "grid_partition", PrimitiveType::String),
        field(3, "datetime", PrimitiveType::Timestamptz),
    ]);
    let schema = Arc::new(schema.build().unwrap());
    let spec = PartitionSpec::builder(Arc::clone(&schema))
        .add_partition_field("grid_partition", "grid_partition", Transform::Identity)
        .and_then(|spec| spec.add_partition_field("datetime", "year", Transform::Year))
        .and_then(|spec| spec.build())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (io, name) = (FileIO::new_with_memory(), "memory:/manifest.avro");
        let builder = ManifestWriterBuilder::new(io.new_output(name).unwrap(), None, schema, spec);
        builder.build_v2_data().write_manifest_file().await.unwrap();
        io.new_input(name).unwrap().read().await.unwrap().to_vec()
    })
}
