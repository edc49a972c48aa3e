//! [`Identity`]: what a run is, so that a second start finds what the first one did.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use datafusion::common::hash_utils::create_hashes_with_hasher;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use twox_hash::XxHash64;

use crate::runtime::leaf_by_partition;
use crate::source::StacExec;
use crate::table::Warehouse;

/// What a run reads, and what shapes what it writes. Two starts with the same identity write the same rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Location of the inventory.
    pub inventory: String,
    /// Of the names, order and versions of all that it lists.
    fingerprint: u64,
    /// By name; those that are not set are absent.
    pub options: BTreeMap<String, String>,
    pub chunks: u64,
    /// Tells from other tables, other queries over the same source, and other contents of what they join it with.
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
        let mut rest = format!("{table}\n{}", displayable(query.as_ref()).indent(false));
        // Of a query without joins, the identity is what it was before these counted.
        rest.extend(joined(query)?.iter().map(|version| format!("{version}\n")));
        Ok(Self {
            inventory: source.location().to_string(),
            fingerprint: source.fingerprint(),
            options,
            chunks: source.chunks() as u64,
            rest,
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

/// The contents of tables that a query reads beside its source: of files their names and versions, of tables in memory a
/// hash of their rows. However they are cut into partitions.
fn joined(query: &Arc<dyn ExecutionPlan>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    query.apply(|plan| {
        let Some(scan) = plan.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source) else {
            return Ok(TreeNodeRecursion::Continue);
        };
        if let Some(files) = scan.downcast_ref::<FileScanConfig>() {
            let files = files.file_groups.iter().flat_map(|group| group.iter()).map(|file| &file.object_meta);
            found.extend(files.map(|meta| {
                let (location, size, time) = (&meta.location, meta.size, meta.last_modified.timestamp_micros());
                format!("{location} {size} {time} {}", meta.e_tag.as_deref().unwrap_or(""))
            }));
        } else if let Some(table) = scan.downcast_ref::<MemorySourceConfig>() {
            let (mut rows, mut sum) = (0, 0_u64);
            for batch in table.partitions().iter().flatten() {
                let mut hashes = vec![0; batch.num_rows()];
                create_hashes_with_hasher(batch.columns(), &BuildHasherDefault::<XxHash64>::default(), &mut hashes)?;
                rows += hashes.len();
                sum = hashes.iter().fold(sum, |sum, hash| sum.wrapping_add(*hash));
            }
            found.insert(format!("{rows} rows {sum:016x}"));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
