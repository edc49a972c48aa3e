//! Tables of the session that a statement or an option names.

use std::sync::Arc;

use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, TableReference, plan_datafusion_err};
use datafusion::execution::SessionState;

/// The table of that name, if there is one.
pub(crate) async fn find_table(
    session: &SessionState,
    name: &TableReference,
) -> Result<Option<Arc<dyn TableProvider>>> {
    match session.schema_for_ref(name.clone()) {
        Ok(schema) => schema.table(name.table()).await,
        Err(_) => Ok(None),
    }
}

/// The table that `option` calls `name`. Errors where there is none.
pub(crate) async fn named_table(session: &dyn Session, option: &str, name: &str) -> Result<Arc<dyn TableProvider>> {
    let unknown = || plan_datafusion_err!("option '{option}': there is no table {name}; create it first");
    let session = session.as_any().downcast_ref::<SessionState>().ok_or_else(unknown)?;
    find_table(session, &TableReference::from(name)).await?.ok_or_else(unknown)
}
