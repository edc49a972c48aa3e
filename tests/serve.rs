//! `earthcatalog serve`: its documents, what goes wrong, and how it is run.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{COLLECTION, SERVED, Service, ids, link};

#[tokio::test]
async fn the_landing_page_leads_to_all_that_there_is() {
    let landing = SERVED.service.get("/").await;
    assert_eq!(landing.header("content-type"), "application/json");
    let root = SERVED.service.url.as_str();
    let conformance = SERVED.service.get("/conformance").await.ok();
    assert_eq!(landing.json["conformsTo"], conformance["conformsTo"]);
    assert_eq!((&landing.json["type"], &landing.json["stac_version"]), (&json!("Catalog"), &json!("1.0.0")));
    for (rel, href, media_type) in [
        ("self", "", "application/json"),
        ("root", "", "application/json"),
        ("service-desc", "api", "application/vnd.oai.openapi+json;version=3.0"),
        ("conformance", "conformance", "application/json"),
        ("data", "collections", "application/json"),
        ("search", "search", "application/geo+json"),
        ("child", "collections/pairs", "application/json"),
        ("http://www.opengis.net/def/rel/ogc/1.0/queryables", "queryables", "application/schema+json"),
        ("http://www.opengis.net/def/rel/ogc/1.0/sortables", "sortables", "application/schema+json"),
    ] {
        let link = landing.link(rel).unwrap_or_else(|| panic!("{rel}: {}", landing.json));
        assert_eq!((&link["href"], &link["type"]), (&json!(format!("{root}{href}")), &json!(media_type)), "{rel}");
        let answer = SERVED.service.follow(link).await;
        assert_eq!(answer.header("content-type"), media_type, "{rel}");
        answer.ok();
    }
    let page = landing.link("service-doc").unwrap();
    assert_eq!((&page["href"], &page["type"]), (&json!(root), &json!("text/html")));
    let html = SERVED.service.get_with("/", &[("accept", page["type"].as_str().unwrap())]).await;
    assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
    let api = SERVED.service.get("/api").await.ok();
    assert_eq!((&api["openapi"], &api["servers"][0]["url"]), (&json!("3.0.3"), &json!(root.trim_end_matches('/'))));
}

#[tokio::test]
async fn collections_are_those_of_the_items() {
    let items = SERVED.warehouse.value("SELECT count(*) FROM items");
    let collections = SERVED.service.get("/collections").await.ok();
    let [collection] = &collections["collections"].as_array().unwrap()[..] else { panic!("{collections}") };
    assert_eq!(*collection, SERVED.service.get("/collections/pairs").await.ok());
    assert_eq!((&collection["id"], &collection["license"]), (&json!(COLLECTION), &json!("various")));
    assert_eq!(collection["stats:items"], json!({"count": items}));
    let sql = "SELECT min(xmin) AS w, min(ymin) AS s, max(xmax) AS e, max(ymax) AS n FROM item_cells";
    let bounds = &SERVED.warehouse.rows(sql)[0];
    let bbox = collection["extent"]["spatial"]["bbox"][0].as_array().unwrap();
    let expected = ["w", "s", "e", "n"].map(|side| bounds[side].as_f64());
    assert_eq!(bbox.iter().map(Value::as_f64).collect::<Vec<_>>(), expected);
    for rel in ["self", "root", "parent", "items"] {
        SERVED.service.follow(link(collection, rel).unwrap()).await.ok();
    }
    for name in ["queryables", "sortables"] {
        let schema = SERVED.service.get(&format!("/collections/{COLLECTION}/{name}")).await.ok();
        assert_eq!(schema["$id"], json!(SERVED.service.at(&format!("collections/{COLLECTION}/{name}"))));
        assert_eq!(schema["properties"]["percent_valid_pixels"], json!({"type": "integer"}));
        assert_eq!(schema["properties"]["proj:code"], json!({"type": "string"}));
    }
    let missing = SERVED.service.get("/collections/nothing").await;
    assert_eq!(missing.fails(404, "NotFound"), "there is no collection nothing");
    for name in ["items", "queryables", "sortables"] {
        SERVED.service.get(&format!("/collections/nothing/{name}")).await.fails(404, "NotFound");
    }
}

#[tokio::test]
async fn an_item_is_what_was_ingested_with_the_links_of_the_service() {
    let page = SERVED.service.get("/collections/pairs/items?limit=4").await;
    assert_eq!(page.header("content-type"), "application/geo+json");
    for rel in ["root", "self", "collection", "parent", "next"] {
        SERVED.service.follow(page.link(rel).unwrap_or_else(|| panic!("{rel}"))).await.ok();
    }
    for item in page.json["features"].as_array().unwrap() {
        let id = item["id"].as_str().unwrap();
        let at = format!("collections/{COLLECTION}/items/{id}");
        let answer = SERVED.service.get(&at).await;
        assert_eq!(answer.header("content-type"), "application/geo+json");
        assert_eq!(answer.json, *item);
        let stored: Value = serde_json::from_str(&SERVED.command(&["search", "--ids", id]).ok()).unwrap();
        let without_links = |item: &Value| {
            let mut item = item.as_object().unwrap().clone();
            item.remove("links");
            item
        };
        assert_eq!(without_links(item), without_links(&stored));
        let below = SERVED.service.at(&format!("collections/{COLLECTION}"));
        for (rel, href) in [
            ("root", &SERVED.service.url),
            ("self", &SERVED.service.at(&at)),
            ("parent", &below),
            ("collection", &below),
        ] {
            let links = item["links"].as_array().unwrap();
            let found: Vec<_> = links.iter().filter(|link| link["rel"] == rel).collect();
            assert!(found.len() == 1 && found[0]["href"] == **href, "{rel}: {}", item["links"]);
        }
    }
    let missing = SERVED.service.get("/collections/pairs/items/nothing").await;
    assert_eq!(missing.fails(404, "NotFound"), "there is no Item nothing in collection pairs");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    for (query, words) in [
        ("limit=0", "limit: \"0\" is not a whole number"),
        ("limit=-1", "limit: "),
        ("bbox=1,2,3", "bbox: \"1,2,3\" is not a box"),
        ("bbox=0,10,1,5", "bbox: "),
        ("datetime=yesterday", "datetime: \"yesterday\" is not a time"),
        ("filter=platform%20<", "filter: a property, a value or a function was expected"),
        ("filter=S_INTERSECTS(geometry,1)", "filter: "),
        ("filter=a=1&filter-lang=sql", "filter-lang: \"sql\" is unknown"),
        ("filter-lang=sql", "filter-lang: \"sql\" is unknown"),
        ("filter-crs=EPSG:3857", "filter-crs: "),
        ("query=%5B%5D", "query: [] is not an object"),
        ("sortby=,", "sortby: a property has no name"),
        ("intersects=%7B%22type%22:%22Circle%22%7D", "intersects: "),
        ("token=x", "token: it is none of this service"),
    ] {
        let answer = SERVED.service.get(&format!("/search?{query}")).await;
        let description = answer.fails(400, "InvalidParameterValue");
        assert!(description.starts_with(words), "{query}: {description}");
    }
    let unknown = SERVED.service.get("/search?box=1").await;
    assert!(unknown.fails(400, "UnknownParameter").starts_with("box: there is no such parameter"));
    SERVED.service.get(&format!("/collections/{COLLECTION}/items?box=1")).await.fails(400, "UnknownParameter");
    for body in ["[]", "{", "7", "{\"a\": 1} {}"] {
        SERVED.service.send(Method::POST, "/search", body.to_owned()).await.fails(400, "InvalidBody");
    }
    let deep = format!("{{\"filter\": {}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    SERVED.service.send(Method::POST, "/search", deep).await.fails(400, "InvalidBody");
    SERVED.service.get("/nothing").await.fails(404, "NotFound");
    for (method, path) in [(Method::DELETE, "/search"), (Method::POST, "/collections"), (Method::PUT, "/")] {
        SERVED.service.send(method, path, String::new()).await.fails(405, "MethodNotAllowed");
    }
}

/// A client that sends all of it before it listens, as most do.
#[test]
fn a_body_that_is_too_large_is_answered() {
    let body = vec![b' '; 30 << 20];
    let lengths = [format!("Content-Length: {}", body.len()), "Transfer-Encoding: chunked".to_owned()];
    for (length, before, after) in
        [(&lengths[0], String::new(), ""), (&lengths[1], format!("{:x}\r\n", body.len()), "\r\n0\r\n\r\n")]
    {
        let address = SERVED.service.at("").replace("http://", "");
        let mut stream = TcpStream::connect(address.trim_end_matches('/')).unwrap();
        write!(stream, "POST /search HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}\r\n\r\n{before}").unwrap();
        stream.write_all(&body).unwrap();
        write!(stream, "{after}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("BodyTooLarge"), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_a_client_has_is_not_sent_again() {
    for path in ["/", "/collections", "/search?limit=2", "/queryables"] {
        let first = SERVED.service.get(path).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        let again = SERVED.service.get_with(path, &[("if-none-match", &format!("\"x\", {tag}"))]).await;
        assert_eq!((again.status.as_u16(), again.bytes.len(), again.header("etag")), (304, 0, tag.as_str()));
        assert_eq!(SERVED.service.get_with(path, &[("if-none-match", "\"x\"")]).await.status.as_u16(), 200);
    }
    let tag = |path: &'static str| async move { SERVED.service.get(path).await.header("etag").to_owned() };
    assert_ne!(tag("/search?limit=2").await, tag("/search?limit=3").await);
    assert_eq!(SERVED.service.get("/search?limit=0").await.header("etag"), "");
}

#[tokio::test]
async fn answers_are_compressed_and_pages_of_other_origins_may_ask() {
    for (accepted, encoding) in [("gzip", "gzip"), ("gzip, zstd", "zstd"), ("*", ""), ("br", "")] {
        let answer = SERVED.service.get_with("/search?limit=20", &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.header("content-encoding"), encoding, "{accepted}");
        assert!(answer.header("vary").contains("accept"));
    }
    let answer = SERVED.service.get_with("/", &[("origin", "https://example.com")]).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let head = SERVED.service.send(Method::HEAD, "/search", String::new()).await;
    assert_eq!((head.status.as_u16(), head.header("content-type"), head.bytes.len()), (200, "application/geo+json", 0));
}

#[tokio::test]
async fn the_address_of_a_proxy_is_that_of_all_links_and_the_title_is_that_of_the_service() {
    let flags = ["--url", "https://example.com/stac/", "--title", "Ice in motion"];
    let service = Service::over(&SERVED.warehouse, &flags);
    let landing = service.get("/").await.ok();
    assert_eq!(landing["title"], "Ice in motion");
    assert_eq!(SERVED.service.get("/").await.ok()["title"], "earthcatalog");
    assert_eq!(link(&landing, "data").unwrap()["href"], "https://example.com/stac/collections");
    let page = service.get("/search?limit=1").await.ok();
    assert!(
        link(&page, "next").unwrap()["href"]
            .as_str()
            .unwrap()
            .starts_with("https://example.com/stac/search?limit=1&token=")
    );
    // Without it, the host that the client names.
    let landing = SERVED.service.get_with("/", &[("host", "stac.example.com")]).await.ok();
    assert_eq!(link(&landing, "data").unwrap()["href"], "http://stac.example.com/collections");
}

#[tokio::test]
async fn requests_are_logged_and_counted_and_a_signal_ends_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let service = Service::start(&SERVED.warehouse, &[], File::create(&log).unwrap());
    assert_eq!(service.get("/healthz").await.text(), "ok\n");
    service.get("/search?limit=1").await.ok();
    service.get("/search?limit=x").await.fails(400, "InvalidParameterValue");
    let metrics = service.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    for line in [
        "earthcatalog_http_requests_total{method=\"GET\",route=\"/search\",status=\"200\"} 1",
        "earthcatalog_http_requests_total{method=\"GET\",route=\"/search\",status=\"400\"} 1",
        "earthcatalog_http_request_duration_seconds_count{route=\"/search\"} 2",
        "earthcatalog_http_requests_in_flight 1",
    ] {
        assert!(metrics.text().contains(line), "{line}\n{}", metrics.text());
    }
    Command::new("kill").arg(service.id().to_string()).status().unwrap();
    assert_eq!(service.ended(), Some(0));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains(" GET /search?limit=1 200 ") && log.contains(" GET /search?limit=x 400 "), "{log}");
}

#[tokio::test]
async fn no_more_questions_are_answered_at_once_than_may_be() {
    let service = Service::over(&SERVED.warehouse, &["--concurrency", "1"]);
    let asked = (0..20).map(|_| service.get("/search?limit=1"));
    let mut answered = 0;
    for answer in futures::future::join_all(asked).await {
        match answer.status.as_u16() {
            200 => answered += ids(&answer.ok()).len(),
            // On a slow machine, the last ones do not come to their turn.
            _ => assert_eq!((answer.fails(503, "Busy").is_empty(), answer.header("retry-after")), (false, "5")),
        }
    }
    assert!(answered > 0);
}

/// Of a question that a client does not ask to its end: however fast the machine is, there is no answer to it.
#[test]
fn what_takes_too_long_is_ended() {
    let service = Service::over(&SERVED.warehouse, &["--timeout", "200ms"]);
    let mut client = TcpStream::connect(service.url.trim_start_matches("http://").trim_end_matches('/')).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = "POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 12";
    write!(client, "{request}\r\nConnection: close\r\n\r\n{{").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert!(answer.contains("\"code\":\"Timeout\"") && answer.contains("no answer within 0.2 s"), "{answer}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let address = SERVED.service.url.trim_start_matches("http://").trim_end_matches('/');
    let error = SERVED.command(&["serve", "--bind", address]).fails(1);
    assert!(error.contains(&format!("--bind {address}: ")), "{error}");
}
