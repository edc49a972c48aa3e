//! `earthcatalog export`: Items as they were.

use std::io::{self, IsTerminal, Write};

use clap::Args;

use super::CommandError;
use crate::arguments::{ResourceArgs, TimeArgs, WarehouseArgs, place};
use crate::export::{self, ExportFormat, Question};
use crate::output::{Destination, OutputError};
use crate::query;
use crate::signals::interrupt;

/// Flags of `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Query whose rows have all columns of the table items
    #[arg(long, value_name = "SQL", conflicts_with_all = ["geometry", "start", "end"])]
    pub query: Option<String>,
    /// Items that intersect this place: WKT, GeoJSON, WEST,SOUTH,EAST,NORTH in degrees, or a file with one of these
    #[arg(long, value_name = "WKT|FILE|BOX", allow_hyphen_values = true)]
    pub geometry: Option<String>,
    #[command(flatten)]
    pub time: TimeArgs,
    /// Format of the Items [default: by the ending of --out, otherwise ndjson]
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// File or object to write, which appears when it is complete; - is standard output
    #[arg(long, value_name = "FILE|URL|-", default_value = "-")]
    pub out: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Do not say how much was written
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub resources: ResourceArgs,
}

pub async fn run(args: &ExportArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    args.time.check()?;
    let destination = Destination::parse(Some(&args.out)).map_err(OutputError::from)?;
    let by_name = || destination.location().and_then(ExportFormat::named_by_ending);
    let format = args.format.or_else(by_name).unwrap_or(ExportFormat::Ndjson);
    let is_shown = destination == Destination::StandardOutput && io::stdout().is_terminal();
    if format == ExportFormat::StacGeoparquet && is_shown {
        return Err(OutputError::Terminal("stac-geoparquet").into());
    }
    let question = match &args.query {
        Some(sql) => Question::Sql(sql.clone()),
        None => {
            let place = args.geometry.as_deref().map(place).transpose()?;
            Question::Items { place, start: args.time.start, end: args.time.end }
        }
    };
    // Each Item in its newest version is found by sorting whole rows, of which there may be more than memory holds.
    let session = args.resources.pipeline_session()?;
    export::expect_wide_rows(&session);
    let mut sink = destination.open(out).map_err(OutputError::from)?;
    let exporting = async {
        query::open(&session, &args.at.catalog, &args.at.warehouse).await?;
        Ok(export::export(&session, &question, format, &mut sink).await?)
    };
    let exported = tokio::select! {
        exported = exporting => exported,
        () = interrupt() => Err(CommandError::Interrupted),
    };
    match exported {
        Ok(exported) => {
            sink.finish().await?;
            if !args.quiet && (io::stderr().is_terminal() || exported.inexact > 0) {
                eprintln!("{exported}");
            }
            Ok(())
        }
        Err(error) => {
            sink.abort().await;
            Err(error)
        }
    }
}
