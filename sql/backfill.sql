-- Backfill a warehouse from an inventory of any size: the run can be resumed, and commits one snapshot at the end.
--
-- $inventory         VARCHAR                  -- inventory of S3, Google or Azure (CSV, Parquet, manifest.json), list of keys or URLs, what `aws s3 ls --recursive` printed, NDJSON, ItemCollection, stac-geoparquet, metadata or SQLite catalog of an Iceberg table, or a folder of Items
-- $catalog           VARCHAR                  -- path or URL of the Iceberg catalog; created if it does not exist
-- $warehouse         VARCHAR DEFAULT NULL     -- folder or URL of the data files; a new table needs it, and a table that exists knows its own
-- $h3_resolution     INT     DEFAULT NULL     -- H3 resolution of the table's cells, 0 to 15; of a new table, 1 is the default, and a table that exists knows its own
-- $columns           VARCHAR DEFAULT NULL     -- properties that get a column of their own, such as "platform VARCHAR, eo:cloud_cover DOUBLE"; of a new table, those below are the default, and a table that exists knows its own
-- $chunk_size        INT     DEFAULT 10000    -- Items per chunk, the unit of work and of resumption
-- $fetch_concurrency INT     DEFAULT 64       -- objects that one thread fetches at a time
-- $limit             INT     DEFAULT NULL     -- read at most this many Items, the first ones; rows that are not Items do not count
-- $since             VARCHAR DEFAULT NULL     -- leave out objects that were last modified before this date or RFC 3339 time
-- $suffix            VARCHAR DEFAULT NULL     -- endings of the names of Items, separated by commas; in an inventory, .json is the default, and any address of a web server
-- $base              VARCHAR DEFAULT NULL     -- folder or URL to which the keys of an inventory are relative, instead of their bucket
-- $format            VARCHAR DEFAULT 'auto'   -- inventory, ndjson, item_collection, stac-geoparquet, iceberg or folder, if the name does not tell
-- $validate          BOOLEAN DEFAULT FALSE    -- reject Items that lack what the STAC specification requires of one
-- $max_item_cells    INT     DEFAULT 10000    -- reject Items whose footprint touches more cells, each of which is a row and a part file
-- $max_rejects       VARCHAR DEFAULT ''       -- commit nothing if more objects are rejected than this number, or share of the inventory (0.5%)
-- $restart           BOOLEAN DEFAULT FALSE    -- discard what earlier starts of the same run have done

SET earthcatalog.max_rejects = $max_rejects;

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

-- 2. The source, cut into chunks.
CREATE EXTERNAL TABLE source
STORED AS STAC
LOCATION $inventory
OPTIONS (
    'like'              'items',
    'chunk_size'        $chunk_size,
    'fetch_concurrency' $fetch_concurrency,
    'limit'             $limit,
    'since'             $since,
    'suffix'            $suffix,
    'base'              $base,
    'format'            $format,
    'validate'          $validate,
    'max_item_cells'    $max_item_cells
);

-- 3. Level 0: every chunk is ingested on its own, and leaves a checkpoint that names its part files. A chunk that has one
--    is not read again: the run may be killed and started again at any time.
CREATE EXTERNAL TABLE staged
STORED AS CHECKPOINTS
LOCATION $warehouse
OPTIONS ('of' 'items', 'restart' $restart);

INSERT INTO staged
SELECT * FROM h3_fanout(source, items);

-- 4. Level 1: the part files of each bucket become one, with the newest version of each Item, by the rule of compact.sql.
--    Level 2: they become visible as one snapshot, and what was staged goes. Batches are small, as in compact.sql.
SET datafusion.execution.batch_size = 256;

INSERT INTO items
SELECT * EXCEPT (year, sequence, digest, age_rank)
FROM (
    SELECT *, row_number() OVER (
        PARTITION BY grid_partition, year, collection, id
        ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC, digest DESC
    ) AS age_rank
    FROM (SELECT *, item_digest(*) AS digest FROM buckets(staged, 1))
)
WHERE age_rank = 1;
