"""Files of answers in other readers: Parquet, GeoParquet, GeoJSON.

usage: answers.py FOLDER ROWS, where FOLDER has items.parquet, items.geoparquet and items.geojson of the same rows
"""

import json
import sys
from pathlib import Path

import duckdb
import geopandas
import pyarrow.parquet

folder, rows = Path(sys.argv[1]), int(sys.argv[2])

plain = pyarrow.parquet.read_table(folder / "items.parquet")
assert plain.num_rows == rows, plain.num_rows
assert b"geo" not in (plain.schema.metadata or {})

frame = geopandas.read_parquet(folder / "items.geoparquet")
assert len(frame) == rows and frame.crs == "OGC:CRS84", (len(frame), frame.crs)
assert sorted(frame["id"]) == sorted(plain["id"].to_pylist())
geo = json.loads(pyarrow.parquet.read_metadata(folder / "items.geoparquet").metadata[b"geo"])
column = geo["columns"]["geometry"]
assert geo["version"] == "1.1.0" and column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"], geo
solid = frame[~frame.geometry.isna() & ~frame.geometry.is_empty]
assert list(solid.total_bounds) == column["bbox"][:2] + column["bbox"][-2:] or len(column["bbox"]) == 6, column
first = solid.iloc[0]
box = (first["xmin"], first["ymin"], first["xmax"], first["ymax"])
assert first["id"] in set(geopandas.read_parquet(folder / "items.geoparquet", bbox=box)["id"])

for name in ["items.parquet", "items.geoparquet"]:
    count = f"SELECT count(*), count(DISTINCT id) FROM read_parquet('{folder / name}')"
    assert duckdb.sql(count).fetchone() == (rows, rows), name

features = geopandas.read_file(folder / "items.geojson")
assert len(features) == rows, len(features)
print(rows)
