//! The names of everything in a warehouse; no other place makes one.
//!
//! ```text
//! <warehouse>/grid_partition=<cell>/year=<yyyy>/<run>-<partition>-<n>.parquet   part files
//! <warehouse>/_rejects/<run>/<partition>.parquet                              rejects of a run
//! <warehouse>/_ingested/<run>/<attempt>-<partition>.parquet                   which objects a run has ingested
//! <warehouse>/_ingested/<run>/<attempt>-<partition>-ids.parquet               which ids, until its commit
//! <warehouse>/_runs/<run>.<owner>.json                                         leases of the runs that write
//! <warehouse>/_checkpoints/<run>/…                                            what the tasks of a long run have done
//! <warehouse>/metadata/…                                                       Iceberg's own
//! ```

use uuid::Uuid;

/// Hive's name for a null partition value.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Folder of rejects, below the warehouse.
pub const REJECTS: &str = "_rejects";

/// Folder of the ingest record, below the warehouse.
pub const INGESTED: &str = "_ingested";

/// Folder of the leases of runs, below the warehouse.
pub const RUNS: &str = "_runs";

/// Folder of the checkpoints of runs, below the warehouse.
pub const CHECKPOINTS: &str = "_checkpoints";

/// What a run is, in its folder of checkpoints.
pub const RUN_RECORD: &str = "run.json";

/// The checkpoint of a task, in the task's folder.
pub const CHECKPOINT: &str = "ingest_stats.json";

/// Name of a new object with what the tasks of a job on a cluster are to do, in the folder of their run.
pub fn slices_name() -> String {
    format!("slices-{}.bin", Uuid::new_v4().simple())
}

/// Whether a file has a name of [`slices_name`].
pub fn is_slices(name: &str) -> bool {
    let id = name.strip_prefix("slices-").and_then(|rest| rest.strip_suffix(".bin"));
    id.is_some_and(|id| Uuid::try_parse(id).is_ok())
}

/// Folder of Iceberg's files, below the warehouse.
pub const METADATA: &str = "metadata";

/// With what names begin that no engine takes for files of a table: a clean-up passes over them, though no metadata of Iceberg
/// names them.
const HIDDEN: &str = "_";

/// The lease of a process that creates the table of the warehouse, in the folder of metadata.
pub const CREATING: &str = "creating.json";

/// The lock of a catalog that is no file, in the folder of metadata.
pub const LOCK: &str = "catalog.lock";

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

/// Path of a part file in the folder of its bucket, below the warehouse, named as [`part_file_name`] says.
pub fn part_file_path(cell: &str, year: Option<i32>, attempt: &str, partition: usize, sequence: usize) -> String {
    format!("{}/{}", bucket_folder(cell, year), part_file_name(attempt, partition, sequence))
}

/// Path of a part file that one attempt at a task stages in the task's `folder`, below the warehouse.
pub fn staged_file_path(folder: &str, attempt: &str, sequence: usize) -> String {
    format!("{folder}/{attempt}-{sequence:05}.parquet")
}

/// Path of the ids of one attempt at a task, in the task's `folder`, below the warehouse.
pub fn staged_ids_path(folder: &str, attempt: &str) -> String {
    format!("{folder}/{attempt}-ids.parquet")
}

/// Whether a path below the warehouse is that of a part file, as [`bucket_folder`] and [`part_file_name`] make it.
pub fn is_part_file(path: &str) -> bool {
    let mut segments = path.split('/');
    let (cell, year, name) = (segments.next(), segments.next(), segments.next());
    let digits = |text: &str| text.len() >= 5 && text.bytes().all(|b| b.is_ascii_digit());
    let named = |name: &str| {
        let numbers = name.strip_suffix(".parquet").and_then(|stem| stem.rsplit_once('-'));
        let Some((sequence, (attempt, partition))) =
            numbers.and_then(|(stem, sequence)| Some((sequence, stem.rsplit_once('-')?)))
        else {
            return false;
        };
        attempt.len() == 32 && attempt.bytes().all(|b| b.is_ascii_hexdigit()) && digits(partition) && digits(sequence)
    };
    is_bucket_folder(cell.unwrap_or_default(), year) && name.is_some_and(named) && segments.next().is_none()
}

/// Whether a path below the warehouse is that of a metadata file, a manifest list or a manifest, as Iceberg's writers
/// name them: each has an id in its name.
pub fn is_metadata_file(path: &str) -> bool {
    let Some(name) = path.strip_prefix(METADATA).and_then(|path| path.strip_prefix('/')) else { return false };
    if name == CREATING {
        return true;
    }
    let is_id = |text: &str| Uuid::try_parse(text).is_ok();
    let ends_in_id = |text: &str| text.len() > 36 && text.get(text.len() - 36..).is_some_and(is_id);
    if let Some(metadata) = name.strip_suffix(".metadata.json") {
        let version = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let parts = metadata.strip_suffix(".gz").unwrap_or(metadata).split_once('-');
        return parts.is_some_and(|(number, id)| version(number) && is_id(id));
    }
    for (prefix, end) in [("ingested-", ".json"), ("ids-", ".json"), ("ids-", ".parquet"), ("item-index-", ".parquet")]
    {
        // Older ones are not hidden.
        if let Some(id) =
            name.strip_prefix(HIDDEN).unwrap_or(name).strip_prefix(prefix).and_then(|name| name.strip_suffix(end))
        {
            return is_id(id);
        }
    }
    let Some(avro) = name.strip_suffix(".avro") else { return false };
    match avro.strip_prefix("snap-") {
        Some(list) => ends_in_id(list),
        None => avro.rsplit_once("-m").is_some_and(|(id, number)| is_id(id) && number.parse::<u32>().is_ok()),
    }
}

/// Whether folders are those of a cell, and within it of a year, as [`bucket_folder`] makes them.
pub fn is_bucket_folder(cell: &str, year: Option<&str>) -> bool {
    cell.starts_with("grid_partition=") && year.is_none_or(|year| year.starts_with("year="))
}

/// Path of a lease of a run, below the warehouse; `owner` is unique, so that no two leases meet.
pub fn run_lease_path(run: &str, owner: &str) -> String {
    // A run is called as its caller likes; the name is for people, and the lease itself has the id.
    let readable = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let run: String = run.chars().take(64).map(readable).collect();
    format!("{RUNS}/{run}.{owner}.json")
}

/// Path of the rejects of one attempt at a partition, below the warehouse.
pub fn rejects_path(run: &str, attempt: &str, partition: usize) -> String {
    format!("{REJECTS}/{run}/{attempt}-{partition:05}.parquet")
}

/// Path of a file of the ingest record, below the warehouse: of one attempt at a partition.
pub fn ingested_path(run: &str, attempt: &str, partition: usize) -> String {
    format!("{INGESTED}/{run}/{attempt}-{partition:05}.parquet")
}

/// Path of the ids in the rows of one attempt at a partition, below the warehouse.
pub fn ids_path(run: &str, attempt: &str, partition: usize) -> String {
    format!("{INGESTED}/{run}/{attempt}-{partition:05}-ids.parquet")
}

/// Whether a path below the warehouse is that of a file of the ingest record, or of the ids of a task.
pub fn is_ingested_file(path: &str) -> bool {
    let name =
        path.strip_prefix(INGESTED).and_then(|path| path.strip_prefix('/')).and_then(|path| path.split_once('/'));
    let stem = name.and_then(|(_, name)| name.strip_suffix(".parquet"));
    let parts = stem.map(|stem| stem.strip_suffix("-ids").unwrap_or(stem)).and_then(|stem| stem.rsplit_once('-'));
    parts.is_some_and(|(attempt, _)| attempt.len() == 32 && attempt.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Name of the document that names the lists of ids, in the folder of metadata; `id` is unique.
pub fn known_ids_name(id: Uuid) -> String {
    format!("{HIDDEN}ids-{id}.json")
}

/// Name of a list of ids, in the folder of metadata; `id` is unique.
pub fn id_list_name(id: Uuid) -> String {
    format!("{HIDDEN}ids-{id}.parquet")
}

/// Name of an index of the table by id, in the folder of metadata; `id` is unique.
pub fn item_index_name(id: Uuid) -> String {
    format!("{HIDDEN}item-index-{id}.parquet")
}

/// Name of the list of the files of the ingest record, in the folder of metadata; `id` is unique.
pub fn record_list_name(id: Uuid) -> String {
    format!("{HIDDEN}ingested-{id}.json")
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
    fn a_part_file_is_told_from_everything_else() {
        let attempt = "0199c0ffee0199c0ffee0199c0ffee01";
        let folder = bucket_folder("__none__", None);
        assert!(is_part_file(&format!("{folder}/{}", part_file_name(attempt, 0, 123_456))));
        for foreign in [
            format!("{folder}/{}#1", part_file_name(attempt, 0, 0)),
            format!("{folder}/{}", part_file_name("mine", 0, 0)),
            format!("{folder}/deeper/{}", part_file_name(attempt, 0, 0)),
            format!("{folder}/00000-0-0199c0ff-ee01-99c0-ffee-0199c0ffee01.parquet"),
            format!("year=2020/grid_partition=8/{}", part_file_name(attempt, 0, 0)),
            part_file_name(attempt, 0, 0),
        ] {
            assert!(!is_part_file(&foreign), "{foreign}");
        }
    }

    #[test]
    fn a_file_of_the_ingest_record_is_told_from_everything_else() {
        let attempt = "0199c0ffee0199c0ffee0199c0ffee01";
        assert!(is_ingested_file(&ingested_path("run-1", attempt, 7)));
        for foreign in ["_ingested/x.parquet", "_ingested/run/x-00001.parquet", "ingested/run/a-1.parquet"] {
            assert!(!is_ingested_file(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_metadata_file_is_told_from_everything_else() {
        let id = Uuid::nil();
        for ours in [
            format!("metadata/00001-{id}.metadata.json"),
            format!("metadata/123456-{id}.gz.metadata.json"),
            format!("metadata/{id}-m12.avro"),
            format!("metadata/snap-77-{id}.avro"),
            format!("metadata/snap-77-0-{id}.avro"),
            format!("{METADATA}/{}", record_list_name(id)),
            format!("{METADATA}/{}", item_index_name(id)),
        ] {
            assert!(is_metadata_file(&ours), "{ours}");
        }
        for foreign in [
            format!("metadata/{id}.metadata.json"),
            format!("metadata/{id}.avro"),
            format!("metadata/old/{id}-m0.avro"),
            format!("elsewhere/{id}-m0.avro"),
            "metadata/v1.metadata.json".to_owned(),
            "metadata/snap-77.avro".to_owned(),
            "metadata/version-hint.text".to_owned(),
        ] {
            assert!(!is_metadata_file(&foreign), "{foreign}");
        }
    }

    #[test]
    fn a_path_tells_its_cell() {
        let path = format!("s3://bucket/wh/{}/x.parquet", bucket_folder("8128fffffffffff", Some(2020)));
        assert_eq!(cell_of(&path), Some("8128fffffffffff"));
        assert_eq!(cell_of("s3://bucket/wh/x.parquet"), None);
    }
}
