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

use crate::table::known_ids::{IdHash, Repeated, is_repeated, repeated_of};

/// Bytes of a hash.
const HASH_BYTES: usize = size_of::<u64>();

/// Ids that a function may take along, some megabytes of them: each task of a stage gets them.
const MOST_IDS: usize = 200_000;

/// The message of `is_repeated`: the hashes one behind the other, little-endian. Nothing for a function without one.
pub(super) fn encode(function: &ScalarUDF, bytes: &mut Vec<u8>) {
    for hash in repeated_of(function).into_iter().flat_map(|ids| ids.iter()) {
        bytes.extend(hash.bits().to_le_bytes());
    }
}

/// The function of a message.
///
/// Errors: there is none of that name.
pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
    let hash = |bytes: &[u8; HASH_BYTES]| IdHash::from_bits(u64::from_le_bytes(*bytes));
    let ids: Repeated = bytes.as_chunks().0.iter().map(hash).collect();
    let function = is_repeated(Arc::new(ids));
    match name == function.name() {
        true => Ok(Arc::new(function)),
        false => Err(exec_datafusion_err!("there is no function {name}")),
    }
}

/// Whether an operator has a predicate whose functions know too much to be sent with every task.
pub fn knows_too_much(operator: &dyn ExecutionPlan) -> bool {
    let any = operator;
    if let Some(filter) = any.downcast_ref::<FilterExec>() {
        return is_too_much(filter.predicate());
    }
    let scan = any.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    let scan = scan.and_then(|source| source.downcast_ref::<FileScanConfig>());
    scan.and_then(|scan| scan.file_source().filter()).is_some_and(|predicate| is_too_much(&predicate))
}

fn is_too_much(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    let mut ids = 0;
    // Never an error: nothing here fails.
    let _ = predicate.apply(|expr| {
        let function = expr.downcast_ref::<ScalarFunctionExpr>();
        ids += function.and_then(|f| repeated_of(f.fun())).map_or(0, |ids| ids.len());
        Ok(TreeNodeRecursion::Continue)
    });
    ids > MOST_IDS
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::common::DFSchema;
    use datafusion::logical_expr::{ident, not};
    use datafusion::physical_plan::empty::EmptyExec;

    use super::*;
    use crate::model::item_key::ItemKey;

    #[test]
    fn a_filter_that_knows_many_ids_stays_and_another_comes_back_with_all_of_them() {
        let text = |name: &str, nullable| Field::new(name, DataType::Utf8View, nullable);
        let schema = Arc::new(Schema::new(vec![text("collection", true), text("id", false)]));
        let columns = DFSchema::try_from(Arc::clone(&schema)).unwrap();
        let state = crate::session::session(1).unwrap().state();
        for (most, stays) in [(MOST_IDS as u64, false), (MOST_IDS as u64 + 1, true)] {
            let ids: Arc<Repeated> = Arc::new((0..most).map(|n| IdHash::from_bits(n << 20)).collect());
            let function = is_repeated(Arc::clone(&ids));
            let predicate = not(function.call(ItemKey::COLUMNS.map(ident).to_vec()));
            let predicate = state.create_physical_expr(predicate, &columns).unwrap();
            let filter = FilterExec::try_new(predicate, Arc::new(EmptyExec::new(Arc::clone(&schema)))).unwrap();
            assert_eq!(knows_too_much(&filter), stays);
            let mut bytes = vec![];
            encode(&function, &mut bytes);
            assert_eq!(repeated_of(&decode("is_repeated", &bytes).unwrap()), Some(&ids));
        }
        assert!(decode("is_known", &[]).unwrap_err().to_string().contains("there is no function is_known"));
    }
}
