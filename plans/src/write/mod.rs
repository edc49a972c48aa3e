//! The partitioned GeoParquet sink: a logical node, its physical operator, and the file writer.

mod node;

pub use node::{WriteGeoParquet, WriteTarget};
