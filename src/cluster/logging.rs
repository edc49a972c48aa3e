//! What Ballista logs, on standard error.

use std::io::Write;

use chrono::{SecondsFormat, Utc};
use log::{LevelFilter, Log, Metadata, Record};

struct StderrLog;

impl Log for StderrLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("ballista") || metadata.target().starts_with("earthcatalog")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
            // Nobody is left to tell of a closed standard error.
            drop(writeln!(std::io::stderr(), "{time} {:<5} {}", record.level(), record.args()));
        }
    }

    fn flush(&self) {}
}

/// Logs from `level` on; the first call counts.
pub fn log_to_stderr(level: LevelFilter) {
    static LOG: StderrLog = StderrLog;
    if log::set_logger(&LOG).is_ok() {
        log::set_max_level(level);
    }
}
