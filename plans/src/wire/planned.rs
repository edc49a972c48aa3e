//! [`Planned`]: a physical plan as a logical node, which is what clients of a cluster submit.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::catalog::TableProvider;
use datafusion::common::{DFSchema, DFSchemaRef, Result, TableReference, exec_err, plan_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::physical_plan::{AsExecutionPlan, PhysicalExtensionCodec};
use datafusion_proto::protobuf::PhysicalPlanNode;

use super::envelope::{Kind, open, seal};

/// A plan that is ready to run.
#[derive(Debug, Clone)]
pub struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    schema: DFSchemaRef,
}

impl Planned {
    /// Errors: two columns of one name.
    pub fn try_new(plan: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = Arc::new(DFSchema::try_from(plan.schema().as_ref().clone())?);
        Ok(Self { plan, schema })
    }

    /// The node as a plan.
    pub fn into_logical(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.plan, &other.plan)
    }
}

impl Eq for Planned {}

impl Hash for Planned {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.plan).hash(state);
    }
}

impl PartialOrd for Planned {
    /// Plans have no order.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Planned {
    fn name(&self) -> &str {
        "Planned"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Planned: {}", displayable(self.plan.as_ref()).one_line())
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }

    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![])
    }
}

/// Plans [`Planned`] as what it holds.
#[derive(Debug, Default)]
pub struct PlannedPlanner;

#[async_trait]
impl ExtensionPlanner for PlannedPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        _: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        Ok(node.as_any().downcast_ref::<Planned>().map(|planned| Arc::clone(&planned.plan)))
    }
}

/// Encodes [`Planned`], and nothing else: a cluster is sent nothing else.
#[derive(Debug)]
pub struct PlannedCodec {
    operators: Arc<dyn PhysicalExtensionCodec>,
}

impl PlannedCodec {
    /// `operators` encodes what DataFusion does not.
    pub fn new(operators: Arc<dyn PhysicalExtensionCodec>) -> Self {
        Self { operators }
    }
}

impl LogicalExtensionCodec for PlannedCodec {
    fn try_decode(&self, bytes: &[u8], _: &[LogicalPlan], context: &TaskContext) -> Result<Extension> {
        let (Kind::Planned, message) = open(bytes)? else { return exec_err!("the plan is damaged: it is no plan") };
        let plan = PhysicalPlanNode::try_decode(message)?.try_into_physical_plan(context, self.operators.as_ref())?;
        Ok(Extension { node: Arc::new(Planned::try_new(plan)?) })
    }

    fn try_encode(&self, node: &Extension, bytes: &mut Vec<u8>) -> Result<()> {
        let Some(planned) = node.node.as_any().downcast_ref::<Planned>() else {
            return plan_err!("{} is planned by the head, and not sent to a cluster", node.node.name());
        };
        seal(Kind::Planned, bytes);
        let plan = PhysicalPlanNode::try_from_physical_plan(Arc::clone(&planned.plan), self.operators.as_ref())?;
        plan.try_encode(bytes)
    }

    fn try_decode_table_provider(
        &self,
        _: &[u8],
        table: &TableReference,
        _: SchemaRef,
        _: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        plan_err!("table {table} is read by the head, and not sent to a cluster")
    }

    fn try_encode_table_provider(
        &self,
        table: &TableReference,
        _: Arc<dyn TableProvider>,
        _: &mut Vec<u8>,
    ) -> Result<()> {
        plan_err!("table {table} is read by the head, and not sent to a cluster")
    }
}
