//! SQL functions of earthcatalog: one per file; `register` lists them.

mod cell_text;
pub mod cover;
mod geometry;
mod h3_cell_to_boundary;
mod h3_cell_to_latlng;
mod h3_cell_to_parent;
mod h3_cells;
mod h3_fanout;
mod h3_grid_disk;
mod h3_latlng_to_cell;
mod h3_resolution;
mod item_digest;
mod item_wildcard;
mod json_get;
mod register;
mod session_tables;
mod st_as_geojson;
mod st_distance;
mod st_geom_from_geojson;
mod st_make_envelope;
mod st_relation;
pub mod stac_item;
mod times;

pub use geometry::{geometry_of, wkb_of};
pub use h3_cells::h3_cells_udf;
pub use h3_fanout::H3Fanout;
pub use item_digest::item_digest_udf;
pub use item_wildcard::ItemWildcard;
pub use register::{analyzer_rules, register, scalar_functions};
pub use session_tables::SessionTables;
pub use st_geom_from_geojson::parse as parse_geojson;
pub use stac_item::stac_item_udf;
pub use times::Microseconds;
