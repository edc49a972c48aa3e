//! [`StagedTable`]: the part files of a run's chunks, between their ingest and their commit.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::{CreateExternalTable, Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::named_warehouse::named_warehouse;
use crate::checkpoint::{Finished, RunFolder, RunRecords};
use crate::runtime::location_if_any;
use crate::table::{LiveFile, Warehouse};

/// Rows that a run has ingested chunk by chunk, and not committed.
///
/// `INSERT INTO` it ingests the chunks that have no checkpoint yet; `buckets(staged, 1)` then reads all of them by bucket,
/// for an `INSERT INTO` the table of the warehouse, which commits them and ends the run. In each session the table is of
/// the run of the last INSERT.
#[derive(Debug)]
pub struct StagedTable {
    staging: Arc<Staging>,
}

/// What all plans over a staged table share.
#[derive(Debug)]
pub struct Staging {
    warehouse: Warehouse,
    /// Whether the run begins from the start, whatever was done before.
    restart: bool,
    run: Mutex<Option<Arc<StagedRun>>>,
}

/// A run whose chunks are all ingested.
#[derive(Debug)]
pub struct StagedRun {
    pub run: String,
    /// Id under which it is committed.
    pub commit: String,
    pub folder: RunFolder,
    /// How it ended, where it had ended before.
    pub finished: Option<Finished>,
    /// The part files of its chunks.
    pub(crate) files: Vec<LiveFile>,
    /// What became of its chunks.
    pub(crate) records: RunRecords,
}

impl StagedTable {
    pub fn new(warehouse: Warehouse, restart: bool) -> Self {
        Self { staging: Arc::new(Staging { warehouse, restart, run: Mutex::default() }) }
    }

    pub fn staging(&self) -> &Arc<Staging> {
        &self.staging
    }
}

impl Staging {
    /// The warehouse into which the rows will go.
    pub fn warehouse(&self) -> &Warehouse {
        &self.warehouse
    }

    pub fn restart(&self) -> bool {
        self.restart
    }

    /// The run that was staged last; `None` before the first INSERT.
    pub fn run(&self) -> Option<Arc<StagedRun>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_run(&self, run: StagedRun) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(run));
    }
}

#[async_trait]
impl TableProvider for StagedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.staging.warehouse.items().table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!("staged rows are read by bucket: select from buckets(staged, 1)")
    }
}

/// Makes a [`StagedTable`] of `CREATE EXTERNAL TABLE staged STORED AS CHECKPOINTS LOCATION '<warehouse>' OPTIONS ('of' 'items')`.
///
/// | option | meaning |
/// |---|---|
/// | `of` | the table, made with `STORED AS ICEBERG`, into which the rows will go; required |
/// | `restart` | `true`: discard what an earlier start of the same run has done |
#[derive(Debug, Default)]
pub struct StagedTableFactory;

#[async_trait]
impl TableProviderFactory for StagedTableFactory {
    async fn create(&self, state: &dyn Session, statement: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        let (mut of, mut restart) = (None, false);
        for (key, value) in &statement.options {
            match key.strip_prefix("format.").unwrap_or(key) {
                "of" => of = Some(value.clone()),
                "restart" => {
                    let invalid = || plan_datafusion_err!("option 'restart' is {value:?}, neither true nor false");
                    restart = value.to_ascii_lowercase().parse().map_err(|_| invalid())?;
                }
                unknown => return plan_err!("STORED AS CHECKPOINTS has no option {unknown:?}; it has of and restart"),
            }
        }
        let Some(of) = of else {
            return plan_err!(
                "STORED AS CHECKPOINTS needs OPTIONS ('of' 'items'), the table into which the rows will go"
            );
        };
        if !statement.schema.fields().is_empty() {
            return plan_err!("{}: STORED AS CHECKPOINTS takes no columns, it has those of {of}", statement.name);
        }
        let warehouse = named_warehouse(state, "of", &of).await?;
        warehouse.check_location(location_if_any(statement)?)?;
        Ok(Arc::new(StagedTable::new(warehouse, restart)))
    }
}
