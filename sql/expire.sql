-- Clean a warehouse: remove old snapshots, and files that are no longer needed.
--
-- $catalog   VARCHAR               -- path or URL of the Iceberg catalog
-- $warehouse VARCHAR DEFAULT NULL  -- folder or URL of the data files, which the table knows
-- $retain    VARCHAR DEFAULT NULL  -- how long a snapshot stays after another replaced it, and files stay that no snapshot names; the table's history.expire.max-snapshot-age-ms where it is not given, or 5 days; 0s only while nobody else reads the warehouse, or writes to it with another engine
-- $dry_run   BOOLEAN DEFAULT FALSE -- say what would be removed, and change nothing

CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

-- 1. Many small manifests become few. First, because this replaces the current snapshot.
CALL rewrite_manifests(items, dry_run => $dry_run);

-- 2. Snapshots that were replaced long enough ago go, and the files that only they name.
CALL expire_snapshots(items, retain => $retain, dry_run => $dry_run);

-- 3. Files go that nothing names: those of killed runs, but not those of a run that is still at work. Last, because only
--    now it is known what is named.
CALL remove_orphan_files(items, retain => $retain, dry_run => $dry_run);
