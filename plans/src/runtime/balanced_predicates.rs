//! [`BalancedPredicates`]: conditions of a scan joined as a tree that is no deeper than it has to be.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use super::parquet_sources::with_parquet_sources;

/// Conditions that may be joined as a chain.
const FEW: usize = 16;

/// Joins the conditions of a scan of Parquet files as a balanced tree.
///
/// DataFusion joins them as a chain, and simplifies it for each file that it opens, in time that grows with the square of its
/// depth: a thousand conditions on 430 files took ten minutes.
#[derive(Debug, Default)]
pub(crate) struct BalancedPredicates;

impl PhysicalOptimizerRule for BalancedPredicates {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        with_parquet_sources(plan, |scan, _, source| {
            let Some(predicate) = source.filter() else { return Ok(None) };
            let conditions: Vec<_> = split_conjunction(&predicate).into_iter().cloned().collect();
            let changed = || scan.with_source(Arc::new(source.with_predicate(balanced(&conditions))));
            Ok((conditions.len() > FEW).then(changed))
        })
    }

    fn name(&self) -> &str {
        "balanced_predicates"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// One condition or more, in their order.
fn balanced(conditions: &[Arc<dyn PhysicalExpr>]) -> Arc<dyn PhysicalExpr> {
    match conditions {
        [condition] => Arc::clone(condition),
        _ => {
            let (left, right) = conditions.split_at(conditions.len() / 2);
            Arc::new(BinaryExpr::new(balanced(left), Operator::And, balanced(right)))
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    use datafusion::datasource::physical_plan::ParquetSource;
    use datafusion::datasource::source::DataSourceExec;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::session::testing::Table;

    fn depth(condition: &Arc<dyn PhysicalExpr>) -> usize {
        1 + condition.children().into_iter().map(depth).max().unwrap_or_default()
    }

    /// How deep the predicates of a question are, and how many conditions they have.
    async fn predicates(context: &SessionContext, sql: &str) -> (usize, usize) {
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let (mut deepest, mut conditions) = (0, 0);
        plan.apply(|plan| {
            let scan = plan.downcast_ref::<DataSourceExec>();
            if let Some((_, source)) = scan.and_then(|scan| scan.downcast_to_file_source::<ParquetSource>())
                && let Some(predicate) = source.filter()
            {
                deepest = deepest.max(depth(&predicate));
                conditions += split_conjunction(&predicate).len();
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        (deepest, conditions)
    }

    #[tokio::test]
    async fn a_thousand_conditions_are_ten_deep_and_mean_the_same() {
        let mut table = Table::new("platform VARCHAR").await;
        let item = |id: String| {
            serde_json::json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "links": [], "assets": {},
                "geometry": {"type": "Point", "coordinates": [1.0, 2.0]},
                "properties": {"datetime": "2020-01-01T00:00:00Z"}})
        };
        table.ingest(&(0..5).map(|i| item(format!("i{i}"))).collect::<Vec<_>>()).await;
        let context = table.reading().await;
        let not = |i: usize| format!("id NOT LIKE '%{i}%{i}'");
        let conditions = (0..1_000).map(not).collect::<Vec<_>>().join(" AND ");
        let sql = format!("SELECT count(*) FROM item_cells WHERE {conditions} AND id <> 'i3'");
        let (depth, conditions) = predicates(&context, &sql).await;
        assert!(conditions > 1_000 && depth < 20, "{conditions} conditions, {depth} deep");
        let found = context.sql(&sql).await.unwrap().collect().await.unwrap();
        assert_eq!(found[0].column(0).as_ref(), &arrow::array::Int64Array::from(vec![4]) as &dyn arrow::array::Array);
    }
}
