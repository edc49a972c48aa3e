//! Items, one a line.

use std::io::Write;

use arrow::record_batch::RecordBatch;
use earthcatalog_plans::model::items::RowItems;

use crate::output::{OutputError, RowWriter};

/// Writes rows of table `items` as Items.
pub(super) struct NdjsonWriter;

impl RowWriter for NdjsonWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        let items = RowItems::try_new(batch)?;
        let mut text = vec![];
        for row in 0..batch.num_rows() {
            text.clear();
            items.write(row, &mut text)?;
            text.push(b'\n');
            out.write_all(&text)?;
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut dyn Write) -> Result<(), OutputError> {
        Ok(())
    }
}
