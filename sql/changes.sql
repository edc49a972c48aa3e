-- List the Items that were added, changed or removed between two states of a table.
--
-- $catalog   VARCHAR                -- path or URL of the Iceberg catalog
-- $warehouse VARCHAR DEFAULT NULL   -- folder or URL of the data files, which the table knows
-- $since     VARCHAR DEFAULT 'last' -- the earlier state: a time, the id of a snapshot, or the name of a tag; last: before the last commit that was more than a compaction
-- $to        VARCHAR DEFAULT NULL   -- the later state: the newest, unless it is given

-- 1. The table.
CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

-- 2. What became of which Item. The files that one of the states alone has are read, and what both have of Items that came
--    more than once; so a compaction changes nothing, and the costs are those of what has changed. changes(…) has all
--    columns of items, too.
SELECT change, collection, id, datetime, updated
FROM changes(items, $since, $to)
ORDER BY collection, id;
