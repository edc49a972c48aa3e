//! Inventories in every form.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;

/// Keys that a CSV inventory must encode, as S3 encodes them.
const WEIRD: [(&str, &str); 9] = [
    ("dir with space/a.json", "dir+with+space/a.json"),
    ("a+b.json", "a%2Bb.json"),
    ("year=2019/a.json", "year%3D2019/a.json"),
    ("100%25.json", "100%2525.json"),
    ("amp&hash#.json", "amp%26hash%23.json"),
    ("Sermeq Kujalleq/Ja\u{301}.json", "Sermeq+Kujalleq/Ja%CC%81.json"),
    ("quo\"te,comma.json", "quo%22te%2Ccomma.json"),
    ("tilde~star*.json", "tilde~star*.json"),
    ("que?ry.json", "que%3Fry.json"),
];

fn weird_items() -> Folder {
    let folder = Folder::new();
    WEIRD.iter().enumerate().for_each(|(n, (key, _))| drop(folder.put(key, item(&format!("item-{n}")))));
    folder
}

fn base(folder: &Folder) -> String {
    folder.root().to_str().unwrap().to_owned()
}

type Version = (&'static str, bool, bool, u32);

/// Rows as S3 Inventory lists all versions of a bucket: `(key, is_latest, is_delete_marker, day of January 2025)`.
const VERSIONS: [Version; 6] = [
    ("0.json", true, false, 10),
    ("0.json", false, false, 5),
    ("gone.json", true, true, 11),
    ("1.json", true, false, 20),
    ("1.nc", true, false, 20),
    ("folder/", true, false, 1),
];

fn versions_csv() -> String {
    let row = |(key, latest, marker, day): Version| {
        let size = if marker { "" } else { "12" };
        format!(
            "\"bucket\",\"{key}\",\"V\",\"{latest}\",\"{marker}\",\"{size}\",\"2025-01-{day:02}T00:00:00.000Z\",\"e\"\n"
        )
    };
    VERSIONS.into_iter().map(row).collect()
}

fn versions_parquet() -> Vec<u8> {
    let column = |f: &dyn Fn(&Version) -> bool| -> ArrayRef {
        Arc::new(BooleanArray::from_iter(VERSIONS.iter().map(|v| Some(f(v)))))
    };
    let time = VERSIONS.iter().map(|v| 1_735_689_600_000 + i64::from(v.3 - 1) * 86_400_000);
    let batch = RecordBatch::try_from_iter([
        ("bucket", Arc::new(StringArray::from_iter_values(VERSIONS.iter().map(|_| "bucket"))) as ArrayRef),
        ("key", Arc::new(StringArray::from_iter_values(VERSIONS.iter().map(|v| v.0)))),
        ("is_latest", column(&|v| v.1)),
        ("is_delete_marker", column(&|v| v.2)),
        ("size", Arc::new(Int64Array::from_iter_values(VERSIONS.iter().map(|_| 12)))),
        ("last_modified_date", Arc::new(TimestampMillisecondArray::from_iter_values(time).with_timezone("UTC"))),
    ])
    .unwrap();
    parquet_bytes(&[batch], 2)
}

pub(super) fn parquet_bytes(batches: &[RecordBatch], row_group: usize) -> Vec<u8> {
    let mut bytes = vec![];
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(row_group)).build();
    let mut writer = ArrowWriter::try_new(&mut bytes, batches[0].schema(), Some(properties)).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
    bytes
}

fn assert_versions(read: &Read) {
    let counts = read.counts();
    assert_eq!(read.ids, ids([0, 1]));
    assert_eq!((counts.listed, counts.superseded), (6, 1));
    assert_eq!(counts.skipped, [("delete_marker".to_owned(), 1), ("suffix".to_owned(), 2)].into());
    assert_eq!(counts.max_last_modified, Some(1_737_331_200_000)); // 2025-01-20
}

fn manifest(format: &str, schema: &str, keys: &[&str]) -> String {
    let files = keys.iter().map(|key| format!(r#"{{ "key" : "{key}", "size" : 1, "MD5checksum" : "x" }}"#));
    format!(
        r#"{{ "sourceBucket" : "bucket", "destinationBucket" : "arn:aws:s3:::dest", "version" : "2016-11-30",
             "creationTimestamp" : "1776819600000", "fileFormat" : "{format}", "fileSchema" : "{schema}",
             "files" : [ {} ] }}"#,
        files.collect::<Vec<_>>().join(", ")
    )
}

const SCHEMA: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag";

#[tokio::test]
async fn headerless_csv_has_encoded_keys_whatever_the_compression() {
    let items = weird_items();
    let rows = WEIRD.iter().map(|(_, key)| format!("\"bucket\",\"{key}\",\"1\",\"2025-01-01T00:00:00.000Z\"\n"));
    let csv = rows.collect::<String>();
    let inventory = Folder::new();
    for (name, content) in [("i.csv", csv.clone().into_bytes()), ("i.csv.gz", gzip(&csv))] {
        let read = read(inventory.put(name, content), &[("base", &base(&items))]).await.unwrap();
        assert_eq!(read.ids, ids(0..9), "{name}: {:?}", read.rejects());
        read.counts();
    }
}

#[tokio::test]
async fn csv_with_a_header_has_keys_as_they_are() {
    let items = weird_items();
    let quoted = |key: &str| key.replace('"', "\"\"");
    let rows = WEIRD.iter().map(|(key, _)| format!("\"{}\",bucket\r\n", quoted(key))).collect::<String>();
    let inventory = Folder::new().keep("i.csv", format!("\u{feff}Key,Bucket\r\n{rows}"));
    let read = read(&inventory.1, &[("base", &base(&items))]).await.unwrap();
    assert_eq!(read.ids, ids(0..9), "{:?}", read.rejects());
}

impl Folder {
    fn keep(self, name: &str, content: impl AsRef<[u8]>) -> (Self, String) {
        let path = self.put(name, content);
        (self, path)
    }
}

#[tokio::test]
async fn keys_without_a_bucket_are_paths_from_the_inventory() {
    let folder = Folder::with_items(2);
    let far = Folder::new().keep("x +%41.json", item("item-2"));
    let url = url::Url::from_file_path(&far.1).unwrap();
    let rows = format!("bucket,key\n,0.json\n\"\",./1.json\n,{}\n,{url}\n", far.1);
    let expected = ["item-0", "item-1", "item-2", "item-2"];
    assert_eq!(read(folder.put("list/../i.csv", rows), &[]).await.unwrap().ids, expected);
    // One column, no header
    let paths = read(folder.put("paths.csv", format!("0.json\n1.json\n{}", far.1)), &[]).await.unwrap();
    assert_eq!(paths.ids, ids(0..3));
    // Two columns, no header, no bucket
    let paths = read(folder.put("paths.csv", format!(",0.json\n,{}\n", far.1)), &[]).await.unwrap();
    assert_eq!(paths.ids, ids([0, 2]));
}

#[tokio::test]
async fn the_data_files_of_an_inventory_are_named_by_a_pattern() {
    let items = Folder::with_items(5);
    let base = base(&items);
    let keys = |of: std::ops::Range<usize>| of.map(|n| format!("bucket,{n}.json\n")).collect::<String>();
    items.put("of-day-1/a.csv.gz", gzip(keys(0..2)));
    items.put("of-day-1/b.csv", "key,bucket\n3.json,bucket\n");
    items.put("of-day-1/c.csv.2", keys(4..5));
    let pattern = |of: &str| format!("{base}/{of}");
    let options = [("base", &*base)];
    assert_eq!(
        read(pattern("of-day-*/*.csv*"), &[options[0], ("format", "inventory")]).await.unwrap().ids,
        ids([0, 1, 3, 4])
    );
    assert_eq!(read(pattern("of-day-1/*.csv"), &options).await.unwrap().ids, ids([3]), "recognised by its ending");
    items.put("tables/1.parquet", versions_parquet());
    items.put("tables/2.parquet", versions_parquet());
    let both = read(pattern("tables/*.parquet"), &options).await.unwrap();
    assert_eq!((both.ids, both.outcomes.len()), (ids([0, 1, 0, 1]), 2), "by what is in the first");
    // Relative to the folder in which the pattern begins.
    items.put("list-1.csv", ",0.json\n,2.json\n");
    assert_eq!(read(pattern("list-*.csv"), &[]).await.unwrap().ids, ids([0, 2]));

    assert!(read_error(pattern("of-day-2/*.csv"), &[]).await.contains("there is no file"));
    let error = read_error(pattern("tables"), &[("format", "inventory")]).await;
    assert!(
        error.contains("tables is a folder; name the manifest.json of the inventory, or its data files by a pattern"),
        "{error}"
    );
}

#[tokio::test]
async fn versions_and_delete_markers_are_accounted_for_in_csv_and_parquet() {
    let folder = Folder::with_items(2);
    let options = [("base", &*base(&folder))];
    assert_versions(&read(folder.put("i.csv", versions_csv()), &options).await.unwrap());
    assert_versions(&read(folder.put("i.parquet", versions_parquet()), &options).await.unwrap());
}

#[tokio::test]
async fn a_manifest_is_read_in_a_copy_of_its_bucket_or_with_its_data_files_beside_it() {
    let folder = Folder::with_items(2);
    let key = "inv/source/config/data/part.csv.gz";
    let manifest = manifest("CSV", SCHEMA, &[key]);
    for (manifest_at, data_at) in [
        ("copy/inv/source/config/2026-04-22T01-00Z/manifest.json", format!("copy/{key}")),
        ("config/2026-04-22T01-00Z/manifest.json", "config/data/part.csv.gz".into()),
        ("flat/manifest.json", "flat/part.csv.gz".into()),
        ("with-data/manifest.json", "with-data/data/part.csv.gz".into()),
    ] {
        folder.put(&data_at, gzip(versions_csv()));
        let location = folder.put(manifest_at, &manifest);
        let read = read(location, &[("base", &base(&folder))]).await.unwrap();
        assert_versions(&read);
        assert!(read.outcomes[0].chunk.file.ends_with(&data_at), "{}", read.outcomes[0].chunk);
    }
}

#[tokio::test]
async fn a_manifest_of_several_parquet_files_never_has_a_chunk_across_two() {
    let folder = Folder::with_items(2);
    let keys = ["data/a.parquet", "data/b.parquet"];
    keys.iter().for_each(|key| drop(folder.put(key, versions_parquet())));
    let location = folder.put("manifest.json", manifest("Parquet", "message s3.inventory { ... }", &keys));
    let read = read(location, &[("base", &base(&folder)), ("chunk_size", "3")]).await.unwrap();
    assert_eq!(read.ids, ids([0, 1, 0, 1]));
    assert_eq!(read.listed(), [6, 6]);
}

#[tokio::test]
async fn manifests_of_other_clouds_name_files_with_headers() {
    let folder = Folder::with_items(2);
    let base = base(&folder);
    folder.put("google/a.csv", "project,bucket,name\n1,b,0.json\n");
    folder.put("google/b.csv", "project,bucket,name\n1,b,1.json\n");
    let google = r#"{"report_config": {}, "report_shards_file_names": ["a.csv", "b.csv"], "shard_count": 2}"#;
    let read_google = read(folder.put("google/x_manifest.json", google), &[("base", &base)]).await.unwrap();
    assert_eq!(read_google.ids, ids(0..2));
    folder.put("container/2026/rule/rule_0.csv", "Name,Content-Length\nc/0.json,1\nc/1.json,1\n");
    let azure = r#"{"destinationContainer": "container", "files": [{"blob": "2026/rule/rule_0.csv", "size": 9}]}"#;
    let manifest = folder.put("container/2026/rule/rule-manifest.json", azure);
    assert_eq!(read(manifest, &[("base", &base)]).await.unwrap().ids, ids(0..2));
}

/// A list in each form that people have, of objects `0.json` and `1.json` and one that is not an Item.
const LISTS: [(&str, &str); 14] = [
    (
        "google.csv",
        "project,bucket,name,size,updated\n7,b,0.json,1,2025-01-10T00:00:00Z\n7,b,1.json,1,\n7,b,x.tif,1,\n",
    ),
    (
        "azure.csv",
        "Name,Last-Modified,Content-Length,BlobType\nc/0.json,,1,BlockBlob\nc/1.json,,1,BlockBlob\nc/x.tif,,1,BlockBlob\n",
    ),
    ("tabs.tsv", "bucket\tkey\nb\t0.json\nb\t1.json\nb\tx.tif\n"),
    ("tabs.csv", "b\t0.json\t12\nb\t1.json\t12\nb\tx.tif\t12\n"),
    ("semicolons.csv", "Bucket;Key;Last Modified\nb;0.json;2025-01-10\nb;1.json;2025-01-20\nb;x.tif;\n"),
    ("bars.csv", "key|size\n0.json|1\n1.json|1\nx.tif|1\n"),
    (
        "spaces.csv",
        "Bucket, Object Key, Key, Is Latest\nb, z, 0.json, true\nb, z, \"1.json\", true\nb, z, x.tif, true\n",
    ),
    ("urls.csv", "url,size\nBASE/0.json,1\nBASE/1.json,1\nBASE/x.tif,1\n"),
    ("bare.csv", "BASE/0.json,1\nBASE/1.json,1\nBASE/x.tif,1\n"),
    ("paths.csv", "id,path\n7,0.json\n8,./1.json\n9,x.tif\n"),
    ("list.txt", "\n0.json\r\n\r\n 1.json\nx.tif"),
    ("urls.lst", "BASE/0.json\nBASE/1.json\nBASE/x.tif\n"),
    (
        "aws.txt",
        "2025-01-10 01:02:03       3545 0.json\n2025-01-20 01:02:03    3.5 KiB 1.json\n2025-01-20 01:02:03  9 x.tif\n\nTotal Objects: 3\n   Total Size: 7090\n",
    ),
    ("aws.csv", "2025-01-10 01:02:03       3545 0.json\n2025-01-10 01:02:03 1 1.json\n2025-01-10 01:02:03 1 x.tif\n"),
];

#[tokio::test]
async fn lists_in_the_forms_that_people_have_are_read() {
    let folder = Folder::with_items(2);
    let base = base(&folder);
    let root = url::Url::from_file_path(&base).unwrap();
    for (name, text) in LISTS {
        let text = text.replace("BASE", root.as_str());
        for (name, bytes) in [(name.to_owned(), text.clone().into_bytes()), (format!("{name}.gz"), gzip(&text))] {
            let read =
                read(folder.put(&name, bytes), &[("base", &base)]).await.unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(read.ids, ids(0..2), "{name}: {:?}", read.rejects());
            assert_eq!(read.counts().skipped, [("suffix".to_owned(), 1)].into(), "{name}");
        }
    }
    for (name, since) in [("google.csv", "2025-01-05"), ("semicolons.csv", "2025-01-15"), ("aws.txt", "2025-01-15")] {
        let read = read(folder.path(name), &[("base", &base), ("since", since)]).await.unwrap();
        assert_eq!(read.counts().skipped.get("since"), (since > "2025-01-10").then_some(&1), "{name}");
    }
}

#[tokio::test]
async fn addresses_of_a_web_server_are_items_whatever_they_are_called() {
    let folder = Folder::new();
    let list = folder.put("api.txt", "http://127.0.0.1:1/items/a\nhttps://127.0.0.1:1/items/b.json\n");
    let context = source(&list, &[("suffix", ".json")]).await.unwrap();
    let planned = |plan: Arc<dyn ExecutionPlan>| crate::source::StacExec::find(&plan).unwrap().planned();
    let some = planned(plan(&context, "SELECT id FROM source").await.unwrap());
    assert_eq!((some.objects, some.left_out.skipped["suffix"]), (Some(1), 1));
    let context = source(&list, &[]).await.unwrap();
    assert_eq!(planned(plan(&context, "SELECT id FROM source").await.unwrap()).objects, Some(2));
}

#[tokio::test]
async fn a_parquet_list_of_any_cloud_is_an_inventory() {
    let folder = Folder::with_items(2);
    let text = |values: [&str; 2]| Arc::new(StringArray::from_iter_values(values)) as ArrayRef;
    let columns = |columns: Vec<(&str, ArrayRef)>| parquet_bytes(&[RecordBatch::try_from_iter(columns).unwrap()], 9);
    for (name, bytes) in [
        ("keys", columns(vec![("key", text(["0.json", "1.json"]))])),
        ("google", columns(vec![("bucket", text(["b", "b"])), ("name", text(["0.json", "1.json"]))])),
        ("azure", columns(vec![("Name", text(["c/0.json", "c/1.json"])), ("BlobType", text(["", ""]))])),
    ] {
        let read = read(folder.put(&format!("{name}.parquet"), bytes), &[("base", &base(&folder))]).await.unwrap();
        assert_eq!(read.ids, ids(0..2), "{name}");
    }
    let other = folder.put("other.parquet", columns(vec![("size", text(["1", "2"])), ("owner", text(["", ""]))]));
    let error = read_error(&other, &[]).await;
    assert!(error.contains("it has no column id, but size, owner; a list of objects needs a column key"), "{error}");
    let error = read_error(&other, &[("format", "inventory")]).await;
    assert!(error.contains("no column with the keys of the objects, but size, owner;"), "{error}");
}

#[tokio::test]
async fn a_list_in_which_nothing_can_be_found_is_an_error_and_never_nothing() {
    let folder = Folder::new();
    for (name, text, expected) in [
        (
            "header.csv",
            "project,storage class\n1,x\n",
            "no column with the keys of the objects, but project, storage class;",
        ),
        ("header.txt", "size\towner\n1\tx\n", "no column with the keys of the objects, but size, owner;"),
        (
            "wrong.csv",
            "12,2025-01-01,0.json\n13,2025-01-02,1.json\n",
            "lists 2 objects, and none is an Item by its name: none ends in .json; the first is \"2025-01-01\"",
        ),
        ("other.csv", "bucket,key\nb,folder/\nb,a.tif\n", "the first is \"a.tif\""),
        (
            "aws.txt",
            "2025-01-10 01:02:03       3545 0.json\n",
            "`aws s3 ls`, which does not name the bucket; name it with option 'base' (--base s3://BUCKET/)",
        ),
    ] {
        let error = read_error(folder.put(name, text), &[]).await;
        assert!(error.contains(expected), "{name}: {error}");
    }
    let folders = folder.put("folders.txt", "2025-01-10 01:02:03       3545 0.json\n                 PRE more/\n");
    let error = read_error(folders, &[("base", "s3://b/")]).await;
    assert!(error.contains("lists a folder and not what is in it (PRE more/); list with --recursive"), "{error}");
    let wide: Vec<u8> = "bucket,key".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = folder.put("wide.csv", [&b"\xff\xfe"[..], &wide].concat());
    assert!(read_error(wide, &[]).await.contains("is UTF-16; save it as UTF-8"));
}

#[tokio::test]
async fn what_cannot_be_an_inventory_says_what_to_do() {
    let folder = Folder::new();
    let orc = folder.put("orc/manifest.json", manifest("ORC", "struct<bucket:string>", &["a.orc"]));
    assert!(read_error(orc, &[]).await.contains("ORC inventories cannot be read; configure the inventory with format"));
    let lost = folder.put("lost/manifest.json", manifest("CSV", SCHEMA, &["x/data/a.csv.gz"]));
    let error = read_error(lost, &[]).await;
    assert!(error.contains("copy the data files too, or read the manifest in place, in bucket \"dest\""), "{error}");
    let other = folder.put("other/manifest.json", r#"{"name":"my web app"}"#);
    assert!(read_error(other, &[]).await.contains("is no S3 Inventory manifest"));
    let truncated = gzip(versions_csv());
    let broken = folder.put("i.csv.gz", &truncated[..truncated.len() - 10]);
    assert!(read_error(broken, &[]).await.contains("not valid gzip"));
    let parquet = folder.put("i.parquet", "PAR1 no");
    assert!(read_error(parquet, &[]).await.contains("as Parquet"));
}

#[tokio::test]
async fn chunks_hold_exactly_chunk_size_items_and_rows_to_skip_stay_with_the_chunk_before() {
    let folder = Folder::with_items(5);
    let rows = ["0.json", "x.nc", "1.json", "y.nc", "2.json", "3.json", "z.nc", "4.json", "w.nc"];
    let csv = rows.map(|key| format!("{key}\n")).concat();
    let inventory = folder.put("i.csv", csv);
    let read = read(&inventory, &[("chunk_size", "2")]).await.unwrap();
    assert_eq!(read.ids, ids(0..5));
    let rows = read.outcomes.iter().map(|outcome| outcome.chunk.rows.clone()).collect::<Vec<_>>();
    assert_eq!(rows, [0..4, 4..7, 7..9]);
    let items = read.outcomes.iter().map(|outcome| outcome.counts.items).collect::<Vec<_>>();
    assert_eq!(items, [2, 2, 1]);
    assert_eq!(read.counts().skipped["suffix"], 4);
    // As many as there are, and one chunk less than that
    for (chunk_size, chunks) in [("5", 1), ("4", 2), ("1", 5)] {
        assert_eq!(super::read(&inventory, &[("chunk_size", chunk_size)]).await.unwrap().outcomes.len(), chunks);
    }
}

#[tokio::test]
async fn a_limit_takes_the_first_items_and_lists_no_row_behind_them() {
    let folder = Folder::with_items(5);
    let csv = folder.put("i.csv", "0.json\nx.nc\n1.json\n2.json\n3.json\n4.json\ny.nc\n");
    for (limit, chunks) in [("1", vec![1]), ("2", vec![3]), ("3", vec![3, 1]), ("99", vec![3, 2, 2])] {
        let read = read(&csv, &[("chunk_size", "2"), ("limit", limit)]).await.unwrap();
        assert_eq!(read.listed(), chunks, "limit {limit}");
        assert_eq!(read.ids, ids(0..limit.parse::<usize>().unwrap().min(5)));
    }
    let parquet = folder.put("i.parquet", versions_parquet());
    let read = read(&parquet, &[("base", &base(&folder)), ("limit", "1")]).await.unwrap();
    assert_eq!((read.ids.len(), read.listed()), (1, vec![1]));
}

#[tokio::test]
async fn since_leaves_out_older_objects_and_needs_to_know_their_times() {
    let folder = Folder::with_items(2);
    let base = base(&folder);
    for inventory in [folder.put("i.csv", versions_csv()), folder.put("i.parquet", versions_parquet())] {
        let read = read(inventory, &[("base", &base), ("since", "2025-01-15")]).await.unwrap();
        assert_eq!(read.ids, ids([1]));
        let counts = read.counts();
        assert_eq!((counts.skipped["since"], counts.superseded), (1, 1));
    }
    let exact = read(folder.put("i.csv", versions_csv()), &[("base", &base), ("since", "2025-01-10T00:00:00Z")]).await;
    assert_eq!(exact.unwrap().ids, ids([0, 1]));
    let untimed = read_error(folder.put("u.csv", "bucket,key\n,0.json\n"), &[("since", "2025-01-15")]).await;
    assert!(untimed.contains("option 'since' needs column last_modified_date"), "{untimed}");
}

#[tokio::test]
async fn a_bad_object_is_a_reject_with_its_url() {
    let folder = Folder::with_items(1);
    folder.put("empty.json", "");
    folder.put("broken.json", &item("x")[..50]);
    folder.put("xml.json", "<Error><Code>AccessDenied</Code></Error>");
    folder.put("collection.json", collection(&["a", "b"]));
    folder.put("large.json", item(&"l".repeat(2000)));
    folder.put("dir.json/a", "");
    let names = ["empty", "broken", "xml", "collection", "large", "dir", "missing", "0"];
    let csv = folder.put("i.csv", names.map(|n| format!("{n}.json\n")).concat());
    let read = read(csv, &[("max_item_bytes", "1000")]).await.unwrap();
    assert_eq!(read.ids, ids([0]));
    let expected = [
        ("empty", "malformed_json"),
        ("broken", "malformed_json"),
        ("xml", "malformed_json"),
        ("collection", "not_a_feature"),
        ("large", "too_large"),
        ("dir", "unreadable"),
        ("missing", "missing"),
    ];
    assert_eq!(read.rejects(), expected.map(|(name, kind)| (format!("{name}.json"), kind)));
    assert_eq!(read.counts().listed, 8);
    let reject = &read.outcomes[0].rejects[6];
    assert_eq!(reject.object, url::Url::from_file_path(folder.path("missing.json")).unwrap().as_str());
    assert!(reject.message.contains("No such file"), "{}", reject.message);
}

#[tokio::test]
async fn empty_inventories_have_one_chunk_of_nothing() {
    let folder = Folder::new();
    let empty = RecordBatch::try_from_iter([
        ("bucket", Arc::new(StringArray::from(Vec::<&str>::new())) as ArrayRef),
        ("key", Arc::new(StringArray::from(Vec::<&str>::new())) as ArrayRef),
    ])
    .unwrap();
    for location in [
        folder.put("i.csv", ""),
        folder.put("h.csv", "bucket,key\n"),
        folder.put("i.csv.gz", gzip("")),
        folder.put("i.parquet", parquet_bytes(&[empty], 1)),
        folder.put("manifest.json", manifest("CSV", SCHEMA, &[])),
    ] {
        let read = read(&location, &[]).await.unwrap();
        assert_eq!(read.counts(), ChunkCounts::default(), "{location}");
        assert_eq!(read.outcomes.len(), 1);
    }
}

#[tokio::test]
async fn objects_come_in_the_order_of_the_list_through_a_store_too() {
    use object_store::ObjectStoreExt;
    let url = url::Url::parse("memory://inventories/list/i.csv").unwrap();
    let (store, path) = crate::stores::stores().locate(&url).unwrap();
    for n in 0..300 {
        store.put(&format!("list/items/{n}.json").into(), item(&format!("item-{n}")).into()).await.unwrap();
    }
    let rows = (0..300).map(|n| format!(",items/{n}.json\n")).collect::<String>() + ",items/300.json\n,a//b.json\n";
    store.put(&path, rows.into()).await.unwrap();
    let read = read(url.as_str(), &[("fetch_concurrency", "7"), ("chunk_size", "100")]).await.unwrap();
    assert_eq!(read.ids, ids(0..300));
    assert_eq!(read.rejects(), [("300.json".into(), "missing"), ("b.json".into(), "unreadable")]);
    assert_eq!(read.listed(), [100, 100, 100, 2]);
}

#[tokio::test]
async fn times_are_read_as_lists_have_them_or_are_an_error() {
    let items = Folder::with_items(3);
    let base = base(&items);
    let options = [("base", &*base), ("since", "2023-01-01")];
    let list = "bucket,key,last_modified\nb,0.json,\"Mon, 02 Jan 2023 10:00:00 GMT\"\nb,1.json,1600000000\nb,2.json,1700000000\n";
    assert_eq!(read(items.put("i.csv", list), &options).await.unwrap().ids, ids([0, 2]));
    let error = read_error(items.put("i.csv", "bucket,key,last_modified\nb,0.json,02.01.2023\n"), &options[..1]).await;
    assert!(error.contains("when 0.json was modified cannot be read: \"02.01.2023\"; times are such as"), "{error}");
    let column = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let rows = [("bucket", column("b")), ("key", column("0.json")), ("last_modified", column("02.01.2023"))];
    let table = parquet_bytes(&[RecordBatch::try_from_iter(rows).unwrap()], 9);
    let error = read_error(items.put("i.parquet", table), &options[..1]).await;
    assert!(error.contains("02.01.2023"), "{error}");
}

/// An operator that repartitions has a share of the memory for each partition that comes in.
#[tokio::test]
async fn a_long_inventory_is_compared_within_little_memory() {
    let folder = Folder::new();
    let keys =
        |step: usize| (0..60_000).step_by(step).map(|n| format!("velocity_image_pair/landsatOLI/v02/{n}.json\n"));
    let all = folder.put("all.txt", keys(1).collect::<String>());
    let known = folder.put("known.txt", keys(3).collect::<String>());
    let context = crate::session::session_within(2, Some(32 << 20)).unwrap();
    let sql = async |sql: String| context.sql(&sql).await?.collect().await;
    for (name, list) in [("listed", &all), ("known", &known)] {
        let options = "OPTIONS ('base' 's3://bucket', 'chunk_size' '60')";
        sql(format!("CREATE EXTERNAL TABLE {name} STORED AS INVENTORY LOCATION '{list}' {options}")).await.unwrap();
    }
    sql("SET datafusion.optimizer.prefer_hash_join = false".into()).await.unwrap();
    let new = "SELECT count(key), min(listed.object) FROM listed LEFT ANTI JOIN known ON known.object = listed.object";
    let rows = sql(new.into()).await.unwrap();
    assert_eq!(rows[0].column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0), 40_000);
    assert_eq!(rows[0].column(1).as_string_view().value(0), "s3://bucket/velocity_image_pair/landsatOLI/v02/1.json");
}
