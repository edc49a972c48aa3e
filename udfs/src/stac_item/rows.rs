//! The Items of a batch, outside of SQL.

use arrow::array::RecordBatch;
use datafusion::common::{Result, exec_datafusion_err, plan_err};

use earthcatalog_stac_rows::item::{ItemColumns, Role};

/// The Items that the rows of a batch were made from, as `stac_item(*)` gives them.
pub struct RowItems(ItemColumns);

impl RowItems {
    /// An error if a column is no column of an Item.
    pub fn try_new(batch: &RecordBatch) -> Result<Self> {
        let mut columns = ItemColumns::default();
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let Some(role) = Role::from_field(field) else {
                return plan_err!("column {} is no column of an Item", field.name());
            };
            columns.add(role, array)?;
        }
        Ok(Self(columns))
    }

    /// Appends the Item of a row: JSON text on one line.
    ///
    /// Errors: texts or geometries that cannot be read.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let from = out.len();
        let written = self.0.write_item(row, out).map_err(|e| exec_datafusion_err!("cannot write an Item: {e}"));
        // Within JSON texts, a line break can only stand between tokens.
        out[from..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        written
    }
}
