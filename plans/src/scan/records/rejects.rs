//! Table `rejects`: what runs could not read, from the Parquet files below `_rejects/`.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;
use object_store::ObjectMeta;
use url::Url;

use crate::model::layout::REJECTS;
use crate::runtime::{ScanFile, parquet_scan};
use crate::stores::{StoreError, below, stores};

/// Columns of table `rejects`.
///
/// | column | meaning |
/// |---|---|
/// | `run`, `chunk` | who met the object |
/// | `object` | URL of the object |
/// | `position` | zero-based line, feature or row in it; null where the object is one Item |
/// | `byte_offset`, `byte_length` | where its raw bytes are, after decompression; null where unknown |
/// | `kind` | [`RejectKind::name`](crate::model::chunk::RejectKind::name) |
/// | `message` | what was wrong |
pub static REJECTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8View, false);
    let number = |name: &str| Field::new(name, DataType::UInt64, true);
    Arc::new(Schema::new(vec![
        text("run"),
        text("chunk"),
        text("object"),
        number("position"),
        number("byte_offset"),
        number("byte_length"),
        text("kind"),
        text("message"),
    ]))
});

/// The rejects of all runs of a warehouse. There may be none.
#[derive(Debug)]
pub struct RejectsTable {
    folder: Url,
}

impl RejectsTable {
    /// `warehouse` is the URL of the warehouse and ends in `/`.
    pub fn try_new(warehouse: &Url) -> Result<Self, StoreError> {
        Ok(Self { folder: below(warehouse, &format!("{REJECTS}/"))? })
    }
}

#[async_trait]
impl TableProvider for RejectsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&REJECTS_SCHEMA)
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
        let (store, folder) = stores().locate(&self.folder)?;
        let objects: Vec<ObjectMeta> = store.list(Some(&folder)).try_collect().await?;
        let mut files = vec![];
        for object in objects.iter().filter(|object| object.location.extension() == Some("parquet")) {
            let parts = object.location.prefix_match(&folder).into_iter().flatten();
            let path = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            let url = below(&self.folder, &path)?;
            files.push(ScanFile { url, bytes: object.size, sequence: 0, statistics: None });
        }
        let schema = self.schema();
        let statistics = Statistics::new_unknown(&schema);
        parquet_scan(session, TableSchema::from(schema), files, statistics, projection, limit).await
    }
}
