//! Functions of ours that know something, as messages; the others travel by name.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

use crate::known_ids::{IdHash, Repeated, is_repeated, repeated_of};

/// Bytes of a hash: its 40 bits.
const HASH_BYTES: usize = 5;

/// Ids that a function may take along, one megabyte of them: each task of a stage gets them.
const MOST_IDS: usize = 200_000;

/// The message of `is_repeated`: the hashes one behind the other, little-endian. Nothing for a function without one.
pub(super) fn encode(function: &ScalarUDF, bytes: &mut Vec<u8>) {
    for hash in repeated_of(function).into_iter().flat_map(|ids| ids.iter()) {
        bytes.extend(&hash.bits().to_le_bytes()[..HASH_BYTES]);
    }
}

/// The function of a message.
///
/// Errors: there is none of that name.
pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
    let hash = |bytes: &[u8; HASH_BYTES]| {
        let mut bits = [0; size_of::<u64>()];
        bits[..HASH_BYTES].copy_from_slice(bytes);
        IdHash::from_bits(u64::from_le_bytes(bits))
    };
    let ids: Repeated = bytes.as_chunks().0.iter().map(hash).collect();
    let function = is_repeated(Arc::new(ids));
    match name == function.name() {
        true => Ok(Arc::new(function)),
        false => Err(exec_datafusion_err!("there is no function {name}")),
    }
}

/// Whether an operator has a predicate whose functions know too much to be sent with every task.
pub fn knows_too_much(operator: &dyn ExecutionPlan) -> bool {
    let any = operator.as_any();
    if let Some(filter) = any.downcast_ref::<FilterExec>() {
        return is_too_much(filter.predicate());
    }
    let scan = any.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    let scan = scan.and_then(|source| source.as_any().downcast_ref::<FileScanConfig>());
    scan.and_then(|scan| scan.file_source().filter()).is_some_and(|predicate| is_too_much(&predicate))
}

fn is_too_much(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    let mut ids = 0;
    // Never an error: nothing here fails.
    let _ = predicate.apply(|expr| {
        let function = expr.as_any().downcast_ref::<ScalarFunctionExpr>();
        ids += function.and_then(|f| repeated_of(f.fun())).map_or(0, |ids| ids.len());
        Ok(TreeNodeRecursion::Continue)
    });
    ids > MOST_IDS
}
