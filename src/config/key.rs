//! The keys of a configuration file.

use datafusion::common::utils::datafusion_strsim::levenshtein;

/// A key of the configuration file, and the flag that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// With its section: `catalog.db_path`.
    pub name: &'static str,
    /// The flag, with `_` for `-`; `None` where there is but one value.
    pub flag: Option<&'static str>,
    /// The commands whose flag it is; none named: all that have the flag.
    pub commands: &'static [&'static str],
    pub help: &'static str,
}

const INGESTING: &[&str] = &["ingest", "backfill", "incremental", "delta", "migrate"];
const COMPACTING: &[&str] = &["compact"];

const fn key(name: &'static str, flag: &'static str, commands: &'static [&'static str], help: &'static str) -> Key {
    Key { name, flag: Some(flag), commands, help }
}

/// All keys. Of two with the same flag, the later one, which is for fewer commands, wins there.
pub const KEYS: &[Key] = &[
    key("catalog.db_path", "catalog", &[], "path or URL of the Iceberg catalog"),
    key("catalog.warehouse", "warehouse", &[], "folder or URL of the data files"),
    Key { name: "grid.type", flag: None, commands: &[], help: "h3" },
    key("grid.resolution", "h3_resolution", &[], "H3 resolution of a new table, 0 to 15"),
    key("table.columns", "columns", &[], "properties with a column of their own, in a new table"),
    key("resources.workers", "workers", &[], "threads"),
    key("resources.memory", "memory", &[], "memory that sorts may use before they spill to disk"),
    key("cluster.address", "cluster", &[], "address of a cluster's scheduler"),
    key("cluster.executor_wait", "executor_wait", &[], "how long a command waits for executors"),
    key("ingest.chunk_size", "chunk_size", INGESTING, "Items per chunk"),
    key("ingest.max_workers", "workers", INGESTING, "threads of commands that ingest"),
    key("ingest.fetch_concurrency", "fetch_concurrency", INGESTING, "objects that one thread fetches at a time"),
    key("ingest.suffix", "suffix", INGESTING, "endings of the names of Items"),
    key("ingest.base", "base", INGESTING, "folder or URL below which an inventory's keys lie"),
    key("ingest.format", "format", INGESTING, "format of an inventory, if its name does not tell"),
    key("ingest.max_item_cells", "max_item_cells", INGESTING, "most cells that an Item may have"),
    key("ingest.max_rejects", "max_rejects", INGESTING, "most rejects with which a run still commits"),
    key("ingest.report_location", "report_location", INGESTING, "folder or URL for ingest_stats.json"),
    key("compact.threshold", "threshold", COMPACTING, "smallest number of files of a bucket that is compacted"),
    key("compact.commit_every", "commit_every", COMPACTING, "buckets per snapshot"),
    key("compact.retain", "retain", &["compact", "expire"], "how long replaced snapshots are kept"),
    key("query.max_rows", "max_rows", &[], "largest number of rows that a table shows"),
    key("query.pager", "pager", &[], "program that shows what is longer than the screen"),
];

impl Key {
    /// The key of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The known key that is most like `name`.
    pub fn nearest(name: &str) -> &'static str {
        // `db_path` alone is as near to `catalog.db_path` as can be.
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let distance = |key: &&Key| levenshtein(key.name, name).min(1 + levenshtein(&last(key.name), &last(name)));
        KEYS.iter().min_by_key(distance).map_or("", |key| key.name)
    }

    /// The flag as it is typed, without the dashes.
    pub fn long(&self) -> Option<String> {
        self.flag.map(|flag| flag.replace('_', "-"))
    }

    /// Whether the key sets the flag of `command`, which has it.
    pub fn applies_to(&self, command: &str) -> bool {
        self.commands.is_empty() || self.commands.contains(&command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_that_of_a_slip_or_of_another_section() {
        for (wrong, nearest) in [
            ("catalog.dbpath", "catalog.db_path"),
            ("db_path", "catalog.db_path"),
            ("ingest.chunksize", "ingest.chunk_size"),
            ("h3.resolution", "grid.resolution"),
            ("max_workers", "ingest.max_workers"),
        ] {
            assert_eq!(Key::nearest(wrong), nearest, "{wrong}");
        }
    }
}
