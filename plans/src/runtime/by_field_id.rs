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
use super::promoted_column::PromotedColumn;
use crate::model::field_ids::{field_id, position};
use crate::model::promotion::Promotion;

/// The same plan, in which scans of Parquet files whose columns have field ids find them by those; and properties that a file
/// has in other columns than its table, where it has them.
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
        let promotion = Promotion::between(table.fields(), file.fields()).map(Arc::new);
        let renamed = Arc::new(Schema::new(as_in_table(table.fields(), file.fields())));
        let by_name = DefaultPhysicalExprAdapterFactory.create(Arc::clone(&table), renamed)?;
        Ok(Arc::new(Adapter { by_name, table, file, promotion }))
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
    table: SchemaRef,
    file: SchemaRef,
    /// Where the file has properties in other columns than the table.
    promotion: Option<Arc<Promotion>>,
}

impl Adapter {
    /// `expr` with the columns that the file has in another way as what they will be made of.
    fn with_promoted(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(promotion) = &self.promotion else { return Ok(expr) };
        let as_promoted = |expr: Arc<dyn PhysicalExpr>| {
            let Some(column) = expr.downcast_ref::<Column>().filter(|column| promotion.makes(column.name())) else {
                return Ok(Transformed::no(expr));
            };
            // A partition column is of no file.
            let Some((_, field)) = self.table.fields().find(column.name()) else { return Ok(Transformed::no(expr)) };
            let column = PromotedColumn::new(Arc::clone(promotion), Arc::clone(field));
            Ok(Transformed::yes(Arc::new(column) as Arc<dyn PhysicalExpr>))
        };
        expr.transform_down(as_promoted).data()
    }
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let rewritten = self.by_name.rewrite(self.with_promoted(expr)?)?;
        let as_in_file = |expr: Arc<dyn PhysicalExpr>| {
            if let Some(column) = expr.downcast_ref::<Column>() {
                let name = self.file.field(column.index()).name();
                return Ok(Transformed::yes(Arc::new(Column::new(name, column.index())) as Arc<dyn PhysicalExpr>));
            }
            let promoted = expr.downcast_ref::<PromotedColumn>().map(|column| column.over(self.file.fields()));
            Ok(promoted.map_or_else(|| Transformed::no(expr), |column| Transformed::yes(Arc::new(column))))
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
