-- Show the state of a warehouse, from its metadata alone.
--
-- $catalog   VARCHAR              -- path or URL of the Iceberg catalog
-- $warehouse VARCHAR DEFAULT NULL -- folder or URL of the data files, which the table knows

CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

-- 1. The table: its place and its grid.
SELECT metadata_file AS metadata, location, grid, h3_resolution FROM "items$table";

-- 2. Sums over the buckets, each of which is a cell and a year. They are read once.
CREATE TABLE buckets AS SELECT * FROM "items$partitions";

SELECT coalesce(sum(record_count), 0)                  AS rows,
       coalesce(sum(file_count), 0)                    AS files,
       coalesce(sum(total_data_file_size_in_bytes), 0) AS bytes,
       count(DISTINCT grid_partition)                  AS cells,
       count(*)                                        AS buckets,
       min(year)                                       AS first_year,
       max(year)                                       AS last_year
FROM buckets;

-- 3. The retained snapshots, oldest first.
SELECT snapshot_id                                 AS id,
       committed_at,
       operation,
       CAST(summary['total-records'] AS BIGINT)    AS rows,
       CAST(summary['total-data-files'] AS BIGINT) AS files
FROM "items$snapshots";

-- 4. How many buckets have so many files.
SELECT class.least, class.most, count(buckets.file_count) AS buckets
FROM (VALUES (1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, NULL)) AS class(least, most)
LEFT JOIN buckets ON file_count >= class.least AND (class.most IS NULL OR file_count <= class.most)
GROUP BY class.least, class.most
ORDER BY class.least;

-- 5. What a compaction would merge.
SELECT count(*)                                        AS buckets,
       coalesce(sum(file_count), 0)                    AS files,
       coalesce(sum(total_data_file_size_in_bytes), 0) AS bytes
FROM buckets
WHERE file_count > 1;

-- 6. The rows of each year of datetime.
SELECT year, sum(record_count) AS rows FROM buckets WHERE year IS NOT NULL GROUP BY year ORDER BY year;
