-- Compact a warehouse: one file per bucket, with the newest version of each Item, in place of its part files.
--
-- $catalog      VARCHAR              -- path or URL of the Iceberg catalog
-- $warehouse    VARCHAR DEFAULT NULL -- folder or URL of the data files, which the table knows
-- $threshold    INT     DEFAULT 2    -- compact the buckets with at least this many files
-- $bucket       VARCHAR DEFAULT NULL -- compact only this bucket: CELL/YEAR, or CELL/null for Items without a datetime
-- $since        INT     DEFAULT NULL -- compact the buckets of this year and of later years
-- $commit_every VARCHAR DEFAULT ''   -- commit a snapshot after each group of this many buckets, instead of one for all

SET earthcatalog.commit_every = $commit_every;

-- Some megabyte of Items: a merge of what went to disk holds several batches. Smaller ones cost CPU for each column.
SET datafusion.execution.batch_size = 256;

CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

-- Of the versions of an Item in a bucket, the one with the latest `updated` stays; then the latest `created`; then that
-- of the latest commit. A version without a time loses to one with it. Two versions of one commit that no time tells
-- apart are told apart by a digest of all that they say, so that every run makes the same choice.
-- Where an Item has moved to another cell or year, `buckets` leaves out the rows of the older version, by the same rule.
INSERT OVERWRITE items
SELECT * EXCEPT (year, sequence, digest, age_rank)
FROM (
    SELECT *, row_number() OVER (
        PARTITION BY grid_partition, year, collection, id
        ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC, digest DESC
    ) AS age_rank
    FROM (SELECT *, item_digest(*) AS digest FROM buckets(items, $threshold))
    WHERE ($bucket IS NULL OR concat(grid_partition, '/', coalesce(CAST(year AS VARCHAR), 'null')) = $bucket)
      AND ($since IS NULL OR year >= $since)
)
WHERE age_rank = 1;
