"""DuckDB reads the files of the hive layout, without the catalog.

usage: warehouse_duckdb.py WAREHOUSE ROWS
"""

import sys

import duckdb

warehouse, rows = sys.argv[1], int(sys.argv[2])
files = f"'{warehouse}/grid_partition=*/year=*/*.parquet'"
hive = f"read_parquet({files}, hive_partitioning = true)"


def one(sql):
    return duckdb.sql(sql).fetchone()


assert one(f"SELECT count(*), count(id) FROM {hive}") == (rows, rows)

# The folders say what the rows say.
wrong = f"""
    SELECT count(*) FROM read_parquet({files}, hive_partitioning = false, filename = true)
    WHERE grid_partition <> regexp_extract(filename, 'grid_partition=([^/]+)', 1)
       OR coalesce(CAST(year(datetime AT TIME ZONE 'UTC') AS VARCHAR), '__HIVE_DEFAULT_PARTITION__')
          <> regexp_extract(filename, 'year=([^/]+)', 1)
"""
assert one(wrong) == (0,)

cell, expected = one(f"SELECT grid_partition, count(*) AS n FROM {hive} GROUP BY ALL ORDER BY n DESC, 1 LIMIT 1")
assert one(f"SELECT count(*) FROM {hive} WHERE grid_partition = '{cell}'") == (expected,)
assert one(f"SELECT count(*) FROM {hive} WHERE bbox.xmin <> xmin OR bbox.ymax <> ymax") == (0,)
assert one(f"SELECT count(*) FROM {hive} WHERE assets IS NOT NULL AND NOT json_valid(assets)") == (0,)
print(f"{rows} rows")
