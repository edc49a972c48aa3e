"""geopandas reads single files as GeoParquet 1.1: coordinate system, geometry types, bounds, covering.

usage: warehouse_geopandas.py WAREHOUSE
"""

import json
import sys
from pathlib import Path

import geopandas
import pyarrow.parquet
import pyogrio

warehouse = Path(sys.argv[1])
files = sorted(warehouse.glob("grid_partition=*/year=*/*.parquet"))
assert files
read = 0
for file in files[:: max(1, len(files) // 25)]:
    # The folders repeat what the columns say: pyarrow is not to read them as well.
    frame = geopandas.read_parquet(file, partitioning=None)
    assert frame.crs == "OGC:CRS84", frame.crs
    geo = json.loads(pyarrow.parquet.read_metadata(file).metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert geo["version"].startswith("1.1") and geo["primary_column"] == "geometry", geo
    assert column["encoding"] == "WKB" and column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"], column
    present = frame[~frame.geometry.isna()]
    if column["geometry_types"]:
        assert set(present.geometry.geom_type) <= {t.removesuffix(" Z") for t in column["geometry_types"]}, column
    solid = present[~present.geometry.is_empty]
    if len(solid):
        bbox = column["bbox"]
        flat = bbox if len(bbox) == 4 else [bbox[0], bbox[1], bbox[3], bbox[4]]
        assert list(solid.total_bounds) == flat, (solid.total_bounds, bbox)
        assert (solid.bounds["minx"] == solid["xmin"]).all() and (solid.bounds["maxy"] == solid["ymax"]).all()
        # The covering lets a reader skip rows.
        box = (solid["xmin"].iloc[0], solid["ymin"].iloc[0], solid["xmax"].iloc[0], solid["ymax"].iloc[0])
        assert solid["id"].iloc[0] in set(geopandas.read_parquet(file, partitioning=None, bbox=box)["id"])
    assert frame["datetime"].dropna().is_monotonic_increasing or frame["platform"].nunique() > 1
    read += len(frame)

# GDAL's own reader is in few builds; where it is, it agrees.
if "Parquet" in pyogrio.list_drivers():
    assert pyogrio.read_info(files[0])["crs"] in ("OGC:CRS84", "EPSG:4326")
print(f"{read} rows")
