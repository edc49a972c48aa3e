"""A file's covering gives every row of a place, whatever the Items' own boxes say.

usage: covering_geopandas.py FILE ROWS
"""

import sys

import geopandas
import shapely

path, rows = sys.argv[1], int(sys.argv[2])
frame = geopandas.read_parquet(path)
assert len(frame) == rows, len(frame)
solid = frame[~frame.geometry.isna() & ~frame.geometry.is_empty]
assert set(geopandas.read_parquet(path, bbox=(-180, -90, 180, 90))["id"]) == set(solid["id"])
for id, geometry in zip(solid["id"], solid.geometry):
    found = geopandas.read_parquet(path, bbox=shapely.buffer(geometry, 1e-9).bounds)
    assert id in set(found["id"]), id
print(len(solid))
