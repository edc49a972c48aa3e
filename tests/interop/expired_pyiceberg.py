"""PyIceberg opens a table after a clean-up, and reads it.

usage: expired_pyiceberg.py CATALOG WAREHOUSE
"""

import sys

from pyiceberg.catalog.sql import SqlCatalog

catalog_path, warehouse = sys.argv[1:]
catalog = SqlCatalog("earthcatalog", uri=f"sqlite:///{catalog_path}", warehouse=warehouse)
table = catalog.load_table("earthcatalog.items")
rows = table.scan(selected_fields=("id",)).to_arrow().num_rows
assert table.current_snapshot() is not None
snapshots, history, older = len(table.snapshots()), len(table.history()), len(table.metadata.metadata_log)
print(f"{rows} rows, {snapshots} snapshots, {history} in history, {older} older metadata files")
