//! The commands, by name and options: the same as on a command line, and the same reports.

use std::time::Duration;

use earthcatalog::arguments::{
    ClusterArgs, ListArgs, ReportFormat, ResourceArgs, SourceArgs, ThreadArgs, TimeArgs, WarehouseArgs, values,
};
use earthcatalog::commands::CommandError;
use earthcatalog::commands::backfill::{self, BackfillArgs};
use earthcatalog::commands::change_items::ChangeItemsArgs;
use earthcatalog::commands::collection::{self, CollectionAction, CollectionCommand};
use earthcatalog::commands::compact::{self, CompactArgs};
use earthcatalog::commands::delete::{self, DeleteArgs};
use earthcatalog::commands::expire::{self, ExpireArgs};
use earthcatalog::commands::incremental::{self, IncrementalArgs};
use earthcatalog::commands::info::{self, InfoArgs};
use earthcatalog::commands::ingest::{self, IngestArgs};
use earthcatalog::commands::paths::{self, PathsArgs};
use earthcatalog::commands::reconcile::{self, ReconcileArgs};
use earthcatalog::commands::update::{self, UpdateArgs};
use pyo3::prelude::*;

use crate::errors;
use crate::options::Options;
use crate::runtime::AtSignal;

const OUTPUT: ReportFormat = ReportFormat::Json;

/// How long a command waits for executors when its cluster has none.
const EXECUTOR_WAIT: Duration = Duration::from_secs(60);

/// A command that is ready to run.
pub enum Command {
    Ingest(IngestArgs),
    Incremental(IncrementalArgs),
    Backfill(BackfillArgs),
    Reconcile(ReconcileArgs),
    Delete(DeleteArgs),
    Update(UpdateArgs),
    Compact(CompactArgs),
    Expire(ExpireArgs),
    Info(InfoArgs),
    Paths(PathsArgs),
    Collections(CollectionCommand),
}

/// Where a command works, and with what.
#[derive(Clone)]
pub struct Place {
    pub at: WarehouseArgs,
    pub resources: ResourceArgs,
    pub cluster: ClusterArgs,
}

impl Place {
    /// # Errors
    /// `InputError`: options of another type, or without such a value.
    pub fn new(options: &Options<'_, '_>) -> PyResult<Self> {
        Ok(Self {
            at: WarehouseArgs {
                catalog: options.get("catalog")?.unwrap_or_default(),
                warehouse: options.get("warehouse")?,
            },
            resources: ResourceArgs {
                memory: options.read("memory", values::size)?,
                threads: ThreadArgs { workers: options.get("workers")? },
            },
            cluster: ClusterArgs { cluster: options.parse("cluster")?, executor_wait: EXECUTOR_WAIT },
        })
    }
}

impl Command {
    /// The command `name`.
    ///
    /// # Errors
    /// `InputError`: a command that there is not; options of another type, or without such a value.
    pub fn new(name: &str, place: &Place, options: &Options<'_, '_>) -> PyResult<Self> {
        let Place { at, resources, cluster } = place.clone();
        let (output, dry_run) = (OUTPUT, options.flag("dry_run")?);
        let source = |at| source(at, options);
        let change = |resources, cluster| ChangeItemsArgs { dry_run, cluster, resources, output };
        Ok(match name {
            "ingest" => {
                Self::Ingest(IngestArgs { source: source(at)?, dry_run, cluster, threads: resources.threads, output })
            }
            "incremental" => Self::Incremental(IncrementalArgs {
                source: source(at)?,
                retry_rejects: options.flag("retry_rejects")?,
                dry_run,
                report_location: options.get("report_location")?,
                cluster,
                resources,
                output,
            }),
            "backfill" => Self::Backfill(BackfillArgs {
                source: source(at)?,
                dry_run,
                scheduler: options.read("scheduler", |text| clap::ValueEnum::from_str(text, false))?,
                restart: options.flag("restart")?,
                report_location: options.get("report_location")?,
                cluster,
                resources,
                output,
            }),
            "reconcile" => Self::Reconcile(ReconcileArgs {
                inventory: options.get("inventory")?.unwrap_or_default(),
                at,
                prefix: options.get("prefix")?,
                suffix: options.get("suffix")?,
                base: options.get("base")?,
                format: options.get("format")?,
                max_removed: options.read("max_removed", values::max_rejects)?,
                change: change(resources, cluster),
            }),
            "delete" => Self::Delete(DeleteArgs {
                at,
                condition: options.get("where")?.unwrap_or_default(),
                change: change(resources, cluster),
            }),
            "update" => Self::Update(UpdateArgs {
                at,
                assignments: options.get("set")?.unwrap_or_default(),
                condition: options.get("where")?.unwrap_or_default(),
                change: change(resources, cluster),
            }),
            "compact" => Self::Compact(CompactArgs {
                at,
                dry_run,
                threshold: options.get("threshold")?,
                bucket: options.get("bucket")?,
                since: options.get("since")?,
                commit_every: options.parse("commit_every")?,
                retain: options.read("retain", values::duration)?,
                use_lock: options.flag("use_lock")?,
                cluster,
                resources,
                output,
            }),
            "expire" => Self::Expire(ExpireArgs {
                at,
                retain: options.read("retain", values::duration)?,
                dry_run,
                threads: resources.threads,
                output,
            }),
            "info" => Self::Info(InfoArgs { at, output }),
            "paths" => Self::Paths(PathsArgs {
                geometry: options.get("geometry")?.unwrap_or_default(),
                time: TimeArgs {
                    start: options.read("start", values::from)?,
                    end: options.read("end", values::until)?,
                },
                at,
                output,
            }),
            "collections" => {
                Self::Collections(CollectionCommand { action: CollectionAction::List(ListArgs { at, output }) })
            }
            other => return Err(errors::input(format!("there is no command {other}"))),
        })
    }

    /// What becomes of it at Ctrl-C: those that write know how to stop.
    pub fn at_signal(&self) -> AtSignal {
        match self {
            Self::Info(_) | Self::Paths(_) | Self::Collections(_) => AtSignal::Drop,
            _ => AtSignal::Tell,
        }
    }

    /// Runs the command; its report as JSON, empty where there is nothing to report.
    pub async fn run(self) -> Result<String, CommandError> {
        let mut out = vec![];
        match self {
            Self::Ingest(args) => ingest::run(&args, &mut out).await,
            Self::Incremental(args) => incremental::run(&args, &mut out).await,
            Self::Backfill(args) => backfill::run(&args, &mut out).await,
            Self::Reconcile(args) => reconcile::run(&args, &mut out).await,
            Self::Delete(args) => delete::run(&args, &mut out).await,
            Self::Update(args) => update::run(&args, &mut out).await,
            Self::Compact(args) => compact::run(&args, &mut out).await,
            Self::Expire(args) => expire::run(&args, &mut out).await,
            Self::Info(args) => info::run(&args, &mut out).await,
            Self::Paths(args) => paths::run(&args, &mut out).await,
            Self::Collections(args) => collection::run(&args, &mut out).await,
        }?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}

/// Which Items are ingested, and how they are read.
fn source(at: WarehouseArgs, options: &Options<'_, '_>) -> PyResult<SourceArgs> {
    Ok(SourceArgs {
        inventory: options.get("inventory")?.unwrap_or_default(),
        at,
        h3_resolution: options.get("h3_resolution")?,
        columns: options.get("columns")?,
        limit: options.get("limit")?,
        since: options.parse("since")?,
        chunk_size: options.get("chunk_size")?,
        fetch_concurrency: options.get("fetch_concurrency")?,
        suffix: options.get("suffix")?,
        base: options.get("base")?,
        format: options.get("format")?,
        validate: options.flag("validate")?,
        max_item_cells: options.get("max_item_cells")?,
        max_rejects: options.read("max_rejects", values::max_rejects)?,
    })
}
