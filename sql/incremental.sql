-- Ingest the objects of an inventory that the table has not ingested yet, as one snapshot.
--
-- $inventory         VARCHAR                  -- inventory of S3, Google or Azure (CSV, Parquet, manifest.json), list of keys or URLs, what `aws s3 ls --recursive` printed, a folder of Items, or a file of them
-- $catalog           VARCHAR                  -- path or URL of the Iceberg catalog; created if it does not exist
-- $warehouse         VARCHAR DEFAULT NULL     -- folder or URL of the data files; a new table needs it, and a table that exists knows its own
-- $h3_resolution     INT     DEFAULT NULL     -- H3 resolution of the table's cells, 0 to 15; of a new table, 1 is the default, and a table that exists knows its own
-- $columns           VARCHAR DEFAULT NULL     -- properties that get a column of their own, such as "platform VARCHAR, eo:cloud_cover DOUBLE"; of a new table, those below are the default, and a table that exists knows its own
-- $chunk_size        INT     DEFAULT 10000    -- Items per chunk, the unit of work of one thread
-- $fetch_concurrency INT     DEFAULT 64       -- objects that one thread fetches at a time
-- $limit             INT     DEFAULT NULL     -- read at most this many Items, the first ones; rows that are not Items do not count
-- $since             VARCHAR DEFAULT NULL     -- leave out objects that were last modified before this date or RFC 3339 time; last: before the newest object that the table has seen
-- $retry_rejects     BOOLEAN DEFAULT FALSE    -- with $since: try objects again that earlier runs rejected, however old they are, unless they are ingested by now
-- $suffix            VARCHAR DEFAULT NULL     -- endings of the names of Items, separated by commas; in an inventory, .json is the default, and any address of a web server
-- $base              VARCHAR DEFAULT NULL     -- folder or URL to which the keys of an inventory are relative, instead of their bucket
-- $format            VARCHAR DEFAULT 'auto'   -- inventory or folder, if the name does not tell
-- $validate          BOOLEAN DEFAULT FALSE    -- reject Items that lack what the STAC specification requires of one
-- $max_item_cells    INT     DEFAULT 10000    -- reject Items whose footprint touches more cells, each of which is a row and a part file
-- $max_rejects       VARCHAR DEFAULT ''       -- commit nothing if more objects are rejected than this number, or share of the inventory (0.5%)

SET earthcatalog.max_rejects = $max_rejects;
SET earthcatalog.kind = 'incremental';

-- 1. The table, as in ingest.sql: the properties that get a column of their own are declared here.
CREATE EXTERNAL TABLE IF NOT EXISTS items (
    percent_valid_pixels INT,
    date_dt              DOUBLE,
    latitude             DOUBLE,
    longitude            DOUBLE,
    platform             VARCHAR,
    version              VARCHAR,
    "proj:code"          VARCHAR,
    "sat:orbit_state"    VARCHAR,
    scene_1_id           VARCHAR,
    scene_2_id           VARCHAR,
    scene_1_frame        VARCHAR,
    scene_2_frame        VARCHAR
)
STORED AS ICEBERG
LOCATION $warehouse
OPTIONS ('catalog' $catalog, 'h3_resolution' $h3_resolution, 'columns' $columns);

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

-- 3. The source: the objects of the delta. The rows of the inventory that it leaves out are counted as skipped.
CREATE EXTERNAL TABLE source
STORED AS STAC
LOCATION $inventory
OPTIONS (
    'like'              'items',
    'objects'           'delta',
    'chunk_size'        $chunk_size,
    'fetch_concurrency' $fetch_concurrency,
    'suffix'            $suffix,
    'base'              $base,
    'validate'          $validate,
    'max_item_cells'    $max_item_cells
);

-- 4. One row per Item and cell, committed as one snapshot.
INSERT INTO items
SELECT * FROM h3_fanout(source, items);
