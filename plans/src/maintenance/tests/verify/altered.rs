//! Part files whose rows are others than were written, with the bytes and the rows that the manifest says: they are readable
//! files without checksums, and only what is in them is wrong.

use std::fs::{self, File};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use earthcatalog_stac_rows::wkb_from_geometry;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::*;
use crate::maintenance::{Check, Severity};

/// The rows of a part file, with the ids of its fields.
fn read(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// A Parquet file without anything that need not be there, and with padding of so many bytes.
fn encode(rows: &RecordBatch, padding: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(19).unwrap()))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_created_by(String::new())
        .set_key_value_metadata(Some(vec![KeyValue::new("padding".to_owned(), "x".repeat(padding))]));
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let mut bytes = vec![];
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
    bytes
}

/// Puts rows in the place of those of a file, which stays as long as it was; `None` where there are too many bytes.
fn write_as_long(path: &Path, rows: &RecordBatch) -> Option<()> {
    let wanted = fs::read(path).unwrap().len();
    let mut padding = wanted.checked_sub(encode(rows, 0).len())?;
    for _ in 0..8 {
        let bytes = encode(rows, padding);
        match bytes.len() as i64 - wanted as i64 {
            0 => {
                fs::write(path, bytes).unwrap();
                return Some(());
            }
            over => padding = padding.checked_add_signed(-over as isize)?,
        }
    }
    None
}

fn with_column(rows: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let at = rows.schema().index_of(name).unwrap();
    let mut columns = rows.columns().to_vec();
    columns[at] = cast(&column, rows.column(at).data_type()).unwrap();
    RecordBatch::try_new(rows.schema(), columns).unwrap()
}

/// The texts of a column with another one in the first row.
fn with_text(rows: &RecordBatch, name: &str, text: &str) -> RecordBatch {
    let texts = cast(rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
    let texts = texts.as_string::<i32>().iter().enumerate().map(|(row, old)| if row == 0 { Some(text) } else { old });
    with_column(rows, name, Arc::new(texts.collect::<StringArray>()))
}

type Alteration = fn(&RecordBatch) -> RecordBatch;

fn far_away(rows: &RecordBatch) -> RecordBatch {
    let point = wkb_from_geometry(&geo::Point::new(-1.0, 88.0).into()).unwrap();
    let values: Vec<Option<&[u8]>> = vec![Some(&point); rows.num_rows()];
    with_column(rows, "geometry", Arc::new(BinaryArray::from(values)))
}

fn no_wkb(rows: &RecordBatch) -> RecordBatch {
    let values: Vec<Option<&[u8]>> = vec![Some(b"?"); rows.num_rows()];
    with_column(rows, "geometry", Arc::new(BinaryArray::from(values)))
}

fn another_id(rows: &RecordBatch) -> RecordBatch {
    // Between the others, so that no bound tells.
    with_text(rows, "id", "item-10")
}

fn another_cell(rows: &RecordBatch) -> RecordBatch {
    with_text(rows, "grid_partition", "8128fffffffffff")
}

fn another_year(rows: &RecordBatch) -> RecordBatch {
    let times = TimestampMicrosecondArray::from(vec![0; rows.num_rows()]).with_timezone("UTC");
    with_column(rows, "datetime", Arc::new(times))
}

fn narrow(rows: &RecordBatch) -> RecordBatch {
    let xmax = rows.column_by_name("xmin").unwrap().clone();
    with_column(rows, "xmax", xmax)
}

fn another_value(rows: &RecordBatch) -> RecordBatch {
    with_column(rows, "latitude", Arc::new(Float64Array::from(vec![-89.5; rows.num_rows()])))
}

fn another_version(rows: &RecordBatch) -> RecordBatch {
    with_text(rows, "properties", r#"{"note":"another"}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_changed_are_found_though_their_files_are_as_large() {
    let mut world = World::new().await;
    world.ingest(&items(0..4)).await;
    world.is_whole("before").await;
    let alterations: [(&str, Alteration, &[Check]); 8] = [
        ("far away", far_away, &[Check::Cell, Check::Box]),
        ("no WKB", no_wkb, &[Check::Content]),
        ("another id", another_id, &[Check::Bounds, Check::KnownIds, Check::Cover]),
        ("another cell", another_cell, &[Check::Bucket]),
        ("another year", another_year, &[Check::Bucket]),
        ("narrow", narrow, &[Check::Box]),
        ("another value", another_value, &[Check::Bounds]),
        ("another version", another_version, &[Check::Cover]),
    ];
    let parts: Vec<_> =
        world.files().into_iter().filter(|path| path.to_str().unwrap().contains("/grid_partition=")).collect();
    let mut done = 0;
    for (n, (what, alter, checks)) in alterations.into_iter().enumerate() {
        for path in parts.iter().cycle().skip(n).take(2) {
            let whole = fs::read(path).unwrap();
            let rows = read(path);
            write_as_long(path, &rows).unwrap();
            world.is_whole(&format!("written again: {}", path.display())).await;
            write_as_long(path, &alter(&rows)).unwrap_or_else(|| panic!("{what}: it does not fit"));
            assert_eq!(fs::metadata(path).unwrap().len(), whole.len() as u64);
            assert_eq!(world.verify(false).await.damage, 0, "{what}: metadata does not tell");
            let verified = world.verify(true).await;
            let damage: Vec<_> = verified.findings.iter().filter(|f| f.severity == Severity::Damage).collect();
            let is_named = |object: &str| object.ends_with(name(path)) || object.starts_with("c/item-");
            assert!(
                damage.iter().any(|f| checks.contains(&f.check)) && damage.iter().all(|f| is_named(&f.object)),
                "{what} in {}: {damage:#?}",
                path.display()
            );
            fs::write(path, whole).unwrap();
            done += 1;
        }
    }
    assert_eq!(done, 16);
    world.is_whole("after").await;
}

/// Rows that the table no longer has, of an Item whose other rows are there, are missed by the questions that need them.
#[tokio::test(flavor = "multi_thread")]
async fn a_cell_without_its_row_is_found() {
    let world = World::full().await;
    let warehouse = world.warehouse().await;
    let table = crate::scan::WarehouseTable::new(warehouse.clone());
    let live = table.live_files(&session(1).unwrap().state()).await.unwrap();
    let gone = live.iter().find(|file| file.cell.as_deref() != Some("__none__")).unwrap();
    let remove = std::iter::once(crate::table::location::to_url(&gone.location).unwrap().to_string()).collect();
    let change = Change { remove, ..Change::default() };
    Committer::new(warehouse).commit(change).await.unwrap();
    let verified = world.verify(true).await;
    assert!(verified.findings.iter().any(|f| f.check == Check::Cover), "{:#?}", verified.findings);
    assert!(verified.findings.iter().all(|f| f.object.starts_with("c/")), "{:#?}", verified.findings);
}

/// Totals, the properties of documents, and a file in the wrong folder.
#[tokio::test]
async fn metadata_that_contradicts_itself_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = crate::table::testing::warehouse(&folder).await;
    let mut misplaced = part(&warehouse, "81a", 1);
    append(&warehouse, [part(&warehouse, "81c", 3)]).await;
    misplaced.cell = "81b".into();
    misplaced.bytes += 1;
    append(&warehouse, [misplaced.clone()]).await;
    let verified = verify(&session(1).unwrap(), &warehouse, &VerifyOptions::default()).await.unwrap();
    let found: Vec<_> = verified.findings.iter().map(|f| (f.check, f.expected.as_str())).collect();
    let size = format!("{} bytes", misplaced.bytes);
    assert_eq!(
        found,
        [(Check::Size, size.as_str()), (Check::Folder, "grid_partition=81b/year=2020")],
        "{:#?}",
        verified.findings
    );
}
