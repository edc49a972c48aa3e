//! Inventories: CSV rows are those of the `csv` crate, however the file is cut into pieces; a manifest's data files stay
//! in its store.

use earthcatalog_plans::source::fuzzing::{csv_rows, manifest_files};

/// The first byte says into pieces of how many bytes the rest is cut.
pub fn fuzz_inventory_csv(data: &[u8]) {
    let Some((cut, file)) = data.split_first() else { return };
    let pieces: Vec<&[u8]> = file.chunks(usize::from(*cut).max(1)).collect();
    let rows = csv_rows(&[file]);
    assert_eq!(rows, csv_rows(&pieces), "pieces of {cut} bytes");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let expected: Vec<Vec<String>> = reader
        .byte_records()
        .map(|record| record.unwrap().iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect())
        .collect();
    assert_eq!(rows, expected);
}

pub fn fuzz_inventory_manifest(data: &[u8]) {
    for file in manifest_files(data).iter().flatten() {
        assert_eq!((file.scheme(), file.host_str()), ("s3", Some("inventories")), "{file}");
    }
}
