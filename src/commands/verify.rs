//! `earthcatalog verify`: says whether a warehouse is whole, and takes out of it what is lost.

use std::fmt;
use std::io::Write;

use clap::Args;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::maintenance::{Check, Finding, Repaired, Severity, Verified, VerifyOptions, repair, verify};
use earthcatalog_plans::table::Warehouse;
use serde::Serialize;

use super::{CommandError, open};
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
    /// Take what is lost out of the table: data files that are gone or cannot be read, and what is known of ids and objects; and
    /// write Items again that have rows elsewhere
    #[arg(long)]
    pub repair: bool,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// What was found, as text or as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    #[serde(flatten)]
    verified: Verified,
    /// With `--repair`, where there was something to repair; the rest of the report is of the time after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<Repair>,
}

/// What a repair found and did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Repair {
    /// The damage before it, of the first 10,000 findings.
    found: Vec<Finding>,
    #[serde(flatten)]
    repaired: Repaired,
}

pub async fn run(args: &VerifyArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let warehouse = open(&args.at).await?;
    let session = args.resources.pipeline_session()?;
    let report = tokio::select! {
        report = look(&session, &warehouse, args) => report?,
        () = interrupt() => return Err(CommandError::Interrupted),
    };
    let damage = report.verified.damage;
    args.output.write(&report, out)?;
    if damage == 0 { Ok(()) } else { Err(CommandError::Damage(damage)) }
}

async fn look(session: &SessionContext, warehouse: &Warehouse, args: &VerifyArgs) -> Result<Report, CommandError> {
    let look = async || {
        let options = VerifyOptions { deep: args.deep, ..VerifyOptions::default() };
        let _progress = Progress::of_files(&options.progress);
        let verified = verify(session, warehouse, &options).await?;
        Ok::<_, CommandError>(Verified { seconds: millis(verified.seconds), ..verified })
    };
    let before = look().await?;
    if !args.repair || before.damaged.is_empty() {
        return Ok(Report { verified: before, repair: None });
    }
    let repaired = repair(session, warehouse, &before.damaged).await?;
    let found = before.findings.into_iter().filter(|finding| finding.severity == Severity::Damage).collect();
    Ok(Report { verified: look().await?, repair: Some(Repair { found, repaired }) })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verified { files, rows, bytes: size, damage, notices, orphans, findings, .. } = &self.verified;
        if let Some(repair) = &self.repair {
            repair.fmt(f)?;
        }
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

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.found {
            write_finding(f, finding)?;
        }
        let Repaired { files_removed, rows_removed, rows_restored, forgotten, record_files_removed, index_built } =
            &self.repaired;
        if *files_removed > 0 {
            let (files, rows) = (counted(*files_removed, "file"), counted(*rows_removed, "row"));
            writeln!(f, "repair  taken out of the table: {files} with {rows}")?;
        }
        if *rows_restored > 0 {
            writeln!(f, "repair  written again from other cells: {}", counted(*rows_restored, "row"))?;
        }
        for property in forgotten {
            writeln!(f, "repair  forgotten: {property}")?;
        }
        if *record_files_removed > 0 {
            writeln!(f, "repair  forgotten: {} of ingested objects", counted(*record_files_removed, "file"))?;
        }
        if *index_built {
            writeln!(f, "repair  built again: the index by id")?;
        }
        Ok(())
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
    use earthcatalog_plans::maintenance::Damaged;

    use super::*;

    fn verified(findings: Vec<Finding>) -> Report {
        let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count() as u64;
        let verified = Verified {
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
            damaged: Damaged::default(),
            seconds: 0.5,
        };
        Report { verified, repair: None }
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

    #[test]
    fn a_repair_says_what_it_found_and_did() {
        let missing = Finding::new(Check::Size, "file:///wh/a.parquet", "9 bytes", "8 bytes");
        let repaired = Repaired {
            files_removed: 1,
            rows_removed: 12,
            rows_restored: 31,
            index_built: true,
            ..Repaired::default()
        };
        let report = Report { repair: Some(Repair { found: vec![missing], repaired }), ..verified(vec![]) };
        insta::assert_snapshot!(report, @r"
        damage  size           file:///wh/a.parquet
                expected: 9 bytes
                found: 8 bytes
                way out: put the file back from a backup, or go back to a state before it with `earthcatalog rollback`
        repair  taken out of the table: 1 file with 12 rows
        repair  written again from other cells: 31 rows
        repair  built again: the index by id
        no damage found: 1,414 files, 1 row, 5.3 MB, 0 orphans
        ");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["repair"]["files_removed"], &json["damage"]), (&1.into(), &0.into()));
        assert_eq!(json["repair"]["found"][0]["check"], "size");
    }
}
