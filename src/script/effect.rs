//! [`Effect`]: what a statement does beside yielding rows.

use datafusion::datasource::{MemTable, source_as_provider};
use datafusion::logical_expr::LogicalPlan;
use earthcatalog_plans::call::Call;
use earthcatalog_plans::run::Commit;
use earthcatalog_plans::scan::WarehouseTable;

/// What a statement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it is a query.
    None,
    /// The session: it is a definition or a setting, and takes effect when it is planned.
    Session,
    /// Files that belong to no warehouse: it writes them when it runs.
    Files,
    /// A warehouse: it commits to it when it runs.
    Warehouse,
    /// A warehouse, by a procedure, which in a dry run counts what it would do.
    Procedure,
}

impl Effect {
    /// What running `plan` changes.
    pub(super) fn of_plan(plan: &LogicalPlan) -> Self {
        match plan {
            LogicalPlan::Ddl(_) | LogicalPlan::Statement(_) => Self::Session,
            LogicalPlan::Copy(_) => Self::Files,
            LogicalPlan::Extension(extension) if extension.node.as_any().is::<Call>() => Self::Procedure,
            // A procedure that is a write and a commit.
            LogicalPlan::Extension(extension) if extension.node.as_any().is::<Commit>() => Self::Warehouse,
            LogicalPlan::Dml(dml) => match source_as_provider(&dml.target) {
                // A table of the session alone.
                Ok(target) if target.is::<MemTable>() => Self::None,
                Ok(target) if target.is::<WarehouseTable>() => Self::Warehouse,
                _ => Self::Files,
            },
            // EXPLAIN ANALYZE runs what it explains.
            LogicalPlan::Analyze(analyze) => Self::of_plan(&analyze.input),
            _ => Self::None,
        }
    }

    /// Whether running it changes a warehouse.
    pub fn is_on_warehouse(self) -> bool {
        matches!(self, Self::Warehouse | Self::Procedure)
    }
}

#[cfg(test)]
mod tests {
    use earthcatalog_plans::call::plan_statement;
    use earthcatalog_plans::session::session;

    use super::*;
    use crate::script::{Arguments, Script};

    #[tokio::test]
    async fn what_writes_is_told_from_what_defines_and_what_asks() {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path().display();
        let session = session(1).unwrap();
        let script = format!(
            "CREATE EXTERNAL TABLE items (p INT) STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/c.db');
             SET earthcatalog.run = 'r';
             CREATE TABLE t AS SELECT 1 AS one;
             INSERT INTO t SELECT 2;
             SELECT * FROM t;
             EXPLAIN INSERT INTO items SELECT * FROM items;
             EXPLAIN ANALYZE INSERT INTO items SELECT * FROM items;
             INSERT INTO items SELECT * FROM items;
             CALL expire_snapshots(items);
             CREATE VIEW gone AS SELECT object FROM ingested(items) WHERE false;
             CALL remove_objects(items, gone);
             DELETE FROM items WHERE id = 'a';
             UPDATE items SET stac_version = '1.1.0' WHERE id = 'a';
             COPY t TO '{f}/t.csv';"
        );
        let mut effects = vec![];
        for statement in Script::parse("s.sql", &script).unwrap().bind(&Arguments::new()).unwrap() {
            let plan = plan_statement(&session.state(), statement.ast().clone()).await.unwrap();
            effects.push(Effect::of_plan(&plan));
            statement.plan(&session).await.unwrap();
        }
        use Effect::{Files, None, Procedure, Session, Warehouse};
        assert_eq!(
            effects,
            [
                Session, Session, Session, None, None, None, Warehouse, Warehouse, Procedure, Session, Warehouse,
                Warehouse, Warehouse, Files
            ]
        );
        assert!(!folder.path().join("t.csv").exists());
    }
}
