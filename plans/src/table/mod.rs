//! The Iceberg table `items` over the part files of a warehouse: opened or created, and changed in one commit per run.
//!
//! - [`create`]: opens or creates the table; [`catalog`] points at its metadata, [`schema`] describes it.
//! - `folder`: whose metadata lies in a folder; `new_table` creates a table where there is none, [`Warehouse::register`]
//!   takes one that is there into a catalog,
//!   [`Warehouse::relocate`] one that was moved.
//! - [`as_of`]: which state of it is meant; [`references`] changes what tags and branches name, the current state included.
//! - [`commit`]: adds and removes files in one snapshot; `manifests` writes and reads the lists of its files.
//! - [`item_index`]: where the rows of an id are.
//! - [`known_ids`]: which ids are in the table, and which of them in several versions.
//! - [`ingest_record`]: which version of which object is in the table.
//! - `column_change`: a property gets a column of its own, or loses it.
//! - [`collection_documents`]: the STAC Collections that people gave for the Items.
//! - [`rest_error`]: what can go wrong with a REST catalog.
//! - `rewrite`: replaces the metadata, for changes other than of files.
//! - `file_cache`: what was read of manifests.
//! - `written_by_any`: opens files of the table, whichever engine wrote them.
//! - `deletes`: which rows other engines have deleted without writing their files again.
//! - `gone`: what lies beside the table may have been deleted by an engine that does not know it.
//! - [`leases`]: who works on the table.

pub mod as_of;
pub mod catalog;
pub mod collection_documents;
pub(crate) mod column_change;
pub mod commit;
pub(crate) mod committed_runs;
pub mod create;
pub(crate) mod data_files;
pub(crate) mod deletes;
pub mod error;
pub(crate) mod file_cache;
pub(crate) mod folder;
pub(crate) mod gone;
pub mod ingest_record;
pub mod item_index;
pub mod known_ids;
pub mod leases;
pub mod location;
pub(crate) mod manifests;
mod new_table;
pub mod references;
mod register;
mod relocate;
pub(crate) mod requirements;
pub mod rest_error;
pub(crate) mod resumable;
pub(crate) mod rewrite;
pub mod schema;
pub(crate) mod snapshot;
mod sqlite;
pub mod state;
pub mod storage;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod written_by_any;

pub use as_of::AsOf;
pub use catalog::Catalog;
pub use collection_documents::CollectionDocument;
pub use column_change::{ChangedColumn, ColumnChange};
pub use commit::{Change, Committed, Committer, IdChange};
pub use create::Warehouse;
pub use error::WarehouseError;
pub use item_index::ItemIndex;
pub use manifests::files::LiveFile;
pub use relocate::Relocated;
pub use rest_error::RestError;
pub use state::TableState;
