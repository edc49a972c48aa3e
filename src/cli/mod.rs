//! The command line: [`parse`] reads it, [`Command::run`] hands it to a command, [`CliError`] says what went wrong.

mod command;
mod error;
mod parse;

pub use command::{Command, command};
pub use error::CliError;
pub use parse::parse;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::thread;

use clap::{ArgAction, Parser};
use earthcatalog_plans::wire;
use tokio::runtime::{Builder, Runtime};

use crate::cluster::cancellations;
use crate::{verbosity, version};

/// STAC Items by the million into a spatially partitioned GeoParquet warehouse with an Apache Iceberg catalog.
#[derive(Debug, Parser)]
#[command(name = "earthcatalog", version = version::SHORT, long_version = version::LONG, max_term_width = 110)]
pub struct Cli {
    /// TOML or YAML file with settings [default: earthcatalog.toml, .yaml or .yml in the working directory]
    #[arg(long, value_name = "FILE", global = true, env = "EARTHCATALOG_CONFIG")]
    pub config: Option<PathBuf>,
    /// Write results and errors only: no notes, and no bars
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say on standard error what is done, and with -vv in detail; RUST_LOG says what is logged
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

/// Bytes of address space for the stack of the thread that plans, and of those that run; memory is taken only as it is used.
pub const STACK: usize = 1 << 30;
const STACK_OF_WORKER: usize = 64 << 20;

/// The program: its words, its own name first, in; exit code out.
pub fn main(words: impl IntoIterator<Item = OsString>) -> u8 {
    wire::set_commit(version::COMMIT);
    let cli = match parse(words) {
        Ok(cli) => cli,
        Err(error) => return error.report(),
    };
    verbosity::set(cli.quiet, cli.verbose);
    // Plans are trees, and are walked as such: a condition with thousands of alternatives is as deep.
    let deep = thread::Builder::new().stack_size(STACK).spawn(|| run(cli));
    match deep.map(thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => CliError::Threads(error).report(),
    }
}

fn run(cli: Cli) -> u8 {
    let mut out = BufWriter::new(io::stdout().lock());
    let result = execute(cli.command, &mut out);
    match result.and_then(|()| out.flush().map_err(|error| CliError::Command(error.into()))) {
        Ok(()) => 0,
        Err(error) => {
            // What was written before belongs before the error; its own failure is the lesser news.
            drop(out.flush());
            error.report()
        }
    }
}

fn execute(command: Command, out: &mut dyn Write) -> Result<(), CliError> {
    let runtime = runtime(command.workers()).map_err(CliError::Threads)?;
    let result = runtime.block_on(async {
        let result = command.run(out).await;
        cancellations().await;
        result
    });
    // Threads that wait for a store must not hold up the exit.
    runtime.shutdown_background();
    Ok(result?)
}

/// The threads on which commands run, with so many workers.
pub fn runtime(workers: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_stack_size(STACK_OF_WORKER)
        // Where files are local, each worker has a few to read and to write at a time. Left alone, tokio starts
        // threads by the dozen for them, and the allocator keeps memory for each.
        .max_blocking_threads(8 + 4 * workers)
        .enable_all()
        .build()
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::pipeline::PIPELINES;

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
            PIPELINES.into_iter().zip(["10000", "last", "2", "text", "auto", "text", "10000", "text", "10000", "1%"])
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
