//! The one place that binds functions, table providers, rules and stores to a session.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::stac::StacTableFactory;
use crate::stores::stores;

/// A session in which all of earthcatalog's SQL works.
///
/// `workers` is the number of partitions that run at once.
pub fn session(workers: usize) -> Result<SessionContext> {
    let runtime = RuntimeEnvBuilder::new().with_object_store_registry(stores().clone()).build_arc()?;
    let config = SessionConfig::new().with_target_partitions(workers).with_information_schema(true);
    let mut state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
    state.table_factories().get_or_insert_default().insert("STAC".into(), Arc::new(StacTableFactory));
    let state = state.build();
    Ok(SessionContext::new_with_state(state))
}
