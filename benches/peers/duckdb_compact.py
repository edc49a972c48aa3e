"""Merges buckets with DuckDB, in one query: duckdb_compact.py BUCKETS.json FOLDER THREADS"""

import json
import sys

import duckdb

buckets, out, threads = json.load(open(sys.argv[1])), sys.argv[2], int(sys.argv[3])
database = duckdb.connect(config={"threads": threads})
database.execute("SET TimeZone = 'UTC'")
database.execute("CREATE TABLE live (filename VARCHAR, sequence BIGINT)")
database.executemany("INSERT INTO live VALUES (?, ?)", [(path, n) for files in buckets for n, path in files])
paths = [path for files in buckets for _, path in files]
database.execute(f"""
    COPY (
        SELECT * EXCLUDE (filename, sequence, year), year
        FROM (SELECT *, date_part('year', datetime) AS year FROM read_parquet({paths}, filename = true, hive_partitioning = false))
        JOIN live USING (filename)
        QUALIFY row_number() OVER (
            PARTITION BY grid_partition, year, id
            ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC) = 1
        ORDER BY grid_partition, year, platform NULLS LAST, datetime NULLS LAST
    ) TO '{out}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (grid_partition, year), WRITE_PARTITION_COLUMNS true)""")
