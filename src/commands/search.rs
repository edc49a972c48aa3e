//! `earthcatalog search`: the Items that a STAC search finds.

use std::io::{self, IsTerminal, Read, Write};

use clap::Args;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::query::place_geojson;
use earthcatalog_plans::search::SearchError;
use serde_json::{Map, Value, json};

use super::CommandError;
use crate::arguments::{ArgumentError, ResourceArgs, WarehouseArgs, ids, list, read_place, text, text_or_file, values};
use crate::export::{self, ExportFormat, Question, SearchQuestion};
use crate::output::{Destination, Output, OutputError, Sink, format_for};
use crate::query;
use crate::signals::interrupt;
use crate::verbosity;

/// The order of Items where none is asked for.
const NEWEST_FIRST: &str = "-datetime";

/// Flags of `search`. What may be long may also be @FILE, or - for standard input.
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// Items that intersect this box in degrees, with west > east over the antimeridian
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true, conflicts_with = "intersects")]
    pub bbox: Option<String>,
    /// Items that intersect this place: WKT, GeoJSON, a file with one of these, or - for standard input
    #[arg(long, value_name = "WKT|GEOJSON|FILE|-")]
    pub intersects: Option<String>,
    /// Items of this time, of this year, month or day, or of an interval START/END of such, with .. for an open end
    #[arg(long, value_name = "TIME|START/END")]
    pub datetime: Option<String>,
    /// Items with one of these ids; @FILE or - for a list, one id a line
    #[arg(long, value_name = "ID,…|@FILE|-")]
    pub ids: Option<String>,
    /// Items of one of these collections
    #[arg(long, value_name = "ID,…")]
    pub collections: Option<String>,
    /// Items whose id has one of these texts, in any case
    #[arg(long, value_name = "TEXT,…")]
    pub q: Option<String>,
    /// Items for which this is true: CQL2 as text or JSON, in place, from @FILE, or from standard input with -
    #[arg(long, value_name = "CQL2|@FILE|-", allow_hyphen_values = true)]
    pub filter: Option<String>,
    /// Items whose properties meet these conditions, as in {"eo:cloud_cover": {"lt": 10}}
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub query: Option<String>,
    /// Properties by which the Items are sorted, each with - before it for the last first [default: -datetime]
    #[arg(long, value_name = "[-]NAME,…", allow_hyphen_values = true)]
    pub sortby: Option<String>,
    /// What is written of each Item: names to include, and with - before them to exclude
    #[arg(long, value_name = "[-]NAME,…", allow_hyphen_values = true)]
    pub fields: Option<String>,
    /// Largest number of Items [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Write the number of Items only
    #[arg(long, conflicts_with_all = ["hrefs", "output", "fields"])]
    pub count: bool,
    /// Write the addresses of the assets, one a line: of all, or of those of this name
    #[arg(long, value_name = "ASSET", num_args = 0..=1, conflicts_with_all = ["output", "fields"])]
    pub hrefs: Option<Option<String>>,
    /// Format of the Items [default: by the ending of --out, otherwise ndjson]
    #[arg(long, value_enum)]
    pub output: Option<ExportFormat>,
    /// File or object to write, which appears when it is complete; - is standard output
    #[arg(long, value_name = "FILE|URL|-", default_value = "-")]
    pub out: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
}

pub async fn run(args: &SearchArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let question = question(args, &mut io::stdin())?;
    let destination = Destination::parse(Some(&args.out)).map_err(OutputError::from)?;
    let format = match args.count || args.hrefs.is_some() {
        // Lines of text, whatever the name.
        true => ExportFormat::Ndjson,
        false => format_for(&destination, args.output, "--output", ExportFormat::Ndjson).map_err(OutputError::from)?,
    };
    let is_shown = destination == Destination::StandardOutput && io::stdout().is_terminal();
    if format == ExportFormat::StacGeoparquet && is_shown {
        return Err(OutputError::Terminal("stac-geoparquet").into());
    }
    // Whole rows are sorted, of which there may be more than memory holds.
    let session = args.resources.pipeline_session()?;
    export::expect_wide_rows(&session);
    let mut sink = destination.open(out).map_err(OutputError::from)?;
    let searching = async {
        query::open(&session, &args.at.catalog, args.at.warehouse.as_deref()).await?;
        write(args, &session, question, format, &mut sink).await
    };
    let written = tokio::select! {
        written = searching => written,
        () = interrupt() => Err(CommandError::Interrupted),
    };
    match written {
        Ok(said) => {
            sink.finish().await?;
            if let Some(said) = said {
                verbosity::note(format_args!("{said}"));
            }
            Ok(())
        }
        Err(error) => {
            sink.abort().await;
            Err(error)
        }
    }
}

/// Writes the answer, and returns what there is to say of it.
async fn write(
    args: &SearchArgs,
    session: &SessionContext,
    question: SearchQuestion,
    format: ExportFormat,
    sink: &mut Sink<'_>,
) -> Result<Option<String>, CommandError> {
    if args.count {
        let items = export::count_items(session, &question).await?;
        writeln!(sink.buffer(), "{items}")?;
        return Ok(None);
    }
    if let Some(asset) = &args.hrefs {
        export::export_hrefs(session, &question, asset.as_deref(), sink).await?;
        return Ok(None);
    }
    let exported = export::export(session, &Question::Search(question), format, sink).await?;
    Ok((io::stderr().is_terminal() || exported.inexact > 0).then(|| exported.to_string()))
}

/// The search that the flags ask for.
///
/// Errors: a value that a parameter does not take, named by its flag; a file that cannot be read.
fn question(args: &SearchArgs, input: &mut dyn Read) -> Result<SearchQuestion, ArgumentError> {
    let mut parameters = Map::new();
    let mut put = |name: &str, value: Option<Value>| parameters.extend(value.map(|value| (name.to_owned(), value)));
    let short = |value: &Option<String>| value.clone().map(Value::String);
    let place = args.intersects.as_deref().map(|value| text_or_file("intersects", value, input)).transpose()?;
    let wanted = args.ids.as_deref().map(|value| ids(value, input)).transpose()?;
    let mut long =
        |flag: &'static str, value: &Option<String>| value.as_deref().map(|value| text(flag, value, input)).transpose();
    put("bbox", short(&args.bbox));
    put("intersects", place.map(|place| geojson(&place)).transpose()?);
    let datetime = |text: &String| values::interval(text).map_err(|e| invalid("datetime", e));
    put("datetime", args.datetime.as_ref().map(datetime).transpose()?.map(Value::String));
    let list = |text: String| json!(list(&text));
    put("ids", wanted.map(|ids| json!(ids)));
    put("collections", args.collections.clone().map(list));
    put("q", args.q.clone().map(list));
    let cql2 = |text: String| match text.trim_start().starts_with('{') {
        true => json_of("filter", &text),
        false => Ok(Value::String(text)),
    };
    put("filter", long("filter", &args.filter)?.map(cql2).transpose()?);
    put("query", long("query", &args.query)?.map(|text| json_of("query", &text)).transpose()?);
    // A number, or the names of files, are in no order.
    put("sortby", short(&args.sortby).or((!args.count).then(|| NEWEST_FIRST.into())));
    put("limit", args.limit.map(Value::from));
    put("fields", short(&args.fields));
    Ok(SearchQuestion::from_parameters(parameters)?)
}

fn invalid(parameter: &'static str, reason: impl ToString) -> ArgumentError {
    SearchError::Parameter { parameter, reason: reason.to_string() }.into()
}

fn json_of(flag: &'static str, text: &str) -> Result<Value, ArgumentError> {
    serde_json::from_str(text).map_err(|e| invalid(flag, format!("the text is no JSON: {e}")))
}

/// A place as GeoJSON.
fn geojson(text: &str) -> Result<Value, ArgumentError> {
    let place = read_place(text).map_err(|e| invalid("intersects", e))?;
    json_of("intersects", &place_geojson(&place).map_err(|e| invalid("intersects", e))?)
}
