"""SQL: the answers of the command, parameters, and errors."""

import pyarrow.parquet
import pytest

import earthcatalog

QUERIES = [
    "SELECT platform, count(*) AS items, min(xmin) AS west FROM items GROUP BY platform ORDER BY platform",
    "SELECT id, xmin, ymax, percent_valid_pixels FROM items WHERE percent_valid_pixels > 50 ORDER BY id",
    "SELECT grid_partition, count(*) AS rows FROM item_cells GROUP BY grid_partition ORDER BY grid_partition",
    "SELECT kind, count(*) AS objects FROM rejects GROUP BY kind ORDER BY kind",
    "SELECT id, stac_extensions, bbox FROM items ORDER BY id LIMIT 5",
    "SELECT count(*) AS near FROM items WHERE ST_Intersects(geometry, ST_MakeEnvelope(12, 77, 16, 80))",
]


@pytest.mark.parametrize("query", QUERIES)
def test_an_answer_is_that_of_the_command(demo, command, query):
    rows = demo.sql(query).to_arrow().to_pylist()
    assert rows == command.rows(query) and rows


def test_parameters_have_the_types_of_python(demo):
    query = "SELECT $text AS text, $n AS n, $x AS x, $yes AS yes, $nothing IS NULL AS nothing"
    row = demo.sql(query, text="it's; --", n=-7, x=0.5, yes=True, nothing=None).to_arrow().to_pylist()
    assert row == [{"text": "it's; --", "n": -7, "x": 0.5, "yes": True, "nothing": True}]
    ids = demo.sql("SELECT id FROM items ORDER BY id LIMIT $most", most=3).to_arrow()["id"].to_pylist()
    found = demo.sql("SELECT count(*) AS n FROM items WHERE id = $id", id=ids[1]).to_arrow()["n"].to_pylist()
    assert len(ids) == 3 and found == [1]


def test_several_statements_are_run_and_the_last_one_answers(demo):
    answer = demo.sql("CREATE VIEW wide AS SELECT id FROM items WHERE xmax - xmin > 1; SELECT count(*) AS n FROM wide")
    expected = demo.sql("SELECT count(*) AS n FROM items WHERE xmax - xmin > 1").to_arrow()
    assert answer.to_arrow().equals(expected)
    # The view stays.
    assert demo.sql("SELECT count(*) AS n FROM wide").to_arrow().equals(expected)
    dropped = demo.sql("DROP VIEW wide")
    assert dropped.columns == [] and dropped.to_arrow().num_rows == 0


def test_a_copy_is_written_at_once_and_once(demo, tmp_path):
    file = tmp_path / "copy.parquet"
    written = demo.sql(f"COPY (SELECT id FROM items) TO '{file}'")
    assert pyarrow.parquet.read_table(file).num_rows == demo.search().matched()
    file.unlink()
    assert written.to_arrow().num_rows == 0 and not file.exists()


@pytest.mark.parametrize(
    ("query", "parameters", "message"),
    [
        ("SELEC 1", {}, "(?s)an SQL statement, found: SELEC.*SQL:1:1"),
        ("SELECT 1;\nSELECT nope FROM items", {}, "(?s)no column nope.*SQL:2:1"),
        ("SELECT * FROM nope", {}, "there is no table nope"),
        ("SELECT $a", {}, r"\$a is not declared"),
        ("SELECT 1", {"a": [1]}, "a: a parameter of SQL is a str, int, float, bool or None, not list"),
        ("", {}, "there is no statement in the text"),
        ("DELETE FROM items WHERE true", {}, "only reads"),
        ("INSERT INTO items SELECT * FROM items", {}, "only reads"),
    ],
)
def test_what_is_wrong_is_said_where_it_is_written(demo, query, parameters, message):
    with pytest.raises(earthcatalog.InputError, match=message):
        demo.sql(query, **parameters)
