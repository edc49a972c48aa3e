//! The partitioned GeoParquet sink: a logical node, its physical operator, and the writer of part files.

mod attempt;
mod bucket;
mod exec;
mod format;
mod geo;
mod large_file;
mod local_files;
mod node;
mod planner;
mod rejects;
mod rows_file;
mod small_file;
mod statistics;
mod task;
#[cfg(test)]
mod tests;
mod upload;

pub use exec::WriteGeoParquetExec;
pub(crate) use format::{PartFileFormat, ROW_GROUP_ROWS};
pub use geo::COVERING;
pub use node::{MAX_FILE_BYTES, WriteGeoParquet, WriteTarget};
pub use planner::WriteGeoParquetPlanner;
pub use rows_file::RowsFileEncoder;
pub use upload::LargeUpload;
pub(crate) use upload::removals;
