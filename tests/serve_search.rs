//! Searches over HTTP: their parameters, their pages, and snapshots that come and go meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;

use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use serde_json::{Value, json};

use crate::program::{Warehouse, earthcatalog};
use crate::service::{COLLECTION, SERVED, Service, ids, link};

#[tokio::test]
async fn get_and_post_find_what_the_command_finds() {
    let id = &SERVED.found(&["--limit", "1"])[0];
    let place = json!({"type": "Polygon", "coordinates": [[[12, 77], [18, 77], [18, 80.5], [12, 77]]]});
    for (flags, query, body) in [
        (vec![], "".to_owned(), json!({})),
        (vec!["--bbox=12,77,16,80"], "bbox=12,77,16,80".to_owned(), json!({"bbox": [12, 77, 16, 80]})),
        (
            vec!["--intersects", "POLYGON((12 77, 18 77, 18 80.5, 12 77))"],
            format!("intersects={place}"),
            json!({"intersects": place}),
        ),
        (
            vec!["--datetime", "2019-03-01T00:00:00Z/2020-06-01T00:00:00Z"],
            "datetime=2019-03-01T00:00:00Z/2020-06-01T00:00:00%2B00:00".to_owned(),
            json!({"datetime": "2019-03-01T00:00:00Z/2020-06-01T00:00:00Z"}),
        ),
        (vec!["--q", "I1,59"], "q=I1,59".to_owned(), json!({"q": ["I1", "59"]})),
        (vec!["--ids", id], format!("ids={id}"), json!({"ids": [id]})),
        (vec!["--collections", COLLECTION], format!("collections={COLLECTION}"), json!({"collections": [COLLECTION]})),
        (
            vec!["--filter", "platform LIKE 'S%' AND percent_valid_pixels BETWEEN 20 AND 80"],
            "filter=platform LIKE 'S%25' AND percent_valid_pixels BETWEEN 20 AND 80".to_owned(),
            json!({"filter-lang": "cql2-json", "filter": {"op": "and", "args": [
                {"op": "like", "args": [{"property": "platform"}, "S%"]},
                {"op": "between", "args": [{"property": "percent_valid_pixels"}, 20, 80]}]}}),
        ),
        (
            vec!["--query", r#"{"platform": {"startsWith": "LC"}}"#],
            r#"query={"platform": {"startsWith": "LC"}}"#.to_owned(),
            json!({"query": {"platform": {"startsWith": "LC"}}}),
        ),
        (
            vec!["--sortby", "percent_valid_pixels,-id"],
            "sortby=percent_valid_pixels,-id".to_owned(),
            json!({"sortby": [{"field": "percent_valid_pixels"}, {"field": "properties.id", "direction": "asc"},
                {"field": "id", "direction": "desc"}]}),
        ),
    ] {
        let expected = SERVED.found(&flags);
        for page in [
            SERVED.service.get(&format!("/search?limit=1000&{query}")).await,
            SERVED.service.post("/search", &with(&body, "limit", json!(1000))).await,
        ] {
            assert_eq!(page.header("content-type"), "application/geo+json");
            assert_eq!(page.ids(), expected, "{query}");
            assert_eq!(page.json["numberReturned"], json!(expected.len()), "{query}");
            assert_eq!(page.json["numberMatched"], json!(expected.len()), "{query}");
            assert!(page.link("next").is_none());
        }
    }
}

fn with(body: &Value, name: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[name] = value;
    body
}

#[tokio::test]
async fn some_members_of_items_are_returned() {
    let page = SERVED.service.get("/search?limit=1&fields=id,properties.platform").await.ok();
    let item = page["features"][0].as_object().unwrap();
    assert_eq!(item.keys().collect::<Vec<_>>(), ["type", "stac_version", "id", "collection", "properties"]);
    assert_eq!(item["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["platform"]);
    let page = SERVED
        .service
        .post("/search", &json!({"limit": 1, "fields": {"exclude": ["links", "properties.platform"]}}))
        .await;
    let item = &page.json["features"][0];
    assert!(item.get("links").is_none() && item["properties"].get("platform").is_none());
    assert!(item["properties"].get("percent_valid_pixels").is_some());
    let page = SERVED.service.get("/search?limit=1&fields=").await.ok();
    let properties = page["features"][0]["properties"].as_object().unwrap();
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["datetime"]);
    assert!(page["features"][0]["links"].as_array().unwrap().iter().any(|link| link["rel"] == "self"));
}

#[tokio::test]
async fn a_page_has_as_many_items_as_may_be_and_says_how_many_there_are() {
    let all = SERVED.found(&[]).len();
    let page = SERVED.service.get("/search").await.ok();
    assert_eq!((ids(&page).len(), &page["numberMatched"]), (10, &json!(all)));
    assert_eq!(page["context"], json!({"returned": 10, "limit": 10, "matched": all}));
    let page = SERVED.service.get("/search?limit=100000").await.ok();
    assert_eq!((ids(&page).len(), &page["context"]["limit"]), (all, &json!(10_000)));
    let page = SERVED.service.get("/search?ids=nothing").await.ok();
    assert_eq!((&page["features"], &page["numberMatched"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn pages_are_one_answer_in_parts() {
    for sortby in ["-datetime", "datetime", "platform,-percent_valid_pixels", "-gsd", "created,nothing"] {
        let all = SERVED.service.get(&format!("/search?limit=1000&sortby={sortby}")).await.ids();
        let pages = SERVED.service.pages(SERVED.service.get(&format!("/search?limit=13&sortby={sortby}")).await).await;
        assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), all, "{sortby}");
        assert!(pages.iter().all(|page| page["numberMatched"] == json!(all.len())), "{sortby}");
        let body = json!({"limit": 29, "sortby": sortby, "fields": {"include": ["id"]}});
        let pages = SERVED.service.pages(SERVED.service.post("/search", &body).await).await;
        assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), all, "{sortby}");
    }
    let items = format!("/collections/{COLLECTION}/items");
    let pages = SERVED
        .service
        .pages(SERVED.service.get(&format!("{items}?limit=9&filter=percent_valid_pixels > 50")).await)
        .await;
    let expected = SERVED.found(&["--filter", "percent_valid_pixels > 50"]);
    assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), expected);
    let of =
        async |collections: &str| SERVED.service.get(&format!("{items}?ids=i07&collections={collections}")).await.ids();
    assert_eq!((of("other,pairs").await, of("other").await), (vec!["i07".to_owned()], vec![]));
}

#[tokio::test]
async fn a_token_is_of_one_search() {
    let page = SERVED.service.get("/search?limit=1&sortby=id").await.ok();
    let next = link(&page, "next").unwrap()["href"].as_str().unwrap().to_owned();
    let token = next.split("token=").nth(1).unwrap();
    let other = SERVED.service.get(&format!("/search?limit=1&sortby=-id&token={token}")).await;
    assert!(other.fails(400, "InvalidParameterValue").starts_with("token: it is of another search"));
    // How much is wanted of it is another matter.
    let more = SERVED.service.get(&format!("/search?limit=5&sortby=id&token={token}")).await;
    assert_eq!(more.ids(), SERVED.service.get("/search?limit=6&sortby=id").await.ids()[1..]);
}

/// A warehouse with Items that are made up here.
struct Growing {
    _folder: tempfile::TempDir,
    warehouse: Warehouse,
    inventories: std::path::PathBuf,
}

impl Growing {
    fn new(ids: impl IntoIterator<Item = usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let growing = Self {
            warehouse: Warehouse::below(folder.path()),
            inventories: folder.path().join("items.ndjson"),
            _folder: folder,
        };
        growing.grow(ids);
        growing
    }

    fn grow(&self, ids: impl IntoIterator<Item = usize>) {
        let item = |i: usize| {
            let day = 1 + i % 5;
            json!({"type": "Feature", "stac_version": "1.0.0", "id": format!("i{i}"), "collection": "c/d é",
                "geometry": {"type": "Point", "coordinates": [i % 7, 1]}, "links": [{"rel": "via", "href": "x"}],
                "properties": {"datetime": format!("2020-01-{day:02}T00:00:00Z"), "n": 1.50, "odd": i % 2 == 1},
                "assets": {}})
        };
        let lines: Vec<String> = ids.into_iter().map(|i| item(i).to_string()).collect();
        fs::write(&self.inventories, lines.join("\n")).unwrap();
        self.warehouse.ingested(&self.inventories, &[]);
    }
}

#[tokio::test]
async fn pages_are_of_one_snapshot_and_the_next_search_sees_the_newest() {
    let growing = Growing::new(0..10);
    let service = Service::over(&growing.warehouse, &["--refresh", "20ms"]);
    let before = service.get("/search").await;
    let tag = before.header("etag").to_owned();
    let first = service.get("/search?limit=3&sortby=odd,-datetime").await;
    growing.grow(5..15);
    while service.get("/search?limit=100").await.ids().len() < 15 {}
    assert_ne!(service.get("/search").await.header("etag"), tag);
    assert_eq!(service.get("/collections").await.ok()["collections"][0]["stats:items"], json!({"count": 15}));

    let pages = service.pages(first).await;
    let paged: Vec<String> = pages.iter().flat_map(ids).collect();
    let expected: BTreeSet<String> = (0..10).map(|i| format!("i{i}")).collect();
    assert_eq!((paged.len(), paged.into_iter().collect()), (10, expected));

    // The snapshot goes while somebody is on its way through it.
    let first = service.get("/search?limit=3").await;
    growing.grow(15..16);
    earthcatalog(["expire", "--retain", "0s"].iter().map(AsRef::as_ref).chain(growing.warehouse.flags())).ok();
    let next = first.link("next").unwrap();
    let gone = loop {
        let answer = service.follow(next).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert!(gone.fails(410, "TokenExpired").contains("has expired; begin the search again"));
}

#[tokio::test]
async fn ids_may_have_any_letters_and_items_stay_as_they_were_written() {
    let growing = Growing::new(0..2);
    let service = Service::over(&growing.warehouse, &[]);
    let collection = &service.get("/collections").await.ok()["collections"][0];
    assert_eq!(collection["id"], "c/d é");
    let items = link(collection, "items").unwrap();
    assert!(items["href"].as_str().unwrap().ends_with("/collections/c%2Fd%20%C3%A9/items"), "{items}");
    let page = service.follow(items).await;
    assert_eq!(page.ids().len(), 2);
    let item = service.follow(link(&page.json["features"][0], "self").unwrap()).await;
    assert!(
        item.text().contains("\"n\":1.5") && item.text().contains("{\"rel\":\"via\",\"href\":\"x\"}"),
        "{}",
        item.text()
    );
    let rels: Vec<_> =
        item.json["links"].as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect();
    assert_eq!(rels, ["via", "root", "self", "parent", "collection"]);
}

#[tokio::test]
async fn all_items_come_in_one_answer_where_a_client_wants_them_so() {
    let filter = "percent_valid_pixels > 50";
    let path = format!("/search?filter={filter}");
    let expected: BTreeSet<String> = SERVED.found(&["--filter", filter]).into_iter().collect();
    assert!(expected.len() > 20);
    let all = async |media_type: &str| {
        let answer = SERVED.service.get_with(&path, &[("accept", media_type)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, media_type));
        answer
    };
    let lines = all("application/x-ndjson").await.text();
    let items: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(items.len(), expected.len());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("found.parquet");
    fs::write(&file, all("application/vnd.apache.parquet").await.bytes).unwrap();
    let table = format!("CREATE EXTERNAL TABLE found STORED AS PARQUET LOCATION '{}'", file.display());
    let sql = format!("{table}; SELECT id FROM found ORDER BY id");
    let ids: Vec<Value> = SERVED.warehouse.rows(&sql).into_iter().map(|mut row| row["id"].take()).collect();
    assert_eq!(ids, expected.iter().map(|id| json!(id)).collect::<Vec<_>>());

    let stream = all("application/vnd.apache.arrow.stream").await.bytes;
    let batches = StreamReader::try_new(Cursor::new(stream), None).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), expected.len());
    let geometry = batches[0].schema().field_with_name("geometry").unwrap().clone();
    assert_eq!(geometry.metadata()["ARROW:extension:name"], "geoarrow.wkb");

    let some = SERVED.service.get_with("/search?limit=3&sortby=id", &[("accept", "application/x-ndjson")]).await.text();
    assert_eq!(some.lines().count(), 3);
    for (query, parameter) in [("token=x", "token"), ("fields=id", "fields"), ("limit=0", "limit")] {
        let accept = [("accept", "application/vnd.apache.parquet")];
        let answer = SERVED.service.get_with(&format!("/search?{query}"), &accept).await;
        assert!(answer.fails(400, "InvalidParameterValue").starts_with(parameter));
    }
}

#[tokio::test]
async fn items_of_all_years_are_counted_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, file) = (Warehouse::below(folder.path()), folder.path().join("items.ndjson"));
    let times = ["0001-02-03T00:00:00Z", "2020-05-01T00:00:00Z", "9999-12-31T00:00:00Z"];
    let item = |(i, time): (usize, &&str)| {
        let item = json!({"type": "Feature", "stac_version": "1.0.0", "id": i.to_string(), "links": [], "assets": {},
            "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"datetime": time}});
        format!("{item}\n")
    };
    fs::write(&file, times.iter().enumerate().map(item).collect::<String>()).unwrap();
    warehouse.ingested(&file, &[]);
    let service = Service::over(&warehouse, &[]);
    for (interval, expected) in [
        ("year", ["0001-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]),
        ("month", ["0001-02-01T00:00:00Z", "2020-05-01T00:00:00Z", "9999-12-01T00:00:00Z"]),
    ] {
        let path = format!("/aggregate?aggregations=datetime_frequency&datetime_frequency_interval={interval}");
        let answer = service.get(&path).await.ok();
        let buckets = answer["aggregations"][0]["buckets"].as_array().unwrap();
        assert_eq!(buckets.iter().map(|bucket| &bucket["key"]).collect::<Vec<_>>(), expected, "{interval}");
    }
}

#[tokio::test]
async fn numbers_of_items_are_those_of_sql() {
    let count = |condition: &str| {
        let sql = format!("SELECT count(*) FROM items WHERE percent_valid_pixels > 50 AND {condition}");
        SERVED.warehouse.value(&sql)
    };
    let all = "total_count,datetime_min,datetime_max,collection_frequency,datetime_frequency";
    let query = format!("aggregations={all}&datetime_frequency_interval=year&filter=percent_valid_pixels > 50");
    let filter = json!({"op": ">", "args": [{"property": "percent_valid_pixels"}, 50]});
    let names: Vec<&str> = all.split(',').collect();
    let body = json!({"aggregations": names, "datetime_frequency_interval": "year", "filter": filter});
    for answer in [
        SERVED.service.get(&format!("/aggregate?{query}")).await,
        SERVED.service.get(&format!("/collections/{COLLECTION}/aggregate?{query}")).await,
        SERVED.service.post("/aggregate", &body).await,
    ] {
        let answer = answer.ok();
        let [total, first, last, collections, times] = &answer["aggregations"].as_array().unwrap()[..] else {
            panic!("{answer}")
        };
        assert_eq!((&answer["type"], &total["value"]), (&json!("AggregationCollection"), &count("true")));
        let times_of = |number: &str| {
            let sql = format!("SELECT {number}(datetime)::varchar FROM items WHERE percent_valid_pixels > 50");
            SERVED.warehouse.value(&sql)
        };
        assert_eq!((&first["value"], &last["value"]), (&times_of("min"), &times_of("max")));
        let bucket = |key: &str, kind: &str, n: Value| json!({"key": key, "data_type": kind, "frequency": n});
        assert_eq!(collections["buckets"], json!([bucket(COLLECTION, "string", count("true"))]));
        let year = |year: i32| {
            let items = count(&format!("date_part('year', datetime) = {year}"));
            bucket(&format!("{year}-01-01T00:00:00Z"), "datetime", items)
        };
        assert_eq!((&times["buckets"], &times["overflow"]), (&json!([year(2019), year(2020)]), &json!(0)));
    }
    // One answer for each that is asked for, in that order.
    let mixed = "datetime_max,collection_frequency,total_count,datetime_max";
    let mixed_answer = SERVED.service.get(&format!("/aggregate?aggregations={mixed}")).await.ok();
    let answers = mixed_answer["aggregations"].as_array().unwrap();
    assert!(answers.iter().map(|each| each["name"].as_str().unwrap()).eq(mixed.split(',')));
    let value = |sql: &str| SERVED.warehouse.value(sql);
    let newest = value("SELECT max(datetime)::varchar FROM items");
    assert_eq!([&answers[0]["value"], &answers[3]["value"]], [&newest, &newest]);
    assert_eq!(answers[2]["value"], value("SELECT count(*) FROM items"));
    assert_eq!(answers[1]["buckets"][0]["frequency"], answers[2]["value"]);
    let listed = SERVED.service.get("/aggregations").await.ok();
    let listed = listed["aggregations"].as_array().unwrap().iter().map(|each| each["name"].as_str().unwrap());
    assert!(listed.eq(names.into_iter().chain(["geometry_geohex_grid_frequency"])));
    for (query, words) in [
        ("aggregations=mean", "aggregations: there is no \"mean\"; there are total_count, "),
        (
            "aggregations=total_count&datetime_frequency_interval=eon",
            "datetime_frequency_interval: \"eon\" is none of year",
        ),
    ] {
        let answer = SERVED.service.get(&format!("/aggregate?{query}")).await;
        assert!(answer.fails(400, "InvalidParameterValue").starts_with(words), "{}", answer.json);
    }
}

/// Of a large table, the newest years are looked at first, and the others where these are not enough: pages are the same.
#[tokio::test]
async fn pages_of_a_large_table_are_newest_first_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    // Few in the newest years, most in one, some without a time.
    let year = |i: usize| match i {
        0..30 => 2024 - i as i32 % 3,
        30..5_600 => 2010,
        _ => 1990 + i as i32 % 10,
    };
    let line = |i: usize| {
        let datetime = (i % 200 != 199).then(|| format!("{}-{:02}-{:02}T00:00:00Z", year(i), 1 + i % 12, 1 + i % 28));
        let (platform, id) = (["S1A", "LC08"][i % 2], format!("{i:04}"));
        json!({
            "type": "Feature", "stac_version": "1.0.0", "id": id, "collection": "c", "links": [], "assets": {},
            "geometry": {"type": "Point", "coordinates": [10, 80]},
            "properties": {"datetime": datetime, "start_datetime": "1980-01-01T00:00:00Z",
                "end_datetime": "1980-01-02T00:00:00Z", "platform": platform},
        })
        .to_string()
    };
    let items = folder.path().join("items.ndjson");
    fs::write(&items, (0..6_000).map(line).collect::<Vec<_>>().join("\n")).unwrap();
    warehouse.ingested(&items, &[]);
    let service = Service::over(&warehouse, &[]);
    for (search, condition, limit) in [
        ("", "true", 200),
        ("", "true", 17),
        ("filter=platform='LC08'", "platform = 'LC08'", 211),
        ("filter=id>'5990'", "id > '5990'", 3),
        ("datetime=2000-01-01T00:00:00Z/2011-01-01T00:00:00Z", "datetime BETWEEN '2000-01-01' AND '2011-01-01'", 255),
        ("bbox=9,79,11,81&sortby=-properties.datetime,-id", "true", 199),
    ] {
        let by_id = if search.contains("-id") { "id DESC" } else { "id" };
        let sql = format!("SELECT id FROM items WHERE {condition} ORDER BY datetime DESC NULLS LAST, {by_id}");
        let expected: Vec<String> =
            warehouse.rows(&sql).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        // The first pages, and what is behind most of the others.
        let mut page = service.get(&format!("/search?limit={limit}&{search}")).await;
        let mut found = vec![];
        while found.len() < expected.len().min(6 * limit) {
            found.extend(page.ids());
            let Some(next) = page.link("next").cloned() else { break };
            page = service.follow(&next).await;
        }
        // Not with assert_eq!, which would print thousands of ids.
        let same = found.iter().zip(&expected).take_while(|(found, expected)| found == expected).count();
        assert!(same == found.len() && same >= expected.len().min(6 * limit), "{search}: {same} of {}", found.len());
    }
}
