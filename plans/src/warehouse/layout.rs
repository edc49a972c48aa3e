//! The names of everything in a warehouse; no other place makes one.
//!
//! ```text
//! <warehouse>/grid_partition=<cell>/year=<yyyy>/<run>-<partition>-<n>.parquet   part files
//! <warehouse>/_rejects/<run>/<partition>.parquet                              rejects of a run
//! <warehouse>/metadata/…                                                       Iceberg's own
//! ```

/// Hive's name for a null partition value.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Folder of rejects, below the warehouse.
pub const REJECTS: &str = "_rejects";

/// Folder of a bucket, below the warehouse: `grid_partition=<cell>/year=<yyyy>`.
pub fn bucket_folder(cell: &str, year: Option<i32>) -> String {
    match year {
        Some(year) => format!("grid_partition={cell}/year={year:04}"),
        None => format!("grid_partition={cell}/year={NULL_PARTITION}"),
    }
}

/// Cell of the bucket folder in which a file lies; `None` where it lies in none.
pub fn cell_of(path: &str) -> Option<&str> {
    path.rsplit_once("/grid_partition=")?.1.split('/').next()
}

/// Name of the `sequence`-th part file that one attempt at a partition writes.
/// `attempt` is unique per attempt, so that a second attempt never writes over the first.
pub fn part_file_name(attempt: &str, partition: usize, sequence: usize) -> String {
    format!("{attempt}-{partition:05}-{sequence:05}.parquet")
}

/// Path of the rejects of one attempt at a partition, below the warehouse.
pub fn rejects_path(run: &str, attempt: &str, partition: usize) -> String {
    format!("{REJECTS}/{run}/{attempt}-{partition:05}.parquet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_without_a_year_is_hives_default_partition() {
        assert_eq!(bucket_folder("8128fffffffffff", Some(2020)), "grid_partition=8128fffffffffff/year=2020");
        assert_eq!(bucket_folder("__none__", None), "grid_partition=__none__/year=__HIVE_DEFAULT_PARTITION__");
    }

    #[test]
    fn a_path_tells_its_cell() {
        let path = format!("s3://bucket/wh/{}/x.parquet", bucket_folder("8128fffffffffff", Some(2020)));
        assert_eq!(cell_of(&path), Some("8128fffffffffff"));
        assert_eq!(cell_of("s3://bucket/wh/x.parquet"), None);
    }
}
