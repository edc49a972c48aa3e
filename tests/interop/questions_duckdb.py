"""The answers of earthcatalog to questions in SQL are those that DuckDB gives over the same rows.

usage: questions_duckdb.py FOLDER, where FOLDER has

- a folder for each state of the table, with its rows in items.parquet and item_cells.parquet, and in it
- a folder for each way to ask, with questions.json, which has `name`, `sql`, and, where they are there, `duckdb`,
  `in_order` and `fails` of each question, and for each of them NAME.arrow, or the error in NAME.error.

Values are compared as what they mean: numbers of any type, floats but for rounding, times as instants.
"""

import json
import math
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import h3
import numpy
import pyarrow
import pyarrow.compute
import pyproj
import shapely

# Of numbers near each other, as sums in another order are.
TOLERANCE = 1e-9

SETTINGS = [
    "SET TimeZone = 'UTC'",
    "SET integer_division = true",
    "SET default_null_order = 'postgres'",
    "SET ieee_floating_point_ops = true",
]


def geometries(column):
    return shapely.from_wkb(column.to_numpy(zero_copy_only=False))


def floats(column):
    return column.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)


def shapes(values):
    return pyarrow.array([None if value is None else shapely.to_wkb(value) for value in values], pyarrow.binary())


def numbers(values, missing):
    return pyarrow.array(values, mask=missing, type=pyarrow.float64())


def truths(values, missing):
    return pyarrow.array(values, mask=missing, type=pyarrow.bool_())


def relation(name):
    def of(a, b):
        a, b = geometries(a), geometries(b)
        return truths(getattr(shapely, name)(a, b), shapely.is_missing(a) | shapely.is_missing(b))

    return of


def measure(function):
    def of(a):
        a = geometries(a)
        return numbers(function(a), shapely.is_missing(a) | shapely.is_empty(a))

    return of


def area(a):
    a = geometries(a)
    return numbers(shapely.area(a), shapely.is_missing(a))


def distance(a, b):
    a, b = geometries(a), geometries(b)
    values = shapely.distance(a, b)
    return numbers(values, numpy.isnan(values))


def within_distance(a, b, d):
    a, b = geometries(a), geometries(b)
    return truths(shapely.distance(a, b) <= floats(d), shapely.is_missing(a) | shapely.is_missing(b))


def point(x, y):
    x, y = floats(x), floats(y)
    return shapes([None if math.isnan(x) or math.isnan(y) else shapely.Point(x, y) for x, y in zip(x, y)])


def box(west, south, east, north):
    return shapes(shapely.box(*map(floats, [west, south, east, north])))


SPHEROID = pyproj.Geod(ellps="WGS84")
SPHERE = pyproj.Geod(a=6371008.8, b=6371008.8)
EQUAL_AREA = pyproj.Transformer.from_crs("EPSG:4326", "+proj=cea +ellps=WGS84", always_xy=True)

# Degrees within which an edge and a geodesic are the same.
PIECE = 0.0003


def outlines(shape):
    """The outlines and holes of a shape's polygons in pieces, each with its number within its polygon. They are cut as lines:
    GEOS makes another polygon of one that crosses itself."""
    for polygon in shapely.get_parts(shape) if shape is not None else []:
        for number, ring in enumerate(shapely.get_rings(polygon)):
            yield number, shapely.get_coordinates(shapely.segmentize(shapely.LineString(ring.coords), PIECE))


def globe_area(a):
    """That of an equal-area projection, in which edges stay straight in longitude and latitude."""
    a = geometries(a)

    def ring_area(at):
        x, y = EQUAL_AREA.transform(at[:, 0], at[:, 1])
        x, y = x - x[0], y - y[0]
        return abs(numpy.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2

    def of_shape(shape):
        return sum(ring_area(at) * (-1 if number else 1) for number, at in outlines(shape))

    return numbers(numpy.array([of_shape(shape) for shape in a], float), shapely.is_missing(a))


def globe_perimeter(a):
    a = geometries(a)

    def perimeter(shape):
        return sum(SPHEROID.line_length(at[:, 0], at[:, 1]) for _, at in outlines(shape))

    return numbers(numpy.array([perimeter(shape) for shape in a], float), shapely.is_missing(a))


def planar_perimeter(a):
    a = geometries(a)
    polygonal = numpy.isin(shapely.get_type_id(a), [3, 6])
    return numbers(numpy.where(polygonal, shapely.length(a), 0.0), shapely.is_missing(a))


def globe_distance(figure):
    def of(a, b):
        ends = [[shapely.get_x(shape), shapely.get_y(shape)] for shape in (geometries(a), geometries(b))]
        missing = numpy.isnan(ends[0][0]) | numpy.isnan(ends[1][0])
        _, _, metres = figure.inv(*(numpy.nan_to_num(end) for end in [*ends[0], *ends[1]]))
        return numbers(metres, missing)

    return of


def valid(a):
    a = geometries(a)
    return truths(shapely.is_valid(a), shapely.is_missing(a))


def union(lists):
    shapes_of = ([shape for shape in shapely.from_wkb(rows or []) if shape is not None] for rows in lists.to_pylist())
    return shapes([shapely.union_all(shapely.make_valid(rows)) if rows else None for rows in shapes_of])


def register_cells(connection):
    """The H3 functions that questions use, over text; null of `__none__`."""

    def register(name, function, *parameters, returns):
        def of(*arguments):
            if None in arguments or "__none__" in arguments[:1]:
                return None
            return function(*arguments)

        of_arity = {1: lambda a: of(a), 2: lambda a, b: of(a, b)}[len(parameters)]
        connection.create_function(f"h3_{name}", of_arity, list(parameters), returns, null_handling="special")

    def grid_distance(a, b):
        try:
            return h3.grid_distance(a, b)
        except h3.H3BaseException:
            return None

    def cells(texts):
        return {text for text in texts if text not in (None, "__none__")}

    register("get_resolution", h3.get_resolution, "VARCHAR", returns="INTEGER")
    register("cell_area", h3.cell_area, "VARCHAR", "VARCHAR", returns="DOUBLE")
    register("cell_to_children", lambda cell, to: sorted(h3.cell_to_children(cell, to)), "VARCHAR", "INTEGER", returns="VARCHAR[]")
    register("grid_distance", grid_distance, "VARCHAR", "VARCHAR", returns="BIGINT")
    register("compact_cells", lambda list: sorted(h3.compact_cells(cells(list))), "VARCHAR[]", returns="VARCHAR[]")
    register("uncompact_cells", lambda list, to: h3.uncompact_cells(cells(list), to), "VARCHAR[]", "INTEGER", returns="VARCHAR[]")
    is_cell = lambda text: None if text is None else h3.is_valid_cell(text)
    connection.create_function("h3_is_valid_cell", is_cell, ["VARCHAR"], "BOOLEAN", null_handling="special")


def register_places(connection):
    """The ST_ functions that questions use, over WKB."""

    def register(name, function, *parameters, returns):
        kinds = {"g": "BLOB", "l": "BLOB[]", "n": "DOUBLE", "t": "VARCHAR", "b": "BOOLEAN"}
        parameters = [kinds[kind] for kind in parameters]
        connection.create_function(
            f"ST_{name}", function, parameters, kinds[returns], type="arrow", null_handling="special"
        )

    relations = "Intersects Disjoint Within Contains Covers Equals Touches Crosses Overlaps"
    for name in relations.split():
        register(name, relation(name.lower()), *"gg", returns="b")
    register("CoveredBy", relation("covered_by"), *"gg", returns="b")
    register("Distance", distance, *"gg", returns="n")
    register("DWithin", within_distance, *"ggn", returns="b")
    register("Area", area, "g", returns="n")
    for i, side in enumerate(["XMin", "YMin", "XMax", "YMax"]):
        register(side, measure(lambda a, i=i: shapely.bounds(a)[:, i]), "g", returns="n")
    register("AreaSpheroid", globe_area, "g", returns="n")
    register("PerimeterSpheroid", globe_perimeter, "g", returns="n")
    register("Perimeter", planar_perimeter, "g", returns="n")
    register("DistanceSphere", globe_distance(SPHERE), *"gg", returns="n")
    register("DistanceSpheroid", globe_distance(SPHEROID), *"gg", returns="n")
    register("IsValid", valid, "g", returns="b")
    register("Envelope", lambda a: shapes(shapely.envelope(geometries(a))), "g", returns="g")
    register("ConvexHull", lambda a: shapes(shapely.convex_hull(geometries(a))), "g", returns="g")
    register("MakeValid", lambda a: shapes(shapely.make_valid(geometries(a))), "g", returns="g")
    register("UnionOf", union, "l", returns="g")
    register("X", measure(shapely.get_x), "g", returns="n")
    register("Y", measure(shapely.get_y), "g", returns="n")
    register("Centroid", lambda a: shapes(shapely.centroid(geometries(a))), "g", returns="g")
    register("Point", point, *"nn", returns="g")
    register("MakeEnvelope", box, *"nnnn", returns="g")
    register("GeomFromText", lambda texts: shapes(shapely.from_wkt(texts.to_pylist())), "t", returns="g")


def values(column):
    """What the values of a column mean: nested ones as tuples, times as microseconds, spans as months and microseconds."""
    kind = column.type
    if isinstance(column, pyarrow.ChunkedArray):
        column = column.combine_chunks()
    types = pyarrow.types
    if types.is_timestamp(kind):
        unit = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": Decimal("0.001")}[kind.unit]
        counts = column.cast(pyarrow.int64()).to_pylist()
        return [None if count is None else ("time", count * unit) for count in counts]
    if types.is_date(kind):
        days = column.cast(pyarrow.date32()).cast(pyarrow.int32()).to_pylist()
        return [None if day is None else ("time", day * 86_400_000_000) for day in days]
    if types.is_interval(kind):
        spans = column.to_pylist()
        return [
            span and ("span", span.months, span.days * 86_400_000_000 + Decimal(span.nanoseconds) / 1000)
            for span in spans
        ]
    if types.is_duration(kind):
        unit = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": Decimal("0.001")}[kind.unit]
        counts = column.cast(pyarrow.int64()).to_pylist()
        return [None if count is None else ("span", 0, count * unit) for count in counts]
    if types.is_list(kind) or types.is_large_list(kind) or types.is_list_view(kind):
        rows = []
        for row in column:
            rows.append(("list", *values(row.values)) if row.is_valid else None)
        return rows
    if types.is_struct(kind):
        members = [values(column.field(i)) for i in range(kind.num_fields)]
        valid = column.is_valid().to_pylist()
        rows = zip(*members) if members else [()] * len(column)
        return [("struct", *row) if ok else None for row, ok in zip(rows, valid)]
    if types.is_boolean(kind):
        return [None if value is None else ("true" if value else "false",) for value in column.to_pylist()]
    return column.to_pylist()


def rows(table):
    return list(zip(*(values(table.column(i)) for i in range(table.num_columns))))


def is_number(value):
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def same(a, b):
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if is_number(a) and is_number(b):
        if isinstance(a, float) or isinstance(b, float):
            a, b = float(a), float(b)
            return (a != a and b != b) or a == b or math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return a == b
    return type(a) is type(b) and a == b


def key(value):
    """Sorts rows of either engine in one way: whole numbers are what they are, others about that."""
    if isinstance(value, tuple):
        return ["tuple", *map(key, value)]
    if not is_number(value):
        return [type(value).__name__, str(value)]
    if not math.isfinite(value):
        return ["number", str(float(value))]
    whole = round(value)
    return ["number", str(whole) if math.isclose(value, whole, rel_tol=TOLERANCE) else f"{value:.5e}"]


def sort_key(row):
    """Fractions come last, so that what is compared exactly decides first."""
    keys = [key(value) for value in row]
    fractions = [part for part in keys if part[0] == "number" and "e" in part[1]]
    return repr([part for part in keys if part not in fractions] + fractions)


def difference(ours, theirs, in_order):
    """In what two answers differ; None where they are the same."""
    if ours.num_columns != theirs.num_columns:
        return f"{ours.num_columns} columns, not {theirs.num_columns}"
    if ours.num_rows != theirs.num_rows:
        return f"{ours.num_rows} rows, not {theirs.num_rows}"
    ours, theirs = rows(ours), rows(theirs)
    if not in_order:
        ours, theirs = sorted(ours, key=sort_key), sorted(theirs, key=sort_key)
    wrong = [(a, b) for a, b in zip(ours, theirs) if not same(a, b)]
    if wrong:
        a, b = wrong[0]
        return f"{len(wrong)} of {len(ours)} rows, such as\n    {a}\n    {b}"
    return None


def asked(connection, question):
    """DuckDB's answer, or its error."""
    try:
        return connection.sql(question.get("duckdb", question["sql"])).to_arrow_table()
    except duckdb.Error as error:
        return error


def check(question, theirs, answer, failed):
    """What is wrong with the answer in a file; None where nothing is."""
    words = question.get("fails")
    if failed.exists():
        message = failed.read_text()
        return None if words and words in message else f"error: {message}"
    if not answer.exists():
        return "there is no answer"
    ours = pyarrow.ipc.open_file(answer).read_all()
    if words:
        return f"there is an answer, {ours.slice(0, 3).to_pylist()}"
    if isinstance(theirs, duckdb.Error):
        return f"DuckDB: {theirs}"
    return difference(ours, theirs, question.get("in_order", False))


def main(folder):
    wrong, count = [], 0
    for state in sorted(path for path in folder.iterdir() if path.is_dir()):
        connection = duckdb.connect()
        for setting in SETTINGS:
            connection.execute(setting)
        register_places(connection)
        register_cells(connection)
        for table in ["items", "item_cells"]:
            connection.execute(f"CREATE TABLE {table} AS FROM read_parquet('{state}/{table}.parquet')")
        theirs = {}
        for way in sorted(path for path in state.iterdir() if path.is_dir()):
            for question in json.loads((way / "questions.json").read_text()):
                name = question["name"]
                if name not in theirs and "fails" not in question:
                    theirs[name] = asked(connection, question)
                fault = check(question, theirs.get(name), way / f"{name}.arrow", way / f"{name}.error")
                count += 1
                if fault:
                    wrong.append(f"{name} ({state.name}, {way.name}): {fault}\n  {question['sql']}")
    if wrong:
        sys.exit(f"{len(wrong)} of {count} answers are wrong\n\n" + "\n\n".join(wrong))
    print(f"{count} answers")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
