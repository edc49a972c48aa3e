//! [`IngestedTable`]: the ingest record of a warehouse, as a table.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use url::Url;

use crate::runtime::{ScanFile, parquet_scan};
use crate::table::Warehouse;
use crate::table::ingest_record::{INGESTED_SCHEMA, RecordList};

/// Every version of an object that the current snapshot of a warehouse holds the Items of. Columns: [`INGESTED_SCHEMA`].
#[derive(Debug)]
pub struct IngestedTable {
    warehouse: Warehouse,
    since: Option<Since>,
}

/// From when on objects matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Milliseconds since 1970, UTC.
    Time(i64),
    /// From the newest object in the table on.
    Last,
}

impl IngestedTable {
    /// With `since`, files of record that hold only objects from before are left out: a few of those objects are still in
    /// the others.
    pub fn new(warehouse: Warehouse, since: Option<Since>) -> Self {
        Self { warehouse, since }
    }
}

#[async_trait]
impl TableProvider for IngestedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&INGESTED_SCHEMA)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let state = self.warehouse.load_for(session).await?;
        let mut list = RecordList::of(&self.warehouse, &state).await?;
        let since = match self.since {
            Some(Since::Time(time)) => Some(time),
            Some(Since::Last) => state.max_last_modified(),
            None => None,
        };
        list.files.retain(|file| since.zip(file.newest).is_none_or(|(since, newest)| newest >= since));
        let mut statistics = Statistics::new_unknown(&INGESTED_SCHEMA);
        // By which a join decides which side it keeps in memory.
        statistics.num_rows = Precision::Exact(list.files.iter().map(|file| file.rows as usize).sum());
        let files = list.files.into_iter().map(|file| {
            let url = Url::parse(&file.path).map_err(|e| DataFusionError::External(Box::new(e)))?;
            Ok(ScanFile { url, bytes: file.bytes, sequence: 0, statistics: None })
        });
        let (schema, files) = (TableSchema::from(self.schema()), files.collect::<Result<_>>()?);
        parquet_scan(session, schema, files, statistics, projection, limit).await
    }
}
