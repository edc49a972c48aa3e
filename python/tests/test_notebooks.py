"""What notebooks show of warehouses and searches."""

import re
import sys
from xml.etree import ElementTree

import pytest

import earthcatalog
from earthcatalog import _html

BOX = [12, 77, 28, 80.5]


def shown(html):
    """What an object shows, which must be well-formed, and the texts in it."""
    root = ElementTree.fromstring(f"<div>{html}</div>")
    return root, [text.strip() for text in root.itertext() if text.strip()]


def test_a_warehouse_shows_counts_and_a_map_from_metadata(demo):
    info = demo.info()
    root, texts = shown(demo._repr_html_())
    for expected in (f"{info['rows']:,}", f"{info['years'][0]} to {info['years'][1]}"):
        assert expected in texts
    assert any(text.startswith(f"{info['files']:,}, ") for text in texts)
    assert re.fullmatch(r"\d+\.\d\d s", texts[texts.index("metadata read in") + 1])
    # The map has each cell, with its rows.
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    query = """
        SELECT grid_partition AS cell, count(*) AS rows FROM item_cells
        WHERE grid_partition <> '__none__' GROUP BY 1 ORDER BY 1
    """
    counted = demo.sql(query).to_arrow().to_pylist()
    assert titles == [f"{row['cell']}: {row['rows']:,} rows" for row in counted] and titles


def test_a_fine_grid_is_shown_by_coarser_cells(place, tmp_path):
    from conftest import item, write_items

    warehouse = earthcatalog.open(**place)
    warehouse.ingest(write_items(tmp_path / "items.ndjson", [item(i) for i in range(3)]), h3_resolution=4)
    root, _ = shown(warehouse._repr_html_())
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert 0 < len(titles) < warehouse.info()["cells"]
    # Cells of resolution 1 are named so.
    assert all(re.match("81[0-9a-f]{3}ffffffffff: ", title) for title in titles)
    assert sum(int(title.split()[1]) for title in titles) == warehouse.info()["rows"]


def test_outlines_are_paths_on_a_map_where_north_is_up():
    svg = _html.world([("a<", 9, "MULTIPOLYGON(((0 0, 10 0, 10 20, 0 0)), ((-180 1.26, -170 1, -170 2, -180 1.26)))")])
    assert '<path d="M0.0 -0.0L10.0 -0.0L10.0 -20.0L0.0 -0.0zM-180.0 -1.3L' in svg
    assert "<title>a&lt;: 9 rows</title>" in svg
    assert ElementTree.fromstring(_html.world([])) is not None


def test_what_is_no_warehouse_shows_its_text(place):
    warehouse = earthcatalog.open(**place)
    assert warehouse._repr_html_() is None and str(place["catalog"]) in repr(warehouse)
    assert warehouse.search()._repr_html_() is None


def test_a_search_shows_its_first_items_and_what_is_known_of_it(demo):
    search = demo.search(bbox=BOX, ids=None)
    _, texts = shown(search._repr_html_())
    first = search.to_arrow(["id"])["id"].to_pylist()[:5]
    assert [text for text in texts if text in first] == first and len(first) == 5
    assert "match" not in texts and "read so far" not in texts

    # What was asked meanwhile is known.
    items = search.items_as_dicts()
    next(items), next(items)
    matched = search.matched()
    _, texts = shown(search._repr_html_())
    assert texts[texts.index("match") + 1] == f"{matched:,}"
    assert texts[texts.index("read so far") + 1] == "2"
    assert "first 3 read in" in shown(demo.search(bbox=BOX, max_items=3)._repr_html_())[1]


def test_texts_are_no_markup(demo):
    html = demo.search(ids=["<b>"])._repr_html_()
    assert "&lt;b&gt;" in html and '<b>"' not in html
    _, texts = shown(_html.rows(["a", "b"], [("<i>", None)]))
    assert texts == ["a", "b", "<i>"]


def test_without_pyarrow_there_is_no_map_and_no_row(demo, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "<title>" not in demo._repr_html_() and f"{demo.info()['rows']:,}" in demo._repr_html_()
    assert demo.search()._repr_html_() is None


@pytest.mark.parametrize("keywords", [{}, {"bbox": BOX}, {"bbox": [12, 77, 0, 28, 80.5, 100]}, {"datetime": "2018"}])
def test_a_search_knows_how_much_it_may_read(demo, keywords):
    stats, info = demo.search(**keywords).stats(), demo.info()
    assert demo.search(**keywords).matched() <= stats["rows_upper_bound"] <= info["rows"]
    assert (stats["files"] < info["files"]) == ("bbox" in keywords)
    assert 0 < stats["bytes_upper_bound"] <= info["bytes"]
