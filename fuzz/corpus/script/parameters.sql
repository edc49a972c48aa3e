-- Count the lines of a file.
-- $file  VARCHAR              -- the file
-- $limit INT     DEFAULT NULL -- stop after so many lines
-- $since VARCHAR DEFAULT 'a''b' -- since then
CREATE EXTERNAL TABLE lines STORED AS CSV LOCATION $file OPTIONS ('a' $limit, 'since' $since);
SELECT count(*), "é" FROM lines WHERE a > -1.5e3 /* $limit */ LIMIT $limit;
EXPLAIN INSERT OVERWRITE items SELECT * EXCEPT (year) FROM buckets(items, 2);
CALL expire_snapshots(items, '1h');
