"""The layout that the reference's ingest makes of NDJSON: its key for each Item, its paths, geopandas' files.

usage: reference_layout.py NDJSON FOLDER
"""

import json
import logging
import sys
from pathlib import Path

logging.disable(logging.CRITICAL)

import geopandas
from earthcatalog.grid_systems import get_grid_system
from earthcatalog.workers import _get_partition_key
from shapely.geometry import shape

lines, out = sys.argv[1], Path(sys.argv[2])
grid, partitions = get_grid_system("h3", resolution=1), {}
for line in open(lines):
    item = json.loads(line)
    properties = item["properties"]
    cell, year = _get_partition_key(item, grid, "year", False, 0).split("/")
    partition = f"{properties['platform'].lower()}/partition=h3/level=1/{cell}/year={year}"
    row = {name: properties[name] for name in ("platform", "percent_valid_pixels", "datetime")}
    partitions.setdefault(partition, []).append({"id": item["id"], **row, "geometry": shape(item["geometry"])})
for partition, rows in partitions.items():
    path = out / partition / "items.parquet"
    path.parent.mkdir(parents=True)
    frame = geopandas.GeoDataFrame(rows, geometry="geometry", crs="EPSG:4326")
    frame["datetime"] = geopandas.pd.to_datetime(frame["datetime"], format="ISO8601")
    frame.sort_values("datetime").to_parquet(path, index=False, compression="snappy")
schema = {"spatial_partitioning": {"grid_system": "h3", "resolution": 1}, "global_partitioning": {"enabled": False, "threshold": 1}}
(out / "catalog_schema.json").write_text(json.dumps(schema))
