//! [`Features`]: Items as clients get them, with the links of the service.

use arrow::record_batch::RecordBatch;
use datafusion::common::exec_datafusion_err;
use earthcatalog_plans::model::items::{RowItems, write_with_links};
use earthcatalog_plans::search::{Fields, Page};

use super::links::{Base, OF_SERVICE};
use crate::output::{OutputError, select_fields};

/// Writes the rows of a page as Items: what is stored goes out as it is, but for links.
pub(super) struct Features {
    pub base: Base,
    pub fields: Option<Fields>,
}

impl Features {
    /// Appends the Items of the first `most` rows, each behind what `between` gives.
    pub fn write(
        &self,
        page: &Page,
        batch: &RecordBatch,
        most: usize,
        out: &mut Vec<u8>,
        mut between: impl FnMut() -> &'static [u8],
    ) -> Result<(), OutputError> {
        let items = RowItems::try_new(&page.items(batch)?)?;
        let mut text = vec![];
        for row in 0..batch.num_rows().min(most) {
            let key = page.key(batch, row)?;
            text.clear();
            items.write(row, &mut text)?;
            out.extend_from_slice(between());
            let (start, links) = (out.len(), self.base.of_item(key.collection.as_deref(), &key.id));
            let item = str::from_utf8(&text).map_err(|e| exec_datafusion_err!("Item {key}: {e}"))?;
            write_with_links(item, &OF_SERVICE, &links, out).map_err(|e| exec_datafusion_err!("Item {key}: {e}"))?;
            if let Some(fields) = &self.fields {
                select_fields(fields, out, start)?;
            }
        }
        Ok(())
    }
}
