//! The partitioned GeoParquet sink: a logical node, its physical operator, and the writer of part files.

mod attempt;
mod bucket;
mod encoder;
mod exec;
mod format;
mod geo;
mod node;
mod planner;
mod rejects;
#[cfg(test)]
mod sample;
mod statistics;
mod upload;

pub use exec::WriteGeoParquetExec;
pub use node::{WriteGeoParquet, WriteTarget};
pub use planner::WriteGeoParquetPlanner;
