//! [`Commit`]: the logical node that makes the files of its input visible.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::checkpoint::Identity;
use crate::runtime::MaxRejects;
use crate::scan::Staging;
use crate::table::Warehouse;
use crate::table::catalog::{NAMESPACE, TABLE};

/// What is committed where: everything that the head needs to know of the run.
#[derive(Debug, Clone)]
pub struct CommitTarget {
    pub warehouse: Warehouse,
    /// Id of the run.
    pub run: String,
    /// What the run is called, where what it does does not tell.
    pub kind: Option<String>,
    pub max_rejects: Option<MaxRejects>,
    pub outcome: Outcome,
    /// Whether the input leaves, of the buckets that it reads, the newest version of each Item, as it was.
    pub keeps_newest: bool,
    /// What a run that can be resumed does; known once it is planned.
    pub identity: Option<Identity>,
    /// A snapshot for each so many buckets that were replaced; one for all where it is `None`.
    pub commit_every: Option<NonZero<usize>>,
}

/// What becomes of the files that are written.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// They are added to the table.
    Append,
    /// They take the place of the files of the buckets that the input scans.
    ReplaceBuckets,
    /// The same, and the Items go whose rows the scan leaves out; and from the ingest record, these objects.
    RemoveItems { objects: Arc<HashSet<String>> },
    /// They take the place of the files of the buckets that the input scans, with other values of some Items.
    UpdateItems,
    /// They are kept by the checkpoints of their chunks, for [`Self::AppendStaged`].
    Stage(Arc<Staging>),
    /// They hold what was staged before; they are added to the table, and the run ends.
    AppendStaged(Arc<Staging>),
}

impl CommitTarget {
    /// What the node and its operator say in EXPLAIN.
    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table={NAMESPACE}.{TABLE}")?;
        match &self.outcome {
            Outcome::Append => {}
            Outcome::ReplaceBuckets if self.keeps_newest => write!(f, ", replaces buckets")?,
            Outcome::ReplaceBuckets => write!(f, ", replaces buckets with other rows")?,
            Outcome::RemoveItems { .. } => write!(f, ", removes Items")?,
            Outcome::UpdateItems => write!(f, ", updates Items")?,
            Outcome::Stage(_) => write!(f, ", stages chunks")?,
            Outcome::AppendStaged(_) => write!(f, ", appends what is staged")?,
        }
        if let Some(n) = self.commit_every {
            write!(f, ", commit_every={n}")?;
        }
        self.max_rejects.map_or(Ok(()), |most| write!(f, ", max_rejects={most}"))
    }
}

/// Commits the files that its input records ([`SINK_SCHEMA`](crate::model::part_file::SINK_SCHEMA)) as one snapshot.
/// Output: one row with `count`, the number of rows committed, or of Items removed or updated.
#[derive(Debug, Clone)]
pub struct Commit {
    pub input: Arc<LogicalPlan>,
    pub target: Arc<CommitTarget>,
}

static OUTPUT: LazyLock<DFSchemaRef> = LazyLock::new(|| {
    let schema = DFSchema::try_from(Schema::new(vec![Field::new("count", DataType::UInt64, false)]));
    Arc::new(schema.expect("one column has no namesake"))
});

impl Commit {
    fn key(&self) -> (&LogicalPlan, &str, &str) {
        (&self.input, self.target.warehouse.url().as_str(), &self.target.run)
    }
}

impl PartialEq for Commit {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Commit {}

impl std::hash::Hash for Commit {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for Commit {
    /// Commits have no order.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Commit {
    fn name(&self) -> &str {
        "Commit"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &OUTPUT
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commit: ")?;
        self.target.describe(f)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self { input: Arc::new(inputs.swap_remove(0)), target: Arc::clone(&self.target) })
    }

    /// Every record counts, whatever is read of the result.
    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![(0..self.input.schema().fields().len()).collect()])
    }
}
