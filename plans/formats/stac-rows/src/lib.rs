//! STAC Items as Arrow rows, and rows as Items again.
//!
//! # Contract
//!
//! - **In**: JSON text of one Item. **Out**: a row of [`ItemSchema::item_schema`] ([`decode::ItemDecoder`]), or a
//!   [`Defect`] that says why the text is not an Item; then nothing was appended. No tree is made in between.
//! - **In**: a row of such columns, all or some. **Out**: the Item that it was made from ([`item::ItemColumns`]), member
//!   for member equal as JSON values.
//! - **In**: a row of a stac-geoparquet file, by whoever wrote it. **Out**: the JSON of its Item ([`geoparquet`]).
//! - **In**: a geometry as its source writes it. **Out**: the same as RFC 7946 draws it ([`footprint`]).
//! - **Refused**: text that is not JSON, a top level that is not a Feature, an `id` that is not a text, a geometry that
//!   GeoJSON does not know or that is not in degrees, a `datetime` that is no time, members of the wrong kind, nesting beyond a constant; columns
//!   of types that JSON cannot write; bytes that are not WKB.
//! - **Whatever the text or the bytes are**, nothing panics, no call nests deeper than a constant, and what is allocated
//!   is in proportion to them.
//!
//! # Why it exists
//!
//! Decoding is the largest share of an ingest that does not wait for the network. Through a tree of values, or through
//! Arrow's JSON reader (which drops members that no column has, and with them the promise to lose nothing), an Item
//! takes several times as long; `benches/decode.rs` of the engine compares the decoder with how fast the text can be
//! scanned at all.
//!
//! # When it can go
//!
//! When a library reads JSON into columns with a callback for the members that no column takes and keeps their text, and
//! a GeoJSON reader makes WKB without objects in between. `stac` and `rustac` go through a tree.

pub mod canonical;
pub mod decode;
mod defect;
pub mod footprint;
pub mod geoparquet;
pub mod item;
mod parent;
mod schema;
pub mod time;
mod validate;
mod wkb_form;

pub use canonical::write_time;
pub use defect::{Defect, RejectKind};
pub use item::{OTHER_KEY, PROPERTY_KEY, is_ignored};
pub use parent::Parent;
pub use schema::{
    BOUNDS_COLUMNS, GRID_PARTITION, ItemSchema, ItemSchemaError, NO_CELL, NotItems, Promoted, TIME_COLUMNS, dropped,
    timestamp,
};
pub use validate::check_item;
pub use wkb_form::{UnreadableWkb, geometry_from_wkb, read_wkb, wkb_from_geometry};
