//! Questions in space, and what tells of a warehouse, as a user asks them.

use std::fs;

use serde_json::Value;

use crate::demo::TOUR;
use crate::program::{Warehouse, earthcatalog};
use crate::python;

fn run(warehouse: &Warehouse, command: &[&str]) -> crate::program::Ran {
    let flags = warehouse.flags();
    earthcatalog(command.iter().map(std::ffi::OsStr::new).chain(flags))
}

/// A place on an Item of the demo.
fn place(warehouse: &Warehouse) -> String {
    let sql = "SELECT ST_AsText(ST_Centroid(geometry)) FROM items WHERE xmax - xmin < 5 ORDER BY id LIMIT 1";
    warehouse.value(sql).as_str().unwrap().to_owned()
}

#[test]
fn a_question_of_thousands_of_alternatives_is_answered_and_more_are_refused_with_another_way() {
    let alternatives = |n: usize| (0..n).map(|i| format!("id = '{i}'")).collect::<Vec<_>>().join(" OR ");
    let warehouse = TOUR.warehouse();
    let folder = tempfile::tempdir().unwrap();
    let ask = |condition: &str| {
        let file = folder.path().join("question.sql");
        std::fs::write(&file, format!("SELECT count(*) AS n FROM items WHERE {condition}")).unwrap();
        let mut arguments = vec!["sql".into(), "--file".into(), file.into_os_string()];
        arguments.extend(["--output".into(), "ndjson".into()]);
        arguments.extend(warehouse.flags().map(std::ffi::OsString::from));
        earthcatalog(arguments)
    };
    assert_eq!(ask(&alternatives(2_000)).ok().trim(), r#"{"n":0}"#);
    let refused = ask(&alternatives(20_000)).fails(1);
    assert!(refused.contains("20000 operators") && refused.contains("IN (…)"), "{refused}");
}

#[test]
fn a_question_in_space_reads_some_files_and_has_the_answer_of_one_that_reads_all() {
    let warehouse = TOUR.warehouse();
    let place = place(&warehouse);
    let predicate = format!("ST_Intersects(geometry, ST_GeomFromText('{place}'))");
    for table in ["items", "item_cells"] {
        let asked = warehouse.value(&format!("SELECT count(*) FROM {table} WHERE {predicate}"));
        let counted = format!("SELECT count(*) FILTER (WHERE {predicate}) FROM {table}");
        assert_eq!(asked, warehouse.value(&counted), "{table}");
        assert_ne!(asked, 0);
    }
    let plan = warehouse.sql(&format!("EXPLAIN ANALYZE SELECT count(*) FROM item_cells WHERE {predicate}")).ok();
    let files: u64 = plan.split("files=").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    assert!(files < 200, "{plan}");
    assert!(plan.contains("by bounds"), "{plan}");
}

#[test]
fn the_st_functions_work_on_the_column() {
    let warehouse = TOUR.warehouse();
    let row = &warehouse.rows(
        "SELECT ST_XMin(geometry) = xmin AS a, ST_YMax(geometry) = ymax AS b, ST_Area(geometry) > 0 AS c,
                ST_Intersects(geometry, ST_Centroid(geometry)) AS d, ST_AsGeoJSON(geometry) AS e,
                ST_Distance(geometry, ST_Centroid(geometry)) AS f, ST_DWithin(geometry, geometry, 0) AS g,
                ST_Equals(geometry, ST_GeomFromGeoJSON(ST_AsGeoJSON(geometry))) AS h,
                ST_Within(geometry, ST_MakeEnvelope(xmin, ymin, xmax, ymax)) AS i, properties IS NULL OR (properties ->> 'x') IS NULL AS j
         FROM items WHERE xmax - xmin < 5 ORDER BY id LIMIT 1",
    )[0];
    for name in ["a", "b", "c", "d", "g", "h", "i", "j"] {
        assert_eq!(row[name], true, "{name}: {row}");
    }
    assert!(row["e"].as_str().unwrap().starts_with(r#"{"type":"#), "{row}");
    assert_eq!(row["f"], 0.0);
}

#[test]
fn paths_are_the_files_in_which_every_item_of_a_place_is_found() {
    let warehouse = TOUR.warehouse();
    let place = place(&warehouse);
    let json = run(&warehouse, &["paths", "--geometry", &place, "--output", "json"]).ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    let files = json["files"].as_array().unwrap();
    let buckets: Vec<_> = files.iter().map(|f| (f["grid_partition"].clone(), f["year"].clone())).collect();
    let pruned = ["pruned_by_cell", "pruned_by_year", "pruned_by_bounds"].map(|name| json[name].as_u64().unwrap());
    assert_eq!(files.len() as u64 + pruned.iter().sum::<u64>(), json["of"].as_u64().unwrap());
    assert!(!files.is_empty() && files.len() < 100, "{json}");
    assert!(files.iter().all(|file| fs::exists(file["path"].as_str().unwrap()).unwrap()));

    let sql = format!(
        "SELECT id, array_agg(grid_partition) AS cells, array_agg(date_part('year', datetime)) AS years
         FROM item_cells WHERE ST_Intersects(geometry, ST_GeomFromText('{place}')) GROUP BY id"
    );
    let items = warehouse.rows(&sql);
    assert!(!items.is_empty(), "nothing intersects {place}");
    for item in items {
        let rows = item["cells"].as_array().unwrap().iter().zip(item["years"].as_array().unwrap());
        let found = rows.into_iter().any(|(cell, year)| buckets.contains(&(cell.clone(), year.clone())));
        assert!(found, "{item}");
    }
    // A file, a box, and years.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("place.wkt");
    fs::write(&file, &place).unwrap();
    let text = run(&warehouse, &["paths", "--geometry", file.to_str().unwrap()]).ok();
    assert_eq!(text.lines().count(), files.len());
    let none = run(&warehouse, &["paths", "--geometry", &place, "--start", "1900-01-01", "--end", "1900-12-31"]).ok();
    assert_eq!(none, "");
    let world = run(&warehouse, &["paths", "--geometry", "-180,-90,180,90"]).ok();
    assert!(world.lines().count() > files.len());
    let error = run(&warehouse, &["paths", "--geometry", "Paris"]).fails(2);
    assert!(error.contains("--geometry Paris: it is not WKT"), "{error}");
}

#[test]
fn info_says_what_sql_says_and_its_snippets_run() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let inventory = folder.path().join("items.ndjson");
    let item = |n: usize| {
        format!(
            r#"{{"type":"Feature","id":"i{n}","geometry":{{"type":"Point","coordinates":[{n},50]}},"properties":{{"datetime":"20{:02}-01-01T00:00:00Z"}}}}"#,
            n % 3
        )
    };
    fs::write(&inventory, (0..9).map(item).collect::<Vec<_>>().join("\n")).unwrap();
    warehouse.ingest(&inventory, &[]).ok();
    warehouse.ingest(&inventory, &[]).ok();
    let json: Value = serde_json::from_str(&run(&warehouse, &["info", "--output", "json"]).ok()).unwrap();
    assert_eq!(json["rows"], warehouse.value("SELECT count(*) FROM item_cells"));
    assert_eq!(json["files"], warehouse.value("SELECT count(*) FROM \"items$files\""));
    assert_eq!(json["buckets"], warehouse.value("SELECT count(*) FROM \"items$partitions\""));
    assert_eq!(json["snapshots"].as_array().unwrap().len(), 2);
    assert_eq!(json["years"], serde_json::json!([2000, 2002]));
    assert_eq!(json["worth_compacting"]["buckets"], json["buckets"]);
    let text = run(&warehouse, &["info"]).ok();
    assert!(text.contains("grid        H3, resolution 1") && text.contains("with 2 files"), "{text}");
    let snippet = |name: &str| json["snippets"][name].as_str().unwrap().to_owned();
    let printed = python::run("snippets.py", [snippet("duckdb"), snippet("pyiceberg")]);
    assert!(printed.contains("(18, 9)") && printed.contains("id: [["), "{printed}");
}

#[test]
fn the_snippets_of_info_run_wherever_the_warehouse_is() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = folder.path().join("items.ndjson");
    let item = r#"{"type":"Feature","id":"a","geometry":{"type":"Point","coordinates":[1,50]},"properties":{"datetime":"2020-01-01T00:00:00Z"}}"#;
    fs::write(&inventory, item).unwrap();
    for name in ["100% é", "it's", "[all]*"] {
        let here = folder.path().join(name);
        fs::create_dir(&here).unwrap();
        let warehouse = Warehouse::below(&here);
        warehouse.ingest(&inventory, &[]).ok();
        let json: Value = serde_json::from_str(&run(&warehouse, &["info", "--output", "json"]).ok()).unwrap();
        let snippet = |name: &str| json["snippets"][name].as_str().unwrap().to_owned();
        let printed = python::run("snippets.py", [snippet("duckdb"), snippet("pyiceberg")]);
        assert!(printed.contains("(1, 1)") && printed.contains("id: [["), "{name}: {printed}");
    }
}
