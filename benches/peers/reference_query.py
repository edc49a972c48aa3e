"""A question to the reference's layout as its documentation asks it; prints how many Items it finds.

usage: reference_query.py FOLDER QUESTION SPATIAL
"""

import json
import sys
from pathlib import Path

import duckdb
from earthcatalog.spatial_resolver import spatial_resolver
from shapely.geometry import Point, Polygon

folder, question, spatial = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
shape = Point(question["shape"][0]) if len(question["shape"]) == 1 else Polygon(question["shape"])
resolver = spatial_resolver(f"{folder}/catalog_schema.json")
# Left to itself it knows no mission, and finds no files.
missions = [question["platform"].lower()] if question["platform"] else [p.name for p in Path(folder).iterdir() if p.is_dir()]
partitions = resolver.resolve_partitions(shape)
first, last = question["years"]
patterns = [path for year in range(first, last + 1) for path in resolver.generate_query_paths(partitions, str(year), missions)]
# DuckDB refuses a list in which one name matches nothing.
paths = [path for path in patterns if Path(path).exists()]
duckdb.sql(f"LOAD '{spatial}'")
where = f"ST_Intersects(geometry, ST_GeomFromText('{shape.wkt}'))"
found = duckdb.sql(f"SELECT id, platform, datetime, percent_valid_pixels FROM read_parquet({paths}) WHERE {where}").df() if paths else []
print(len(found))
