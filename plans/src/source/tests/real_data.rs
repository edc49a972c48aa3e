//! The real Items beside the project: every folder, good and odd.

use super::*;

/// The folder of real data: `EARTHCATALOG_DATA`, or `../shared/data` beside the repository.
/// `None`, with a word about it, where it is absent; in CI that is a failure.
fn data() -> Option<PathBuf> {
    let data = std::env::var_os("EARTHCATALOG_DATA").map(PathBuf::from);
    let data = data.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    if data.join("real").is_dir() {
        return Some(data);
    }
    assert!(std::env::var_os("CI").is_none(), "no real data at {}; set EARTHCATALOG_DATA", data.display());
    println!("skipped: no real data at {}", data.display());
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn every_real_item_is_read_or_rejected_with_a_reason() {
    let Some(data) = data() else { return };
    let read = read(data.join("real"), &[("chunk_size", "200")]).await.unwrap();
    let counts = read.counts();
    assert!(counts.items > 3_400, "{counts:?}");
    // Not Items by name: the notes. Not Items by content: what leads to them.
    assert_eq!(counts.skipped["suffix"], 2);
    assert!(counts.skipped["catalog"] + counts.skipped["collection"] >= 6, "{counts:?}");
    for reject in read.outcomes.iter().flat_map(|outcome| &outcome.rejects) {
        assert!(!reject.message.is_empty() && reject.object.starts_with("file:///"), "{reject:?}");
    }
    // Everything else among `not_items` is rejected.
    let not_items = read.outcomes.iter().flat_map(|o| &o.rejects).filter(|r| r.object.contains("/not_items/")).count();
    assert!(not_items >= 2, "{not_items}");
}

#[tokio::test]
async fn real_stac_geoparquet_rows_are_items() {
    let Some(data) = data() else { return };
    for (file, items) in [("1000-sentinel-2-items", 1000), ("extended-item", 1), ("opr-one", 1)] {
        let read = read(data.join(format!("real/rustac_parquet/{file}.parquet")), &[]).await.unwrap();
        assert_eq!(read.counts().items, items, "{file}: {:?}", read.outcomes);
    }
}
