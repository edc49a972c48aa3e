//! [`Explained`]: the plans of a statement.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{CreateView, DdlStatement, LogicalPlan};
use datafusion::physical_plan::displayable;
use datafusion::prelude::SessionContext;

use super::effect::Effect;

/// What would run, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Place and first line of the statement.
    pub title: String,
    /// After optimization.
    pub logical: String,
    pub physical: String,
}

/// The plans of `plan`, unless it is a definition or a setting: then it takes effect.
///
/// A table made of a query becomes a view of it, so that later statements can be planned and the query is not run.
pub(super) async fn explain(session: &SessionContext, title: String, plan: LogicalPlan) -> Result<Option<Explained>> {
    let plan = match plan {
        LogicalPlan::Explain(explain) => Arc::unwrap_or_clone(explain.plan),
        LogicalPlan::Analyze(analyze) => Arc::unwrap_or_clone(analyze.input),
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create))
            if !matches!(create.input.as_ref(), LogicalPlan::EmptyRelation(_)) =>
        {
            let query = create.input.as_ref().clone();
            let view = CreateView {
                name: create.name,
                input: create.input,
                or_replace: create.or_replace,
                definition: None,
                temporary: create.temporary,
            };
            session.execute_logical_plan(LogicalPlan::Ddl(DdlStatement::CreateView(view))).await?;
            query
        }
        other => other,
    };
    if Effect::of_plan(&plan) == Effect::Session {
        session.execute_logical_plan(plan).await?;
        return Ok(None);
    }
    let state = session.state();
    let optimized = state.optimize(&plan)?;
    let physical = state.query_planner().create_physical_plan(&optimized, &state).await?;
    Ok(Some(Explained {
        title,
        logical: optimized.display_indent().to_string(),
        physical: displayable(physical.as_ref()).indent(false).to_string(),
    }))
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for (name, plan) in [("logical plan", &self.logical), ("physical plan", &self.physical)] {
            writeln!(f, "{name}")?;
            plan.lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use earthcatalog_plans::session::{dry_run, session};

    use crate::script::{Arguments, Script};

    #[tokio::test]
    async fn queries_and_writes_have_plans_and_definitions_take_effect_without_running_anything() {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path().display();
        let session = session(1).unwrap();
        dry_run(&session);
        let script = format!(
            "-- $n INT
             CREATE EXTERNAL TABLE items (p INT) STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/c.db');
             CREATE TABLE costly AS SELECT 1 / $n AS ratio;
             SELECT ratio + 1 AS m FROM costly;
             INSERT INTO items (id, grid_partition) SELECT CAST(ratio AS VARCHAR), '__none__' FROM costly;
             EXPLAIN ANALYZE INSERT INTO items SELECT * FROM items;
             CALL expire_snapshots(items);"
        );
        let mut explained = vec![];
        let statements = Script::parse("s.sql", &script).unwrap().bind(&Arguments::new().with("n", 1)).unwrap();
        for statement in statements {
            explained.extend(statement.explain(&session).await.unwrap());
        }
        let titles: Vec<_> = explained.iter().map(|e| e.title.as_str()).collect();
        assert_eq!(titles[0], "s.sql:3:14  CREATE TABLE costly AS SELECT 1 / $n AS ratio;");
        let roots: Vec<_> = explained.iter().map(|e| e.physical.split(':').next().unwrap()).collect();
        assert_eq!(roots, ["ProjectionExec", "ProjectionExec", "CommitExec", "CommitExec", "CallExec"]);
        assert!(explained[3].to_string().contains("logical plan\n  Commit: table=earthcatalog.items\n"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
    }
}
