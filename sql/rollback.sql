-- Take a table back to an earlier state, or forth again to one that it was taken back from.
--
-- $to        VARCHAR               -- the state: a snapshot's id, a time (of a day, a month or a year, its end), or the name of a tag or branch
-- $catalog   VARCHAR               -- path or URL of the Iceberg catalog
-- $warehouse VARCHAR DEFAULT NULL  -- folder or URL of the data files, which the table knows
-- $dry_run   BOOLEAN DEFAULT FALSE -- say which state it would be, and change nothing

CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

-- 1. The table has the rows that it had then, and knows of the same objects that they were ingested: `incremental` ingests
--    again what came after. That stays as a snapshot until it expires.
CALL rollback(items, to => $to, dry_run => $dry_run);

-- 2. What the states are.
SELECT snapshot_id, committed_at, summary['total-records'] AS rows FROM "items$snapshots";
