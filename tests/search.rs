//! `earthcatalog search`, as a user asks.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::demo::TOUR;
use crate::program::{Ran, command, earthcatalog};

fn search(flags: &[&str]) -> Ran {
    let warehouse = TOUR.warehouse();
    earthcatalog(["search".as_ref()].into_iter().chain(flags.iter().map(AsRef::as_ref)).chain(warehouse.flags()))
}

/// The Items that a search writes.
fn items(flags: &[&str]) -> Vec<Value> {
    search(flags).ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn count(flags: &[&str]) -> u64 {
    search(&[flags, &["--count"]].concat()).ok().trim().parse().unwrap()
}

fn sorted(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(Value::to_string).collect()
}

#[test]
fn items_come_as_they_were_the_newest_first() {
    let found = items(&[]);
    let exported = TOUR.warehouse();
    let exported = earthcatalog(["export".as_ref()].into_iter().chain(exported.flags())).ok();
    let exported: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(sorted(&found), sorted(&exported));
    let times: Vec<&str> = found.iter().filter_map(|item| item["properties"]["datetime"].as_str()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b) && times.len() > 300, "{}", times.len());
    assert_eq!(count(&[]), found.len() as u64);
}

#[test]
fn each_flag_finds_what_the_same_question_in_sql_does() {
    let warehouse = TOUR.warehouse();
    let one = &items(&["--limit", "1"])[0];
    let (id, collection) = (one["id"].as_str().unwrap(), one["collection"].as_str().unwrap());
    for (flags, condition) in [
        (vec!["--bbox=12,77,28,80.5"], "ST_Intersects(geometry, ST_MakeEnvelope(12, 77, 28, 80.5))".to_owned()),
        (vec!["--intersects", "POLYGON((12 77, 28 77, 28 80.5, 12 77))"], "ST_Intersects(geometry, ST_GeomFromText('POLYGON((12 77, 28 77, 28 80.5, 12 77))'))".to_owned()),
        (vec!["--datetime", "2015/2017-06"], "(datetime >= '2015-01-01' AND datetime < '2017-07-01') OR (start_datetime < '2017-07-01' AND end_datetime >= '2015-01-01')".to_owned()),
        (vec!["--datetime", "2019-05-01T00:00:00Z/.."], "datetime >= '2019-05-01' OR end_datetime >= '2019-05-01'".to_owned()),
        (vec!["--ids", id], format!("id = '{id}'")),
        (vec!["--collections", collection], format!("collection = '{collection}'")),
        (vec!["--collections", "another"], "false".to_owned()),
        (vec!["--filter", "platform LIKE 'S%' AND percent_valid_pixels BETWEEN 20 AND 80"], "platform LIKE 'S%' AND percent_valid_pixels BETWEEN 20 AND 80".to_owned()),
        (vec!["--filter", r#"{"op": "<", "args": [{"property": "percent_valid_pixels"}, 3e1]}"#], "percent_valid_pixels < 30".to_owned()),
        (vec!["--query", r#"{"platform": {"startsWith": "LC"}}"#], "platform LIKE 'LC%'".to_owned()),
        (vec!["--bbox=12,77,28,80.5", "--datetime", "2015/..", "--filter", "sat:orbit_state = 'ascending'"], "ST_Intersects(geometry, ST_MakeEnvelope(12, 77, 28, 80.5)) AND (datetime >= '2015-01-01' OR end_datetime >= '2015-01-01') AND sat_orbit_state = 'ascending'".to_owned()),
    ] {
        let expected = warehouse.value(&format!("SELECT count(*) FROM items WHERE {condition}"));
        assert_eq!(json!(count(&flags)), expected, "{flags:?}");
        assert_eq!(items(&flags).len() as u64, expected.as_u64().unwrap(), "{flags:?}");
    }
}

#[test]
fn the_answer_is_written_as_it_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let collection: Value = serde_json::from_str(&search(&["--limit", "3", "--output", "geojson"]).ok()).unwrap();
    assert_eq!(collection["features"].as_array().unwrap().clone(), items(&["--limit", "3"]));

    let found = items(&["--limit", "3"]);
    let fields = items(&["--limit", "3", "--fields", "id,properties,-properties.platform"]);
    for (item, fields) in found.iter().zip(&fields) {
        let mut properties = item["properties"].clone();
        properties.as_object_mut().unwrap().remove("platform").unwrap();
        assert_eq!(*fields, json!({"id": item["id"], "properties": properties}));
    }

    let hrefs = |item: &Value| -> Vec<String> {
        let assets = item["assets"].as_object().unwrap().values();
        assets.map(|asset| asset["href"].as_str().unwrap().to_owned()).collect()
    };
    let all: Vec<String> = found.iter().flat_map(hrefs).collect();
    assert_eq!(search(&["--limit", "3", "--hrefs"]).ok().lines().collect::<Vec<_>>(), all);
    let (name, asset) = found[0]["assets"].as_object().unwrap().iter().next().unwrap();
    let one = search(&["--ids", found[0]["id"].as_str().unwrap(), "--hrefs", name]).ok();
    assert_eq!(one.trim(), asset["href"].as_str().unwrap());

    let file = path("found.parquet");
    search(&["--limit", "3", "--out", &file]).ok();
    let sql = format!("SELECT count(*) FROM '{file}'");
    assert!(fs::read(&file).unwrap().starts_with(b"PAR1"), "{sql}");

    let sorted = items(&["--sortby", "percent_valid_pixels,-id", "--limit", "20"]);
    let keys: Vec<(i64, &str)> = sorted
        .iter()
        .map(|item| (item["properties"]["percent_valid_pixels"].as_i64().unwrap(), item["id"].as_str().unwrap()))
        .collect();
    assert!(keys.is_sorted_by(|a, b| a.0 < b.0 || a.0 == b.0 && a.1 >= b.1), "{keys:?}");
}

#[test]
fn long_parameters_come_from_files_and_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    };
    let place = "POLYGON((12 77, 28 77, 28 80.5, 12 80.5, 12 77))";
    let boxed = count(&["--bbox=12,77,28,80.5"]);
    assert_ne!(boxed, 0);
    assert_eq!(count(&["--intersects", &write("place.wkt", place)]), boxed);
    let filter = write("filter.cql2", &format!("S_INTERSECTS(geometry, {place})"));
    assert_eq!(count(&["--filter", &format!("@{filter}")]), boxed);
    let ids: Vec<String> = items(&["--limit", "5"]).iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(count(&["--ids", &format!("@{}", write("ids.txt", &ids.join("\n")))]), 5);

    let mut child = command();
    child.args(["search", "--count", "--filter", "-"]).args(TOUR.warehouse().flags());
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("s_intersects(geometry, {place})").as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(out.stdout).unwrap().trim(), boxed.to_string());
}

#[test]
fn a_filter_of_as_many_operators_as_there_may_be_is_answered() {
    let or: Vec<String> = (0..999).map(|i| format!("percent_valid_pixels = {i}")).collect();
    // Of few files: each has the filter simplified for it.
    let found = |filter: &str| count(&["--bbox=12,77,28,80.5", "--filter", filter]);
    let all = found("percent_valid_pixels >= 0");
    assert_ne!(all, 0);
    assert_eq!(found(&or.join(" OR ")), all);
}

#[test]
fn what_was_typed_wrongly_is_said_with_its_flag() {
    for (flags, words) in [
        (vec!["--bbox=1,2,3"], "--bbox: \"1,2,3\" is not a box; give [west, south, east, north]"),
        (
            vec!["--intersects", "nowhere.wkt"],
            "--intersects: there is no such file, and it is not WKT: \"nowhere.wkt\"",
        ),
        (vec!["--datetime", "yesterday"], "--datetime: it must be a year (2025)"),
        (
            vec!["--datetime", "2020/2019"],
            "--datetime: \"2020-01-01T00:00:00Z/2019-12-31T23:59:59.999999Z\" ends before it starts",
        ),
        (vec!["--filter", "a <"], "--filter: a property, a value or a function was expected, at its end"),
        (vec!["--filter", "@nowhere"], "--filter: cannot read nowhere: "),
        (vec!["--filter", "{"], "--filter: the text is no JSON"),
        (vec!["--query", "[]"], "--query: [] is not an object of properties"),
        (vec!["--sortby", "a,,b"], "--sortby: a property has no name"),
        (vec!["--limit", "0"], "--limit"),
        (vec!["--fields", "id", "--count"], "--count"),
    ] {
        let said = search(&flags).fails(2);
        assert!(said.contains(words), "{flags:?}: {said}");
    }
    let said = search(&["--filter", "datetime > 'soon'"]).fails(1);
    assert!(said.contains("filter: datetime is compared with \"soon\", which is neither a time nor a date"), "{said}");
    let said = search(&["--fields", "id", "--output", "geoparquet", "--out", "/dev/null"]).fails(2);
    assert!(said.contains("stac-geoparquet holds whole Items; leave --fields out"), "{said}");
}
