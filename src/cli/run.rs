//! What each command does: check its options, run it, write its result.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::pin::pin;
use std::time::Instant;

use datafusion::prelude::SessionContext;
use earthcatalog_plans::maintenance::ExpireSummary;
use earthcatalog_plans::session::{self, session, session_within};
use earthcatalog_plans::stores::{location_url, stores};
use serde::Serialize;

use super::config::config;
use super::export::export;
use super::sql::sql;
use super::{
    BackfillArgs, CliError, Command, CompactArgs, DeltaArgs, ExpireArgs, ExplainArgs, IncrementalArgs, InfoArgs,
    IngestArgs, PathsArgs, PlansArgs, RegisterArgs, ReportFormat, RunArgs, RunsArgs, ScriptArgs, Since, SourceArgs,
    WarehouseArgs,
};
use crate::backfill::BackfillOptions;
use crate::compact::{CompactOptions, CompactSummary, PlannedBucket};
use crate::dry_run::DryRun;
use crate::expire::ExpireOptions;
use crate::incremental::IncrementalOptions;
use crate::ingest::IngestOptions;
use crate::output::Format;
use crate::paths::Question;
use crate::pipeline::{PIPELINES, PipelineError, dry_run_statement, pipeline_session, run_statement};
use crate::report::{Report, bytes, count};
use crate::runs::RunsError;
use crate::script::{Arguments, Script, Statement};
use crate::{backfill, compact, demo, expire, incremental, info, ingest, paths, register, runs};

/// Runs a command; what it has to say goes to `out`.
pub async fn run(command: Command, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        Command::Ingest(args) => ingest(&args, out).await,
        Command::Backfill(args) => backfill(&args, out).await,
        Command::Incremental(args) => incremental(&args, out).await,
        Command::Delta(args) => delta(&args, out).await,
        Command::Register(args) => register(&args, out).await,
        Command::Runs(args) => runs(&args, out).await,
        Command::Compact(args) => compact(&args, out).await,
        Command::Expire(args) => expire(&args, out).await,
        Command::Run(args) => run_script(&args, out).await,
        Command::Explain(args) => explain(&args, out).await,
        Command::Plans(args) => plans(&args, out),
        Command::Sql(args) => sql(&args, out).await,
        Command::Export(args) => export(&args, out).await,
        Command::Config(args) => config(&args, out),
        Command::Info(args) => info(&args, out).await,
        Command::Paths(args) => paths(&args, out).await,
        Command::Scheduler(args) => super::cluster::scheduler(&args, out).await,
        Command::Executor(args) => super::cluster::executor(&args, out).await,
        Command::Cluster(command) => super::cluster::cluster(&command, out).await,
        Command::Demo(args) => demo::run(&args, out).await,
    }
}

async fn ingest(args: &IngestArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let options = whole_source(&args.source)?;
    let session = session(args.threads.workers()).map_err(CliError::Query)?;
    let failed = |e| CliError::pipeline(e, ingest::PIPELINE);
    if args.dry_run {
        let would = ingest::plan_ingest(&session, &options, interrupt()).await.map_err(failed)?;
        return write_would(&would, args.output, out);
    }
    args.cluster.attach(&session).await?;
    write_report(&ingest::ingest(&session, &options, interrupt()).await.map_err(failed)?, args.output, out)
}

async fn backfill(args: &BackfillArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let options = BackfillOptions {
        cluster: args.cluster()?.open_unless(args.dry_run).await?,
        source: whole_source(&args.source)?,
        workers: args.workers(),
        memory: args.resources.memory,
        restart: args.restart,
        report_location: args.report_location.clone(),
    };
    if let Some(location) = &args.report_location {
        check_location("report-location", location)?;
    }
    if args.dry_run {
        let would = backfill::plan_backfill(&options, interrupt()).await;
        let would = would.map_err(|e| CliError::pipeline(e, backfill::PIPELINE))?;
        return write_would(&would, args.output, out);
    }
    let summary = backfill::run_backfill(&options, interrupt()).await;
    let summary = summary.map_err(|e| match e {
        PipelineError::Interrupted(_) => CliError::Paused,
        e => CliError::pipeline(e, backfill::PIPELINE),
    })?;
    write_report(&summary, args.output, out)
}

async fn register(args: &RegisterArgs, out: &mut dyn Write) -> Result<(), CliError> {
    check_warehouse(&args.at)?;
    let registered = register::register(&args.at.catalog, &args.at.warehouse).await;
    write_report(&registered.map_err(RunsError::from)?, args.output, out)
}

async fn runs(args: &RunsArgs, out: &mut dyn Write) -> Result<(), CliError> {
    check_warehouse(&args.at)?;
    let warehouse = runs::open(&args.at.catalog, &args.at.warehouse).await?;
    if let Some(run) = &args.discard {
        runs::discard(&warehouse, run).await?;
        return Ok(());
    }
    let runs = runs::runs(&warehouse).await?;
    write_report(&runs, args.output, out)
}

async fn incremental(args: &IncrementalArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let options = IncrementalOptions {
        cluster: args.cluster.open_unless(args.dry_run).await?,
        source: source(&args.source)?,
        workers: args.resources.workers(),
        memory: args.resources.memory,
        report_location: args.report_location.clone(),
    };
    if let Some(location) = &args.report_location {
        check_location("report-location", location)?;
    }
    let failed = |e| CliError::pipeline(e, incremental::PIPELINE);
    if args.dry_run {
        let would = incremental::plan_incremental(&options, interrupt()).await.map_err(failed)?;
        return write_would(&would, args.output, out);
    }
    write_report(&incremental::run_incremental(&options, interrupt()).await.map_err(failed)?, args.output, out)
}

async fn delta(args: &DeltaArgs, out: &mut dyn Write) -> Result<(), CliError> {
    check_inventory(&args.inventory)?;
    check_warehouse(&args.at)?;
    let arguments = Arguments::new()
        .with("inventory", &args.inventory)
        .with("catalog", &args.at.catalog)
        .with("warehouse", &args.at.warehouse)
        .with_option("limit", args.limit)
        .with_option("since", args.since)
        .with_option("suffix", args.suffix.as_ref())
        .with_option("base", args.base.as_ref())
        .with_option("format", args.format.as_ref());
    let session = pipeline_session(args.threads.workers(), None).map_err(CliError::Query)?;
    let failed = |e| CliError::pipeline(e, incremental::DELTA);
    let mut interrupt = pin!(interrupt());
    for statement in incremental::DELTA.script()?.bind(&arguments)? {
        let ran = run_statement(&statement, &session, interrupt.as_mut(), Some((args.output, &mut *out))).await;
        ran.map_err(failed)?;
    }
    Ok(())
}

/// The flags of what is read, checked; `--since last` is for [`incremental`].
fn whole_source(args: &SourceArgs) -> Result<IngestOptions, CliError> {
    if args.since == Some(Since::Last) {
        return Err(CliError::SinceLast);
    }
    source(args)
}

/// The flags of what is read, checked.
fn source(args: &SourceArgs) -> Result<IngestOptions, CliError> {
    check_inventory(&args.inventory)?;
    check_warehouse(&args.at)?;
    if let Some(base) = &args.base {
        check_location("base", base)?;
    }
    Ok(IngestOptions {
        inventory: args.inventory.clone(),
        catalog: args.at.catalog.clone(),
        warehouse: args.at.warehouse.clone(),
        h3_resolution: args.h3_resolution,
        chunk_size: args.chunk_size,
        fetch_concurrency: args.fetch_concurrency,
        limit: args.limit,
        since: args.since.as_ref().map(|since| since.to_string()),
        suffix: args.suffix.clone(),
        base: args.base.clone(),
        format: args.format.clone(),
        max_rejects: args.max_rejects.map(|most| most.to_string()),
    })
}

async fn compact(args: &CompactArgs, out: &mut dyn Write) -> Result<(), CliError> {
    check_warehouse(&args.at)?;
    let options = CompactOptions {
        cluster: args.cluster.open_unless(args.dry_run).await?,
        catalog: args.at.catalog.clone(),
        warehouse: args.at.warehouse.clone(),
        threshold: args.threshold,
        bucket: args.bucket.clone(),
        since: args.since,
        commit_every: args.commit_every,
        retain: args.retain,
        use_lock: args.use_lock,
        workers: args.resources.workers(),
        memory: args.resources.memory,
    };
    let failed = |e| CliError::pipeline(e, compact::PIPELINE);
    if args.dry_run {
        let buckets = compact::plan_compaction(&options).await.map_err(failed)?;
        return write_planned(&buckets, args.output, out);
    }
    let summary = compact::compact_warehouse(&options, interrupt()).await.map_err(failed)?;
    if let Some(bucket) = args.bucket.as_ref().filter(|_| summary.buckets_scanned == 0) {
        return Err(CliError::NoBucket(bucket.clone()));
    }
    write_report(&summary, args.output, out)
}

fn write_planned(buckets: &[PlannedBucket], format: ReportFormat, out: &mut dyn Write) -> Result<(), CliError> {
    let sum = |of: fn(&PlannedBucket) -> u64| buckets.iter().map(of).sum::<u64>();
    let (files, rows, size) = (sum(|b| b.files), sum(|b| b.rows), sum(|b| b.bytes));
    if format == ReportFormat::Json {
        let plan = serde_json::json!({ "buckets": buckets, "files": files, "rows": rows, "bytes": size });
        return Ok(writeln!(out, "{plan}")?);
    }
    let mut line = |bucket: &str, files: String, rows: String, size: String| {
        writeln!(out, "{bucket:<24}{files:>10}{rows:>14}{size:>12}")
    };
    line("bucket", "files".to_owned(), "rows".to_owned(), "bytes".to_owned())?;
    for bucket in buckets {
        line(&bucket.bucket, count(bucket.files), count(bucket.rows), bytes(bucket.bytes))?;
    }
    line(&format!("{} in all", count(buckets.len() as u64)), count(files), count(rows), bytes(size))?;
    Ok(())
}

/// What a command did: aligned lines, or one JSON object.
fn write_report(
    report: &(impl Display + Serialize),
    format: ReportFormat,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    match format {
        ReportFormat::Text => writeln!(out, "{report}")?,
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(report).map_err(std::io::Error::from)?)?,
    }
    Ok(())
}

/// What a command would do.
fn write_would(would: &Option<DryRun>, format: ReportFormat, out: &mut dyn Write) -> Result<(), CliError> {
    would.as_ref().map_or(Ok(()), |would| write_report(would, format, out))
}

async fn expire(args: &ExpireArgs, out: &mut dyn Write) -> Result<(), CliError> {
    check_warehouse(&args.at)?;
    let options = ExpireOptions {
        catalog: args.at.catalog.clone(),
        warehouse: args.at.warehouse.clone(),
        retain: args.retain,
        dry_run: args.dry_run,
    };
    let session = session(args.threads.workers()).map_err(CliError::Query)?;
    // Stopped anywhere, it leaves orphans at most, which the next one removes.
    let expired = tokio::select! {
        done = expire::expire(&session, &options) => done.map_err(|e| CliError::pipeline(e, expire::PIPELINE))?,
        () = interrupt() => return Err(CliError::Interrupted),
    };
    write_report(&expired, args.output, out)
}

/// A script by the name of its pipeline, or by its path.
fn script(name: &str) -> Result<Script, CliError> {
    if let Some((_, pipeline)) = PIPELINES.iter().find(|(known, _)| *known == name) {
        return Ok(pipeline.script()?);
    }
    let text = std::fs::read_to_string(name).map_err(|source| CliError::NoScript(name.to_owned(), source))?;
    Ok(Script::parse(name, &text)?)
}

/// The statements of a script, and a session to run them in.
fn bound(args: &ScriptArgs) -> Result<(Vec<Statement>, SessionContext), CliError> {
    let script = script(&args.script)?;
    let arguments = args.parameters.arguments(&script, args.catalog.as_deref(), args.warehouse.as_deref());
    let workers = args.resources.workers();
    let session = match PIPELINES.iter().any(|(name, _)| *name == args.script) {
        true => pipeline_session(workers, args.resources.memory),
        false => session_within(workers, args.resources.memory),
    };
    Ok((script.bind(&arguments)?, session.map_err(CliError::Query)?))
}

async fn run_script(args: &RunArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let (statements, session) = bound(&args.script)?;
    args.cluster.attach(&session).await?;
    let failed = |e| CliError::Pipeline(Box::new(e), String::new());
    let format = match args.output {
        Format::Table | Format::Csv => ReportFormat::Text,
        _ => ReportFormat::Json,
    };
    let mut interrupt = pin!(interrupt());
    if args.dry_run {
        session::dry_run(&session);
        for statement in statements {
            let would =
                dry_run_statement(&statement, &session, interrupt.as_mut(), Some((args.output, &mut *out))).await;
            write_would(&would.map_err(failed)?, format, out)?;
        }
        return Ok(());
    }
    for statement in statements {
        let started = Instant::now();
        let committed = run_statement(&statement, &session, interrupt.as_mut(), Some((args.output, &mut *out))).await;
        let Some(run) = committed.map_err(failed)? else { continue };
        let seconds = started.elapsed().as_secs_f64();
        match run.replaced.clone() {
            Some(replaced) => {
                write_report(&CompactSummary::new(replaced, &ExpireSummary::default(), seconds), format, out)?;
            }
            None => write_report(&Report { run, seconds }, format, out)?,
        }
    }
    Ok(())
}

async fn explain(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let (statements, session) = bound(&args.script)?;
    session::dry_run(&session);
    let explain = async {
        for statement in statements {
            if let Some(explained) = statement.explain(&session).await? {
                writeln!(out, "{explained}")?;
            }
        }
        Ok(())
    };
    tokio::select! {
        done = explain => done,
        () = interrupt() => Err(CliError::Interrupted),
    }
}

fn plans(args: &PlansArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let Some(name) = &args.name else {
        for (name, pipeline) in PIPELINES {
            writeln!(out, "{name:<12}{}", pipeline.script()?.description())?;
        }
        return Ok(());
    };
    let script = script(name)?;
    writeln!(out, "{}\n", script.description())?;
    for parameter in script.parameters() {
        let default = parameter.default_text().map_or("required".to_owned(), |text| match text.is_empty() {
            true => "''".to_owned(),
            false => text,
        });
        writeln!(out, "${:<20}{:<9}{default:<10} {}", parameter.name, parameter.kind.to_string(), parameter.help)?;
    }
    Ok(())
}

async fn info(args: &InfoArgs, out: &mut dyn Write) -> Result<(), CliError> {
    check_warehouse(&args.at)?;
    let session = session(1).map_err(CliError::Query)?;
    let info = info::info(&session, &args.at.catalog, &args.at.warehouse).await;
    let info = info.map_err(|e| CliError::pipeline(e, info::PIPELINE))?;
    match args.output {
        ReportFormat::Text => write!(out, "{info}")?,
        ReportFormat::Json => write_report(&info, args.output, out)?,
    }
    Ok(())
}

async fn paths(args: &PathsArgs, out: &mut dyn Write) -> Result<(), CliError> {
    check_warehouse(&args.at)?;
    let session = session(1).map_err(CliError::Query)?;
    let question = Question { geometry: args.geometry.clone(), start: args.start, end: args.end };
    let paths = paths::paths(&session, &args.at.catalog, &args.at.warehouse, &question).await?;
    match args.output {
        ReportFormat::Text => write!(out, "{paths}")?,
        ReportFormat::Json => write_report(&paths, args.output, out)?,
    }
    Ok(())
}

/// Resolves at Ctrl-C; never, where signals cannot be listened to.
pub(super) async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn check_inventory(inventory: &str) -> Result<(), CliError> {
    let url = check_location("inventory", inventory)?;
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" && !path.exists() => Err(CliError::NoInventory(inventory.to_owned())),
        _ => Ok(()),
    }
}

pub(super) fn check_warehouse(at: &WarehouseArgs) -> Result<(), CliError> {
    check_location("warehouse", &at.warehouse)?;
    let folder = Path::new(&at.catalog).parent().filter(|p| !p.as_os_str().is_empty());
    match folder {
        Some(folder) if !at.catalog.contains("://") && !folder.exists() => {
            Err(CliError::NoCatalogFolder(at.catalog.clone(), folder.to_owned()))
        }
        _ => Ok(()),
    }
}

fn check_location(flag: &'static str, location: &str) -> Result<url::Url, CliError> {
    let failed = |source| CliError::Location { flag, source: Box::new(source) };
    let url = location_url(location).map_err(failed)?;
    stores().locate(&url).map_err(failed)?;
    Ok(url)
}
