-- Remove the Items whose objects an inventory no longer lists, as one snapshot.
--
-- $inventory   VARCHAR                -- inventory of S3, Google or Azure (CSV, Parquet, manifest.json), list of keys or URLs, what `aws s3 ls --recursive` printed, a folder of Items, or a file of them: all of what there is, not what is new
-- $catalog     VARCHAR                -- path or URL of the Iceberg catalog
-- $warehouse   VARCHAR DEFAULT NULL   -- folder or URL of the data files, which the table knows
-- $prefix      VARCHAR DEFAULT ''     -- beginning of the URLs of the objects that the inventory lists; others are left alone
-- $suffix      VARCHAR DEFAULT NULL   -- endings of the names of Items, separated by commas; in an inventory, .json is the default, and any address of a web server
-- $base        VARCHAR DEFAULT NULL   -- folder or URL to which the keys of an inventory are relative, instead of their bucket
-- $format      VARCHAR DEFAULT 'auto' -- inventory or folder, if the name does not tell
-- $max_removed VARCHAR DEFAULT '1%'   -- remove nothing if more objects are gone than this number, or this share of those ingested

-- Batches as in compact.sql.
SET datafusion.execution.batch_size = 256;

-- 1. The table, and what there is.
CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

CREATE EXTERNAL TABLE inventory
STORED AS INVENTORY
LOCATION $inventory
OPTIONS (
    'suffix' $suffix,
    'base'   $base,
    'format' $format
);

-- 2. What was ingested and is there no longer: of the stores and buckets of which the inventory lists something, since
--    other inventories may have been ingested, too. The joins sort, and so need little memory.
SET datafusion.optimizer.prefer_hash_join = false;

CREATE VIEW gone AS
SELECT known.object
FROM ingested(items) AS known
LEFT ANTI JOIN inventory ON inventory.object = known.object
WHERE starts_with(known.object, $prefix)
  AND array_has(
      (SELECT array_agg(DISTINCT concat(split_part(object, '/', 1), '/', split_part(object, '/', 3))) FROM inventory),
      concat(split_part(known.object, '/', 1), '/', split_part(known.object, '/', 3))
  );

-- 3. Files of many Items that are still there: any Item may be in one of them, too.
CREATE VIEW files_of_items AS
SELECT known.object
FROM ingested(items) AS known
JOIN inventory ON inventory.object = known.object
WHERE known.id IS NULL
  AND regexp_like(known.object, '\.(ndjson|jsonl|geojsonl|geojsons|parquet|geoparquet)(\.gz|\.zst)?$');

-- 4. Their Items go, unless another object has them, too; and the objects are forgotten, so that `incremental` ingests
--    them again when they come back.
CALL remove_objects(items, gone, max_removed => $max_removed, files => files_of_items);
