//! [`by_field_id`]: has scans of Parquet files find columns by field id.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{Field, Fields, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataBuilder};

use super::parquet_sources::with_parquet_sources;
use crate::model::field_ids::{field_id, position};

/// The same plan, in which scans of Parquet files whose columns have field ids find them by those.
///
/// How a scan finds columns is no part of what a cluster sends: an executor calls this on what has arrived.
pub fn by_field_id(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    with_parquet_sources(plan, |scan, config, source| {
        if !config.file_schema().fields().iter().any(|field| field_id(field).is_some()) {
            return Ok(None);
        }
        let missing = || internal_datafusion_err!("a scan of Parquet files that reads none");
        let readers = Arc::clone(source.parquet_file_reader_factory().ok_or_else(missing)?);
        let source = source.clone().with_parquet_file_reader_factory(Arc::new(Readers(readers)));
        Ok(Some(scan.with_source(Arc::new(source)).with_expr_adapter(Some(Arc::new(ByFieldId)))))
    })
}

/// Takes expressions over columns of the table to those of a file.
#[derive(Debug)]
struct ByFieldId;

impl PhysicalExprAdapterFactory for ByFieldId {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let renamed = Arc::new(Schema::new(as_in_table(table.fields(), file.fields())));
        let by_name = DefaultPhysicalExprAdapterFactory.create(table, renamed)?;
        Ok(Arc::new(Adapter { by_name, file }))
    }
}

/// The columns of a file under the names that the table has for them; those that it does not have, under no name of its.
fn as_in_table(table: &Fields, file: &Fields) -> Vec<Field> {
    let mut names: Vec<String> = (0..file.len()).map(|i| format!("\0{i}")).collect();
    for column in table {
        if let Some(i) = position(column, file) {
            names[i].clone_from(column.name());
        }
    }
    file.iter().zip(names).map(|(field, name)| field.as_ref().clone().with_name(name)).collect()
}

#[derive(Debug)]
struct Adapter {
    /// For the columns of the file under the table's names.
    by_name: Arc<dyn PhysicalExprAdapter>,
    file: SchemaRef,
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let rewritten = self.by_name.rewrite(expr)?;
        let as_in_file = |expr: Arc<dyn PhysicalExpr>| match expr.downcast_ref::<Column>() {
            Some(column) => {
                let name = self.file.field(column.index()).name();
                Ok(Transformed::yes(Arc::new(Column::new(name, column.index())) as Arc<dyn PhysicalExpr>))
            }
            None => Ok(Transformed::no(expr)),
        };
        rewritten.transform_down(as_in_file).data()
    }
}

/// Readers that leave out what a writer says of a file in Arrow's terms: that has precedence over what Parquet says, and
/// lacks the field ids.
#[derive(Debug)]
struct Readers(Arc<dyn ParquetFileReaderFactory>);

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(Reader(self.0.create_reader(partition, file, size_hint, metrics)?)))
    }
}

struct Reader(Box<dyn AsyncFileReader + Send>);

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        self.0.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        self.0.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move { Ok(without_arrow_schema(self.0.get_metadata(options).await?)) }.boxed()
    }
}

fn without_arrow_schema(metadata: Arc<ParquetMetaData>) -> Arc<ParquetMetaData> {
    let file = metadata.file_metadata();
    let Some(pairs) = file.key_value_metadata() else { return metadata };
    let kept = pairs.iter().filter(|pair| pair.key != ARROW_SCHEMA_META_KEY).cloned().collect::<Vec<_>>();
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        Some(kept),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let without = ParquetMetaDataBuilder::new(file)
        .set_row_groups(metadata.row_groups().to_vec())
        .set_column_index(metadata.column_index().cloned())
        .set_offset_index(metadata.offset_index().cloned());
    Arc::new(without.build())
}
