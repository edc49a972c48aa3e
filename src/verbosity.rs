//! How much is said on standard error beside errors: notes and bars, which `--quiet` leaves out, and with `--verbose` or
//! `RUST_LOG` a log of what is done. It is of the process, as the log is.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI8, Ordering};

use chrono::{SecondsFormat, Utc};
use env_filter::{Builder, Filter};
use log::{LevelFilter, Log, Metadata, Record};

use crate::terminal::{HEADING, stderr_is_coloured, styled};

/// Below 0 quiet, above 0 verbose.
static LEVEL: AtomicI8 = AtomicI8::new(0);

/// What is logged with `--verbose`, and with two of them.
const VERBOSE: [&str; 2] =
    ["earthcatalog=info,ballista=info,warn", "earthcatalog=debug,ballista=debug,datafusion=debug,info"];

/// The variable that says what is logged, as programs in Rust have it.
const VARIABLE: &str = "RUST_LOG";

/// Takes `--quiet` and the number of `--verbose`, and begins to log what these and `RUST_LOG` ask for.
pub fn set(is_quiet: bool, verbose: u8) {
    LEVEL.store(if is_quiet { -1 } else { verbose.min(2) as i8 }, Ordering::Relaxed);
    let wanted = variable().or_else(|| Some(VERBOSE[usize::from(verbose.checked_sub(1)?.min(1))].to_owned()));
    if let Some(wanted) = wanted {
        log_to_stderr(&wanted);
    }
}

/// Whether only results and errors are wanted.
pub fn is_quiet() -> bool {
    LEVEL.load(Ordering::Relaxed) < 0
}

pub fn is_verbose() -> bool {
    LEVEL.load(Ordering::Relaxed) > 0
}

/// Says something that is neither a result nor an error.
pub fn note(text: fmt::Arguments<'_>) {
    if !is_quiet() {
        // Nobody is left to tell of a closed standard error.
        drop(writeln!(io::stderr(), "{text}"));
    }
}

/// Logs what a cluster says from `level` on, unless `RUST_LOG` says otherwise.
pub fn log_cluster(level: LevelFilter) {
    log_to_stderr(&variable().unwrap_or_else(|| format!("earthcatalog={level},ballista={level}")));
}

fn variable() -> Option<String> {
    env::var(VARIABLE).ok().filter(|wanted| !wanted.is_empty())
}

/// Logs what a filter lets through (`info`, or `earthcatalog=debug,warn`); the first call counts.
fn log_to_stderr(wanted: &str) {
    static LOG: OnceLock<StderrLog> = OnceLock::new();
    let log = LOG.get_or_init(|| StderrLog { filter: Builder::new().parse(wanted).build() });
    if log::set_logger(log).is_ok() {
        log::set_max_level(log.filter.filter());
    }
}

struct StderrLog {
    filter: Filter,
}

impl Log for StderrLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.filter.matches(record) {
            let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
            let level = styled(format!("{:<5}", record.level()), HEADING, stderr_is_coloured());
            // Nobody is left to tell of a closed standard error.
            drop(writeln!(io::stderr(), "{time} {level} {}", record.args()));
        }
    }

    fn flush(&self) {}
}
