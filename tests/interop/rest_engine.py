"""PyIceberg's own REST client as another engine on a table of a REST catalog.

usage: rest_engine.py URI WAREHOUSE STEP...

`read` prints how many rows and ids the table has, and how many snapshots. `append ID` adds a copy of a row under another id.
"""

import sys

import pyarrow as pa
from pyiceberg.catalog import load_catalog

uri, warehouse, *steps = sys.argv[1:]
catalog = load_catalog("rest", type="rest", uri=uri, warehouse=warehouse)
table = catalog.load_table("earthcatalog.items")
rows = table.scan().to_arrow()
if steps[0] == "append":
    row = rows.slice(0, 1)
    at = row.schema.get_field_index("id")
    table.append(row.set_column(at, row.schema.field(at), pa.array([steps[1]], row.schema.field(at).type)))
else:
    ids = set(rows["id"].to_pylist())
    print(f"{rows.num_rows} rows, {len(ids)} ids, {len(table.snapshots())} snapshots")
