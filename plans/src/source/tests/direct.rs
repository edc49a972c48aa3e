//! Files of Items, and folders of files.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, StructArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field};
use object_store::ObjectStoreExt;
use url::Url;

use super::inventories::parquet_bytes;
use super::*;
use crate::stores::stores;

fn ndjson(items: usize) -> String {
    (0..items).map(|n| item(&format!("item-{n}")) + "\n").collect()
}

/// A stac-geoparquet file of `item-0`, `item-1`, …; a geometry is no WKB where `broken`.
fn stac_geoparquet(items: usize, broken: Option<usize>) -> Vec<u8> {
    let point = [&[1, 1, 0, 0, 0][..], &1f64.to_le_bytes(), &2f64.to_le_bytes()].concat();
    let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
    let number = || Arc::new(arrow::array::Float64Array::from(vec![1.0; items])) as ArrayRef;
    let bounds = ["xmin", "ymin", "xmax", "ymax"].map(|n| (Arc::new(Field::new(n, DataType::Float64, true)), number()));
    let time = TimestampMillisecondArray::from(vec![1_500_000_000_000; items]).with_timezone("UTC");
    let wkb = (0..items).map(|n| if broken == Some(n) { &b"no"[..] } else { &point[..] }).collect::<Vec<_>>();
    let batch = RecordBatch::try_from_iter([
        ("id", text((0..items).map(|n| format!("item-{n}")).collect())),
        ("stac_version", text(vec!["1.1.0".into(); items])),
        ("geometry", Arc::new(BinaryArray::from_vec(wkb)) as ArrayRef),
        ("bbox", Arc::new(StructArray::from(bounds.to_vec())) as ArrayRef),
        ("datetime", Arc::new(time) as ArrayRef),
        ("platform", text(vec!["LC08".into(); items])),
    ]);
    parquet_bytes(&[batch.unwrap()], 3)
}

#[tokio::test]
async fn ndjson_is_cut_at_lines_and_bad_lines_are_rejects() {
    let folder = Folder::new();
    // A byte order mark, CRLF, blank lines, bad lines, no newline at the end
    let text = format!("\u{feff}{}\r\n\n{{\"type\":\r\n  \n{}\n[]\n{}", item("item-0"), item("item-1"), item("item-2"));
    let file = folder.put("a.ndjson", &text);
    for chunk_size in ["1", "2", "3", "99"] {
        let read = read(&file, &[("chunk_size", chunk_size)]).await.unwrap();
        assert_eq!(read.ids, ids(0..3), "chunk_size {chunk_size}");
        assert_eq!(read.counts().listed, 5);
        let rejects = read.outcomes.iter().flat_map(|outcome| &outcome.rejects).collect::<Vec<_>>();
        let positions = rejects.iter().map(|r| (r.position, r.kind.name())).collect::<Vec<_>>();
        assert_eq!(positions, [(Some(2), "malformed_json"), (Some(5), "not_a_feature")]);
        let bytes = rejects[1].bytes.clone().unwrap();
        assert_eq!(&text.as_bytes()[bytes.start as usize..bytes.end as usize], b"[]");
    }
}

#[tokio::test]
async fn compressed_ndjson_is_one_chunk() {
    let folder = Folder::new();
    let file = folder.put("a.ndjson.gz", gzip(ndjson(5)));
    let whole = read(&file, &[("chunk_size", "2")]).await.unwrap();
    assert_eq!((whole.ids.clone(), whole.listed()), (ids(0..5), vec![5]));
    assert!(whole.outcomes[0].chunk.to_string().ends_with("a.ndjson.gz[0..]"));
    let limited = read(&file, &[("limit", "3")]).await.unwrap();
    assert_eq!((limited.ids.clone(), limited.counts().listed), (ids(0..3), 3));
    // What can be read of a file that breaks off is read, and the rest is a reject.
    let many = gzip(ndjson(20_000));
    let broken = read(folder.put("b.ndjson.gz", &many[..many.len() / 2]), &[]).await.unwrap();
    assert!(broken.counts().items > 1000);
    assert_eq!(broken.rejects(), [("b.ndjson.gz".into(), "unreadable")]);
}

#[tokio::test]
async fn remote_ndjson_is_cut_into_byte_ranges_that_lose_no_line() {
    let url = Url::parse("memory://direct/a.ndjson").unwrap();
    let (store, path) = stores().locate(&url).unwrap();
    store.put(&path, ndjson(500).into()).await.unwrap();
    let whole = read(url.as_str(), &[("chunk_size", "30")]).await.unwrap();
    assert_eq!(whole.ids, ids(0..500));
    assert!((15..20).contains(&whole.outcomes.len()), "{} chunks", whole.outcomes.len());
    assert_eq!(whole.counts().listed, 500);
    // Under a limit, lines are counted.
    let limited = read(url.as_str(), &[("chunk_size", "30"), ("limit", "70")]).await.unwrap();
    assert_eq!((limited.ids.clone(), limited.listed()), (ids(0..70), vec![30, 30, 10]));
}

#[tokio::test]
async fn empty_files_have_no_items() {
    let folder = Folder::new();
    for location in [
        folder.put("a.ndjson", ""),
        folder.put("b.ndjson", "\n\r\n"),
        folder.put("c.ndjson.gz", gzip("")),
        folder.put("d.json", r#"{"type":"FeatureCollection","features":[]}"#),
        folder.put("e.parquet", stac_geoparquet(0, None)),
        folder.root().to_str().unwrap().to_owned() + "/none",
    ] {
        std::fs::create_dir_all(folder.path("none")).unwrap();
        assert_eq!(read(&location, &[]).await.unwrap().counts(), ChunkCounts::default(), "{location}");
    }
}

#[tokio::test]
async fn a_pattern_stands_for_the_files_of_a_folder_that_match() {
    let folder = Folder::new();
    for (n, name) in
        ["2019/a.json", "2020/b.json", "2020/c.ndjson", "2020/d.txt", "2021/deep/e.json"].iter().enumerate()
    {
        folder.put(name, item(&format!("item-{n}")));
    }
    folder.put("2020/f.parquet", stac_geoparquet(1, None));
    let found = async |pattern: &str| read(folder.path(pattern), &[]).await.unwrap().ids;
    assert_eq!(found("2020/*.json").await, ids([1]));
    assert_eq!(found("20[12][019]/*.*json").await, ids(0..3));
    assert_eq!(found("**/*.json").await, ids([0, 1, 4]));
    assert_eq!(found("*/*.parquet").await, ids([0]));
    // A limit reads no file but those.
    let limited = read(folder.path("2020/*"), &[("limit", "1")]).await.unwrap();
    assert_eq!(limited.counts().items, 1);
    let error = read(folder.path("2022/*.json"), &[]).await.unwrap_err().to_string();
    assert!(error.contains("there is no file") && error.contains("2022/*.json; check the pattern"), "{error}");
}

#[tokio::test]
async fn a_json_file_is_a_collection_or_an_item() {
    let folder = Folder::new();
    let many = read(folder.put("a.json", collection(&["item-0", "item-1", "item-2"])), &[]).await.unwrap();
    assert_eq!((many.ids.clone(), many.listed()), (ids(0..3), vec![3]));
    let one = read(folder.put("b.geojson", item("item-0")), &[]).await.unwrap();
    assert_eq!((one.ids.clone(), one.listed()), (ids([0]), vec![1]));
    let gzipped = read(folder.put("c.json.gz", gzip(collection(&["item-0"]))), &[]).await.unwrap();
    assert_eq!(gzipped.ids, ids([0]));
    let limited = read(folder.path("a.json"), &[("limit", "2")]).await.unwrap();
    assert_eq!((limited.ids.clone(), limited.counts().listed), (ids(0..2), 2));
    // Cut off within the third feature
    let text = collection(&["item-0", "item-1", "item-2"]);
    let cut = read(folder.put("d.json", &text[..text.len() - 40]), &[]).await.unwrap();
    assert_eq!((cut.ids.clone(), cut.rejects()), (ids(0..2), vec![("d.json".into(), "malformed_json")]));
    assert_eq!(cut.outcomes[0].rejects[0].position, Some(2));
    // Neither
    let neither = read(folder.put("e.json", "no JSON at all"), &[]).await.unwrap();
    assert_eq!(neither.rejects(), [("e.json".into(), "malformed_json")]);
    // NDJSON under another name, if told so
    let told = read(folder.put("f.json", ndjson(2)), &[("format", "ndjson")]).await.unwrap();
    assert_eq!(told.ids, ids(0..2));
}

#[tokio::test]
async fn a_folder_is_read_file_by_file_in_order_each_by_its_kind() {
    let folder = Folder::new();
    folder.put("b/2.json", item("item-2"));
    folder.put("b/1 #%41.json", item("item-1"));
    folder.put("a.geojson", item("item-0"));
    folder.put("b-collection.json", collection(&["c-0", "c-1", "c-2"]));
    folder.put("not.json", "{}");
    folder.put("readme.md", "");
    folder.put("lines/x.ndjson", ndjson(2));
    folder.put("rows.parquet", stac_geoparquet(2, None));
    folder.put(
        "other.parquet",
        parquet_bytes(
            &[RecordBatch::try_from_iter([("x", Arc::new(StringArray::from(vec!["y"])) as ArrayRef)]).unwrap()],
            1,
        ),
    );
    folder.put("lines/y.ndjson.gz", gzip(ndjson(1)));
    let read = read(folder.root(), &[]).await.unwrap();
    let in_folder = ["item-0", "c-0", "c-1", "c-2", "item-1", "item-2"];
    let direct = ["item-0", "item-1", "item-0", "item-0", "item-1"];
    let mut expected = in_folder.to_vec();
    expected.extend(direct);
    let mut got = read.ids.clone();
    got[6..].sort();
    expected[6..].sort();
    assert_eq!(got, expected);
    let mut rejects = read.rejects();
    rejects.sort();
    assert_eq!(rejects, [("not.json".into(), "not_a_feature"), ("other.parquet".into(), "not_a_feature")]);
    let counts = read.counts();
    assert_eq!((counts.listed, counts.skipped["suffix"]), (14, 1));
}

#[tokio::test]
async fn a_limit_on_a_folder_is_exact_whatever_its_files_hold() {
    let folder = Folder::new();
    folder.put("a.json", collection(&["a-0", "a-1", "a-2", "a-3"]));
    folder.put("b.json", item("b"));
    folder.put("c.ndjson.gz", gzip(ndjson(4)));
    folder.put("d.ndjson", ndjson(4));
    for limit in 1..=14_usize {
        for chunk_size in ["1", "2", "100"] {
            let options = [("limit", &*limit.to_string()), ("chunk_size", chunk_size)];
            let read = read(folder.root(), &options).await.unwrap();
            assert_eq!(read.ids.len(), limit.min(13), "limit {limit}, chunk size {chunk_size}: {:?}", read.ids);
            read.counts();
        }
    }
}

#[tokio::test]
async fn a_folder_in_a_store_is_a_prefix() {
    let url = Url::parse("memory://direct-folder/x/items").unwrap();
    let (store, _) = stores().locate(&url).unwrap();
    store.put(&"x/items/a/1.json".into(), item("item-1").into()).await.unwrap();
    store.put(&"x/items/0.json".into(), item("item-0").into()).await.unwrap();
    store.put(&"x/items-not/0.json".into(), item("other").into()).await.unwrap();
    assert_eq!(read(url.as_str(), &[]).await.unwrap().ids, ids(0..2));
    let error = read_error(format!("{url}-none/"), &[]).await;
    assert!(error.contains("there is nothing below memory://direct-folder/x/items-none/"), "{error}");
}

#[tokio::test]
async fn since_and_suffix_choose_files_of_a_folder() {
    let folder = Folder::with_items(2);
    folder.put("x.item", item("item-2"));
    assert_eq!(read(folder.root(), &[("suffix", ".item, .none")]).await.unwrap().ids, ids([2]));
    let future = read(folder.root(), &[("since", "2200-01-01")]).await.unwrap();
    assert_eq!(future.counts().skipped, [("since".to_owned(), 2), ("suffix".to_owned(), 1)].into());
    assert!(read_error(folder.path("0.json"), &[("since", "2020-01-01")]).await.contains("is a single file"));
}

#[tokio::test]
async fn stac_geoparquet_rows_are_items_in_chunks_across_row_groups() {
    let folder = Folder::new();
    let file = folder.put("a.parquet", stac_geoparquet(10, Some(4)));
    for (chunk_size, chunks) in [("1", 10), ("4", 3), ("99", 1)] {
        let read = read(&file, &[("chunk_size", chunk_size)]).await.unwrap();
        assert_eq!(read.ids, ids((0..10).filter(|n| *n != 4)));
        assert_eq!(read.outcomes.len(), chunks);
        let rejects = read.outcomes.iter().flat_map(|outcome| &outcome.rejects).collect::<Vec<_>>();
        assert_eq!((rejects.len(), rejects[0].position), (1, Some(4)));
        assert_eq!(rejects[0].message, "column geometry: WKB byte order 110 is neither 0 nor 1");
    }
    assert_eq!(read(&file, &[("limit", "3"), ("chunk_size", "2")]).await.unwrap().listed(), [2, 1]);
    let other = folder.put(
        "b.parquet",
        parquet_bytes(
            &[RecordBatch::try_from_iter([("id", Arc::new(StringArray::from(vec!["y"])) as ArrayRef)]).unwrap()],
            1,
        ),
    );
    assert!(read_error(other, &[]).await.contains("not a stac-geoparquet file: it has no column geometry, but id;"));
}

#[tokio::test]
async fn a_source_that_changes_after_planning_is_an_error() {
    let folder = Folder::new();
    let file = folder.put("a.ndjson", ndjson(3));
    let context = source(&file, &[]).await.unwrap();
    let plan = plan(&context, "SELECT id FROM source").await.unwrap();
    folder.put("a.ndjson", ndjson(1));
    let error = read_plan(&context, plan).await.unwrap_err().to_string();
    assert!(error.contains("3 rows were listed when the run was planned, and 1 are there now"), "{error}");
}

#[tokio::test]
async fn records_of_a_text_sequence_are_items_however_they_are_cut() {
    let folder = Folder::new();
    // Over several lines, behind a byte order mark, one of them bad
    let record = |n: usize| format!("\u{1e}{}\n", item(&format!("item-{n}")).replace(",\"id\"", ",\n \"id\""));
    let text = format!("{}{}\u{1e}[]\n{}", record(0), record(1), record(2));
    for text in [text.clone(), format!("\u{feff}{text}")] {
        for chunk_size in ["1", "2", "99"] {
            let read = read(folder.put("a.geojsons", &text), &[("chunk_size", chunk_size)]).await.unwrap();
            assert_eq!((read.ids.clone(), read.counts().listed), (ids(0..3), 4));
            let rejects = read.outcomes.iter().flat_map(|outcome| &outcome.rejects).collect::<Vec<_>>();
            assert_eq!((rejects.len(), rejects[0].kind.name()), (1, "not_a_feature"));
            let bytes = rejects[0].bytes.clone().unwrap();
            assert_eq!(&text.as_bytes()[bytes.start as usize..bytes.end as usize], b"[]\n");
            if !text.starts_with('\u{feff}') {
                assert_eq!(rejects[0].position, Some(2));
            }
        }
        let gzipped = read(folder.put("a.geojsonl.gz", gzip(&text)), &[]).await.unwrap();
        assert_eq!(gzipped.ids, ids(0..3));
    }
    let url = Url::parse("memory://direct-sequences/a.ndjson").unwrap();
    let (store, path) = stores().locate(&url).unwrap();
    let many: String = (0..500).map(|n| format!("\u{1e}{}\n", item(&format!("item-{n}")))).collect();
    store.put(&path, many.into()).await.unwrap();
    let whole = read(url.as_str(), &[("chunk_size", "30")]).await.unwrap();
    assert_eq!((whole.ids.clone(), whole.counts().listed), (ids(0..500), 500));
    assert!(whole.outcomes.len() > 10);
}

#[tokio::test]
async fn documents_of_a_static_catalog_are_counted_apart() {
    let folder = Folder::new();
    folder.put("catalog.json", r#"{"type":"Catalog","id":"c","stac_version":"1.0.0","description":"","links":[]}"#);
    folder.put("a/collection.json", r#"{"type":"Collection","id":"c","stac_version":"1.0.0","links":[]}"#);
    folder.put("a/item.json", item("item-0"));
    folder.put("lines.ndjson", format!("{}\n{{\"type\":\"Collection\"}}\n", item("item-1")));
    folder.put("other.json", r#"{"type":"Thing"}"#);
    let list = "catalog.json\na/collection.json\na/item.json\nother.json\n";
    folder.put("list.txt", list);
    let in_folder = read(folder.root(), &[]).await.unwrap();
    assert_eq!((in_folder.ids.clone(), in_folder.rejects()), (ids(0..2), vec![("other.json".into(), "not_a_feature")]));
    let counts = in_folder.counts();
    let skipped = [("catalog".to_owned(), 1), ("collection".to_owned(), 2), ("suffix".to_owned(), 1)];
    assert_eq!((counts.listed, counts.skipped), (7, skipped.into()));
    let listed = read(folder.path("list.txt"), &[]).await.unwrap();
    assert_eq!((listed.ids.clone(), listed.rejects().len(), listed.counts().skipped_total()), (ids(0..1), 1, 2));
}

#[tokio::test]
async fn an_item_without_what_stac_requires_is_rejected_where_that_is_asked_for() {
    let folder = Folder::new();
    let bare = r#"{"type":"Feature","id":"x","geometry":null,"properties":{}}"#;
    let file = folder.put("a.ndjson", format!("{}\n{bare}\n[]\n", item("item-0")));
    assert_eq!(read(&file, &[]).await.unwrap().ids, ["item-0", "x"]);
    let checked = read(&file, &[("validate", "true")]).await.unwrap();
    assert_eq!(checked.ids, ids(0..1));
    let kinds = checked.outcomes[0].rejects.iter().map(|reject| reject.kind.name()).collect::<Vec<_>>();
    assert_eq!(kinds, ["invalid_item", "not_a_feature"]);
    assert!(checked.outcomes[0].rejects[0].message.starts_with("stac_version is required, a text; links is"));
}

#[tokio::test]
async fn compression_is_told_by_its_content_in_a_folder_and_in_a_list() {
    for (packed, ending) in [(gzip::<String> as fn(String) -> Vec<u8>, "gz"), (zstd, "zst")] {
        let folder = Folder::new();
        folder.put("a.json", packed(item("item-0")));
        folder.put("b.json", packed(collection(&["item-1", "item-2"])));
        folder.put("c.ndjson", packed(ndjson(1).replace("item-0", "item-3")));
        folder.put(&format!("d.geojson.{ending}"), packed(item("item-4")));
        folder.put(&format!("e.ndjson.{ending}"), packed(ndjson(1).replace("item-0", "item-5")));
        assert_eq!(read(folder.root(), &[]).await.unwrap().ids, ids(0..6));
        assert_eq!(read(folder.root(), &[("limit", "3")]).await.unwrap().ids, ids(0..3));
        assert_eq!(read(folder.put("list.csv", "a.json\n"), &[]).await.unwrap().ids, ids(0..1));
        let list = folder.put(&format!("packed.txt.{ending}"), packed("a.json\na.json\n".to_owned()));
        assert_eq!(read(list, &[]).await.unwrap().ids, ids([0, 0]));
        let lines = folder.put(&format!("all.ndjson.{ending}"), packed(ndjson(9)));
        assert_eq!(read(lines, &[]).await.unwrap().ids, ids(0..9));
    }
}

fn zstd(text: String) -> Vec<u8> {
    zstd::stream::encode_all(text.as_bytes(), 0).unwrap()
}

#[tokio::test]
async fn columns_named_bucket_and_key_beside_a_geometry_make_no_inventory() {
    let folder = Folder::new();
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let point = [&[1, 1, 0, 0, 0][..], &1f64.to_le_bytes(), &2f64.to_le_bytes()].concat();
    let columns = |name: &'static str, other: ArrayRef| {
        let geometry = Arc::new(BinaryArray::from_vec(vec![&point])) as ArrayRef;
        let columns = [("id", text("item-0")), ("geometry", geometry), ("key", text("a.json")), (name, other)];
        parquet_bytes(&[RecordBatch::try_from_iter(columns).unwrap()], 9)
    };
    let items = folder.put("items.parquet", columns("bucket", text("b")));
    assert_eq!(read(items, &[]).await.unwrap().ids, ids(0..1));
    let hash = folder.put("hash.parquet", columns("hash", Arc::new(BinaryArray::from_vec(vec![b"x"]))));
    let error = read_error(hash, &[]).await;
    assert!(
        error.contains("hash.parquet: JSON has no form for column hash (Binary); leave such columns out"),
        "{error}"
    );
}
