-- Delete Items from a warehouse, as one snapshot: all their versions, in all cells.
--
-- $catalog   VARCHAR              -- path or URL of the Iceberg catalog
-- $warehouse VARCHAR DEFAULT NULL -- folder or URL of the data files, which the table knows
-- $where     CONDITION            -- which Items: those for which this is true, such as "collection = 'tests' AND datetime < '2020-01-01'"

-- Batches as in compact.sql.
SET datafusion.execution.batch_size = 256;

CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

-- The newest version of an Item decides. The files of the buckets concerned are written again without these Items, and of
-- the others with the newest version, as compact.sql would leave them.
DELETE FROM items WHERE $where;
