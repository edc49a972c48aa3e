-- Ingest an inventory of STAC Items: H3-partitioned GeoParquet files, and one Iceberg snapshot.
--
-- $inventory         VARCHAR                  -- inventory of S3, Google or Azure (CSV, Parquet, manifest.json), list of keys or URLs, what `aws s3 ls --recursive` printed, NDJSON, ItemCollection, stac-geoparquet, metadata or SQLite catalog of an Iceberg table, or a folder of Items
-- $catalog           VARCHAR                  -- path or URL of the Iceberg catalog; created if it does not exist
-- $warehouse         VARCHAR DEFAULT NULL     -- folder or URL of the data files; a new table needs it, and a table that exists knows its own
-- $h3_resolution     INT     DEFAULT NULL     -- H3 resolution of the table's cells, 0 to 15; of a new table, 1 is the default, and a table that exists knows its own
-- $columns           VARCHAR DEFAULT NULL     -- properties that get a column of their own, such as "platform VARCHAR, eo:cloud_cover DOUBLE"; of a new table, those below are the default, and a table that exists knows its own
-- $chunk_size        INT     DEFAULT 10000    -- Items per chunk, the unit of work of one thread
-- $fetch_concurrency INT     DEFAULT 64       -- objects that one thread fetches at a time
-- $limit             INT     DEFAULT NULL     -- read at most this many Items, the first ones; rows that are not Items do not count
-- $since             VARCHAR DEFAULT NULL     -- leave out objects that were last modified before this date or RFC 3339 time
-- $suffix            VARCHAR DEFAULT NULL     -- endings of the names of Items, separated by commas; in an inventory, .json is the default, and any address of a web server
-- $base              VARCHAR DEFAULT NULL     -- folder or URL to which the keys of an inventory are relative, instead of their bucket
-- $format            VARCHAR DEFAULT 'auto'   -- inventory, ndjson, item_collection, stac-geoparquet, iceberg or folder, if the name does not tell
-- $validate          BOOLEAN DEFAULT FALSE    -- reject Items that lack what the STAC specification requires of one
-- $max_item_cells    INT     DEFAULT 10000    -- reject Items whose footprint touches more cells, each of which is a row and a part file
-- $max_rejects       VARCHAR DEFAULT ''       -- commit nothing if more objects are rejected than this number, or share of the inventory (0.5%)

SET earthcatalog.max_rejects = $max_rejects;

-- 1. The table. Id, cell, geometry, bounds, times, assets and links always have columns; the columns declared here are
--    the other properties that get one of their own, under their STAC names ("proj:code" becomes proj_code).
--    What is not declared stays in column `properties`. Another mission declares its own, here or as $columns; of a table
--    that exists, its own hold.
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

-- 2. The source: fetches the objects that the inventory lists, and decodes them to the columns of `items`.
--    What is no Item is counted, and listed with its reason in table `rejects`.
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

-- 3. One row per Item and cell that its footprint intersects, committed as one snapshot.
--    A WHERE clause, a computed column or a join goes here.
INSERT INTO items
SELECT * FROM h3_fanout(source, items);
