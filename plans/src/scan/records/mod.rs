//! What is known of a table, as tables: snapshots, files and buckets; runs and what they rejected; ingested objects.

mod ingested_table;
mod metadata_tables;
pub(crate) mod rejects;
mod runs;

pub use ingested_table::{IngestedTable, Since};
pub use metadata_tables::{About, MetadataTable};
pub use rejects::RejectsTable;
pub use runs::RunsTable;
