-- The tables of a warehouse: item_cells, items and rejects.
--
-- $catalog   VARCHAR -- SQLite file of the Iceberg catalog
-- $warehouse VARCHAR -- folder or URL of the data files
-- $rejects   VARCHAR -- folder or URL of the rejects, below the warehouse

-- One row per Item and cell, as stored.
CREATE EXTERNAL TABLE item_cells STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);

-- Each Item once: its newest version, without the cell.
CREATE VIEW items AS
SELECT * EXCEPT (grid_partition, newest)
FROM (
    SELECT *, row_number() OVER (PARTITION BY id ORDER BY updated DESC NULLS LAST, grid_partition) AS newest
    FROM item_cells
)
WHERE newest = 1;

-- What an ingest could not read, with the reason and where its bytes are.
CREATE EXTERNAL TABLE rejects (
    run         VARCHAR,
    chunk       VARCHAR,
    object      VARCHAR,
    position    BIGINT UNSIGNED,
    byte_offset BIGINT UNSIGNED,
    byte_length BIGINT UNSIGNED,
    kind        VARCHAR,
    message     VARCHAR
)
STORED AS PARQUET LOCATION $rejects;
