//! [`StacTable`]: Items from a location, as a table.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use url::Url;

use super::exec::StacExec;
use super::options::StacOptions;
use super::plan_chunks::plan_chunks;
use super::relation::plan_objects;
use crate::model::items::ItemSchema;

/// Items from an inventory, a file or a folder, with the columns of [`ItemSchema::item_schema`].
///
/// A scan lists the location (an inventory once, as a stream) and cuts it into chunks; Items are fetched when the
/// plan runs. Projections and LIMIT are pushed down, filters are not.
#[derive(Debug)]
pub struct StacTable {
    location: Url,
    schema: ItemSchema,
    options: StacOptions,
}

impl StacTable {
    pub fn new(location: Url, schema: ItemSchema, options: StacOptions) -> Self {
        Self { location, schema, options }
    }
}

#[async_trait]
impl TableProvider for StacTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.item_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let chunks = match &self.options.objects {
            Some(relation) => plan_objects(relation, &self.location, &self.options, state).await?,
            None => plan_chunks(&self.location, &self.options, &state.runtime_env().disk_manager).await?,
        };
        let (location, schema, options) = (self.location.clone(), self.schema.clone(), self.options.clone());
        Ok(Arc::new(StacExec::try_new(location, schema, options, chunks, projection, limit)?))
    }
}
