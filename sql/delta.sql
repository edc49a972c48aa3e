-- List the objects of an inventory that incremental.sql would ingest.
--
-- $inventory         VARCHAR                  -- inventory of S3, Google or Azure (CSV, Parquet, manifest.json), list of keys or URLs, what `aws s3 ls --recursive` printed, a folder of Items, or a file of them
-- $catalog           VARCHAR                  -- path or URL of the Iceberg catalog
-- $warehouse         VARCHAR DEFAULT NULL     -- folder or URL of the data files, which the table knows
-- $limit             INT     DEFAULT NULL     -- read at most this many Items, the first ones; rows that are not Items do not count
-- $since             VARCHAR DEFAULT NULL     -- leave out objects that were last modified before this date or RFC 3339 time; last: before the newest object that the table has seen
-- $retry_rejects     BOOLEAN DEFAULT FALSE    -- with $since: try objects again that earlier runs rejected, however old they are, unless they are ingested by now
-- $suffix            VARCHAR DEFAULT NULL     -- endings of the names of Items, separated by commas; in an inventory, .json is the default, and any address of a web server
-- $base              VARCHAR DEFAULT NULL     -- folder or URL to which the keys of an inventory are relative, instead of their bucket
-- $format            VARCHAR DEFAULT 'auto'   -- inventory or folder, if the name does not tell

-- 1. The table.
CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

-- 2. The delta: objects of which the table has not ingested this version. Versions are told apart by ETag or time; of an
--    object listed without either, any version will do. The join sorts, and so needs little memory however long the inventory is; with a time, little of the record is read.
CREATE EXTERNAL TABLE inventory
STORED AS INVENTORY
LOCATION $inventory
OPTIONS (
    'of'            'items',
    'since'         $since,
    'retry_rejects' $retry_rejects,
    'limit'         $limit,
    'suffix'        $suffix,
    'base'          $base,
    'format'        $format
);

SET datafusion.optimizer.prefer_hash_join = false;

CREATE VIEW delta AS
SELECT inventory.*
FROM inventory
LEFT ANTI JOIN ingested(items, $since, $retry_rejects) AS known
    ON  known.object = inventory.object
    AND (known.e_tag = inventory.e_tag OR known.last_modified = inventory.last_modified
         OR (inventory.e_tag IS NULL AND inventory.last_modified IS NULL));

SELECT object, e_tag, last_modified FROM delta ORDER BY object;
