//! The page of `earthcatalog serve`, and the file of `earthcatalog map`.

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Warehouse, earthcatalog};
use crate::python;
use crate::server::Server;
use crate::service::{SERVED, Service};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";

/// Items near both poles and at the antimeridian, and some whose texts and addresses are not what a page would like.
struct Shown {
    folder: TempDir,
    warehouse: Warehouse,
    service: Service,
    /// Number of rows, as SQL counts them.
    rows: Value,
}

static SHOWN: LazyLock<Shown> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    fs::write(pictures.join("there.png"), PICTURE).unwrap();
    let at = Server::start(&pictures, Duration::ZERO).url;
    let (warehouse, items) = (Warehouse::below(folder.path()), folder.path().join("items.ndjson"));
    let lines: Vec<String> = items_at(&at).iter().map(Value::to_string).collect();
    fs::write(&items, lines.join("\n")).unwrap();
    warehouse.ingested(&items, &[]);
    let rows = warehouse.value("SELECT count(*) FROM item_cells");
    Shown { service: Service::over(&warehouse, &[]), warehouse, rows, folder }
});

/// A PNG of one pixel.
const PICTURE: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53, 0xde, 0x00, 0x00, 0x00, 0x0c, 0x49,
    0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xd0, 0x6f, 0x9b, 0x02, 0x00, 0x02, 0x31, 0x01, 0x4a, 0x02, 0xa3, 0xb0, 0x49,
    0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

fn items_at(pictures: &str) -> Vec<Value> {
    let item = |id: &str, collection: &str, geometry: Value, year: i32, assets: Value| {
        json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection, "geometry": geometry,
            "properties": {"datetime": format!("{year}-03-01T12:00:00Z"), "platform": "S1A"}, "links": [], "assets": assets})
    };
    let scene = |x: f64, y: f64| {
        let ring = json!([[x, y], [x + 3.0, y], [x + 3.0, y + 1.5], [x, y + 1.5], [x, y]]);
        json!({"type": "Polygon", "coordinates": [ring]})
    };
    let data = |name: &str| json!({"data": {"href": format!("{pictures}{name}.nc"), "roles": ["data"]}});
    let mut items: Vec<Value> = (0..12)
        .map(|i| {
            let (x, y) = (f64::from(i * 5), 62.0 + f64::from(i * 2));
            item(&format!("north-{i:02}"), "ice", scene(x, y), 2015 + i % 5, data("north"))
        })
        .chain((0..8).map(|i| {
            let (x, y) = (f64::from(i * 40) - 170.0, -72.0 - f64::from(i));
            item(&format!("south-{i}"), "ice", scene(x, y), 2018 + i % 3, data("south"))
        }))
        .collect();
    let pole = json!({"type": "Polygon", "coordinates": [[[-150, 86], [-30, 86], [90, 86], [-150, 86]]]});
    items.push(item("pole", "ice", pole, 2019, data("pole")));
    items.push(item("antimeridian", "ice", scene(178.5, 66.0), 2019, data("antimeridian")));
    let odd = json!({
        "data": {"href": "s3://bucket/scene.nc", "title": "<b>data</b>", "roles": ["data"]},
        "script": {"href": "javascript:window.alerted = true"},
        "thumbnail": {"href": format!("{pictures}there.png"), "type": "image/png", "roles": ["thumbnail"]},
        "overview": {"href": format!("{pictures}there.png"), "type": "image/png", "roles": ["overview"]},
    });
    items.push(item("<img src=x onerror='window.alerted = true'>", "odd", scene(20.0, 78.0), 2020, odd));
    let missing =
        json!({"thumbnail": {"href": format!("{pictures}missing.png"), "type": "image/png", "roles": ["thumbnail"]}});
    items.push(item(
        "a-picture-is-missing",
        "odd",
        json!({"type": "Point", "coordinates": [15.0, 79.0]}),
        2020,
        missing,
    ));
    items
}

/// Rows of an overview.
fn rows(overview: &Value) -> i64 {
    let cells = overview["cells"].as_array().unwrap().iter();
    cells.flat_map(|cell| cell["rows"].as_array().unwrap()).map(|rows| rows.as_i64().unwrap()).sum()
}

#[tokio::test]
async fn people_get_a_page_and_programs_get_the_catalog() {
    for accept in ["*/*", "application/json", "application/geo+json", "application/json, text/html;q=0.9"] {
        let answer = SERVED.service.get_with("/", &[("accept", accept)]).await;
        assert_eq!((answer.header("content-type"), &answer.json["type"]), ("application/json", &json!("Catalog")));
        assert!(answer.header("vary").contains("accept"), "{accept}");
    }
    let page = SERVED.service.get_with("/", &[("accept", BROWSER)]).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text().starts_with("<!doctype html>") && page.header("vary").contains("accept"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    // Every other path is as it was.
    let collections = SERVED.service.get_with("/collections", &[("accept", BROWSER)]).await;
    assert_eq!(collections.header("content-type"), "application/json");
}

#[tokio::test]
async fn the_page_and_its_files_have_tags_of_their_own() {
    let service = &SERVED.service;
    for path in ["/", "/site/page.js", "/site/maplibre-gl.js"] {
        let first = service.get_with(path, &[("accept", BROWSER)]).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{path}");
        let again = service.get_with(path, &[("accept", BROWSER), ("if-none-match", &tag)]).await;
        assert_eq!((again.status.as_u16(), again.bytes.len(), again.header("etag")), (304, 0, tag.as_str()), "{path}");
        // The tag of one is none of another.
        let json = service.get_with("/", &[("if-none-match", &tag)]).await;
        assert_eq!(json.status.as_u16(), 200);
    }
    assert_eq!(service.get("/site/page.html").await.fails(404, "NotFound"), "the page has no file page.html");
}

#[tokio::test]
async fn the_files_that_the_page_names_are_there_and_large_ones_are_compressed() {
    let service = &SERVED.service;
    let page = service.get_with("/", &[("accept", BROWSER)]).await.text();
    let named: Vec<_> = page.split("\"site/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(
        named.contains(&"page.js") && named.contains(&"style.css") && named.contains(&"maplibre-gl.js"),
        "{named:?}"
    );
    // All below the page, so that a proxy may have it below a path.
    for address in page.split("src=\"").chain(page.split("href=\"")).skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(!address.starts_with('/') && !address.contains("://"), "{address}");
    }
    for (name, media_type) in [
        ("page.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("land.json", "application/json"),
        ("maplibre-gl.js", "text/javascript; charset=utf-8"),
        ("maplibre-gl.css", "text/css; charset=utf-8"),
    ] {
        let path = format!("/site/{name}");
        let plain = service.get(&path).await;
        assert_eq!((plain.header("content-type"), plain.header("content-encoding")), (media_type, ""), "{name}");
        assert_eq!(plain.header("x-content-type-options"), "nosniff");
        let compressed = service.get_with(&path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(compressed.header("content-encoding"), "gzip", "{name}");
        assert!(compressed.bytes.len() < plain.bytes.len() && !plain.bytes.starts_with(&[0x1f, 0x8b]), "{name}");
    }
}

#[tokio::test]
async fn the_overview_has_the_rows_that_sql_counts_by_cell_and_year() {
    let overview = SHOWN.service.get("/overview").await.ok();
    assert_eq!((&overview["rows"], &overview["title"]), (&SHOWN.rows, &json!("earthcatalog")));
    assert_eq!(json!(rows(&overview)), SHOWN.rows);
    let sql = "SELECT grid_partition AS cell, count(*) AS n FROM item_cells WHERE date_part('year', datetime) = 2019 \
               GROUP BY 1 ORDER BY 1";
    let year = overview["years"].as_array().unwrap().iter().position(|year| *year == json!(2019)).unwrap();
    let cells = overview["cells"].as_array().unwrap().iter();
    let told = cells.filter(|cell| cell["rows"][year] != json!(0));
    let told: Vec<Value> = told.map(|cell| json!({"cell": cell["cell"], "n": cell["rows"][year]})).collect();
    assert_eq!(told, SHOWN.warehouse.rows(sql));
    let ids = overview["collections"].as_array().unwrap().iter().map(|collection| collection["id"].clone());
    assert!(ids.into_iter().all(|id| id == "ice" || id == "odd"));
    for cell in overview["cells"].as_array().unwrap() {
        let text = cell["geometry"].to_string();
        assert!(text.contains("Polygon"), "{text}");
    }
}

#[tokio::test]
async fn items_by_cell_are_those_of_sql() {
    let service = &SHOWN.service;
    let name = "geometry_geohex_grid_frequency";
    for (precision, given) in [(1, String::new()), (0, format!("&{name}_precision=0"))] {
        let sql = format!(
            "SELECT cell AS key, 'string' AS data_type, count(*) AS frequency FROM \
             (SELECT unnest(h3_cells(geometry, {precision})) AS cell FROM items WHERE date_part('year', datetime) = 2019) \
             GROUP BY cell ORDER BY cell"
        );
        let time = "2019-01-01T00:00:00Z/2019-12-31T23:59:59Z";
        let answer = service.get(&format!("/aggregate?aggregations={name}&datetime={time}{given}")).await.ok();
        assert_eq!(answer["aggregations"][0]["buckets"], Value::from(SHOWN.warehouse.rows(&sql)));
        assert_eq!(answer["aggregations"][0]["overflow"], 0);
    }
    // Where each Item has one version, its rows are what is counted.
    let all = service.get(&format!("/aggregate?aggregations={name}")).await.ok();
    let overview = service.get("/overview").await.ok();
    let counted =
        all["aggregations"][0]["buckets"].as_array().unwrap().iter().map(|bucket| bucket["frequency"].as_i64());
    assert_eq!(counted.sum::<Option<i64>>(), Some(rows(&overview)));
    for precision in ["2", "16", "-1", "x"] {
        let answer = service.get(&format!("/aggregate?aggregations={name}&{name}_precision={precision}")).await;
        let description = answer.fails(400, "InvalidParameterValue");
        assert!(description.contains("is not a resolution of H3 from 0 to 1"), "{description}");
    }
}

#[test]
fn map_writes_one_file_that_has_all_and_asks_nobody() {
    let flags = SHOWN.warehouse.flags();
    let arguments = |out: &str| {
        let own = ["map", "--title", "Ice </script> in motion", "--out", out].map(std::ffi::OsString::from);
        own.into_iter().chain(flags.iter().map(Into::into)).collect::<Vec<_>>()
    };
    let text = earthcatalog(arguments("-")).ok();
    let file = SHOWN.folder.path().join("map.html");
    assert_eq!(earthcatalog(arguments(file.to_str().unwrap())).ok(), "");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let data = text.split_once("<script id=\"overview-data\" type=\"application/json\">").unwrap().1;
    let overview: Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    assert_eq!((&overview["title"], &overview["rows"]), (&json!("Ice </script> in motion"), &SHOWN.rows));
    assert!(
        text.contains("default-src 'none'") && !text.contains(" src=\"") && !text.contains("<link rel=\"stylesheet\"")
    );
    // Namespaces of SVG and XHTML, and where MapLibre and its parts are from.
    let known = [
        "http://www.w3.org/",
        "https://maplibre.org/",
        "https://maplibre.invalid/",
        "https://github.com/map",
        "https://github.com/d3/",
    ];
    for (at, _) in text.match_indices("http://").chain(text.match_indices("https://")) {
        let address: String = text[at..].chars().take(60).collect();
        assert!(known.iter().any(|known| address.starts_with(known)), "{address}");
    }
}

/// Each cell, where it is, and each year.
#[test]
fn map_prints_a_map_of_letters_and_draws_one() {
    let flags = SHOWN.warehouse.flags();
    let map = |own: &[&str]| {
        let own = [&["map"], own].concat().into_iter().map(std::ffi::OsString::from).collect::<Vec<_>>();
        earthcatalog(own.into_iter().chain(flags.iter().map(Into::into)))
    };
    let printed = map(&[]).ok();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines.len() == 28 && lines.iter().all(|line| line.chars().count() <= 100), "{printed}");
    let info = &SHOWN.warehouse.rows("SELECT count(DISTINCT grid_partition) AS cells, min(ST_X(ST_Centroid(geometry))) AS west, min(date_part('year', datetime)) AS first FROM item_cells WHERE grid_partition <> '__none__'")[0];
    let of = |name: &str| info[name].as_f64().unwrap();
    let shown = |line: &&str| line.chars().any(|letter| "░▒▓█".contains(letter));
    let map_lines = &lines[..25];
    assert!(map_lines.iter().any(shown) && map_lines.iter().any(|line| line.contains('⠉')), "{printed}");
    // No cell lies west or east of all Items by more than a cell's width, which is 25 degrees, less near the poles.
    let columns = map_lines.iter().filter(|line| !line.is_empty()).flat_map(|line| {
        line.chars().enumerate().filter(|(_, letter)| "░▒▓█".contains(*letter)).map(|(i, _)| i as f64 * 3.6 - 180.0)
    });
    let columns: Vec<f64> = columns.collect();
    assert!(columns.iter().any(|west| (west - of("west")).abs() < 30.0), "{printed}\n{info}");
    assert!(lines[25].contains(&format!(" in {} cells", of("cells"))), "{printed}");
    assert!(lines[27].contains(&of("first").to_string()), "{printed}");

    let file = SHOWN.folder.path().join("map.svg");
    assert_eq!(map(&["--title", "Ice & snow", "--out", file.to_str().unwrap()]).ok(), "");
    let drawn = fs::read_to_string(&file).unwrap();
    assert!(drawn.starts_with("<svg ") && drawn.contains("Ice &amp; snow"));
    let (cells, years) = (drawn.matches("</title></path>").count(), drawn.matches("</title></rect>").count());
    assert_eq!(cells as f64, of("cells"));
    assert!(years > 0 && drawn.matches('<').count() == drawn.matches('>').count());
    assert!(map(&["--out", "map.png"]).fails(2).contains("a page (.html) or a drawing (.svg)"));
}

#[test]
fn map_names_what_is_wrong() {
    let flags = SHOWN.warehouse.flags();
    let to = |out: &str| {
        let own = ["map", "--out", out].map(std::ffi::OsString::from);
        earthcatalog(own.into_iter().chain(flags.iter().map(Into::into)))
    };
    assert!(to("no/such/folder/map.html").fails(2).contains("no/such/folder does not exist; make it"));
    assert!(earthcatalog(["map", "--out", "-", "--catalog", "no.db", "--warehouse", "."]).fails(1).contains("no.db"));
}

#[test]
#[cfg_attr(not(chromium), ignore = "Chromium is not here (Debian, Ubuntu: apt-get install chromium)")]
fn the_page_and_the_file_work_in_a_browser() {
    let file = SHOWN.folder.path().join("browser.html");
    let out = file.to_str().unwrap();
    let own = ["map", "--out", out].map(std::ffi::OsString::from);
    earthcatalog(own.into_iter().chain(SHOWN.warehouse.flags().iter().map(Into::into))).ok();
    let shots = std::env::var("EARTHCATALOG_SCREENSHOTS").ok();
    python::run("site.py", [Some(SHOWN.service.url.clone()), Some(out.to_owned()), shots].into_iter().flatten());
}
