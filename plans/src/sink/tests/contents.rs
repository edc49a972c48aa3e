//! What is in a part file.

use arrow::array::AsArray;
use arrow::util::pretty::pretty_format_batches;
use serde_json::{Value, json};

use super::sample::{ALASKA, GREENLAND, row};
use super::*;

#[tokio::test]
async fn rows_come_back_as_they_were() {
    let rows = (0..9).map(|i| Row {
        platform: (i % 3 > 0).then_some("LC08"),
        percent: (i % 2 > 0).then_some(i - 5),
        point: (i != 4).then_some([f64::from(i) / 7.0, -f64::from(i)]),
        ..row(format!("item-{i}"), ALASKA, "", "2021-06-01T12:00:00.25Z")
    });
    let rows = batch(&rows.collect::<Vec<_>>());
    let partitions = [vec![rows.slice(0, 4), rows.slice(4, 1), rows.slice(5, 4)]];
    let plan = sink("memory://come-back/wh/", &partitions);

    let output = collect(plan, SessionContext::new().task_ctx()).await.unwrap();

    let files = files(&output).unwrap();
    assert_eq!(buckets(&files), [(ALASKA, Some(2021), 9)]);
    let text = |batch: RecordBatch| pretty_format_batches(&[batch]).unwrap().to_string();
    assert_eq!(text(read(&files[0]).await), text(rows));
}

#[tokio::test]
async fn the_geo_key_and_the_extension_type_describe_the_geometry() {
    let rows = [
        Row { point: Some([-40.0, 70.0]), ..row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z") },
        Row { point: Some([-39.5, 71.0]), ..row("b", GREENLAND, "S1A", "2020-01-02T00:00:00Z") },
    ];
    let files = write("memory://geo-key/wh/", &rows).await.unwrap();
    let reader = open(&files[0]).await;

    let key_values = reader.metadata().file_metadata().key_value_metadata().unwrap();
    assert_eq!(key_values.iter().map(|kv| kv.key.as_str()).collect::<Vec<_>>(), ["ARROW:schema", "geo"]);
    let geo: Value = serde_json::from_str(key_values[1].value.as_ref().unwrap()).unwrap();
    assert_eq!(geo["version"], "1.1.0");
    assert_eq!(geo["columns"]["geometry"]["bbox"], json!([-40.0, 70.0, -39.5, 71.0]));
    assert_eq!(geo["columns"]["geometry"]["geometry_types"], json!(["Point"]));
    let field = reader.schema().field_with_name("geometry").unwrap();
    assert_eq!(field.extension_type_name(), Some("geoarrow.wkb"));
    // Not Parquet's own GEOMETRY type, which DuckDB and PyIceberg do not read everywhere.
    let geometry = &reader.parquet_schema().columns()[3];
    assert_eq!((geometry.name(), geometry.logical_type_ref()), ("geometry", None));
}

#[tokio::test]
async fn every_column_and_its_children_carry_their_field_id() {
    let files = write("memory://ids/wh/", &[row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z")]).await.unwrap();
    let reader = open(&files[0]).await;
    fn ids(schema: &parquet::schema::types::Type, parent: &str, found: &mut Vec<(String, i32)>) {
        for field in schema.get_fields() {
            let info = field.get_basic_info();
            let path = format!("{parent}{}", info.name());
            // The group between a list and its element has no id in Iceberg.
            if info.name() == "list" {
                ids(field, parent, found);
                continue;
            }
            found.push((path.clone(), info.id()));
            if field.is_group() {
                ids(field, &format!("{path}."), found);
            }
        }
    }
    let mut found = vec![];
    ids(reader.parquet_schema().root_schema(), "", &mut found);
    found.sort();
    assert_eq!(found, target("memory://ids/wh/").field_ids.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn statistics_are_those_of_the_rows() {
    let rows = [
        Row { percent: Some(7), ..row("b", GREENLAND, "LC08", "2020-01-01T00:00:00Z") },
        Row { percent: None, point: None, ..row("a", GREENLAND, "LC08", "2020-03-01T00:00:00Z") },
        Row { percent: Some(-3), ..row("c", GREENLAND, "S1A", "2020-02-01T00:00:00Z") },
    ];
    let rows = rows.map(|row| Row { assets: "{}".repeat(200), ..row });
    let file = write("memory://statistics/wh/", &rows).await.unwrap().remove(0);
    let ids = target("memory://statistics/wh/").field_ids;
    let of = |path: &str| file.columns.iter().find(|column| column.field_id == ids[path]).unwrap();
    let owned = |bound: Option<&[u8]>| bound.map(<[u8]>::to_vec);
    let bounds = |path: &str| (owned(of(path).lower), owned(of(path).upper));

    assert!(file.columns.iter().is_sorted_by_key(|column| column.field_id));
    assert_eq!(bounds("id"), (Some(b"a".to_vec()), Some(b"c".to_vec())));
    let int = |value: i32| Some(value.to_le_bytes().to_vec());
    assert_eq!(bounds("percent_valid_pixels"), (int(-3), int(7)));
    assert_eq!((of("percent_valid_pixels").values, of("percent_valid_pixels").nulls), (3, 1));
    let micros = |time| Some(chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros().to_le_bytes());
    let micros = |time| micros(time).map(|bytes| bytes.to_vec());
    assert_eq!(bounds("datetime"), (micros("2020-01-01T00:00:00Z"), micros("2020-03-01T00:00:00Z")));
    let double = |value: f64| Some(value.to_le_bytes().to_vec());
    assert_eq!(bounds("ymin"), (double(70.25), double(70.25)));
    assert_eq!((of("ymin").values, of("ymin").nulls), (3, 1));
    assert_eq!(bounds("created"), (None, None));
    assert_eq!(of("created").nulls, 3);
    for column in ["bbox.ymin", "assets", "geometry", "stac_extensions.element"] {
        assert!(file.columns.iter().all(|recorded| recorded.field_id != ids[column]), "{column}");
    }

    let reader = open(&file).await;
    let assets = reader.metadata().row_group(0).columns().iter().find(|c| c.column_path().string() == "assets");
    let statistics = assets.unwrap().statistics().unwrap();
    assert_eq!((statistics.min_bytes_opt(), statistics.null_count_opt()), (None, Some(0)));
}

#[tokio::test]
async fn a_string_bound_that_is_cut_short_is_not_recorded() {
    let rows = [row("x".repeat(500), GREENLAND, "S1A", "2020-01-01T00:00:00Z")];
    let file = write("memory://long-id/wh/", &rows).await.unwrap().remove(0);
    let id = file.columns.iter().find(|column| column.field_id == 1).unwrap();
    assert_eq!((&id.lower, &id.upper), (&None, &None));
}

#[tokio::test]
async fn the_same_rows_give_the_same_bytes() {
    let rows: Vec<_> = (0..40).map(|i| row(format!("{i:02}"), GREENLAND, "S1A", "2020-01-01T00:00:00Z")).collect();
    let first = write("memory://same-bytes/wh/", &rows).await.unwrap().remove(0);
    let second = write("memory://same-bytes/wh/", &rows).await.unwrap().remove(0);
    assert_ne!(first.path, second.path);
    assert_eq!(open(&first).await.metadata().row_groups(), open(&second).await.metadata().row_groups());
    let bytes = async |file: &PartFile| {
        let (store, path) = stores().locate(&location_url(&file.path).unwrap()).unwrap();
        store.get(&path).await.unwrap().bytes().await.unwrap()
    };
    assert_eq!(bytes(&first).await, bytes(&second).await);
}

#[tokio::test]
async fn a_large_bucket_is_written_in_parts_and_read_back() {
    // Text that zstd cannot shrink much, so that the file is larger than a part.
    let mut state = 1_u64;
    let mut noise = || {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + (state >> 33) as u8 % 64)
        };
        (0..6_000).map(|_| next()).collect::<String>()
    };
    let rows: Vec<_> = (0..5_000)
        .map(|i| Row { assets: noise(), ..row(format!("{i:05}"), GREENLAND, "S1A", "2020-01-01T00:00:00Z") })
        .collect();
    let batches = rows.chunks(1_000).map(batch).collect();
    let plan = sink("memory://large/wh/", &[batches]);

    let files = files(&collect(plan, SessionContext::new().task_ctx()).await.unwrap()).unwrap();

    assert_eq!(buckets(&files), [(GREENLAND, Some(2020), 5_000)]);
    assert!(files[0].bytes > 20 << 20, "{}", files[0].bytes);
    let read = read(&files[0]).await;
    let expected: Vec<_> = rows.iter().map(|row| Some(row.assets.as_str())).collect();
    assert_eq!(read["assets"].as_string::<i32>().iter().collect::<Vec<_>>(), expected);
    assert_eq!(objects("memory://large/wh/").await.len(), 1);
}
