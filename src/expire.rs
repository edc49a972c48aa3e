//! `earthcatalog expire`: cleans a warehouse, and says what went.

use std::fmt;

use earthcatalog_plans::maintenance::{ExpireOptions, ExpireSummary, MaintenanceError, clean};
use earthcatalog_plans::warehouse::Warehouse;
use serde::Serialize;

use crate::report::{bytes, count};

/// What a clean-up removed, or with `dry_run` would remove.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Expired {
    pub dry_run: bool,
    #[serde(flatten)]
    pub summary: ExpireSummary,
}

/// Removes what nobody needs any more of the table in `catalog`, whose files are below `warehouse`.
pub async fn expire(catalog: &str, warehouse: &str, options: &ExpireOptions) -> Result<Expired, MaintenanceError> {
    let table = Warehouse::open(catalog).await?;
    table.check_location(warehouse)?;
    let summary = clean(&table, options).await?;
    let seconds = (summary.seconds * 1000.0).round() / 1000.0;
    Ok(Expired { dry_run: options.dry_run, summary: ExpireSummary { seconds, ..summary } })
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = &self.summary;
        let removed = if self.dry_run { "would be removed" } else { "removed" };
        writeln!(f, "{:<16}{} {removed}", "snapshots", count(summary.snapshots_removed))?;
        for (name, files) in [
            ("data files", summary.data_files_removed),
            ("metadata files", summary.metadata_files_removed),
            ("orphans", summary.orphans_removed),
        ] {
            writeln!(f, "{name:<16}{}", count(files))?;
        }
        writeln!(f, "{:<16}{}", "bytes", bytes(summary.bytes_removed))?;
        if summary.manifests_merged > 0 {
            writeln!(f, "{:<16}{} merged", "manifests", count(summary.manifests_merged))?;
        }
        write!(f, "{:<16}{:.1} s", "time", summary.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_a_table_or_one_json_object() {
        let summary = ExpireSummary {
            snapshots_removed: 3,
            data_files_removed: 1_234,
            metadata_files_removed: 9,
            orphans_removed: 2,
            bytes_removed: 35_200_000,
            manifests_merged: 0,
            seconds: 0.25,
        };
        insta::assert_snapshot!(Expired { dry_run: false, summary }, @r"
        snapshots       3 removed
        data files      1,234
        metadata files  9
        orphans         2
        bytes           35.2 MB
        time            0.2 s
        ");
        let json = serde_json::to_value(Expired { dry_run: true, summary }).unwrap();
        assert_eq!((json["dry_run"].as_bool(), json["orphans_removed"].as_u64()), (Some(true), Some(2)));
        assert!(Expired { dry_run: true, summary }.to_string().starts_with("snapshots       3 would be removed"));
    }
}
