//! All functions and rules of this crate, for the one place that builds sessions.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::ScalarUDF;
use datafusion::optimizer::AnalyzerRule;
use datafusion::prelude::SessionContext;

use crate::h3_cell_to_boundary::h3_cell_to_boundary_udf;
use crate::h3_cell_to_latlng::h3_cell_to_latlng_udf;
use crate::h3_cell_to_parent::h3_cell_to_parent_udf;
use crate::h3_cells::h3_cells_udf;
use crate::h3_fanout::H3Fanout;
use crate::h3_grid_disk::h3_grid_disk_udf;
use crate::h3_latlng_to_cell::h3_latlng_to_cell_udf;
use crate::item_wildcard::ItemWildcard;
use crate::stac_item::stac_item_udf;

/// The scalar functions: what an executor of a cluster needs.
pub fn scalar_functions() -> Vec<ScalarUDF> {
    vec![
        h3_cells_udf(),
        h3_latlng_to_cell_udf(),
        h3_cell_to_latlng_udf(),
        h3_cell_to_boundary_udf(),
        h3_cell_to_parent_udf(),
        h3_grid_disk_udf(),
        stac_item_udf(),
    ]
}

/// The analyzer rules that the functions need in SQL.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    vec![Arc::new(ItemWildcard)]
}

/// Registers functions, table functions and rules with a session.
pub fn register(session: &SessionContext) -> Result<()> {
    let state = session.state_ref();
    let mut state_lock = state.write();
    for function in scalar_functions() {
        state_lock.register_udf(Arc::new(function))?;
    }
    for rule in analyzer_rules() {
        state_lock.add_analyzer_rule(rule);
    }
    drop(state_lock);
    session.register_udtf(H3Fanout::NAME, Arc::new(H3Fanout::new(session)));
    Ok(())
}
