"""What a compaction must leave, by an independent computation: DuckDB over the part files, PyIceberg for their commits.

usage: compaction_oracle.py expect|check CATALOG WAREHOUSE EXPECTED

`expect` writes the rows that are to remain to EXPECTED (Parquet); `check` compares the table with them.
"""

import sys
from collections import Counter

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

step, catalog_path, warehouse, expected = sys.argv[1:]
catalog = SqlCatalog("earthcatalog", uri=f"sqlite:///{catalog_path}", warehouse=warehouse)
table = catalog.load_table("earthcatalog.items")
database = duckdb.connect()
files = [
    (file.data_file.file_path.removeprefix("file://"), entry.sequence_number)
    for manifest in table.current_snapshot().manifests(table.io)
    for entry in manifest.fetch_manifest_entry(table.io)
    for file in [entry]
]
database.execute("CREATE TABLE live (filename VARCHAR, sequence BIGINT)")
database.executemany("INSERT INTO live VALUES (?, ?)", files)
database.execute(
    """CREATE VIEW rows AS
       SELECT r.* EXCLUDE (filename, year), sequence, date_part('year', datetime AT TIME ZONE 'UTC') AS bucket_year
       FROM read_parquet($files, filename = true, hive_partitioning = false) AS r JOIN live USING (filename)""".replace(
        "EXCLUDE (filename, year)", "EXCLUDE (filename)"
    ).replace("$files", str([name for name, _ in files]))
)
columns = "id, grid_partition, bucket_year, updated::VARCHAR, created::VARCHAR, datetime::VARCHAR, platform, properties"

if step == "expect":
    # Versions of one commit that no time tells apart: any of them. The footprints are points, so that each version is in
    # one bucket, and of each Item one row is left, wherever it has been.
    database.execute(
        f"""COPY (SELECT {columns}, rank() OVER (
                PARTITION BY id
                ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC) AS rank
            FROM rows) TO '{expected}' (FORMAT parquet)"""
    )
    sys.exit()

def group(rows):
    by_id = {}
    for row in rows:
        by_id.setdefault(row[0], []).append(row[1:])
    return by_id

left = group(database.execute(f"SELECT {columns} FROM rows").fetchall())
best = group(database.execute(f"SELECT * EXCLUDE (rank) FROM '{expected}' WHERE rank = 1").fetchall())
assert left.keys() == best.keys(), left.keys() ^ best.keys()
for key, versions in left.items():
    assert len(versions) == 1, f"{key} is there {len(versions)} times"
    assert versions[0] in best[key], f"{key}: {versions[0]} stayed, but the newest is one of {best[key]}"
every = database.execute(f"SELECT count(*) FROM '{expected}'").fetchone()[0]
per_bucket = Counter(versions[0][:2] for versions in left.values())
assert len(files) == len(per_bucket), f"{len(files)} files for {len(per_bucket)} buckets"
ordered = database.execute(
    """SELECT count(*) FROM (
         SELECT filename, (platform, datetime) < lag((platform, datetime)) OVER (PARTITION BY filename ORDER BY file_row_number) AS back
         FROM read_parquet($files, filename = true, file_row_number = true, hive_partitioning = false)
         WHERE platform IS NOT NULL AND datetime IS NOT NULL) WHERE back""".replace("$files", str([n for n, _ in files]))
).fetchone()[0]
assert ordered == 0, f"{ordered} rows out of order"
print(f"{every} rows before, {len(left)} after, in {len(files)} files")
