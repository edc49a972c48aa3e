//! [`Procedure`]: the procedures that clean a warehouse.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue, TableReference, plan_datafusion_err};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Function};

use super::signature::{DRY_RUN, Signature, TABLE, evaluate};
use crate::maintenance::{
    ExpireOptions, ExpireSummary, MaintenanceError, expire_snapshots, merge_manifests, sweep_orphans,
};
use crate::table::Warehouse;

/// A procedure that cleans a warehouse, called as Iceberg's Spark procedures are.
///
/// Its arguments are the table, which is one of a warehouse or a view of it; `retain`, how long what was replaced stays
/// for readers (`'1h'`, `INTERVAL '1 hour'`; as long as the table says, also where it is NULL); and `dry_run`, to count and touch nothing (`false`; always `true`
/// where the session has `earthcatalog.dry_run`). All but the table may be left out, and be given by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Procedure {
    /// `rewrite_manifests(table, dry_run)`: merges small manifests. Yields `manifests_merged`.
    RewriteManifests,
    /// `expire_snapshots(table, retain, dry_run)`: removes snapshots, and the files that only they need. Yields
    /// `snapshots_removed`, `data_files_removed`, `metadata_files_removed`, `bytes_removed`.
    ExpireSnapshots,
    /// `remove_orphan_files(table, retain, dry_run)`: removes files that nothing names. Yields `orphans_removed`,
    /// `bytes_removed`.
    RemoveOrphanFiles,
}

/// A column of a result, and its value.
type Count = (&'static str, fn(&ExpireSummary) -> u64);

const RETAIN: &str = "retain";

impl Procedure {
    pub const ALL: [Self; 3] = [Self::RewriteManifests, Self::ExpireSnapshots, Self::RemoveOrphanFiles];

    pub(super) fn signature(self) -> Signature {
        let parameters: &[(&str, &str)] = match self {
            Self::RewriteManifests => &[(TABLE, "items"), (DRY_RUN, "dry_run => false")],
            Self::ExpireSnapshots | Self::RemoveOrphanFiles => {
                &[(TABLE, "items"), (RETAIN, "retain => '1h'"), (DRY_RUN, "dry_run => false")]
            }
        };
        let name = match self {
            Self::RewriteManifests => "rewrite_manifests",
            Self::ExpireSnapshots => "expire_snapshots",
            Self::RemoveOrphanFiles => "remove_orphan_files",
        };
        Signature { name, parameters }
    }

    /// Whether how long things stay matters.
    pub(super) fn retains(self) -> bool {
        self.signature().parameters.iter().any(|(name, _)| *name == RETAIN)
    }

    fn counts(self) -> &'static [Count] {
        match self {
            Self::RewriteManifests => &[("manifests_merged", |s| s.manifests_merged)],
            Self::ExpireSnapshots => &[
                ("snapshots_removed", |s| s.snapshots_removed),
                ("data_files_removed", |s| s.data_files_removed),
                ("metadata_files_removed", |s| s.metadata_files_removed),
                ("bytes_removed", |s| s.bytes_removed),
            ],
            Self::RemoveOrphanFiles => {
                &[("orphans_removed", |s| s.orphans_removed), ("bytes_removed", |s| s.bytes_removed)]
            }
        }
    }

    /// Columns of the one row that a call yields: counts, UInt64.
    pub fn schema(self) -> SchemaRef {
        let field = |(name, _): &Count| Field::new(*name, DataType::UInt64, false);
        Arc::new(Schema::new(self.counts().iter().map(field).collect::<Vec<_>>()))
    }

    /// The values of that row.
    pub(super) fn values(self, summary: &ExpireSummary) -> Vec<u64> {
        self.counts().iter().map(|(_, count)| count(summary)).collect()
    }

    pub(super) async fn run(
        self,
        warehouse: &Warehouse,
        options: &ExpireOptions,
    ) -> Result<ExpireSummary, MaintenanceError> {
        match self {
            Self::RewriteManifests => merge_manifests(warehouse, options).await,
            Self::ExpireSnapshots => expire_snapshots(warehouse, options).await,
            Self::RemoveOrphanFiles => sweep_orphans(warehouse, options).await,
        }
    }

    /// What a call asks for.
    pub(super) fn arguments(self, state: &SessionState, call: Function) -> Result<(TableReference, ExpireOptions)> {
        let signature = self.signature();
        let (mut table, mut options) = (TableReference::bare(""), ExpireOptions::default());
        for (name, value) in signature.arguments(call, &[(TABLE, "a table")])? {
            match name {
                TABLE => table = signature.table(value)?,
                RETAIN => options.retain = self.retain(state, value)?,
                _ => options.dry_run = signature.flag(state, DRY_RUN, value)?,
            }
        }
        Ok((table, options))
    }

    fn retain(self, state: &SessionState, value: SqlExpr) -> Result<Option<Duration>> {
        let written = value.to_string();
        let value = evaluate(state, value)?;
        let refuse = || {
            plan_datafusion_err!(
                "{}: retain is {written}, no duration such as '30m', '1h' or '7d'",
                self.signature().name
            )
        };
        match value {
            value if value.is_null() => Ok(None),
            ScalarValue::IntervalMonthDayNano(Some(interval)) if interval.months == 0 => {
                let days = u64::try_from(interval.days).map_err(|_| refuse())?;
                let nanoseconds = u64::try_from(interval.nanoseconds).map_err(|_| refuse())?;
                Ok(Some(Duration::from_secs(days * 24 * 60 * 60) + Duration::from_nanos(nanoseconds)))
            }
            value => {
                let text = value.try_as_str().flatten().ok_or_else(refuse)?;
                humantime::parse_duration(text).map(Some).map_err(|_| refuse())
            }
        }
    }
}
