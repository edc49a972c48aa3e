//! `earthcatalog export`: Items as they were.

use std::io::{self, IsTerminal, Write};

use clap::Args;

use super::CommandError;
use crate::arguments::{ArgumentError, ResourceArgs, TimeArgs, WarehouseArgs, ids, list, place};
use crate::export::{self, ExportFormat, ItemsQuestion, Question};
use crate::output::{Destination, OutputError, format_for};
use crate::query;
use crate::signals::interrupt;
use crate::verbosity;

/// Flags of `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Query whose rows have all columns of the table items
    #[arg(long, value_name = "SQL", conflicts_with_all = ["geometry", "start", "end", "condition", "ids", "collection"])]
    pub query: Option<String>,
    /// Items for which this condition on the columns of the table items is true
    #[arg(id = "condition", long = "where", value_name = "SQL", allow_hyphen_values = true)]
    pub condition: Option<String>,
    /// Items with one of these ids; @FILE or - for a list, one id a line
    #[arg(long, value_name = "ID,…|@FILE|-")]
    pub ids: Option<String>,
    /// Items of one of these collections
    #[arg(long, visible_alias = "collections", value_name = "ID,…")]
    pub collection: Option<String>,
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
    #[command(flatten)]
    pub resources: ResourceArgs,
}

pub async fn run(args: &ExportArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    args.time.check()?;
    let destination = Destination::parse(Some(&args.out)).map_err(OutputError::from)?;
    let format = format_for(&destination, args.format, "--format", ExportFormat::Ndjson).map_err(OutputError::from)?;
    let is_shown = destination == Destination::StandardOutput && io::stdout().is_terminal();
    if format == ExportFormat::StacGeoparquet && is_shown {
        return Err(OutputError::Terminal("stac-geoparquet").into());
    }
    let question = match &args.query {
        Some(sql) => Question::Sql(sql.clone()),
        None => {
            let ids = args.ids.as_deref().map(|value| ids(value, &mut io::stdin())).transpose()?;
            Question::Items(ItemsQuestion {
                place: args.geometry.as_deref().map(place).transpose()?,
                start: args.time.start,
                end: args.time.end,
                ids: ids.map(|ids| some_of("ids", ids)).transpose()?,
                collections: args.collection.as_deref().map(|names| some_of("collection", list(names))).transpose()?,
                condition: args.condition.clone(),
            })
        }
    };
    // Each Item in its newest version is found by sorting whole rows, of which there may be more than memory holds.
    let session = args.resources.pipeline_session()?;
    export::expect_wide_rows(&session);
    let mut sink = destination.open(out).map_err(OutputError::from)?;
    let exporting = async {
        query::open(&session, &args.at.catalog, args.at.warehouse.as_deref()).await?;
        Ok(export::export(&session, &question, format, &mut sink).await?)
    };
    let exported = tokio::select! {
        exported = exporting => exported,
        () = interrupt() => Err(CommandError::Interrupted),
    };
    match exported {
        Ok(exported) => {
            sink.finish().await?;
            if io::stderr().is_terminal() || exported.inexact > 0 {
                verbosity::note(format_args!("{exported}"));
            }
            Ok(())
        }
        Err(error) => {
            sink.abort().await;
            Err(error)
        }
    }
}

/// The values that `--flag` gives. Errors where there are none: that would ask for nothing.
fn some_of(flag: &'static str, values: Vec<String>) -> Result<Vec<String>, ArgumentError> {
    Some(values).filter(|values| !values.is_empty()).ok_or(ArgumentError::EmptyList(flag))
}
