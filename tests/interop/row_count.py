"""PyIceberg opens the catalog and reads every row.

usage: row_count.py CATALOG WAREHOUSE ROWS
"""

import sys

from pyiceberg.catalog.sql import SqlCatalog

catalog_path, warehouse, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
catalog = SqlCatalog("earthcatalog", uri=f"sqlite:///{catalog_path}", warehouse=warehouse)
read = catalog.load_table("earthcatalog.items").scan(selected_fields=("id",)).to_arrow()
assert read.num_rows == rows, f"{read.num_rows} rows, expected {rows}"
