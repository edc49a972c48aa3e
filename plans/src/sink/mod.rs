//! The partitioned GeoParquet sink: a logical node, its physical operator, and the writer of part files.

mod attempt;
mod bucket;
mod exec;
mod footer;
mod format;
mod geo;
mod large_file;
mod local_files;
mod node;
mod page_index;
mod plain;
mod plain_reader;
mod planner;
mod rejects;
mod rows_file;
mod small_file;
mod small_file_reader;
mod statistics;
mod task;
#[cfg(test)]
mod tests;
mod thrift;
mod upload;

pub use exec::WriteGeoParquetExec;
pub(crate) use format::{PartFileFormat, ROW_GROUP_ROWS};
pub use node::{MAX_FILE_BYTES, WriteGeoParquet, WriteTarget};
pub use planner::WriteGeoParquetPlanner;
pub use rows_file::RowsFileEncoder;
pub(crate) use small_file_reader::{Offered, SmallFileReader};
pub use upload::LargeUpload;
pub(crate) use upload::removals;
