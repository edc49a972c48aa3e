//! The scripts that the binary carries.

use crate::script::{Script, ScriptError};

/// A script under `sql/`.
#[derive(Debug, Clone, Copy)]
pub struct Pipeline {
    /// What errors call it.
    pub name: &'static str,
    pub text: &'static str,
}

/// Ingests as many Items at once as there are, and commits them.
pub const INGEST: Pipeline = Pipeline { name: "ingest.sql", text: include_str!("../../sql/ingest.sql") };

/// Ingests an inventory of any size in stages, and can be resumed.
pub const BACKFILL: Pipeline = Pipeline { name: "backfill.sql", text: include_str!("../../sql/backfill.sql") };

/// Ingests the objects of an inventory that the table has not ingested yet.
pub const INCREMENTAL: Pipeline = Pipeline { name: "incremental.sql", text: include_str!("../../sql/incremental.sql") };

/// Lists those objects.
pub const DELTA: Pipeline = Pipeline { name: "delta.sql", text: include_str!("../../sql/delta.sql") };

/// Lists what has become of Items between two states.
pub const CHANGES: Pipeline = Pipeline { name: "changes.sql", text: include_str!("../../sql/changes.sql") };

/// Merges the part files of each bucket.
pub const COMPACT: Pipeline = Pipeline { name: "compact.sql", text: include_str!("../../sql/compact.sql") };

/// Deletes Items.
pub const DELETE: Pipeline = Pipeline { name: "delete.sql", text: include_str!("../../sql/delete.sql") };

/// Removes old snapshots, and files that nobody needs.
pub const EXPIRE: Pipeline = Pipeline { name: "expire.sql", text: include_str!("../../sql/expire.sql") };

/// Asks what state a table is in.
pub const INFO: Pipeline = Pipeline { name: "info.sql", text: include_str!("../../sql/info.sql") };

/// Removes the Items whose objects are gone.
pub const RECONCILE: Pipeline = Pipeline { name: "reconcile.sql", text: include_str!("../../sql/reconcile.sql") };

/// Takes a table back to an earlier state.
pub const ROLLBACK: Pipeline = Pipeline { name: "rollback.sql", text: include_str!("../../sql/rollback.sql") };

/// Gives Items other values.
pub const UPDATE: Pipeline = Pipeline { name: "update.sql", text: include_str!("../../sql/update.sql") };

/// The scripts by the names of their commands, which `run`, `explain` and `pipelines` take.
pub const PIPELINES: [(&str, Pipeline); 12] = [
    ("backfill", BACKFILL),
    ("changes", CHANGES),
    ("compact", COMPACT),
    ("delete", DELETE),
    ("delta", DELTA),
    ("expire", EXPIRE),
    ("incremental", INCREMENTAL),
    ("info", INFO),
    ("ingest", INGEST),
    ("reconcile", RECONCILE),
    ("rollback", ROLLBACK),
    ("update", UPDATE),
];

impl Pipeline {
    /// The pipeline of that name.
    pub fn named(name: &str) -> Option<Self> {
        PIPELINES.into_iter().find_map(|(known, pipeline)| (known == name).then_some(pipeline))
    }

    /// The script, parsed.
    pub fn script(&self) -> Result<Script, ScriptError> {
        Script::parse(self.name, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Arguments;

    #[test]
    fn every_pipeline_of_the_binary_parses() {
        let statements = [
            ("backfill", 7),
            ("changes", 2),
            ("compact", 4),
            ("delete", 3),
            ("delta", 5),
            ("expire", 4),
            ("incremental", 8),
            ("info", 8),
            ("ingest", 4),
            ("reconcile", 7),
            ("rollback", 3),
            ("update", 3),
        ];
        for ((name, pipeline), statements) in PIPELINES.into_iter().zip(statements) {
            let (expected, statements) = statements;
            assert_eq!(name, expected);
            let arguments = Arguments::new().with("catalog", "c.db").with("warehouse", "it's");
            let script = pipeline.script().unwrap();
            let arguments = match script.parameter("inventory") {
                Some(_) => arguments.with("inventory", "i.csv"),
                None => arguments,
            };
            let arguments = match script.parameter("to") {
                Some(_) => arguments.with("to", "2025"),
                None => arguments,
            };
            let arguments = match script.parameter("where") {
                Some(_) => arguments.with("where", "id = 'a'"),
                None => arguments,
            };
            let arguments = match script.parameter("set") {
                Some(_) => arguments.with("set", "platform = 'a'"),
                None => arguments,
            };
            assert_eq!(script.bind(&arguments).unwrap().len(), statements, "{}", pipeline.name);
        }
    }
}
