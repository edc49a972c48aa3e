//! `earthcatalog paths`: the data files that a question needs, for readers that take a list of files.

use std::fmt;
use std::io::Write;

use clap::Args;
use datafusion::common::{Column, DataFusionError};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::query::{Frame, cells::may_share_cell, in_time, intersects_frame};
use earthcatalog_plans::scan::{PrunedBy, WarehouseTable};
use earthcatalog_plans::session::session;
use earthcatalog_plans::table::Warehouse;
use serde::Serialize;

use super::CommandError;
use crate::arguments::{ReportFormat, TimeArgs, WarehouseArgs, place};
use crate::verbosity::note;

/// Flags of `paths`.
#[derive(Debug, Clone, Args)]
pub struct PathsArgs {
    /// Place: WKT, GeoJSON, WEST,SOUTH,EAST,NORTH in degrees, or a file with one of these
    #[arg(long, value_name = "WKT|FILE|BOX", allow_hyphen_values = true)]
    pub geometry: String,
    #[command(flatten)]
    pub time: TimeArgs,
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Format of the list: one path per line, or one JSON object
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
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

pub async fn run(args: &PathsArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    args.time.check()?;
    Ok(args.output.write_lines(&paths(&session(1)?, args).await?, out)?)
}

/// The files in which every Item that intersects the place, in that time, is found in one cell at least.
///
/// An Item is stored in each of its cells, and only those of the place are needed; a reader that wants it once takes one
/// row of each `id`, and filters rows by geometry itself.
async fn paths(session: &SessionContext, args: &PathsArgs) -> Result<Paths, CommandError> {
    let place = place(&args.geometry)?;
    let opened = Warehouse::open_in(&args.at.catalog, args.at.warehouse.as_deref()).await;
    let opened = opened.map_err(DataFusionError::from)?;
    let mut filters: Vec<Expr> =
        Frame::of(&place).map(|frame| intersects_frame(&Column::from_name("geometry"), &frame)).into_iter().collect();
    filters.extend(may_share_cell(&place, opened.h3_resolution()));
    filters.extend(in_time(args.time.start, args.time.end));

    let chosen = WarehouseTable::new(opened).files_for(&session.state(), &filters).await?;
    if chosen.with_deleted > 0 {
        note(format_args!(
            "another engine has deleted rows of {} of these files, which are still in them: who reads the files alone finds them, until `earthcatalog compact` has written the files again",
            chosen.with_deleted
        ));
    }
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
    // A place asks for no ids.
    let PrunedBy { cell, year, bounds, index: _ } = chosen.pruned;
    Ok(Paths { files, of: chosen.of, pruned_by_cell: cell, pruned_by_year: year, pruned_by_bounds: bounds })
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.iter().try_for_each(|file| writeln!(f, "{}", file.path))
    }
}
