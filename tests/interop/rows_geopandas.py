"""Reads files of rows with geopandas: prints the CRS, the active column and the number of rows of each."""

import sys

import geopandas

for path in sys.argv[1:]:
    frame = geopandas.read_parquet(path)
    print(frame.crs, frame.geometry.name, len(frame))
