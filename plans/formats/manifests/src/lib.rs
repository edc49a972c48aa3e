//! Iceberg manifests (format version 2, partition spec of a cell and a year) as Avro bytes.
//!
//! # Contract
//!
//! - **In**: the bytes of a manifest, whoever wrote it. **Out**: its entries ([`Manifest::each_entry`]), with the bytes
//!   of each `data_file`, so that an entry that stays can be copied, and, where asked for, what is recorded of the
//!   columns; [`BoundsBuilder`] makes Arrow arrays of that, an element per file.
//! - **In**: a manifest without entries as Iceberg's own writer makes it ([`Form`]), and entries. **Out**: the bytes of a
//!   manifest with these entries ([`ManifestWriter`]), which every reader of Iceberg reads. Same entries, same bytes.
//! - **Refused in reading** (`None`, and the caller takes Iceberg's reader): compressed blocks, schemas that refer to
//!   named types, and whatever is malformed. Every byte is accounted for: markers, counts, sizes of blocks.
//! - **In**: the bytes of any Avro file. **Out**: the same with a hash of them for a marker ([`seal`]), and whether that, or
//!   else the structure, is as it was written ([`is_whole`]).
//! - **Refused in writing** (`None`): a value for which the form has no place.
//! - **Whatever the bytes are**, nothing panics, no call nests deeper than the schema's JSON (which its parser limits),
//!   and nothing is allocated or repeated for more than the bytes at hand: each element takes a byte at least, so that
//!   counts and lengths are compared with what is left before they are used. Types whose values take no bytes are
//!   refused where they would be counted.
//!
//! # Why it exists
//!
//! Iceberg's reader makes an object of every value, which takes a hundred times as long as stepping over it: nearly all
//! of a manifest is statistics of columns that a listing does not ask for. Its writer makes a tree of each entry and
//! compares it with the schema, which takes longer than to read, cover and write the Items of the file.
//!
//! # When it can go
//!
//! When Iceberg's library reads a manifest with a projection (`file_path`, `partition`, counts) without making the
//! rest, lends entries so that they can be copied as bytes, and writes entries without comparing each with the schema.
//! The engine's tests compare the two.

pub mod avro;
mod column_bounds;
mod entry;
mod seal;
mod writer;

pub use column_bounds::{Bounds, BoundsBuilder, Recorded};
pub use entry::{ADDED, Columns, DELETED, EXISTING, Entry, Inherited, Manifest};
pub use seal::{is_whole, seal};
pub use writer::{ColumnMetrics, DataFile, EntryNumbers, Form, ManifestWriter};
