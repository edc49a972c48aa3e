//! The command line: what can be asked for. `parse` reads it, `run` does it, `error` says what went wrong.

mod cluster;
mod config;
mod error;
mod export;
mod parse;
mod run;
mod sql;
mod values;

pub use cluster::{ClusterArgs, ClusterCommand, ClusterRole, ExecutorArgs, SchedulerArgs};
pub use config::{ConfigArgs, Setting};
pub use error::CliError;
pub use export::ExportArgs;
pub use parse::parse;
pub use run::run;
pub use sql::SqlArgs;
pub use values::Since;

use std::io::{self, BufWriter, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use earthcatalog_plans::warehouse::MaxRejects;

use crate::cluster::cancellations;
use crate::output::Format;
use crate::pipeline::PIPELINES;
use crate::script::{Arguments, Parameter, Script};

/// STAC Items by the million into a spatially partitioned GeoParquet warehouse with an Apache Iceberg catalog.
#[derive(Debug, Parser)]
#[command(name = "earthcatalog", version, max_term_width = 110)]
pub struct Cli {
    /// File with settings, TOML or YAML [default: earthcatalog.toml, .yaml or .yml in the working directory]
    #[arg(long, value_name = "FILE", global = true, env = "EARTHCATALOG_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn an inventory of STAC Items into part files and one snapshot of the warehouse's table
    Ingest(IngestArgs),
    /// Ingest an inventory of any size: resumable, merged, and visible as one snapshot at the end
    Backfill(BackfillArgs),
    /// Ingest what is new in an inventory: objects that the table has not ingested yet
    Incremental(IncrementalArgs),
    /// List what is new in an inventory: what `incremental` would ingest
    Delta(DeltaArgs),
    /// Take the table that lies in a warehouse into a catalog that has none, such as a new one in place of a lost one
    Register(RegisterArgs),
    /// List the backfills of a warehouse, and how far they are
    Runs(RunsArgs),
    /// Merge the part files of each bucket into one, with the newest version of each Item
    Compact(CompactArgs),
    /// Remove old snapshots and the files that nobody needs any more
    Expire(ExpireArgs),
    /// Run a SQL script: a file, or a pipeline by name
    Run(RunArgs),
    /// Show the plans of a SQL script, a file or a pipeline by name, without running it
    Explain(ExplainArgs),
    /// List the pipelines, or say what parameters one has
    Plans(PlansArgs),
    /// Ask a warehouse in SQL: a question, a file, or a prompt
    Sql(SqlArgs),
    /// Write Items as they were: NDJSON, an ItemCollection or stac-geoparquet
    Export(ExportArgs),
    /// Show the settings, and where each was set
    Config(ConfigArgs),
    /// Say what state a warehouse is in, from its metadata alone
    Info(InfoArgs),
    /// List the data files that hold what intersects a place
    Paths(PathsArgs),
    /// Run the scheduler of a cluster
    Scheduler(SchedulerArgs),
    /// Run an executor of a cluster
    Executor(ExecutorArgs),
    /// Run a cluster on this machine
    Cluster(ClusterCommand),
    /// Make a small set of Items, ingest it, and ask it something: each step as the command to type
    Demo(DemoArgs),
}

/// Where a warehouse is.
#[derive(Debug, Clone, Args)]
pub struct WarehouseArgs {
    /// Path or URL of the Iceberg catalog, a SQLite file
    #[arg(long, value_name = "FILE|URL", env = "EARTHCATALOG_CATALOG")]
    pub catalog: String,
    /// Folder or URL of the data files
    #[arg(long, value_name = "DIR|URL", env = "EARTHCATALOG_WAREHOUSE")]
    pub warehouse: String,
}

/// What is read, and into which warehouse. Flags that are parameters of a script get help and default from there: see
/// [`command`].
#[derive(Debug, Clone, Args)]
pub struct SourceArgs {
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub inventory: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long, value_name = "0..15", value_parser = clap::value_parser!(u8).range(0..=15))]
    pub h3_resolution: Option<u8>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub chunk_size: Option<u64>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub fetch_concurrency: Option<u64>,
    #[arg(long, value_name = ".END,…")]
    pub suffix: Option<String>,
    #[arg(long, value_name = "DIR|URL")]
    pub base: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    #[arg(long, value_name = "N|P%", value_parser = values::max_rejects)]
    pub max_rejects: Option<MaxRejects>,
}

/// Flags of `ingest`.
#[derive(Debug, Clone, Args)]
pub struct IngestArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Only say what would be done; nothing is written
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// How the final report is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Flags of `incremental`.
#[derive(Debug, Clone, Args)]
pub struct IncrementalArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Only say what would be done; nothing is written
    #[arg(long)]
    pub dry_run: bool,
    /// Folder or URL for ingest_stats.json, to which each run adds a line [default: beside the catalog]
    #[arg(long, value_name = "DIR|URL")]
    pub report_location: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// How the final report is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Flags of `delta`.
#[derive(Debug, Clone, Args)]
pub struct DeltaArgs {
    #[arg(value_name = "FILE|DIR|URL")]
    pub inventory: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    #[arg(long, value_name = "TIME|last")]
    pub since: Option<Since>,
    #[arg(long, value_name = ".END,…")]
    pub suffix: Option<String>,
    #[arg(long, value_name = "DIR|URL")]
    pub base: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// How rows are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// Flags of `backfill`.
#[derive(Debug, Clone, Args)]
pub struct BackfillArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Only say what would be done; nothing is written
    #[arg(long)]
    pub dry_run: bool,
    /// Where the chunks are ingested [default: local, or ballista with --cluster]
    #[arg(long, value_enum)]
    pub scheduler: Option<Scheduler>,
    #[arg(long)]
    pub restart: bool,
    /// Folder or URL for ingest_stats.json, to which each run adds a line [default: beside the catalog]
    #[arg(long, value_name = "DIR|URL")]
    pub report_location: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// How the final report is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scheduler {
    /// In this process, one chunk after the other
    Synchronous,
    /// In this process, as many chunks at a time as there are threads
    Local,
    /// On the cluster that --cluster names
    Ballista,
}

#[derive(Debug, Clone, Args)]
pub struct RegisterArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// How it is written what was registered
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

#[derive(Debug, Clone, Args)]
pub struct RunsArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Remove the checkpoints of this run, so that it begins from the start
    #[arg(long, value_name = "RUN")]
    pub discard: Option<String>,
    /// How the list is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Flags of `compact`. Those that are parameters of `sql/compact.sql` get help and default from there.
#[derive(Debug, Clone, Args)]
pub struct CompactArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Only say what would be compacted; nothing is touched
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long, value_name = "N")]
    pub threshold: Option<u64>,
    #[arg(long, value_name = "CELL/YEAR")]
    pub bucket: Option<String>,
    #[arg(long, value_name = "YEAR", allow_negative_numbers = true)]
    pub since: Option<i32>,
    #[arg(long, value_name = "N")]
    pub commit_every: Option<NonZero<usize>>,
    /// How long replaced files and snapshots stay for readers that still hold them [default: the table's
    /// history.expire.max-snapshot-age-ms, or 5 days]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub retain: Option<Duration>,
    /// Hold the catalog's lock meanwhile, so that a second compaction does not do the same work
    #[arg(long)]
    pub use_lock: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// How the summary is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Flags of `expire`. Those that are parameters of `sql/expire.sql` get help and default from there.
#[derive(Debug, Clone, Args)]
pub struct ExpireArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub retain: Option<Duration>,
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// How the summary is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// A script and the values of its parameters.
#[derive(Debug, Clone, Args)]
pub struct ScriptArgs {
    /// A script, or the name of a pipeline (see `earthcatalog plans`)
    #[arg(value_name = "FILE|NAME")]
    pub script: String,
    #[command(flatten)]
    pub parameters: ParameterArgs,
    /// Value of parameter $catalog, where the script has one
    #[arg(long, value_name = "FILE", env = "EARTHCATALOG_CATALOG")]
    pub catalog: Option<String>,
    /// Value of parameter $warehouse, where the script has one
    #[arg(long, value_name = "DIR|URL", env = "EARTHCATALOG_WAREHOUSE")]
    pub warehouse: Option<String>,
    #[command(flatten)]
    pub resources: ResourceArgs,
}

#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub script: ScriptArgs,
    /// Run queries alone, and say what would be done by what writes; nothing is written
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// How rows are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    pub script: ScriptArgs,
}

#[derive(Debug, Clone, Args)]
pub struct PlansArgs {
    /// The pipeline, or a script, to tell of; without it, all pipelines are listed
    #[arg(value_name = "NAME|FILE")]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct InfoArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// How the state is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

#[derive(Debug, Clone, Args)]
pub struct PathsArgs {
    /// WKT, GeoJSON, WEST,SOUTH,EAST,NORTH in degrees, or a file with one of these
    #[arg(long, value_name = "WKT|FILE|BOX", allow_hyphen_values = true)]
    pub geometry: String,
    /// Items of this date or time and later
    #[arg(long, value_name = "TIME", value_parser = values::from)]
    pub start: Option<DateTime<Utc>>,
    /// Items up to this time, or of this date
    #[arg(long, value_name = "TIME", value_parser = values::until)]
    pub end: Option<DateTime<Utc>>,
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Paths, one a line, or one JSON object
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// New or empty folder for Items, catalog and warehouse [default: a new one among the temporary files]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Objects in the inventory
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub items: u64,
    /// Another seed makes other Items
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// Values for the parameters of a script.
#[derive(Debug, Clone, Args)]
pub struct ParameterArgs {
    /// Value of a parameter that the script declares
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::setting)]
    pub set: Vec<(String, String)>,
    /// What the configuration file says of parameters, for those that the script declares
    #[arg(long, hide = true, value_parser = values::setting)]
    pub configured: Vec<(String, String)>,
}

/// What a command may use of the machine.
#[derive(Debug, Clone, Args)]
pub struct ResourceArgs {
    /// Memory that sorts may take before they go to disk [default: 256MB per thread for pipelines, as much as there is for
    /// questions and other scripts]
    #[arg(long, value_name = "SIZE", value_parser = values::size, env = "EARTHCATALOG_MEMORY")]
    pub memory: Option<usize>,
    #[command(flatten)]
    pub threads: ThreadArgs,
}

#[derive(Debug, Clone, Args)]
pub struct ThreadArgs {
    /// Threads [default: as many as there are cores]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1024),
        env = "EARTHCATALOG_WORKERS"
    )]
    pub workers: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Aligned lines
    Text,
    /// One JSON object
    Json,
}

impl ThreadArgs {
    pub fn workers(&self) -> usize {
        match self.workers {
            Some(workers) => workers.into(),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl ResourceArgs {
    pub fn workers(&self) -> usize {
        self.threads.workers()
    }
}

impl ParameterArgs {
    /// The arguments of `script`: the configuration's, then `catalog` and `warehouse`, where it has such parameters, then
    /// what `--set` says, which it must have.
    pub fn arguments(&self, script: &Script, catalog: Option<&str>, warehouse: Option<&str>) -> Arguments {
        let configured = self.configured.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())));
        let known = configured.chain([("catalog", catalog), ("warehouse", warehouse)]);
        let known = known.filter(|(name, _)| script.parameter(name).is_some());
        let arguments = known.fold(Arguments::new(), |all, (name, value)| all.with_option(name, value));
        self.set.iter().fold(arguments, |all, (name, value)| all.with(name, value))
    }
}

impl BackfillArgs {
    pub fn workers(&self) -> usize {
        if self.scheduler == Some(Scheduler::Synchronous) { 1 } else { self.resources.workers() }
    }
}

impl Command {
    fn workers(&self) -> usize {
        match self {
            Self::Run(args) => &args.script.resources.threads,
            Self::Explain(args) => &args.script.resources.threads,
            Self::Backfill(args) => &args.resources.threads,
            Self::Incremental(args) => &args.resources.threads,
            Self::Delta(args) => &args.threads,
            Self::Plans(_) | Self::Register(_) | Self::Runs(_) | Self::Info(_) | Self::Paths(_) | Self::Config(_) => {
                return 1;
            }
            Self::Scheduler(_) | Self::Cluster(_) => return 2,
            Self::Executor(args) => return args.slots(),
            Self::Ingest(args) => &args.threads,
            Self::Compact(args) => &args.resources.threads,
            Self::Expire(args) => &args.threads,
            Self::Sql(args) => &args.resources.threads,
            Self::Export(args) => &args.resources.threads,
            Self::Demo(args) => &args.threads,
        }
        .workers()
    }
}

/// The command line with the pipelines' own help.
pub fn command() -> clap::Command {
    let command = PIPELINES.into_iter().fold(Cli::command(), |command, (name, pipeline)| {
        // The embedded scripts parse, as their test shows; without one there is only less help.
        let Ok(script) = pipeline.script() else { return command };
        command.mut_subcommand(name, |command| {
            script.parameters().iter().fold(command, |command, p| command.mut_arg(&p.name, |arg| arg.help(help(p))))
        })
    });
    parse::with_config_flags(command)
}

fn help(parameter: &Parameter) -> String {
    let says_nothing = ["NULL", "", "false"];
    match parameter.default_text().filter(|default| !says_nothing.contains(&default.as_str())) {
        Some(default) => format!("{} [default: {default}]", parameter.help),
        None => parameter.help.clone(),
    }
}

/// The program: arguments in, exit code out.
pub fn main() -> ExitCode {
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return error.report(),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let result = execute(cli.command, &mut out).and_then(|()| out.flush().map_err(CliError::from));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What was written before belongs before the error; its own failure is the lesser news.
            drop(out.flush());
            error.report()
        }
    }
}

fn execute(command: Command, out: &mut dyn Write) -> Result<(), CliError> {
    let workers = command.workers();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        // Where files are local, each worker has a few to read and to write at a time. Left alone, tokio starts
        // threads by the dozen for them, and the allocator keeps memory for each.
        .max_blocking_threads(8 + 4 * workers)
        .enable_all()
        .build()
        .map_err(CliError::Threads)?;
    let result = runtime.block_on(async {
        let result = run(command, out).await;
        cancellations().await;
        result
    });
    // Threads that wait for a store must not hold up the exit.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn parse(line: &[&str]) -> Result<Cli, String> {
        let matches = command().try_get_matches_from(line).map_err(|e| e.to_string())?;
        Cli::from_arg_matches(&matches).map_err(|e| e.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_parameter_of_the_pipeline_is_a_flag_with_the_scripts_help() {
        let mut command = command();
        for ((name, pipeline), default) in
            PIPELINES.into_iter().zip(["10000", "2", "auto", "text", "10000", "text", "10000"])
        {
            let help = command.find_subcommand_mut(name).unwrap().render_long_help().to_string();
            for parameter in pipeline.script().unwrap().parameters() {
                let is_argument = name == "delta" && parameter.name == "inventory";
                let flag = format!("--{}", parameter.name.replace('_', "-"));
                assert!(is_argument || help.contains(&flag), "{name} {flag}");
            }
            assert!(help.contains(&format!("[default: {default}]")), "{help}");
        }
    }

    #[test]
    fn a_bad_value_names_its_flag_and_what_it_takes() {
        let ingest = ["earthcatalog", "ingest", "--inventory", "i.csv", "--catalog", "c.db", "--warehouse", "w"];
        let fails = |extra: &[&str]| parse(&[&ingest, extra].concat()).unwrap_err();
        for (flag, value, accepts) in [
            ("--h3-resolution", "16", "0..=15"),
            ("--limit", "0", "1.."),
            ("--since", "yesterday", "2025-01-31"),
            ("--max-rejects", "101%", "between 0% and 100%"),
            ("--workers", "0", "1..=1024"),
        ] {
            let error = fails(&[flag, value]);
            assert!(error.contains(flag) && error.contains(accepts), "{error}");
        }
    }
}
