//! Tables that a table function is given by name.

use std::fmt;
use std::sync::Arc;

use datafusion::catalog::{CatalogProviderList, TableProvider};
use datafusion::common::{Column, Result, ScalarValue, TableReference, plan_datafusion_err, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use futures::FutureExt;

/// Finds tables where SQL in a session finds them.
pub struct SessionTables {
    catalogs: Arc<dyn CatalogProviderList>,
    default_catalog: String,
    default_schema: String,
}

impl fmt::Debug for SessionTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionTables({}.{})", self.default_catalog, self.default_schema)
    }
}

impl SessionTables {
    pub fn new(session: &SessionContext) -> Self {
        let state = session.state();
        let defaults = &state.config_options().catalog;
        Self {
            catalogs: Arc::clone(state.catalog_list()),
            default_catalog: defaults.default_catalog.clone(),
            default_schema: defaults.default_schema.clone(),
        }
    }

    /// The table that an argument of `function` names: bare (`items`), or as text (`'catalog.schema.items'`).
    ///
    /// Errors: no name, no such table, a table that is not in memory.
    pub fn argument(&self, function: &str, argument: &Expr) -> Result<(TableReference, Arc<dyn TableProvider>)> {
        let name = match argument {
            Expr::Column(Column { relation: None, name, .. }) => TableReference::bare(name.as_str()),
            Expr::Column(column) => TableReference::parse_str(&column.quoted_flat_name()),
            Expr::Literal(
                ScalarValue::Utf8(Some(name)) | ScalarValue::LargeUtf8(Some(name)) | ScalarValue::Utf8View(Some(name)),
                _,
            ) => TableReference::parse_str(name),
            other => return plan_err!("{function}: {other} is no table; give its name, as in {function}(source, …)"),
        };
        let table = self.find(function, &name)?;
        Ok((name, table))
    }

    fn find(&self, function: &str, name: &TableReference) -> Result<Arc<dyn TableProvider>> {
        let resolved = name.clone().resolve(&self.default_catalog, &self.default_schema);
        let schema = self.catalogs.catalog(&resolved.catalog).and_then(|c| c.schema(&resolved.schema));
        // Planning is not asynchronous; the tables of a session are in memory.
        let table = match schema.as_ref().map(|s| s.table(&resolved.table).now_or_never()) {
            Some(Some(table)) => table?,
            Some(None) => {
                return plan_err!(
                    "{function}: table {name} is not in memory; give it a name in this session first, as in CREATE VIEW v AS SELECT * FROM {name}"
                );
            }
            None => None,
        };
        table.ok_or_else(|| {
            plan_datafusion_err!(
                "{function}: there is no table {name}; create it first, as in CREATE EXTERNAL TABLE {name} …"
            )
        })
    }
}
