//! `earthcatalog verify`: says whether a warehouse is whole.

use std::fmt;
use std::io::Write;

use clap::Args;
use earthcatalog_plans::maintenance::{Check, Finding, Severity, Verified, VerifyOptions, verify};
use earthcatalog_plans::table::Warehouse;
use serde::Serialize;

use super::CommandError;
use crate::arguments::{ReportFormat, ResourceArgs, WarehouseArgs};
use crate::progress::Progress;
use crate::report::{bytes, counted, millis};
use crate::signals::interrupt;

/// Flags of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Read every file of the newest snapshot: each page and each row
    #[arg(long)]
    pub deep: bool,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// What was found, as text or as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Report(Verified);

pub async fn run(args: &VerifyArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let session = args.resources.pipeline_session()?;
    let warehouse = Warehouse::open_in(&args.at.catalog, args.at.warehouse.as_deref()).await?;
    let options = VerifyOptions { deep: args.deep, ..VerifyOptions::default() };
    let progress = Progress::of_files(&options.progress);
    let verified = tokio::select! {
        verified = verify(&session, &warehouse, &options) => verified?,
        () = interrupt() => return Err(CommandError::Interrupted),
    };
    drop(progress);
    let damage = verified.damage;
    let seconds = millis(verified.seconds);
    args.output.write(&Report(Verified { seconds, ..verified }), out)?;
    if damage == 0 { Ok(()) } else { Err(CommandError::Damage(damage)) }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Verified { files, rows, bytes: size, damage, notices, orphans, findings, .. }) = self;
        for finding in findings {
            write_finding(f, finding)?;
        }
        let hidden = (damage + notices).saturating_sub(findings.len() as u64);
        if hidden > 0 {
            writeln!(f, "and {} more", counted(hidden, "finding"))?;
        }
        let found = match damage {
            0 => "no damage found".to_owned(),
            n => format!("damage found, {}", counted(*n, "finding")),
        };
        let whole = [counted(*files, "file"), counted(*rows, "row"), bytes(*size), counted(*orphans, "orphan")];
        write!(f, "{found}: {}", whole.join(", "))
    }
}

fn write_finding(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    let severity = match finding.severity {
        Severity::Damage => "damage",
        Severity::Notice => "notice",
    };
    let Finding { object, expected, found, way_out, .. } = finding;
    writeln!(f, "{severity}  {:<13}  {object}", name(finding.check))?;
    writeln!(f, "        expected: {expected}")?;
    writeln!(f, "        found: {found}")?;
    writeln!(f, "        way out: {way_out}")
}

/// The name of a check, as the JSON has it.
fn name(check: Check) -> String {
    let json = serde_json::to_value(check).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(findings: Vec<Finding>) -> Report {
        let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count() as u64;
        Report(Verified {
            snapshot: Some(7),
            snapshots: 2,
            files: 1_414,
            rows: 1,
            bytes: 5_300_000,
            deep: false,
            damage: of(Severity::Damage),
            notices: of(Severity::Notice),
            orphans: 0,
            findings,
            seconds: 0.5,
        })
    }

    #[test]
    fn the_report_is_the_findings_and_a_line_about_the_whole() {
        insta::assert_snapshot!(verified(vec![]), @"no damage found: 1,414 files, 1 row, 5.3 MB, 0 orphans");
        let missing = Finding::new(Check::Size, "file:///wh/a.parquet", "9 bytes", "8 bytes");
        let report = verified(vec![missing]);
        insta::assert_snapshot!(report, @r"
        damage  size           file:///wh/a.parquet
                expected: 9 bytes
                found: 8 bytes
                way out: put the file back from a backup, or go back to a state before it with `earthcatalog rollback`
        damage found, 1 finding: 1,414 files, 1 row, 5.3 MB, 0 orphans
        ");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["damage"], &json["findings"][0]["check"]), (&1.into(), &"size".into()));
        assert_eq!(json["findings"][0]["object"], "file:///wh/a.parquet");
    }
}
