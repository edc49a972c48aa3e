//! `earthcatalog sql`: a question, a file with some, or a prompt.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use earthcatalog_plans::session::session_within;

use super::CommandError;
use crate::arguments::{AnyWarehouseArgs, ClusterArgs, ParameterArgs, ResourceArgs};
use crate::output::{Destination, Format, OutputError, Rendering, Sink, Written, format_for};
use crate::prompt::Prompt;
use crate::query::{self, Answer, Answers, SqlError};
use crate::script::Script;
use crate::signals::interrupt;
use crate::terminal::{Paged, Pager};
use crate::verbosity::{self, note};

/// Rows of a table that a terminal gets unasked.
const ROWS_ON_TERMINAL: u64 = 1_000;

/// Flags of `sql`.
#[derive(Debug, Clone, Args)]
pub struct SqlArgs {
    /// SQL statements, or - to read them from standard input [default: a prompt on a terminal, otherwise standard input]
    #[arg(value_name = "SQL")]
    pub query: Option<String>,
    /// Run the statements of a file
    #[arg(short, long, value_name = "FILE", conflicts_with = "query")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub parameters: ParameterArgs,
    #[command(flatten)]
    pub at: AnyWarehouseArgs,
    /// Format of the rows [default: by the ending of --out, otherwise table]
    #[arg(long, value_enum)]
    pub output: Option<Format>,
    /// Write the rows to a file or object, which appears when it is complete
    #[arg(long, value_name = "FILE|URL")]
    pub out: Option<String>,
    /// Largest number of rows that a table shows, 0 for all; other formats are never cut [default: 1000 on a terminal,
    /// otherwise all]
    #[arg(long, value_name = "N")]
    pub max_rows: Option<u64>,
    /// Program that shows on a terminal what is longer than the screen, "" for none [default: $PAGER, otherwise less]
    #[arg(long, value_name = "COMMAND", env = "EARTHCATALOG_PAGER")]
    pub pager: Option<String>,
    /// Print to standard error what was read: how many of the files, row groups and bytes, and what pruned the rest
    #[arg(long)]
    pub stats: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
}

/// What to run.
enum Source {
    Statements { name: String, text: String },
    Prompt,
}

impl Source {
    fn named_by(args: &SqlArgs) -> Result<Self, SqlError> {
        if let Some(file) = args.file.as_ref().filter(|file| file.as_os_str() != "-") {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|source| SqlError::Unreadable { name: name.clone(), source })?;
            return Ok(Self::Statements { name, text });
        }
        match &args.query {
            Some(query) if query != "-" => Ok(Self::Statements { name: "SQL".to_owned(), text: query.clone() }),
            None if args.file.is_none() && io::stdin().is_terminal() => Ok(Self::Prompt),
            _ => {
                let (name, mut text) = ("standard input".to_owned(), String::new());
                match io::stdin().read_to_string(&mut text) {
                    Ok(_) => Ok(Self::Statements { name, text }),
                    Err(source) => Err(SqlError::Unreadable { name, source }),
                }
            }
        }
    }
}

pub async fn run(args: &SqlArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let destination = Destination::parse(args.out.as_deref()).map_err(OutputError::from)?;
    let format = format_for(&destination, args.output, "--output", Format::Table).map_err(OutputError::from)?;
    let (is_shown, is_terminal) = (destination == Destination::StandardOutput, io::stdout().is_terminal());
    let on_terminal = is_shown && is_terminal;
    if format.is_binary() && on_terminal {
        return Err(OutputError::Terminal(if format == Format::Parquet { "Parquet" } else { "GeoParquet" }).into());
    }
    let max_rows = args.max_rows.or(on_terminal.then_some(ROWS_ON_TERMINAL)).filter(|rows| *rows > 0);
    let rendering = if is_shown { Rendering::on_terminal(format) } else { format.into() };
    let rendering = Rendering { max_rows, is_counted: !verbosity::is_quiet(), ..rendering };
    let pager = Pager::find(args.pager.as_deref());
    let source = Source::named_by(args)?;

    let session = session_within(args.resources.workers(), args.resources.memory)?;
    args.cluster.attach(&session).await?;
    let (catalog, warehouse) = (args.at.catalog.as_deref(), args.at.warehouse.as_deref());
    if let Some(catalog) = catalog {
        tokio::select! {
            opened = query::open(&session, catalog, warehouse) => opened?,
            () = interrupt() => return Err(CommandError::Interrupted),
        }
    }
    let (name, text) = match source {
        Source::Statements { name, text } => (name, text),
        Source::Prompt if !is_shown => return Err(SqlError::OutAtPrompt.into()),
        Source::Prompt => {
            let (is_timed, has_stats) = (!verbosity::is_quiet(), args.stats);
            let prompt = Prompt { session, rendering, is_timed, has_stats, pager, is_paged: true };
            return Ok(crate::prompt::run(prompt, out).await?);
        }
    };
    let script = Script::parse(&name, &text)?;
    let arguments = args.parameters.arguments(&script, catalog, warehouse);
    let statements = script.bind(&arguments)?;
    if statements.is_empty() {
        return Err(SqlError::Nothing.into());
    }

    if let Some(pager) = pager.filter(|_| is_shown && format.is_for_people()) {
        let asked = async {
            for statement in &statements {
                let mut paged = Paged::new(out, Some(&pager));
                let mut sink = Sink::stream(&mut paged);
                let answer = Answers::new(&session, rendering, &mut sink).answer(statement).await?;
                sink.finish().await?;
                drop(paged);
                report(&answer, args, rendering, is_shown);
            }
            Ok(())
        };
        return tokio::select! {
            asked = asked => asked,
            () = interrupt() => Err(CommandError::Interrupted),
        };
    }
    let mut sink = destination.open(out).map_err(OutputError::from)?;
    let asked = async {
        let mut answers = Answers::new(&session, rendering, &mut sink);
        answers.single = match (destination.location(), format.is_single()) {
            (Some(location), _) => Some(location),
            (None, true) => Some("this output"),
            (None, false) => None,
        };
        for statement in &statements {
            report(&answers.answer(statement).await?, args, rendering, is_shown);
        }
        Ok(())
    };
    let asked = tokio::select! {
        asked = asked => asked,
        () = interrupt() => Err(CommandError::Interrupted),
    };
    // Footers of thousands of files: freeing them one by one takes longer than many a question, and the process ends now.
    std::mem::forget(Arc::clone(&session.runtime_env().cache_manager));
    match asked {
        Ok(()) => Ok(sink.finish().await?),
        Err(error) => {
            sink.abort().await;
            Err(error)
        }
    }
}

/// Says on standard error what there is to say of an answer.
fn report(answer: &Answer, args: &SqlArgs, rendering: Rendering, is_shown: bool) {
    if let Some(Written { rows, .. }) = answer.written.filter(|written| written.is_cut) {
        note(format_args!("the table ends after {rows} rows; --max-rows 0 shows all rows, and only tables are cut"));
    }
    if io::stderr().is_terminal() {
        note(format_args!("{}", answer.timing(rendering.format.is_for_people() && is_shown)));
    }
    if args.stats && answer.written.is_some() {
        eprintln!("{}", answer.stats());
    }
}
