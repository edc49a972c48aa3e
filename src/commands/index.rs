//! `earthcatalog index`: builds the index by id.

use std::fmt;
use std::io::Write;

use clap::Args;
use earthcatalog_plans::maintenance::{BuiltIndex, build_item_index};
use serde::Serialize;

use super::{CommandError, open};
use crate::arguments::{ReportFormat, ResourceArgs, WarehouseArgs};
use crate::report::{bytes, count, millis};
use crate::signals::interrupt;

/// Flags of `index`.
#[derive(Debug, Clone, Args)]
pub struct IndexArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Indexed {
    /// URL of the index; null where the table is empty, or has an index of all that is in it.
    pub index: Option<String>,
    /// Pairs of an id and a bucket.
    pub entries: u64,
    pub bytes: u64,
    pub seconds: f64,
    pub snapshot: Option<i64>,
}

pub async fn run(args: &IndexArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let warehouse = open(&args.at).await?;
    let session = args.resources.pipeline_session()?;
    // Stopped anywhere, it leaves an orphan at most.
    let built = tokio::select! {
        built = build_item_index(&session, &warehouse) => built?,
        () = interrupt() => return Err(CommandError::Interrupted),
    };
    Ok(args.output.write(&Indexed::new(built), out)?)
}

impl Indexed {
    fn new(BuiltIndex { built, seconds }: BuiltIndex) -> Self {
        let (index, snapshot) = built.unzip();
        Self {
            entries: index.as_ref().map_or(0, |index| index.entries),
            bytes: index.as_ref().map_or(0, |index| index.bytes),
            index: index.map(|index| index.path),
            seconds: millis(seconds),
            snapshot,
        }
    }
}

impl fmt::Display for Indexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(_), Some(snapshot)) = (&self.index, self.snapshot) else {
            return write!(f, "nothing to index: the table is empty, or has an index of all that is in it");
        };
        writeln!(f, "{:<12}{} of an id and a bucket, {}", "entries", count(self.entries), bytes(self.bytes))?;
        writeln!(f, "{:<12}{:.3} s", "time", self.seconds)?;
        write!(f, "{:<12}{snapshot}", "snapshot")
    }
}
