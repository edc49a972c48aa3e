//! `earthcatalog paths`: the data files that a question needs, for readers that take a list of files.

use std::fmt;

use chrono::{DateTime, Utc};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::{SessionContext, col};
use earthcatalog_plans::query::cells::may_share_cell;
use earthcatalog_plans::query::{Frame, Geometry, intersects_frame, parse_place};
use earthcatalog_plans::scan::{PrunedBy, WarehouseTable};
use earthcatalog_plans::table::Warehouse;
use serde::Serialize;
use thiserror::Error;

/// Why there is no list of files.
#[derive(Debug, Error)]
pub enum PathsError {
    #[error("--geometry {text}: {reason}")]
    Geometry { text: String, reason: String },
    #[error("{}", crate::script::reason(.0))]
    Query(#[from] datafusion::common::DataFusionError),
}

/// Which Items are asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// WKT, GeoJSON, `west,south,east,north`, or a file with one of these.
    pub geometry: String,
    /// Items of this time and later ones.
    pub start: Option<DateTime<Utc>>,
    /// Items up to this time.
    pub end: Option<DateTime<Utc>>,
}

/// The files that a question needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paths {
    pub files: Vec<PathInfo>,
    /// How many the table has.
    pub of: u64,
    pub pruned_by_cell: u64,
    pub pruned_by_year: u64,
    pub pruned_by_bounds: u64,
}

/// A data file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathInfo {
    pub path: String,
    pub grid_partition: Option<String>,
    pub year: Option<i32>,
    pub rows: u64,
    pub bytes: u64,
}

/// The place that `--geometry` names: WKT, GeoJSON, `west,south,east,north`, or a file with one of these.
pub(crate) fn place(geometry: &str) -> Result<Geometry, PathsError> {
    let text = std::fs::read_to_string(geometry).unwrap_or_else(|_| geometry.to_owned());
    parse_place(&text).map_err(|e| PathsError::Geometry { text: geometry.to_owned(), reason: e.to_string() })
}

/// The files in which every Item that intersects the place, in that time, is found in one cell at least.
///
/// An Item is stored in each of its cells, and only those of the place are needed; a reader that wants it once takes one
/// row of each `id`, and filters rows by geometry itself.
pub async fn paths(
    session: &SessionContext,
    catalog: &str,
    warehouse: &str,
    of: &Question,
) -> Result<Paths, PathsError> {
    let place = place(&of.geometry)?;
    let opened = Warehouse::open(catalog).await.map_err(datafusion::common::DataFusionError::from)?;
    opened.check_location(warehouse).map_err(datafusion::common::DataFusionError::from)?;
    let mut filters: Vec<Expr> =
        Frame::of(&place).map(|frame| intersects_frame(&Column::from_name("geometry"), &frame)).into_iter().collect();
    filters.extend(may_share_cell(&place, opened.h3_resolution()));
    let time =
        |at: DateTime<Utc>| lit(ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), Some("UTC".into())));
    filters.extend(of.start.map(|start| col("datetime").gt_eq(time(start))));
    filters.extend(of.end.map(|end| col("datetime").lt_eq(time(end))));

    let chosen = WarehouseTable::new(opened).files_for(&session.state(), &filters).await?;
    let path = |location: String| location.strip_prefix("file://").map(str::to_owned).unwrap_or(location);
    let mut files: Vec<_> = chosen
        .files
        .into_iter()
        .map(|file| PathInfo {
            path: path(file.location),
            grid_partition: file.cell,
            year: file.year,
            rows: file.rows,
            bytes: file.bytes,
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let PrunedBy { cell, year, bounds } = chosen.pruned;
    Ok(Paths { files, of: chosen.of, pruned_by_cell: cell, pruned_by_year: year, pruned_by_bounds: bounds })
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.iter().try_for_each(|file| writeln!(f, "{}", file.path))
    }
}
