//! Table function `stac_search(table, parameters)`.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use earthcatalog_udfs::SessionTables;

use super::{Search, search_plan};

/// `stac_search(table, parameters)`: the Items of a table that a STAC search finds, as a view with the columns of the
/// table.
///
/// `table` is the name of a table or view of Items, bare or as text (`'catalog.schema.table'`); `parameters` is a text
/// with a JSON object, which [`Search`] describes. See [`search_plan`] for order and columns; plans show it as a
/// filter over the scan.
///
/// Errors: no such table; a parameter that is unknown, or has another value than it takes.
#[derive(Debug)]
pub struct StacSearch {
    tables: SessionTables,
}

impl StacSearch {
    pub const NAME: &str = "stac_search";

    /// Finds tables where SQL in this session finds them.
    pub fn new(session: &SessionContext) -> Self {
        Self { tables: SessionTables::new(session) }
    }
}

impl TableFunctionImpl for StacSearch {
    fn call(&self, args: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let usage = || {
            plan_err!(
                "stac_search takes a table and a text with the parameters as JSON, as in stac_search(items, '{{\"bbox\": [5, 45, 10, 48]}}')"
            )
        };
        let [table, Expr::Literal(parameters, _)] = args else { return usage() };
        let Some(Some(parameters)) = parameters.try_as_str() else { return usage() };
        let (name, table) = self.tables.argument(Self::NAME, table)?;
        let search: Search = parameters.parse()?;
        Ok(Arc::new(ViewTable::new(search_plan(&name, table, &search)?, None)))
    }
}
