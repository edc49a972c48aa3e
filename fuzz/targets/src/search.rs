//! STAC searches: what is read becomes a plan, or is refused with a reason.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use earthcatalog_plans::model::items::ItemSchema;
use earthcatalog_plans::search::{Search, search_plan};

pub fn fuzz_search(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let search: Search = match text.parse() {
        Ok(search) => search,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let Ok(items) = ItemSchema::try_new(vec![]) else { return };
    let table: Arc<dyn TableProvider> = Arc::new(EmptyTable::new(Arc::clone(items.item_schema())));
    match search_plan(&TableReference::bare("items"), table, &search) {
        Ok(plan) => assert!(plan.schema().fields().len() <= items.item_schema().fields().len()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
