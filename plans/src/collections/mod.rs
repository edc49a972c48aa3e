//! The collections of a warehouse, as its Items say them.
//!
//! - [`DerivedCollection`]: id, extent and number of Items of one; [`derive()`] finds those of a table.
//! - `bounds`: from what manifests record of files, which reads no file.
//! - `rows`: from the rows, where that does not tell.

mod bounds;
mod rows;

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use serde_json::{Map, Value, json};

pub(crate) use self::bounds::File;
use crate::query::ItemsTable;

/// A collection, as its Items say it.
#[derive(Debug, Clone, PartialEq)]
pub struct DerivedCollection {
    pub id: String,
    pub extent: Extent,
    /// `None` where there are too many to count.
    pub items: Option<u64>,
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

/// The collections of the Items of a table, by id. Items without a collection are in none.
pub async fn derive(session: &SessionContext, table: &ItemsTable) -> Result<Vec<DerivedCollection>> {
    let extents = match bounds::extents(session, table).await? {
        Some(extents) => extents,
        None => rows::extents(session, table).await?,
    };
    let counts = rows::counts(session, table).await?;
    let items = |id: &str| counts.as_ref().map(|counts| counts.get(id).copied().unwrap_or_default());
    Ok(extents.into_iter().map(|(id, extent)| DerivedCollection { items: items(&id), id, extent }).collect())
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

impl DerivedCollection {
    /// A STAC Collection (1.0) without links. Nothing is known of its licence, nor is there a description of it.
    pub fn document(&self) -> Map<String, Value> {
        let world = [-180.0, -90.0, 180.0, 90.0];
        let mut document = Map::new();
        document.insert("type".into(), "Collection".into());
        document.insert("stac_version".into(), "1.0.0".into());
        if let Some(items) = self.items {
            document.insert("stac_extensions".into(), json!([STATS]));
            document.insert("stats:items".into(), json!({"count": items}));
        }
        document.insert("id".into(), self.id.as_str().into());
        document.insert("description".into(), format!("The Items of collection {}", self.id).into());
        document.insert("license".into(), "various".into());
        document.insert(
            "extent".into(),
            json!({
                "spatial": {"bbox": [self.extent.bbox.unwrap_or(world)]},
                "temporal": {"interval": [self.extent.times()]},
            }),
        );
        document
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::session::testing::Table;
    use crate::table::Warehouse;

    fn item(id: &str, collection: Value, at: [f64; 2], properties: Value) -> Value {
        let geometry = json!({"type": "Point", "coordinates": at});
        json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection, "geometry": geometry,
            "properties": properties, "links": [], "assets": {}})
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
        let derived = derive(&session, &items).await.unwrap();
        let found: Vec<_> = derived.iter().map(|c| (c.id.as_str(), c.items)).collect();
        assert_eq!(found, [("one", Some(3)), ("two", Some(1))]);
        assert_eq!(
            Value::from(derived[1].document()),
            json!({"type": "Collection", "stac_version": "1.0.0", "stac_extensions": [STATS],
                "stats:items": {"count": 1}, "id": "two", "description": "The Items of collection two",
                "license": "various", "extent": {"spatial": {"bbox": [[10.0, -20.5, 10.0, -20.5]]},
                "temporal": {"interval": [["2020-01-02T00:00:00Z", "2020-01-02T00:00:00Z"]]}}})
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
        assert_eq!(derive(&session, &items).await.unwrap(), []);
    }
}
