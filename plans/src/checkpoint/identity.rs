//! [`Identity`]: what a run is, so that a second start finds what the first one did.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use twox_hash::XxHash64;

use crate::runtime::leaf_by_partition;
use crate::source::StacExec;
use crate::table::Warehouse;

/// What a run reads, and what shapes what it writes. Two starts with the same identity write the same rows, as long as
/// tables that the Items are joined with stay the same: these count by their name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Location of the inventory.
    pub inventory: String,
    /// Of the names, order and versions of all that it lists.
    fingerprint: u64,
    /// By name; those that are not set are absent.
    pub options: BTreeMap<String, String>,
    pub chunks: u64,
    /// Tells from other tables, and other queries over the same source.
    rest: String,
}

impl Identity {
    /// The identity of a run that writes the rows of `query` to a table.
    ///
    /// Errors unless each partition of `query` reads one chunk of a STAC table: then a chunk could not be resumed.
    pub fn of(query: &Arc<dyn ExecutionPlan>, warehouse: &Warehouse, table: &str) -> Result<Self> {
        let leaf = leaf_by_partition(query).and_then(|leaf| leaf.downcast_ref::<StacExec>());
        let Some(source) = leaf.filter(|source| source.reads_chunks()) else {
            return plan_err!(
                "what is staged must come chunk by chunk from a table STORED AS STAC: filters, computed columns, h3_fanout, and joins in which each row is of an Item keep chunks apart, other joins, aggregates and LIMIT do not; use INSERT INTO items for those"
            );
        };
        let mut options = source.options();
        options.insert("h3_resolution".to_owned(), warehouse.h3_resolution().to_string());
        let promoted = warehouse.items().promoted().iter().map(|p| p.property.as_str()).collect::<Vec<_>>();
        options.insert("promoted".to_owned(), promoted.join(","));
        Ok(Self {
            inventory: source.location().to_string(),
            fingerprint: source.fingerprint(),
            options,
            chunks: source.chunks() as u64,
            rest: format!("{table}\n{}", displayable(query.as_ref()).indent(false)),
        })
    }

    /// Name of the run: the same inventory gives the same first half.
    pub fn run(&self) -> String {
        let mut shape = XxHash64::with_seed(0);
        for (name, value) in &self.options {
            shape.write(format!("{name}={value}\n").as_bytes());
        }
        shape.write(self.rest.as_bytes());
        format!("{:016x}-{:08x}", self.fingerprint, shape.finish() as u32)
    }
}
