-- Items to one Parquet file, one row each.
--
-- $inventory VARCHAR -- NDJSON, or whatever else `ingest` takes
-- $out       VARCHAR -- the file

CREATE EXTERNAL TABLE source (
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
STORED AS STAC
LOCATION $inventory;

COPY (SELECT * FROM source) TO $out STORED AS PARQUET OPTIONS ('format.compression' 'zstd(3)');
