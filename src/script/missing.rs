//! [`MissingTable`]: a table that a statement names, and that there is not.

use std::fmt;

use datafusion::common::TableReference;
use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as Ast;

/// Tables that a message lists at most.
const LISTED: usize = 12;

/// A table, or a function in its place, that a statement names and the session does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTable {
    name: String,
    is_function: bool,
    /// What the session has, in alphabetical order.
    others: Vec<String>,
}

impl MissingTable {
    /// The table for want of which a statement could not be planned, which `message` says; `None` if that was not it.
    pub(super) fn of(session: &SessionContext, ast: &Ast, message: &str) -> Option<Self> {
        let state = session.state();
        if let Some((_, rest)) = message.split_once("table function '") {
            let name = rest.split_once("' not found")?.0.to_owned();
            let mut others: Vec<_> = state.table_functions().keys().cloned().collect();
            others.sort();
            return Some(Self { name, is_function: true, others });
        }
        let catalog = &state.config_options().catalog;
        let says = |table: &TableReference| {
            let resolved = table.clone().resolve(&catalog.default_catalog, &catalog.default_schema);
            message.contains(&format!("table '{resolved}' not found"))
        };
        let table = state.resolve_table_references(ast).ok()?.into_iter().find(says)?;
        let schema = session.catalog(&catalog.default_catalog)?.schema(&catalog.default_schema)?;
        let mut others = schema.table_names();
        others.sort();
        Some(Self { name: table.to_string(), is_function: false, others })
    }

    /// What may have been meant.
    fn nearest(&self) -> Option<&str> {
        let wanted = self.name.to_lowercase();
        let distance = |other: &&String| levenshtein(&wanted, &other.to_lowercase());
        let nearest = self.others.iter().min_by_key(distance)?;
        // With more edits than half of its letters, it is another word.
        (distance(&nearest) * 2 <= wanted.chars().count().max(nearest.chars().count())).then_some(nearest)
    }
}

impl fmt::Display for MissingTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_function { "function for tables" } else { "table" };
        write!(f, "there is no {what} {}", self.name)?;
        match (self.nearest(), self.others.is_empty()) {
            (Some(nearest), _) => write!(f, "; did you mean {nearest}?"),
            (None, true) => write!(
                f,
                ", nor any other one; `earthcatalog sql --catalog FILE|URL` has those of a warehouse, and CREATE EXTERNAL \
                 TABLE makes one"
            ),
            (None, false) => {
                let listed = &self.others[..self.others.len().min(LISTED)];
                let more = if listed.len() < self.others.len() { ", …" } else { "" };
                write!(f, "; there are {}{more}", listed.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::script::{Arguments, Script};

    async fn fails(tables: &[&str], sql: &str) -> String {
        let session = earthcatalog_plans::session::session(1).unwrap();
        for table in tables {
            session.sql(&format!("CREATE TABLE {table} AS SELECT 1 AS n")).await.unwrap().collect().await.unwrap();
        }
        let statements = Script::parse("SQL", sql).unwrap().bind(&Arguments::new()).unwrap();
        let error = statements[0].plan(&session).await.err().unwrap().to_string();
        error.lines().next().unwrap().to_owned()
    }

    #[tokio::test]
    async fn the_nearest_table_is_named_or_all() {
        let tables = ["items", "item_cells", "rejects"];
        for (sql, message) in [
            ("SELECT * FROM itms", "there is no table itms; did you mean items?"),
            ("SELECT * FROM items, Item_Cels", "there is no table item_cels; did you mean item_cells?"),
            (
                "WITH a AS (SELECT 1) SELECT * FROM a, scenes",
                "there is no table scenes; there are item_cells, items, rejects",
            ),
            ("INSERT INTO reject SELECT 1", "there is no table reject; did you mean rejects?"),
            ("SELECT * FROM h3_fanuot(items, 1)", "there is no function for tables h3_fanuot; did you mean h3_fanout?"),
        ] {
            assert_eq!(fails(&tables, sql).await, message, "{sql}");
        }
        let error = fails(&[], "SELECT * FROM items").await;
        assert!(
            error.starts_with("there is no table items, nor any other one; `earthcatalog sql --catalog"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn the_nearest_column_and_function_are_named() {
        for (sql, message) in [
            ("SELECT nn FROM items", "there is no column nn; did you mean items.n?"),
            ("SELECT quite_other FROM items", "there is no column quite_other; there is items.n"),
            ("SELECT N FROM items WHERE \"N\" = 1", "there is no column \"N\"; did you mean items.n?"),
            ("SELECT h3_cels(1)", "there is no function h3_cels; did you mean h3_cells?"),
        ] {
            assert_eq!(fails(&["items"], sql).await, message, "{sql}");
        }
    }
}
