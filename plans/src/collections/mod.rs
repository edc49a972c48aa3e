//! The collections of a warehouse: what its Items say of them, and the documents that people gave for them.
//!
//! - [`Collection`]: one of them; [`collections()`] finds those of a table.
//! - [`summaries()`]: which values the properties of its Items have.
//! - `bounds`: extents from what manifests record of files, which reads no file.
//! - `rows`: extents from the rows, where that does not tell.

mod bounds;
mod rows;
mod summaries;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use serde_json::{Map, Value, json};

pub(crate) use self::bounds::File;
use crate::query::ItemsTable;
use crate::table::{CollectionDocument, TableState};

pub use summaries::summaries;

/// A collection: Items that name it, a document that somebody gave for it, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    pub id: String,
    /// That of the Items.
    pub extent: Extent,
    /// `None` where there are too many to count.
    pub items: Option<u64>,
    /// As somebody gave it.
    pub given: Option<CollectionDocument>,
}

/// Where and when Items are. Older versions of an Item count, too, as long as they are in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Extent {
    /// West, south, east and north, in degrees; `None` where no Item has a place.
    pub bbox: Option<[f64; 4]>,
    /// The earliest `datetime` or `start_datetime`, and the latest `datetime` or `end_datetime`, in microseconds since 1970
    /// UTC.
    pub interval: [Option<i64>; 2],
}

/// The collections of a table in a state of it, by id. Items without a collection are in none.
pub async fn collections(session: &SessionContext, table: &ItemsTable, state: &TableState) -> Result<Vec<Collection>> {
    let extents = match bounds::extents(session, table).await? {
        Some(extents) => extents,
        None => rows::extents(session, table).await?,
    };
    let counts = rows::counts(session, table).await?;
    let items = |id: &str| counts.as_ref().map(|counts| counts.get(id).copied().unwrap_or_default());
    let found = |id: String, extent| (id.clone(), Collection { items: items(&id), id, extent, given: None });
    let mut all: BTreeMap<_, _> = extents.into_iter().map(|(id, extent)| found(id, extent)).collect();
    for document in CollectionDocument::all(&state.metadata) {
        let id = document.id().to_owned();
        let empty = || Collection { id: id.clone(), extent: Extent::default(), items: Some(0), given: None };
        all.entry(id.clone()).or_insert_with(empty).given = Some(document);
    }
    Ok(all.into_values().collect())
}

impl Extent {
    /// The interval in RFC 3339.
    pub fn times(&self) -> [Option<String>; 2] {
        self.interval.map(|micros| {
            let time: Option<DateTime<Utc>> = micros.and_then(DateTime::from_timestamp_micros);
            time.map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        })
    }

    pub(crate) fn include(&mut self, other: &Self) {
        let both = |a: Option<i64>, b: Option<i64>, pick: fn(i64, i64) -> i64| match (a, b) {
            (Some(a), Some(b)) => Some(pick(a, b)),
            (a, b) => a.or(b),
        };
        self.bbox = match (self.bbox, other.bbox) {
            (Some([w, s, e, n]), Some([west, south, east, north])) => {
                Some([w.min(west), s.min(south), e.max(east), n.max(north)])
            }
            (a, b) => a.or(b),
        };
        self.interval =
            [both(self.interval[0], other.interval[0], i64::min), both(self.interval[1], other.interval[1], i64::max)];
    }
}

/// The extension that has a place for the number of Items.
const STATS: &str = "https://stac-extensions.github.io/stats/v0.2.0/schema.json";

impl Collection {
    /// A STAC Collection without links to what is around it: the document that was given, and what that lacks of a
    /// Collection. Where none was given, nothing is known of the licence, nor is there a description.
    pub fn document(&self) -> Map<String, Value> {
        let given = self.given.as_ref().map(|given| given.members().clone());
        let is_given = given.is_some();
        let mut document = whole(&self.id, given.unwrap_or_default(), self.extent);
        if !is_given {
            self.count(&mut document);
        }
        document
    }

    /// How people call it.
    pub fn title(&self) -> &str {
        let title = self.given.as_ref().and_then(|given| given.members().get("title")?.as_str());
        title.unwrap_or(&self.id)
    }

    /// The same with what the Items say in place of what was given: extent, number of Items, and `summaries`, of which
    /// those of other properties stay.
    pub fn completed(&self, summaries: Map<String, Value>) -> Map<String, Value> {
        let mut document = self.document();
        document.insert("extent".into(), self.extent.to_json());
        self.count(&mut document);
        if !summaries.is_empty() {
            match document.entry("summaries").or_insert_with(|| json!({})) {
                Value::Object(given) => given.extend(summaries),
                other => *other = summaries.into(),
            }
        }
        document
    }

    fn count(&self, document: &mut Map<String, Value>) {
        let Some(items) = self.items else { return };
        extend(document, STATS);
        document.insert("stats:items".into(), json!({"count": items}));
    }
}

/// A document that was given, with what it lacks of a Collection.
pub fn whole(id: &str, mut document: Map<String, Value>, extent: Extent) -> Map<String, Value> {
    for (member, value) in [
        ("type", "Collection".into()),
        ("stac_version", "1.0.0".into()),
        ("id", id.into()),
        ("description", format!("The Items of collection {id}").into()),
        ("license", "various".into()),
        ("extent", extent.to_json()),
    ] {
        document.entry(member).or_insert(value);
    }
    document
}

/// Notes that a document uses an extension.
pub fn extend(document: &mut Map<String, Value>, extension: &str) {
    let extensions = document.entry("stac_extensions").or_insert_with(|| json!([]));
    if let Value::Array(extensions) = extensions
        && !extensions.contains(&json!(extension))
    {
        extensions.push(extension.into());
    }
}

impl Extent {
    /// As a Collection has it; the world, where no Item has a place.
    fn to_json(self) -> Value {
        let world = [-180.0, -90.0, 180.0, 90.0];
        json!({
            "spatial": {"bbox": [self.bbox.unwrap_or(world)]},
            "temporal": {"interval": [self.times()]},
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::session::testing::Table;
    use crate::table::Warehouse;
    use crate::table::collection_documents::DocumentChange;

    fn item(id: &str, collection: Value, at: [f64; 2], properties: Value) -> Value {
        let geometry = json!({"type": "Point", "coordinates": at});
        json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection, "geometry": geometry,
            "properties": properties, "links": [], "assets": {}})
    }

    async fn all(session: &SessionContext, items: &ItemsTable) -> Vec<Collection> {
        collections(session, items, &items.warehouse().load().await.unwrap()).await.unwrap()
    }

    async fn both(table: &Table) -> [std::collections::BTreeMap<String, Extent>; 2] {
        let session = table.reading().await;
        let items = ItemsTable::new(Warehouse::open(&table.catalog()).await.unwrap());
        let from_rows = rows::extents(&session, &items).await.unwrap();
        let from_bounds = bounds::extents(&session, &items).await.unwrap();
        [from_bounds.unwrap_or_default(), from_rows]
    }

    #[tokio::test]
    async fn bounds_of_files_say_what_the_rows_say_if_each_file_is_of_one_collection() {
        let mut table = Table::new("platform VARCHAR").await;
        let time = |day: u32| json!({"datetime": format!("2020-01-{day:02}T00:00:00Z")});
        let interval = json!({"datetime": null, "start_datetime": "2019-05-01T00:00:00Z",
            "end_datetime": "2019-06-01T00:00:00Z"});
        table
            .ingest(&[
                item("a", json!("one"), [10.0, 20.0], time(1)),
                item("b", json!("one"), [-100.0, 50.0], time(3)),
                item("c", json!("one"), [10.5, 20.5], interval),
            ])
            .await;
        table.ingest(&[item("d", json!("two"), [10.0, -20.5], time(2))]).await;

        let [bounds, rows] = both(&table).await;
        assert_eq!(bounds, rows);
        let micros = |time: &str| Some(time.parse::<DateTime<Utc>>().unwrap().timestamp_micros());
        let interval = [micros("2019-05-01T00:00:00Z"), micros("2020-01-03T00:00:00Z")];
        assert_eq!(rows["one"], Extent { bbox: Some([-100.0, 20.0, 10.5, 50.0]), interval });

        let session = table.reading().await;
        let items = ItemsTable::new(Warehouse::open(&table.catalog()).await.unwrap());
        let change = DocumentChange {
            add: vec![json!({"type": "Collection", "id": "three", "license": "CC0-1.0"}).try_into().unwrap()],
            remove: vec![],
        };
        change.commit(items.warehouse()).await.unwrap();
        let all = all(&session, &items).await;
        let found: Vec<_> = all.iter().map(|c| (c.id.as_str(), c.items)).collect();
        assert_eq!(found, [("one", Some(3)), ("three", Some(0)), ("two", Some(1))]);
        assert_eq!(
            Value::from(all[2].document()),
            json!({"type": "Collection", "stac_version": "1.0.0", "stac_extensions": [STATS],
                "stats:items": {"count": 1}, "id": "two", "description": "The Items of collection two",
                "license": "various", "extent": {"spatial": {"bbox": [[10.0, -20.5, 10.0, -20.5]]},
                "temporal": {"interval": [["2020-01-02T00:00:00Z", "2020-01-02T00:00:00Z"]]}}})
        );
        assert_eq!(
            Value::from(all[1].document()),
            json!({"type": "Collection", "id": "three", "license": "CC0-1.0", "stac_version": "1.0.0",
                "description": "The Items of collection three",
                "extent": {"spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]}, "temporal": {"interval": [[null, null]]}}})
        );
    }

    #[tokio::test]
    async fn a_document_is_completed_from_the_items_when_that_is_asked_for() {
        let mut table = Table::new(r#"platform VARCHAR, "eo:cloud_cover" INT, gsd DOUBLE"#).await;
        let properties = |platform: &str, cloud: u32| {
            json!({"datetime": "2020-01-01T00:00:00Z", "platform": platform,
            "eo:cloud_cover": cloud})
        };
        table
            .ingest(&[
                item("a", json!("one"), [10.0, 20.0], properties("L8", 7)),
                item("b", json!("one"), [11.0, 20.0], properties("L9", 30)),
                item("c", json!("two"), [12.0, 20.0], properties("S2", 99)),
            ])
            .await;
        let session = table.reading().await;
        let items = ItemsTable::new(Warehouse::open(&table.catalog()).await.unwrap());
        let given = json!({"type": "Collection", "id": "one", "description": "Ones", "stac_extensions": [STATS],
            "extent": {"spatial": {"bbox": [[0, 0, 1, 1]]}, "temporal": {"interval": [[null, null]]}},
            "summaries": {"gsd": [10], "platform": ["L7"]}});
        let change = DocumentChange { add: vec![given.try_into().unwrap()], remove: vec![] };
        change.commit(items.warehouse()).await.unwrap();
        let one = &all(&session, &items).await[0];
        assert_eq!(one.document()["extent"]["spatial"]["bbox"], json!([[0, 0, 1, 1]]), "as it was given");
        let completed = one.completed(summaries(&session, &items, "one").await.unwrap());
        assert_eq!(completed["extent"]["spatial"]["bbox"], json!([[10.0, 20.0, 11.0, 20.0]]));
        assert_eq!(completed["stats:items"], json!({"count": 2}));
        assert_eq!(completed["stac_extensions"], json!([STATS]));
        assert_eq!(completed["description"], "Ones");
        assert_eq!(
            completed["summaries"],
            json!({"gsd": [10], "platform": ["L8", "L9"], "eo:cloud_cover": {"minimum": 7, "maximum": 30}})
        );
    }

    #[tokio::test]
    async fn a_file_of_several_collections_is_read() {
        let mut table = Table::new("platform VARCHAR").await;
        let time = json!({"datetime": "2020-01-01T00:00:00Z"});
        let of = |id, collection| item(id, collection, [1.0, 2.0], time.clone());
        table.ingest(&[of("a", json!("one")), of("b", json!("two")), of("c", Value::Null)]).await;
        let [bounds, rows] = both(&table).await;
        assert!(bounds.is_empty());
        assert_eq!(rows.keys().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[tokio::test]
    async fn an_empty_table_has_no_collections() {
        let table = Table::new("platform VARCHAR").await;
        let session = table.reading().await;
        let items = ItemsTable::new(Warehouse::open(&table.catalog()).await.unwrap());
        assert_eq!(all(&session, &items).await, []);
    }
}
