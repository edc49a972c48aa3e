//! [`WriteGeoParquet`]: the logical node that writes each input partition into part files.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use url::Url;

use crate::checkpoint::Checkpoints;
use crate::model::items::ItemSchema;
use crate::model::part_file::SINK_SCHEMA;
use crate::table::Warehouse;

/// Where and how part files are written: everything that a worker needs to know of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteTarget {
    /// URL of the warehouse, ending in `/`.
    pub warehouse: Url,
    /// Id of the run; it names the folder of its rejects.
    pub run: String,
    pub schema: ItemSchema,
    /// Iceberg field ids by dotted column path: `id`, `bbox`, `bbox.xmin`, `stac_extensions.element`.
    pub field_ids: BTreeMap<String, i32>,
    /// H3 resolution of the table; a row whose cell has another one is an error.
    pub h3_resolution: u8,
    /// Bytes from which on the rest of a bucket goes to another file.
    pub max_file_bytes: u64,
    /// Whether partitions list the ids of their rows.
    pub lists_ids: bool,
    /// Whether all rows of a cell come to one partition, so that each bucket gets one file wherever its rows were before. It
    /// says how a plan is made, and does not travel with it.
    pub by_cell: bool,
    /// Whether partitions leave checkpoints, and where.
    pub checkpoints: Option<Checkpoints>,
}

impl Warehouse {
    /// What a worker needs to know to write part files of the table; `run` names the folder of its rejects.
    pub fn write_target(&self, run: &str) -> WriteTarget {
        WriteTarget {
            warehouse: self.url().clone(),
            run: run.to_owned(),
            schema: self.items().clone(),
            field_ids: self.field_ids().clone(),
            h3_resolution: self.h3_resolution(),
            lists_ids: false,
            by_cell: false,
            max_file_bytes: MAX_FILE_BYTES,
            checkpoints: None,
        }
    }
}

/// Bytes of a part file that is large enough.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// Writes its input, the columns of table `items`, as GeoParquet below a warehouse: each input partition into
/// files of its own, one per bucket. Output: [`SINK_SCHEMA`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteGeoParquet {
    pub input: Arc<LogicalPlan>,
    pub target: Arc<WriteTarget>,
}

static OUTPUT: LazyLock<DFSchemaRef> = LazyLock::new(|| {
    let schema = DFSchema::try_from(SINK_SCHEMA.as_ref().clone());
    Arc::new(schema.expect("the column names of SINK_SCHEMA are distinct"))
});

impl std::hash::Hash for WriteGeoParquet {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.target.warehouse.hash(state);
        self.target.run.hash(state);
    }
}

impl PartialOrd for WriteGeoParquet {
    /// Sinks have no order.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for WriteGeoParquet {
    fn name(&self) -> &str {
        "WriteGeoParquet"
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
        write!(f, "WriteGeoParquet: warehouse={}", self.target.warehouse)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self { input: Arc::new(inputs.swap_remove(0)), target: Arc::clone(&self.target) })
    }

    /// Every column is written, whatever is read of the records.
    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![(0..self.input.schema().fields().len()).collect()])
    }
}
