//! `earthcatalog serve` as a process, and requests to it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::LazyLock;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, Warehouse, command, earthcatalog};

/// The one collection of [`SERVED`].
pub const COLLECTION: &str = "pairs";

/// Items in a few files, and a service over them.
pub struct Served {
    _folder: TempDir,
    pub warehouse: Warehouse,
    pub service: Service,
}

pub static SERVED: LazyLock<Served> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, items) = (Warehouse::below(folder.path()), folder.path().join("items.ndjson"));
    let lines: Vec<String> = (0..60).map(|i| item(i).to_string()).collect();
    fs::write(&items, lines.join("\n")).unwrap();
    warehouse.ingested(&items, &[]);
    Served { service: Service::over(&warehouse, &[]), warehouse, _folder: folder }
});

fn item(i: usize) -> Value {
    let (x, y) = (12 + i % 8 * 2, 77 + i % 3);
    let ring = json!([[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1], [x, y]]);
    let datetime = format!("20{}-{:02}-{:02}T00:00:00Z", 19 + i % 2, 1 + i % 12, 1 + i % 28);
    let platform = ["S1A", "S2B", "LC08"][i % 3];
    let mut properties = json!({"datetime": datetime, "created": "2021-01-01T00:00:00Z", "gsd": i % 4 * 10,
        "platform": platform, "percent_valid_pixels": i * 7 % 100});
    if i.is_multiple_of(5) {
        properties.as_object_mut().unwrap().remove("gsd");
    }
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": format!("i{i:02}"), "collection": COLLECTION,
        "geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": [x, y, x + 1, y + 1],
        "properties": properties,
        "links": [{"rel": "self", "href": "https://example.com/i.json"}, {"rel": "via", "href": "https://example.com/"}],
        "assets": {"data": {"href": format!("https://example.com/{i}.nc"), "roles": ["data"]}},
    })
}

impl Served {
    /// The command, over the same warehouse.
    pub fn command(&self, arguments: &[&str]) -> Ran {
        earthcatalog(arguments.iter().map(OsStr::new).chain(self.warehouse.flags()))
    }

    /// The ids that the command `search` finds, in its order.
    pub fn found(&self, flags: &[&str]) -> Vec<String> {
        let lines = self.command(&[&["search"], flags].concat()).ok();
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        lines.lines().map(id).collect()
    }
}

/// A service, which ends with the test process at the latest.
pub struct Service {
    child: Child,
    /// With a slash at its end.
    pub url: String,
}

impl Service {
    pub fn over(warehouse: &Warehouse, flags: &[&str]) -> Self {
        Self::start(warehouse, flags, Stdio::null())
    }

    /// Its log goes to `log`.
    pub fn start(warehouse: &Warehouse, flags: &[&str], log: impl Into<Stdio>) -> Self {
        let mut command = command();
        command.args(["serve", "--bind", "127.0.0.1:0", "--exit-with-parent"]).args(flags).args(warehouse.flags());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Self { child, url: url.trim().to_owned() }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// An address below the service.
    pub fn at(&self, path: &str) -> String {
        format!("{}{}", self.url, path.trim_start_matches('/'))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(Client::new().get(self.at(path)).send().await.unwrap()).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = headers
            .iter()
            .fold(Client::new().get(self.at(path)), |request, (name, value)| request.header(*name, *value));
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub async fn send(&self, method: Method, path: &str, body: String) -> Answer {
        Answer::of(Client::new().request(method, self.at(path)).body(body).send().await.unwrap()).await
    }

    /// The document that a link leads to.
    pub async fn follow(&self, link: &Value) -> Answer {
        let href = link["href"].as_str().unwrap();
        let request = match link["method"].as_str() {
            Some("POST") => Client::new().post(href).body(link["body"].to_string()),
            _ => Client::new().get(href),
        };
        Answer::of(request.send().await.unwrap()).await
    }

    /// The Items of all pages, and the pages.
    pub async fn pages(&self, mut page: Answer) -> Vec<Value> {
        let mut pages = vec![];
        loop {
            let next = page.link("next").cloned();
            pages.push(page.ok());
            let Some(next) = next else { return pages };
            page = self.follow(&next).await;
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub bytes: Vec<u8>,
    /// `null` if it is not JSON.
    pub json: Value,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { status, headers, bytes, json }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The JSON of an answer that must be one.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.json
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The description of an error with this status and code.
    pub fn fails(&self, status: u16, code: &str) -> &str {
        assert_eq!((self.status.as_u16(), self.json["code"].as_str()), (status, Some(code)), "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        self.json["description"].as_str().unwrap()
    }

    pub fn link(&self, rel: &str) -> Option<&Value> {
        link(&self.json, rel)
    }

    pub fn ids(&self) -> Vec<String> {
        ids(&self.json)
    }
}

/// The first link of a document with this relation.
pub fn link<'a>(document: &'a Value, rel: &str) -> Option<&'a Value> {
    document["links"].as_array().into_iter().flatten().find(|link| link["rel"] == rel)
}

/// The ids of the Items of a page.
pub fn ids(page: &Value) -> Vec<String> {
    page["features"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}
