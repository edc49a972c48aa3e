"""Files of Items as other writers make them, and the Items that are in them.

usage: odd_sources.py FOLDER: writes FOLDER/<name>.parquet, and the Items of each, a line each, to FOLDER/<name>.expected
"""

import datetime as dt
import json
import sys
from pathlib import Path

import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, mapping

folder = Path(sys.argv[1])
square = Polygon([(0, 0), (4, 0), (4, 4), (0, 0)], [[(1, 0.5), (2, 0.5), (2, 1), (1, 0.5)]])
SHAPES = {
    "point": [Point(1, 2), None, Point(3, 4)],
    "linestring": [LineString([(0, 0), (1, 1)]), LineString([(0, 0), (1, 2), (2, 1)]), None],
    "polygon": [square, square, None],
    "multipolygon": [MultiPolygon([square]), None, MultiPolygon([square, Polygon([(9, 9), (8, 9), (8, 8), (9, 9)])])],
}


def plain(value):
    return json.loads(json.dumps(value))


def item(id, geometry, properties, **members):
    item = {"type": "Feature", "stac_version": "1.1.0", "id": id, "assets": {}, "properties": properties, **members}
    return {**item, "geometry": geometry if geometry is None else plain(mapping(geometry))}


def write(name, table, items):
    pq.write_table(table, folder / f"{name}.parquet", row_group_size=2)
    expect(name, items)


def expect(name, items):
    (folder / f"{name}.expected").write_text("".join(json.dumps(item) + "\n" for item in items))


def ids(count):
    return [f"i{n}" for n in range(count)]


# Geometries as lists of coordinates, with an index of pandas beside them
for kind, shapes in SHAPES.items():
    frame = geopandas.GeoDataFrame(
        {"id": ids(3), "stac_version": "1.1.0", "datetime": None, "gsd": [1, 2, 3]}, geometry=shapes, crs="OGC:CRS84",
        index=[7, 9, 11],
    )
    frame.to_parquet(
        folder / f"geoarrow-{kind}.parquet", geometry_encoding="geoarrow", schema_version="1.1.0", write_covering_bbox=True
    )
    table = pq.read_table(folder / f"geoarrow-{kind}.parquet")
    assert table.column_names[-1] == "__index_level_0__" or "__index_level_0__" in table.column_names, table.column_names
    # The covering is the Items' bbox to a reader of stac-geoparquet.
    bbox = lambda shape: {} if shape is None else {"bbox": list(shape.bounds)}
    items = [item(id, shape, {"datetime": None, "gsd": gsd}, **bbox(shape)) for id, shape, gsd in zip(ids(3), shapes, [1, 2, 3])]
    expect(f"geoarrow-{kind}", items)

# Columns of types that Items seldom have
wkb = Point(1, 2).wkb
day = dt.date(2020, 1, 31)
asset = pa.struct([("href", pa.string()), ("proj:geometry", pa.binary())])
table = pa.table(
    {
        "id": ids(2),
        "stac_version": ["1.1.0"] * 2,
        "geometry": [wkb, wkb],
        "centroid": [wkb, None],
        "proj:geometry": ['{"type": "Point", "coordinates": [5.0, 6.0]}', None],
        "assets": pa.array([[("data", {"href": "a.tif", "proj:geometry": wkb}), ("none", None)], []], pa.map_(pa.string(), asset)),
        "datetime": pa.array([dt.datetime(2020, 1, 31, 12), None], pa.timestamp("ms", "UTC")),
        "day": pa.array([day, None], pa.date64()),
        "exposure": pa.array([dt.timedelta(seconds=1.5), None], pa.duration("ms")),
        "local": pa.array([dt.time(1, 2, 3), None], pa.time32("s")),
        "cloud": pa.array([float("nan"), 0.5]),
        "bucket": ["b", None],
        "key": ["k.json", None],
        "__index_level_0__": pa.array([1, 2], pa.int64()),
    }
)
geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {
    name: {"encoding": "WKB", "geometry_types": []} for name in ["geometry", "centroid"]}}
table = table.replace_schema_metadata({"geo": json.dumps(geo)})
point = {"type": "Point", "coordinates": [1.0, 2.0]}
write("types", table, [
    item("i0", Point(1, 2), {
        "centroid": point, "proj:geometry": {"type": "Point", "coordinates": [5.0, 6.0]},
        "datetime": "2020-01-31T12:00:00Z", "day": "2020-01-31", "exposure": "PT1.5S", "local": "01:02:03", "cloud": None,
        "bucket": "b", "key": "k.json",
    }, assets={"data": {"href": "a.tif", "proj:geometry": point}}),
    item("i1", Point(1, 2), {"datetime": None, "cloud": 0.5}),
])

# A part file of the Python reference: JSON as text, one row per cell, and the Item as it was in some rows
raw = item("i0", Point(1, 2), {"datetime": "2020-01-31T12:00:00Z", "x": 1}, links=[], foreign=True)
table = pa.table(
    {
        "id": ["i0", "i0", "i1"],
        "grid_partition": ["8107bffffffffff", "810fbffffffffff", "810fbffffffffff"],
        "geometry": [wkb] * 3,
        "datetime": pa.array([dt.datetime(2020, 1, 31, 12)] * 3, pa.timestamp("us", "UTC")),
        "type": ["Feature"] * 3,
        "stac_version": ["1.1.0"] * 3,
        "stac_extensions": ['["https://x/y.json"]'] * 3,
        "bbox": ["[1.0, 2.0, 1.0, 2.0]"] * 3,
        "links": ["[]"] * 3,
        "assets": ['{"data": {"href": "a.tif"}}'] * 3,
        "percent_valid_pixels": [93] * 3,
        "raw_stac": [json.dumps(raw)] * 2 + [None],
    }
)
write("reference", table, [
    raw,
    item("i1", Point(1, 2), {"datetime": "2020-01-31T12:00:00Z", "percent_valid_pixels": 93}, links=[],
         stac_extensions=["https://x/y.json"], bbox=[1.0, 2.0, 1.0, 2.0], assets={"data": {"href": "a.tif"}}),
])
