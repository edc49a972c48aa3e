"""A catalog as the reference's ingest makes it of NDJSON, by its own functions, without its fetching: reference_catalog.py NDJSON BASE"""

import json
import sys
from pathlib import Path

from earthcatalog.catalog import get_or_create
from earthcatalog.config import GridConfig
from earthcatalog.grids import build_partitioner
from earthcatalog.transform import fan_out, group_by_partition, write_geoparquet
from pyiceberg.catalog.sql import SqlCatalog

lines, base = sys.argv[1], Path(sys.argv[2]).absolute()
base.mkdir(parents=True)
grid = GridConfig(type="h3", resolution=1)
rows = fan_out([json.loads(line) for line in open(lines)], build_partitioner(grid))
paths = []
for (cell, year), items in group_by_partition(rows).items():
    paths.append(base / f"warehouse/grid_partition={cell}/year={year}/part_000000.parquet")
    paths[-1].parent.mkdir(parents=True)
    write_geoparquet(items, str(paths[-1]))
catalog = SqlCatalog("earthcatalog", uri=f"sqlite:///{base}/earthcatalog.db", warehouse=f"{base}/warehouse")
get_or_create(catalog, grid).add_files([str(path) for path in paths])
