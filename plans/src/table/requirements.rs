//! [`Requirements`]: what a change assumes of the table; checked again in each attempt to commit it.

use iceberg::spec::TableMetadata;
use uuid::Uuid;

use super::error::{Result, WarehouseError};

/// What of a table must be as it was when a change began: files are written for one schema, under one partitioning and in
/// one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirements {
    table: Uuid,
    schema: i32,
    spec: i32,
    sort_order: i64,
}

impl Requirements {
    pub fn new(metadata: &TableMetadata) -> Self {
        Self {
            table: metadata.uuid(),
            schema: metadata.current_schema_id(),
            spec: metadata.default_partition_spec_id(),
            sort_order: metadata.default_sort_order_id(),
        }
    }

    /// Errors with [`WarehouseError::Changed`] where the table is another one, or has changed.
    pub fn check(&self, metadata: &TableMetadata, catalog: &dyn std::fmt::Display) -> Result<()> {
        self.check_table(metadata, catalog)?;
        let now = Self::new(metadata);
        for (what, was, is) in [
            ("schema id", i64::from(self.schema), i64::from(now.schema)),
            ("partition spec id", i64::from(self.spec), i64::from(now.spec)),
            ("sort order id", self.sort_order, now.sort_order),
        ] {
            changed(catalog, what, &was, &is)?;
        }
        Ok(())
    }

    /// As [`Self::check`], for a change that holds under any schema.
    pub fn check_table(&self, metadata: &TableMetadata, catalog: &dyn std::fmt::Display) -> Result<()> {
        changed(catalog, "table-uuid", &self.table, &metadata.uuid())
    }
}

fn changed<T: PartialEq + ToString>(
    catalog: &dyn std::fmt::Display,
    what: &'static str,
    was: &T,
    is: &T,
) -> Result<()> {
    if was == is {
        return Ok(());
    }
    let catalog = catalog.to_string();
    Err(WarehouseError::Changed { catalog, what, was: was.to_string(), is: is.to_string() })
}
