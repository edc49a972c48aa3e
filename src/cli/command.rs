//! [`Command`]: what can be asked for.

use std::any::TypeId;
use std::io::Write;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, StringValueParser, TypedValueParser};
use clap::{Arg, CommandFactory, Subcommand};

use super::Cli;
use crate::commands::CommandError;
use crate::commands::backfill::{self, BackfillArgs};
use crate::commands::changes::{self, ChangesArgs};
use crate::commands::cluster::{self, ClusterCommand};
use crate::commands::collection::{self, CollectionCommand};
use crate::commands::column::{self, ColumnCommand};
use crate::commands::compact::{self, CompactArgs};
use crate::commands::completions::{self, CompletionsArgs};
use crate::commands::config::{self, ConfigArgs};
use crate::commands::delete::{self, DeleteArgs};
use crate::commands::delta::{self, DeltaArgs};
use crate::commands::demo::{self, DemoArgs};
use crate::commands::executor::{self, ExecutorArgs};
use crate::commands::expire::{self, ExpireArgs};
use crate::commands::explain::{self, ExplainArgs};
use crate::commands::export::{self, ExportArgs};
use crate::commands::incremental::{self, IncrementalArgs};
use crate::commands::index::{self, IndexArgs};
use crate::commands::info::{self, InfoArgs};
use crate::commands::ingest::{self, IngestArgs};
use crate::commands::init::{self, InitArgs};
use crate::commands::man::{self, ManArgs};
use crate::commands::map::{self, MapArgs};
use crate::commands::migrate::{self, MigrateArgs};
use crate::commands::paths::{self, PathsArgs};
use crate::commands::pipelines::{self, PipelinesArgs};
use crate::commands::reconcile::{self, ReconcileArgs};
use crate::commands::register::{self, RegisterArgs};
use crate::commands::relocate::{self, RelocateArgs};
use crate::commands::rollback::{self, RollbackArgs};
use crate::commands::run::{self, RunArgs};
use crate::commands::runs::{self, RunsArgs};
use crate::commands::scheduler::{self, SchedulerArgs};
use crate::commands::search::{self, SearchArgs};
use crate::commands::serve::{self, ServeArgs};
use crate::commands::sql::{self, SqlArgs};
use crate::commands::tag::{self, TagCommand};
use crate::commands::update::{self, UpdateArgs};
use crate::commands::verify::{self, VerifyArgs};
use crate::config::KEYS;
use crate::home::with_home;
use crate::pipeline::PIPELINES;
use crate::script::Parameter;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn an inventory of STAC Items into part files and one snapshot of the warehouse's table
    Ingest(IngestArgs),
    /// Ingest an inventory of any size: it can be resumed, merges the files, and commits one snapshot at the end
    Backfill(BackfillArgs),
    /// Ingest the objects of an inventory that the table has not ingested yet
    Incremental(IncrementalArgs),
    /// List the objects that `incremental` would ingest
    Delta(DeltaArgs),
    /// List the Items that were added, changed or removed since a state of the table
    Changes(ChangesArgs),
    /// Take the table that lies in a warehouse into a catalog that has none, such as a new one in place of a lost one
    Register(RegisterArgs),
    /// Make a warehouse that was copied or moved whole where it lies, and take it into a catalog
    Relocate(RelocateArgs),
    /// Take over a warehouse of the Python earthcatalog, or another Iceberg table of Items
    Migrate(MigrateArgs),
    /// List the backfills of a warehouse and their progress
    Runs(RunsArgs),
    /// Merge the part files of each bucket into one, with the newest version of each Item
    Compact(CompactArgs),
    /// Delete Items, in all versions and cells, as one snapshot
    Delete(DeleteArgs),
    /// Give Items other values, in all their cells, as one snapshot
    Update(UpdateArgs),
    /// Remove the Items whose objects an inventory no longer lists, as one snapshot
    Reconcile(ReconcileArgs),
    /// Build an index by id, with which a question about an id opens few files
    Index(IndexArgs),
    /// Remove old snapshots, and files that are no longer needed
    Expire(ExpireArgs),
    /// Take a table back to an earlier state, or forth again
    Rollback(RollbackArgs),
    /// List, add or remove names for states of a warehouse
    Tag(TagCommand),
    /// Say whether a warehouse is whole, from its metadata, or with --deep from every row
    Verify(VerifyArgs),
    /// Run a SQL script, given as a file or as the name of a pipeline
    Run(RunArgs),
    /// Show the plans of a SQL script, given as a file or as the name of a pipeline, without running it
    Explain(ExplainArgs),
    /// List the pipelines, or the parameters of one
    #[command(alias = "plans")]
    Pipelines(PipelinesArgs),
    /// Query a warehouse in SQL: a statement, a file, or a prompt
    Sql(SqlArgs),
    /// Find Items by the parameters of a STAC search
    Search(SearchArgs),
    /// Answer as a STAC API over a warehouse
    Serve(ServeArgs),
    /// Write Items as they were ingested: NDJSON, an ItemCollection or stac-geoparquet
    Export(ExportArgs),
    /// Write a configuration file for this folder, with a comment for each setting
    Init(InitArgs),
    /// Show the settings and where each of them comes from
    Config(ConfigArgs),
    /// Show the state of a warehouse, from its metadata alone
    Info(InfoArgs),
    /// List, show, add or remove the collections of a warehouse
    Collection(CollectionCommand),
    /// List, add or remove the columns of properties, in the Items that are there, too
    Column(ColumnCommand),
    /// Write a map of a warehouse as one HTML file, from its metadata alone
    Map(MapArgs),
    /// List the data files whose Items may intersect a place
    Paths(PathsArgs),
    /// Run the scheduler of a cluster
    Scheduler(SchedulerArgs),
    /// Run an executor of a cluster
    Executor(ExecutorArgs),
    /// Run a cluster on this machine
    Cluster(ClusterCommand),
    /// Make a small set of Items, ingest it and query it; each step is shown as the command to type
    Demo(DemoArgs),
    /// Write the script with which a shell completes commands and flags
    Completions(CompletionsArgs),
    /// Write manual pages
    #[command(hide = true)]
    Man(ManArgs),
}

impl Command {
    /// Runs the command; what it has to say goes to `out`.
    pub async fn run(self, out: &mut dyn Write) -> Result<(), CommandError> {
        match self {
            Self::Ingest(args) => ingest::run(&args, out).await,
            Self::Backfill(args) => backfill::run(&args, out).await,
            Self::Incremental(args) => incremental::run(&args, out).await,
            Self::Delta(args) => delta::run(&args, out).await,
            Self::Changes(args) => changes::run(&args, out).await,
            Self::Register(args) => register::run(&args, out).await,
            Self::Relocate(args) => relocate::run(&args, out).await,
            Self::Migrate(args) => migrate::run(&args, out).await,
            Self::Runs(args) => runs::run(&args, out).await,
            Self::Compact(args) => compact::run(&args, out).await,
            Self::Delete(args) => delete::run(&args, out).await,
            Self::Update(args) => update::run(&args, out).await,
            Self::Reconcile(args) => reconcile::run(&args, out).await,
            Self::Index(args) => index::run(&args, out).await,
            Self::Expire(args) => expire::run(&args, out).await,
            Self::Rollback(args) => rollback::run(&args, out).await,
            Self::Tag(args) => tag::run(&args, out).await,
            Self::Verify(args) => verify::run(&args, out).await,
            Self::Run(args) => run::run(&args, out).await,
            Self::Explain(args) => explain::run(&args, out).await,
            Self::Pipelines(args) => pipelines::run(&args, out),
            Self::Sql(args) => sql::run(&args, out).await,
            Self::Search(args) => search::run(&args, out).await,
            Self::Serve(args) => serve::run(&args, out).await,
            Self::Export(args) => export::run(&args, out).await,
            Self::Init(args) => init::run(&args, out),
            Self::Config(args) => config::run(&args, out),
            Self::Info(args) => info::run(&args, out).await,
            Self::Collection(args) => collection::run(&args, out).await,
            Self::Column(args) => column::run(&args, out).await,
            Self::Map(args) => map::run(&args, out).await,
            Self::Paths(args) => paths::run(&args, out).await,
            Self::Scheduler(args) => scheduler::run(&args, out).await,
            Self::Executor(args) => executor::run(&args, out).await,
            Self::Cluster(args) => cluster::run(&args, out).await,
            Self::Demo(args) => demo::run(&args, out).await,
            Self::Completions(args) => completions::run(&args, command(), out),
            Self::Man(args) => man::run(&args, command()),
        }
    }

    /// How many threads it needs.
    pub fn workers(&self) -> usize {
        match self {
            Self::Ingest(args) => args.threads.workers(),
            Self::Backfill(args) => args.resources.workers(),
            Self::Incremental(args) => args.resources.workers(),
            Self::Migrate(args) => args.resources.workers(),
            Self::Delta(args) => args.threads.workers(),
            Self::Changes(args) => args.resources.workers(),
            Self::Compact(args) => args.resources.workers(),
            Self::Delete(args) => args.change.resources.workers(),
            Self::Update(args) => args.change.resources.workers(),
            Self::Reconcile(args) => args.change.resources.workers(),
            Self::Index(args) => args.resources.workers(),
            Self::Expire(args) => args.threads.workers(),
            Self::Verify(args) => args.resources.workers(),
            Self::Run(args) => args.script.resources.workers(),
            Self::Explain(args) => args.script.resources.workers(),
            Self::Sql(args) => args.resources.workers(),
            Self::Search(args) => args.resources.workers(),
            Self::Serve(args) => args.resources.workers(),
            Self::Export(args) => args.resources.workers(),
            Self::Demo(args) => args.threads.workers(),
            Self::Executor(args) => args.slots(),
            Self::Scheduler(_) | Self::Cluster(_) => 2,
            Self::Completions(_)
            | Self::Man(_)
            | Self::Pipelines(_)
            | Self::Register(_)
            | Self::Relocate(_)
            | Self::Rollback(_)
            | Self::Tag(_)
            | Self::Runs(_)
            | Self::Info(_)
            | Self::Collection(_)
            | Self::Column(_)
            | Self::Map(_)
            | Self::Paths(_)
            | Self::Init(_)
            | Self::Config(_) => 1,
        }
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
    with_config_flags(with_home_folders(command))
}

fn help(parameter: &Parameter) -> String {
    let says_nothing = ["NULL", "", "false"];
    match parameter.default_text().filter(|default| !says_nothing.contains(&default.as_str())) {
        Some(default) => format!("{} [default: {default}]", parameter.help),
        None => parameter.help.clone(),
    }
}

/// `command` with flags and arguments that take `~` for the home folder, where they name a file or folder.
fn with_home_folders(command: clap::Command) -> clap::Command {
    let is_path = |arg: &Arg| {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().any(|name| name.contains("FILE") || name.contains("DIR"))
    };
    let with_home_folder = |arg: Arg| {
        let kind = arg.get_value_parser().type_id();
        if !is_path(&arg) {
            arg
        } else if kind == TypeId::of::<String>() {
            arg.value_parser(StringValueParser::new().map(|path| with_home(&path)))
        } else if kind == TypeId::of::<PathBuf>() {
            // A path that is not text does not begin with a character either.
            let path = |path: PathBuf| path.to_str().map_or(path.clone(), |path| with_home(path).into());
            arg.value_parser(PathBufValueParser::new().map(path))
        } else {
            arg
        }
    };
    command.mut_args(with_home_folder).mut_subcommands(with_home_folders)
}

/// `command` with subcommands `config` and `init` that have the flags of all keys.
fn with_config_flags(command: clap::Command) -> clap::Command {
    let flags: Vec<&str> = KEYS.iter().filter_map(|key| key.flag).collect();
    let arg = |flag: &str| {
        let mut all = command.get_subcommands().flat_map(clap::Command::get_arguments);
        all.find(|arg| arg.get_id() == flag).map(|arg| arg.clone().required(false))
    };
    let mut args: Vec<Arg> = vec![];
    for flag in flags {
        if args.iter().all(|arg| arg.get_id() != flag) {
            args.extend(arg(flag));
        }
    }
    let with_args = |command: clap::Command, name| command.mut_subcommand(name, |config| config.args(args.clone()));
    ["config", "init"].into_iter().fold(command, with_args)
}
