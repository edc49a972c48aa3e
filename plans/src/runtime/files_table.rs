//! [`FilesTable`]: Parquet files that are known by location and size, as a table.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use super::parquet_scan::{ScanFile, parquet_scan};

/// The rows of some files, whatever their statistics say: none of them is left out, and nothing is answered without them.
/// A partition column has `sequence` of each row's file.
#[derive(Debug)]
pub(crate) struct FilesTable {
    schema: TableSchema,
    files: Vec<ScanFile>,
}

impl FilesTable {
    pub fn new(schema: TableSchema, files: Vec<ScanFile>) -> Self {
        Self { schema, files }
    }
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let statistics = Statistics::new_unknown(self.schema.table_schema());
        parquet_scan(session, self.schema.clone(), self.files.clone(), statistics, projection, None).await
    }
}
