-- Give Items of a warehouse other values, as one snapshot: in all their cells.
--
-- $catalog   VARCHAR              -- path or URL of the Iceberg catalog
-- $warehouse VARCHAR DEFAULT NULL -- folder or URL of the data files, which the table knows
-- $set       ASSIGNMENTS          -- columns with their new values, such as "platform = 'LC08', properties = json_set(properties, 'eo:cloud_cover', 12.5)"
-- $where     CONDITION            -- which Items: those for which this is true, such as "collection = 'tests' AND datetime < '2020-01-01'"

-- Batches as in compact.sql.
SET datafusion.execution.batch_size = 256;

CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

-- Condition and values are those of an Item's newest version. The files of the buckets concerned are written again, with the
-- newest version of each of their Items, as compact.sql would leave them.
UPDATE items SET $set WHERE $where;
