"""PyIceberg opens a downloaded catalog, and reads the table by its own S3 client.

usage: object_store_pyiceberg.py CATALOG WAREHOUSE ENDPOINT
"""

import sys

from pyiceberg.catalog.sql import SqlCatalog

catalog_path, warehouse, endpoint = sys.argv[1:]
access = {"s3.endpoint": endpoint, "s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": "us-east-1"}
catalog = SqlCatalog("earthcatalog", uri=f"sqlite:///{catalog_path}", warehouse=warehouse, **access)
table = catalog.load_table("earthcatalog.items")
ids = table.scan(selected_fields=("id",)).to_arrow()["id"]
print(f"{len(ids)} rows, {len(set(ids.to_pylist()))} ids, {len(table.snapshots())} snapshots")
