//! The partitioned GeoParquet sink: a logical node, its physical operator, and the writer of part files.

mod attempt;
mod bucket;
mod exec;
mod footer;
mod format;
mod geo;
mod large_file;
mod node;
mod plain;
mod planner;
mod rejects;
mod small_file;
mod statistics;
#[cfg(test)]
mod tests;
mod thrift;
mod upload;

pub use exec::WriteGeoParquetExec;
pub use node::{WriteGeoParquet, WriteTarget};
pub use planner::WriteGeoParquetPlanner;
