//! The log of the service, on standard error.

use std::fmt;
use std::io::{self, Write};

use chrono::{SecondsFormat, Utc};

/// Writes a line to standard error, behind the time.
pub(super) fn log(line: fmt::Arguments<'_>) {
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    // Whoever has closed standard error does not want to know.
    let _ = writeln!(io::stderr().lock(), "{now} {line}");
}
