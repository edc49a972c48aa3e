"""Warehouses as the Python earthcatalog (0.6.1) writes them, and the Items that are left in them.

usage: reference_warehouse.py ITEMS.ndjson FOLDER: writes FOLDER/1 (grid_partition=…/year=…), FOLDER/2
(grid=h3/level=1/tile=…/year=…), FOLDER/3 (its catalog, and beside the files of its table one that it does not name any
more, of an Item "dropped"), and FOLDER/expected.ndjson

A row for each Item and cell; lists and structs as JSON text, times in milliseconds, whole numbers as integers.
"""

import collections
import datetime as dt
import json
import sys
from pathlib import Path

import h3
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from shapely.geometry import shape

TIMES = ["datetime", "start_datetime", "end_datetime", "created", "updated"]
items = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
# It leaves out Items without a footprint.
items = [item for item in items if item["geometry"]]
folder = Path(sys.argv[2])


def time(text):
    time = dt.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(dt.timezone.utc)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def cells(item):
    geometry = item["geometry"]
    return sorted(h3.h3shape_to_cells_experimental(h3.geo_to_h3shape(geometry), 1, "overlap")) or ["__none__"]


def column(name, values):
    if name in TIMES:
        return pa.array([value and time(value) for value in values], pa.timestamp("ms", "UTC"))
    if any(isinstance(value, (list, dict)) for value in values):
        return pa.array([value if value is None else json.dumps(value) for value in values], pa.string())
    if any(isinstance(value, float) for value in values) and name not in ["latitude", "longitude"]:
        if all(value is None or value == int(value) for value in values):
            return pa.array([value and int(value) for value in values], pa.int32())
    return pa.array(values)


def row(item, cell):
    members = {name: value for name, value in item.items() if name not in ["properties", "geometry"]}
    wkb = shape(item["geometry"]).wkb
    return {**members, **item["properties"], "grid_partition": cell, "geometry": wkb}


groups = collections.defaultdict(list)
for item in items:
    for cell in cells(item):
        groups[cell, (item["properties"].get("datetime") or "unknown")[:4]].append(row(item, cell))
tables = []
for (cell, year), rows in groups.items():
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: column(name, [row.get(name) for row in rows]) for name in names}
    columns = {name: values for name, values in columns.items() if values.type != pa.null()}
    tables.append(pa.table(columns))
    year = year if year != "unkn" else "unknown"
    for below in [f"1/grid_partition={cell}/year={year}", f"2/grid=h3/level=1/tile={cell}/year={year}"]:
        (folder / below).mkdir(parents=True)
        # Not by its name, in which pyarrow would see partitions.
        with open(folder / below / "part_000000.parquet", "wb") as file:
            pq.write_table(pa.table(columns), file, compression="zstd")

base, wide = folder / "3", {"promote_options": "permissive"}
(base / "warehouse").mkdir(parents=True)
schema = pa.unify_schemas([table.schema for table in tables], **wide)
catalog = SqlCatalog("earthcatalog", uri=f"sqlite:///{base}/earthcatalog.db", warehouse=f"{base}/warehouse")
catalog.create_namespace("earthcatalog")
table = catalog.create_table("earthcatalog.stac_items", schema)
dropped = tables[0].slice(0, 1)
dropped = dropped.set_column(dropped.column_names.index("id"), "id", pa.array(["dropped"]))
paths = [str(base / f"warehouse/part_{i:06}.parquet") for i in range(len(tables) + 1)]
for path, rows in zip(paths, [*tables, dropped]):
    pq.write_table(pa.concat_tables([schema.empty_table(), rows], **wide), path)
table.add_files(paths[:-1])

MEMBERS = ["type", "stac_version", "stac_extensions", "id", "collection", "geometry", "bbox", "links", "assets", "properties"]
for item in items:
    # Columns do not say where a member was, and texts not what they were.
    properties = item["properties"]
    properties |= {name: item.pop(name) for name in list(item) if name not in MEMBERS}
    for name, value in properties.items():
        if isinstance(value, (list, dict)):
            properties[name] = json.dumps(value)
        elif name in TIMES and value:
            properties[name] = f"{time(value):%Y-%m-%dT%H:%M:%S.%f}".replace(".000000", "") + "Z"
(folder / "expected.ndjson").write_text("\n".join(map(json.dumps, items)))
print(len(items), sum(map(len, groups.values())))
