//! The schema of table `items`; see [`earthcatalog_stac_rows`].

pub use earthcatalog_stac_rows::decode::is_exact_float;
pub use earthcatalog_stac_rows::{
    BOUNDS_COLUMNS, GRID_PARTITION, ItemSchema, ItemSchemaError, NO_CELL, NotItems, OTHER_KEY, PROPERTY_KEY, Promoted,
    TIME_COLUMNS, timestamp, write_time,
};
pub use earthcatalog_udfs::stac_item::{RowItems, write_geometry, write_with_links};
pub use earthcatalog_udfs::{bounds_of, is_geometry, resolve_href, wkb_of, wkt_of};
