//! [`Overview`]: where and when the rows of a table are, from its metadata alone: no data file is opened.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, Utc};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::prelude::SessionContext;
use earthcatalog_udfs::cell_outline;
use geo::{Coord, Geometry, MapCoords};
use h3o::{CellIndex, Resolution};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::collections::{Extent, File};
use crate::query::{ItemsTable, place_geojson};
use crate::table::manifests::files::LiveFile;

/// Cells, at most: of more, the rows are told by cells of a coarser resolution.
const MOST_CELLS: usize = 6_000;

/// What the metadata of a table says of its rows. A row is one version of an Item in one cell.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    pub snapshot: Option<i64>,
    /// In RFC 3339.
    pub committed_at: Option<String>,
    pub rows: u64,
    pub files: u64,
    pub bytes: u64,
    /// Kind of the grid; there is `h3` only.
    pub grid: &'static str,
    /// Of the cells of the table.
    pub grid_resolution: u8,
    /// Of `cells`.
    pub resolution: u8,
    /// Cells of the table that have rows.
    pub cell_count: u64,
    /// Years of `datetime` in which there are rows, in order; null, where it is null, comes last.
    pub years: Vec<Option<i32>>,
    pub cells: Vec<CellRows>,
    /// Rows that are in no cell: of Items without a footprint, or in files that another engine did not partition.
    pub rows_elsewhere: u64,
    pub collections: Vec<CollectionRows>,
    /// Whether these are all: of a file with rows of several collections, metadata does not tell them.
    pub collections_complete: bool,
}

/// The rows of a cell.
#[derive(Debug, Clone, Serialize)]
pub struct CellRows {
    pub cell: String,
    /// By year, as [`Overview::years`] has them.
    pub rows: Vec<u64>,
    /// The outline as GeoJSON, cut at the antimeridian and closed along the poles.
    pub geometry: Box<RawValue>,
}

/// The rows of a collection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CollectionRows {
    pub id: String,
    pub rows: u64,
    /// West, south, east and north in degrees.
    pub bbox: Option<[f64; 4]>,
    /// The first and the last time, in RFC 3339.
    pub interval: [Option<String>; 2],
}

/// Rows by cell and year.
type Rows = BTreeMap<CellIndex, BTreeMap<Year, u64>>;

/// A year, null being the last.
type Year = (bool, Option<i32>);

impl CellRows {
    /// Of all years.
    pub fn all(&self) -> u64 {
        self.rows.iter().sum()
    }
}

impl Overview {
    /// The years in which there are rows, in order, and how many of those in cells.
    pub fn rows_by_year(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> + '_ {
        let of_year = |i: usize| self.cells.iter().filter_map(|cell| cell.rows.get(i)).sum();
        self.years.iter().enumerate().filter_map(move |(i, year)| Some(((*year)?, of_year(i))))
    }

    /// The start of the newest years that together have as many rows, if some years are older; of `until` and before.
    pub fn since(&self, rows: u64, until: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let until = until.map(|until| until.year());
        let mut older = self.rows_by_year().filter(|(year, _)| until.is_none_or(|until| *year <= until)).rev();
        let mut found = 0;
        let (year, _) = older.by_ref().find(|(_, of_year)| {
            found += of_year;
            found >= rows
        })?;
        older.next()?;
        Some(NaiveDate::from_ymd_opt(year, 1, 1)?.and_time(NaiveTime::MIN).and_utc())
    }
}

/// The overview of a table in the state that a statement of `session` sees.
pub async fn overview(session: &SessionContext, table: &ItemsTable) -> Result<Overview> {
    let state = session.state();
    let versions = table.versions();
    let snapshot = versions.seen(&state).await?;
    let grid_resolution = versions.warehouse().h3_resolution();
    let mut rows = Rows::new();
    let (mut files, mut bytes, mut all, mut elsewhere) = (0, 0, 0, 0);
    let mut collections = BTreeMap::<String, (u64, Extent)>::new();
    let mut complete = true;
    for live in versions.live_files_with_bounds(&state).await? {
        let deleted = versions.deleted_rows(&state, &live.files).await?;
        for (i, file) in live.files.iter().enumerate() {
            let left = file.rows.saturating_sub(deleted.get(&file.location).copied().unwrap_or_default());
            files += 1;
            bytes += file.bytes;
            all += left;
            match cell_of(file) {
                Some(cell) => *rows.entry(cell).or_default().entry(year(file)).or_default() += left,
                None => elsewhere += left,
            }
            match File::new(&live, i).recorded().filter(|_| left == file.rows) {
                Some((id, extent)) => {
                    let (rows, known) = collections.entry(id.to_owned()).or_default();
                    *rows += left;
                    known.include(&extent);
                }
                None => complete = false,
            }
        }
    }
    let cell_count = rows.len() as u64;
    let (rows, resolution) = few(rows, grid_resolution);
    let years: BTreeSet<Year> = rows.values().flat_map(BTreeMap::keys).copied().collect();
    let of_cell = |(cell, by_year): (CellIndex, BTreeMap<Year, u64>)| {
        let rows = years.iter().map(|year| by_year.get(year).copied().unwrap_or_default()).collect();
        Ok(CellRows { cell: cell.to_string(), rows, geometry: outline(cell)? })
    };
    let cells = rows.into_iter().map(of_cell).collect::<Result<_>>()?;
    let of_collection = |(id, (rows, extent)): (String, (u64, Extent))| {
        let interval = extent.times();
        CollectionRows { id, rows, bbox: extent.bbox, interval }
    };
    Ok(Overview {
        snapshot: snapshot.map(|(id, _)| id),
        committed_at: snapshot.and_then(|(_, millis)| {
            let time: DateTime<Utc> = DateTime::from_timestamp_millis(millis)?;
            Some(time.to_rfc3339_opts(SecondsFormat::Secs, true))
        }),
        rows: all,
        files,
        bytes,
        grid: "h3",
        grid_resolution,
        resolution,
        cell_count,
        years: years.into_iter().map(|(_, year)| year).collect(),
        cells,
        rows_elsewhere: elsewhere,
        collections: collections.into_iter().map(of_collection).collect(),
        collections_complete: complete,
    })
}

/// The cell of all rows of a file, if they have one.
fn cell_of(file: &LiveFile) -> Option<CellIndex> {
    file.cell.as_deref()?.parse().ok()
}

fn year(file: &LiveFile) -> Year {
    (file.year.is_none(), file.year)
}

/// The rows in no more than [`MOST_CELLS`], and the resolution of these.
fn few(mut rows: Rows, mut resolution: u8) -> (Rows, u8) {
    while rows.len() > MOST_CELLS
        && resolution > 0
        && let Ok(coarser) = Resolution::try_from(resolution - 1)
    {
        resolution -= 1;
        let mut merged = Rows::new();
        for (cell, by_year) in rows {
            let of_parent = merged.entry(cell.parent(coarser).unwrap_or(cell)).or_default();
            for (year, rows) in by_year {
                *of_parent.entry(year).or_default() += rows;
            }
        }
        rows = merged;
    }
    (rows, resolution)
}

/// With four decimals, some ten metres, which is less than what a map of cells shows.
fn outline(cell: CellIndex) -> Result<Box<RawValue>> {
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    let outline: Geometry = cell_outline(cell).map_coords(|Coord { x, y }| Coord { x: rounded(x), y: rounded(y) });
    let geojson = place_geojson(&outline).map_err(|e| exec_datafusion_err!("cell {cell}: {e}"))?;
    RawValue::from_string(geojson).map_err(|e| exec_datafusion_err!("cell {cell}: {e}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::session::testing::Table;
    use crate::table::Warehouse;

    fn item(id: &str, collection: &str, geometry: Value, datetime: Value) -> Value {
        json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection, "geometry": geometry,
            "properties": {"datetime": datetime, "start_datetime": "2019-05-01T00:00:00Z",
                "end_datetime": "2019-06-01T00:00:00Z"}, "links": [], "assets": {}})
    }

    async fn of(table: &Table) -> Overview {
        let session = table.reading().await;
        let items = ItemsTable::new(Warehouse::open(&table.catalog()).await.unwrap());
        overview(&session, &items).await.unwrap()
    }

    #[tokio::test]
    async fn rows_are_told_by_cell_and_year_with_those_that_have_none() {
        let mut table = Table::new("platform VARCHAR").await;
        let at = |x: f64, y: f64| json!({"type": "Point", "coordinates": [x, y]});
        let time = |year: i32| json!(format!("{year}-06-01T00:00:00Z"));
        table
            .ingest(&[
                item("a", "ice", at(-45.0, 70.0), time(2019)),
                item("b", "ice", at(-45.1, 70.1), time(2021)),
                item("c", "ice", at(-45.1, 70.1), Value::Null),
                item("d", "ice", at(10.0, -75.0), time(2021)),
                item("e", "ice", Value::Null, time(2021)),
            ])
            .await;
        // Another version of an Item is one more row.
        table.ingest(&[item("a", "ice", at(-45.0, 70.0), time(2019))]).await;

        let found = of(&table).await;
        assert_eq!((found.rows, found.rows_elsewhere, found.cell_count), (6, 1, 2));
        assert_eq!((found.grid_resolution, found.resolution), (0, 0));
        assert_eq!(found.years, [Some(2019), Some(2021), None]);
        let mut rows: Vec<_> = found.cells.iter().map(|cell| cell.rows.clone()).collect();
        rows.sort();
        assert_eq!(rows, [vec![0, 1, 0], vec![2, 1, 1]]);
        let interval = ["2019-05-01T00:00:00Z", "2021-06-01T00:00:00Z"].map(|time| Some(time.to_owned()));
        assert_eq!((found.collections.len(), found.collections[0].rows, found.collections_complete), (1, 6, true));
        assert_eq!(found.collections[0].bbox, Some([-45.1, -75.0, 10.0, 70.1]));
        assert_eq!(found.collections[0].interval, interval);
        assert!(found.snapshot.is_some() && found.committed_at.is_some());
    }

    #[tokio::test]
    async fn the_newest_years_are_those_with_enough_rows() {
        let mut table = Table::new("platform VARCHAR").await;
        let point = || json!({"type": "Point", "coordinates": [1.0, 2.0]});
        let time = |year: i32| json!(format!("{year}-06-01T00:00:00Z"));
        let years = [2018, 2019, 2019, 2021, 2021, 2021].map(time);
        let items = years.into_iter().chain([Value::Null]).enumerate();
        let items: Vec<_> = items.map(|(i, time)| item(&i.to_string(), "ice", point(), time)).collect();
        table.ingest(&items).await;
        let found = of(&table).await;
        let since = |rows, until: Option<&str>| {
            let until = until.map(|until| until.parse().unwrap());
            found.since(rows, until).map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true))
        };
        let [of_2019, of_2021] = ["2019-01-01T00:00:00Z", "2021-01-01T00:00:00Z"].map(|time| Some(time.to_owned()));
        assert_eq!(
            [since(1, None), since(3, None), since(4, None), since(5, None)],
            [of_2021.clone(), of_2021, of_2019.clone(), of_2019.clone()]
        );
        assert_eq!(since(6, None), None, "no year is older");
        assert_eq!(since(2, Some("2020-01-01T00:00:00Z")), of_2019);
        assert_eq!((since(1, Some("2018-07-01T00:00:00Z")), since(100, None)), (None, None));
    }

    #[tokio::test]
    async fn a_file_of_several_collections_does_not_say_them() {
        let mut table = Table::new("platform VARCHAR").await;
        let point = || json!({"type": "Point", "coordinates": [1.0, 2.0]});
        let time = || json!("2020-01-01T00:00:00Z");
        table.ingest(&[item("a", "one", point(), time()), item("b", "two", point(), time())]).await;
        let found = of(&table).await;
        assert_eq!((found.rows, found.collections.len(), found.collections_complete), (2, 0, false));
    }

    #[tokio::test]
    async fn an_empty_table_has_no_rows() {
        let found = of(&Table::new("platform VARCHAR").await).await;
        assert_eq!((found.rows, found.cells.len(), found.years.len(), found.snapshot), (0, 0, 0, None));
    }

    #[test]
    fn many_cells_are_told_by_coarser_ones_with_the_same_rows() {
        let cells = CellIndex::base_cells().flat_map(|cell| cell.children(Resolution::Three));
        let rows: Rows = cells.map(|cell| (cell, BTreeMap::from([((false, Some(2020)), 1)]))).collect();
        let number = rows.len() as u64;
        let (rows, resolution) = few(rows, 3);
        assert_eq!((rows.len(), resolution), (5_882, 2));
        assert_eq!(rows.values().flat_map(BTreeMap::values).sum::<u64>(), number);
    }

    #[test]
    fn an_outline_on_the_antimeridian_is_cut() {
        let cell = "810dbffffffffff".parse::<CellIndex>().unwrap();
        let geojson: Value = serde_json::from_str(outline(cell).unwrap().get()).unwrap();
        assert_eq!(geojson["type"], "MultiPolygon", "{geojson}");
    }
}
