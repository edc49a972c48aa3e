"""Rows as Arrow: every type, slices, and what other libraries make of them."""

import gc

import duckdb
import polars
import pyarrow as pa
import pytest

import earthcatalog

LONG = "a text that is longer than a view has room for"

# SQL for a value that changes with `n`, and is null where n is 2; the type that it has.
TYPES = {
    "arrow_cast(NULL, 'Null')": pa.null(),
    "arrow_cast(n % 2 = 0, 'Boolean')": pa.bool_(),
    "arrow_cast(n, 'Int8')": pa.int8(),
    "arrow_cast(n, 'Int16')": pa.int16(),
    "arrow_cast(n, 'Int32')": pa.int32(),
    "arrow_cast(n, 'Int64')": pa.int64(),
    "arrow_cast(n, 'UInt8')": pa.uint8(),
    "arrow_cast(n, 'UInt16')": pa.uint16(),
    "arrow_cast(n, 'UInt32')": pa.uint32(),
    "arrow_cast(n, 'UInt64')": pa.uint64(),
    "arrow_cast(n, 'Float16')": pa.float16(),
    "arrow_cast(n, 'Float32')": pa.float32(),
    "arrow_cast(n, 'Float64')": pa.float64(),
    "arrow_cast(n, 'Decimal32(7, 2)')": pa.decimal32(7, 2),
    "arrow_cast(n, 'Decimal64(15, 2)')": pa.decimal64(15, 2),
    "arrow_cast(n, 'Decimal128(30, 2)')": pa.decimal128(30, 2),
    "arrow_cast(n, 'Decimal256(60, 2)')": pa.decimal256(60, 2),
    "arrow_cast(n, 'Date32')": pa.date32(),
    "arrow_cast(arrow_cast(n, 'Date32'), 'Date64')": pa.date64(),
    "arrow_cast(arrow_cast(n, 'Int32'), 'Time32(Second)')": pa.time32("s"),
    "arrow_cast(arrow_cast(n, 'Int32'), 'Time32(Millisecond)')": pa.time32("ms"),
    "arrow_cast(n, 'Time64(Microsecond)')": pa.time64("us"),
    "arrow_cast(n, 'Time64(Nanosecond)')": pa.time64("ns"),
    "arrow_cast(n, 'Timestamp(Second, None)')": pa.timestamp("s"),
    "arrow_cast(n, 'Timestamp(Millisecond, None)')": pa.timestamp("ms"),
    "arrow_cast(n, 'Timestamp(Microsecond, Some(\"UTC\"))')": pa.timestamp("us", "UTC"),
    "arrow_cast(n, 'Timestamp(Nanosecond, Some(\"+01:00\"))')": pa.timestamp("ns", "+01:00"),
    "arrow_cast(n, 'Duration(Second)')": pa.duration("s"),
    "arrow_cast(n, 'Duration(Nanosecond)')": pa.duration("ns"),
    f"arrow_cast('{LONG}' || n, 'Utf8')": pa.string(),
    f"arrow_cast('{LONG}' || n, 'LargeUtf8')": pa.large_string(),
    f"arrow_cast('{LONG}' || n, 'Utf8View')": pa.string_view(),
    "arrow_cast('short' || n, 'Utf8View')": pa.string_view(),
    f"arrow_cast('{LONG}' || n, 'Binary')": pa.binary(),
    f"arrow_cast('{LONG}' || n, 'LargeBinary')": pa.large_binary(),
    f"arrow_cast('{LONG}' || n, 'BinaryView')": pa.binary_view(),
    "arrow_cast(arrow_cast('four', 'Binary'), 'FixedSizeBinary(4)')": pa.binary(4),
    "make_array(n, NULL, n + 1)": pa.list_(pa.int64()),
    "arrow_cast(make_array(n, NULL), 'LargeList(Int64)')": pa.large_list(pa.int64()),
    "arrow_cast(make_array(n, n), 'FixedSizeList(2, Int64)')": pa.list_(pa.int64(), 2),
    "make_array(make_array(n), make_array())": pa.list_(pa.list_(pa.int64())),
    f"arrow_cast('{LONG}' || (n % 3), 'Dictionary(Int32, Utf8)')": pa.dictionary(pa.int32(), pa.string()),
}

NUMBERS = "(SELECT value AS n FROM generate_series(0, 9))"


def column(expression):
    return f"SELECT CASE WHEN n <> 2 THEN {expression} END AS v FROM {NUMBERS} ORDER BY n"


@pytest.mark.parametrize("expression", TYPES)
def test_every_type_is_valid_and_keeps_its_values(demo, expression):
    table = demo.sql(column(expression)).to_arrow()
    table.validate(full=True)
    # Names of the elements of lists are not compared.
    assert table.schema.field("v").type.equals(TYPES[expression]), table.schema
    values = table["v"].to_pylist()
    assert len(values) == 10 and values[2] is None
    is_null = TYPES[expression] == pa.null()
    assert [value is None for value in values] == [is_null or n == 2 for n in range(10)]
    # Through the stream, the same.
    assert pa.table(demo.sql(column(expression))).equals(table)


@pytest.mark.parametrize("expression", TYPES)
def test_a_slice_has_the_rows_from_there_on(demo, expression):
    whole = demo.sql(column(expression)).to_arrow()
    for offset in (1, 2, 7):
        part = demo.sql(f"{column(expression)} LIMIT 3 OFFSET {offset}").to_arrow()
        part.validate(full=True)
        assert part["v"].to_pylist() == whole["v"].slice(offset, 3).to_pylist()


def test_values_are_what_the_engine_writes_as_text(demo):
    query = (
        f"SELECT n, n / 4.0 AS quarter, '{LONG}' || n AS text, make_array(n, n + 1) AS pair FROM {NUMBERS} ORDER BY n"
    )
    expected = [{"n": n, "quarter": n / 4, "text": f"{LONG}{n}", "pair": [n, n + 1]} for n in range(10)]
    assert demo.sql(query).to_arrow().to_pylist() == expected


def test_structs_and_maps_are_nested(demo):
    query = "SELECT named_struct('a', 1, 'b', named_struct('c', 'x')) AS s, map(['k', 'l'], [1, NULL]) AS m"
    table = demo.sql(query).to_arrow()
    table.validate(full=True)
    assert table.to_pylist() == [{"s": {"a": 1, "b": {"c": "x"}}, "m": [("k", 1), ("l", None)]}]


def test_no_rows_are_a_table_with_columns(demo):
    table = demo.sql("SELECT id, geometry, bbox FROM items WHERE false").to_arrow()
    table.validate(full=True)
    assert table.num_rows == 0 and table.column_names == ["id", "geometry", "bbox"]


def test_geometries_say_what_they_are_and_in_which_system(demo):
    result = demo.sql("SELECT geometry FROM items LIMIT 1")
    for schema in (pa.schema(result), result.to_arrow().schema, pa.table(result).schema):
        metadata = schema.field("geometry").metadata
        assert metadata[b"ARROW:extension:name"] == b"geoarrow.wkb"
        assert b"OGC:CRS84" in metadata[b"ARROW:extension:metadata"]
    assert result.to_geopandas().crs == "OGC:CRS84"


def test_other_libraries_take_the_rows(demo):
    result = demo.sql("SELECT id, platform, datetime, xmin FROM items ORDER BY id")
    rows = result.to_arrow().num_rows
    assert rows > 0
    assert polars.DataFrame(result).height == rows
    assert duckdb.sql("SELECT count(*), count(DISTINCT id) FROM result").fetchone() == (rows, rows)
    assert pa.RecordBatchReader.from_stream(result).read_all().equals(result.to_arrow())
    assert len(result.to_pandas()) == rows
    # Each use asks again.
    assert polars.DataFrame(result).height == rows


def test_whole_items_become_frames(demo):
    found = demo.search(max_items=20)
    frame = found.to_geopandas()
    assert len(frame) == 20 and frame.crs == "OGC:CRS84" and frame.geometry.is_valid.all()
    assert list(found.to_pandas(["id", "datetime"]).columns) == ["id", "datetime"]
    assert polars.DataFrame(found).height == 20
    with pytest.raises(ValueError):
        found.to_geopandas(["id"])


def test_rows_come_batch_by_batch(demo):
    batches = iter(demo.sql("SELECT value FROM generate_series(1, 100000)"))
    first = next(batches)
    assert isinstance(first, pa.RecordBatch) and 0 < first.num_rows < 100_000
    assert first.num_rows + sum(batch.num_rows for batch in batches) == 100_000


def test_an_error_on_the_way_is_raised_where_the_rows_are_asked_for(demo):
    result = demo.sql(f"SELECT 1 / (n - 5) AS v FROM {NUMBERS}")
    with pytest.raises(earthcatalog.EarthcatalogError, match="(?s)Divide by zero.*SQL:1:1"):
        result.to_arrow()
    with pytest.raises(Exception, match="Divide by zero"):
        pa.table(demo.sql(f"SELECT 1 / (n - 5) AS v FROM {NUMBERS}"))


def test_what_is_not_read_is_let_go(demo):
    for _ in range(20):
        result = demo.sql("SELECT * FROM items")
        capsule = result.__arrow_c_stream__()
        reader = pa.RecordBatchReader.from_stream(demo.sql("SELECT * FROM items"))
        next(iter(reader))
        batch = next(iter(demo.sql("SELECT * FROM items")))
        del result, capsule, reader
        gc.collect()
        assert batch.validate(full=True) is None
