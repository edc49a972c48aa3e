"""Appends the rows of part files with PyIceberg, and prints how many: pyiceberg_append.py CATALOG.db FOLDER"""

import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
from pyiceberg.catalog.sql import SqlCatalog

table = SqlCatalog("earthcatalog", uri=f"sqlite:///{sys.argv[1]}").load_table("earthcatalog.items")
files = sorted(Path(sys.argv[2]).glob("grid_partition=*/year=*/*.parquet"))
rows = pyarrow.concat_tables([pyarrow.parquet.read_table(file, partitioning=None) for file in files])
table.append(rows)
print(rows.num_rows)
