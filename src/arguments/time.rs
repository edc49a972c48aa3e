//! [`TimeArgs`]: from when to when.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;

use super::{ArgumentError, values};

/// From when to when, both inclusive.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct TimeArgs {
    /// Items from this time on, or from the start of this day (2025-01-31), month (2025-01) or year (2025)
    #[arg(long, value_name = "TIME", value_parser = values::from)]
    pub start: Option<DateTime<Utc>>,
    /// Items up to this time, or up to the end of this day, month or year
    #[arg(long, value_name = "TIME", value_parser = values::until)]
    pub end: Option<DateTime<Utc>>,
}

impl TimeArgs {
    /// An error if the end comes before the start.
    pub fn check(&self) -> Result<(), ArgumentError> {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        match (self.start, self.end) {
            (Some(start), Some(end)) if start > end => Err(ArgumentError::EndBeforeStart(text(start), text(end))),
            _ => Ok(()),
        }
    }
}
