"""Searches: the same Items as the command and a STAC API give, and the forms of pystac-client."""

import datetime as dt
import json

import pystac
import pystac_client
import pytest
import shapely
from conftest import Command, environment
from pystac.validation import validate_dict

import earthcatalog

BOX = [12, 77, 28, 80.5]
AREA = shapely.box(*BOX)

# Keywords here, flags of the command.
SEARCHES = [
    ({}, []),
    ({"bbox": BOX}, ["--bbox=12,77,28,80.5"]),
    ({"bbox": "12,77,28,80.5", "datetime": "2015/2020"}, ["--bbox=12,77,28,80.5", "--datetime=2015/2020"]),
    ({"bbox": (170, -90, -170, 90)}, ["--bbox=170,-90,-170,90"]),
    ({"intersects": AREA}, [f"--intersects={AREA.wkt}"]),
    ({"intersects": AREA.wkt}, [f"--intersects={AREA.wkt}"]),
    ({"intersects": shapely.geometry.mapping(AREA)}, [f"--intersects={AREA.wkt}"]),
    (
        {"intersects": json.dumps({"type": "Feature", "geometry": shapely.geometry.mapping(AREA)})},
        [f"--intersects={AREA.wkt}"],
    ),
    ({"datetime": (dt.date(2018, 1, 1), None)}, ["--datetime=2018-01-01/.."]),
    ({"datetime": [None, dt.datetime(2018, 1, 1)]}, ["--datetime=../2018-01-01T00:00:00Z"]),
    ({"datetime": "2017-03"}, ["--datetime=2017-03"]),
    (
        {"filter": "platform LIKE 'S%' AND percent_valid_pixels >= 50"},
        ["--filter=platform LIKE 'S%' AND percent_valid_pixels >= 50"],
    ),
    (
        {"filter": {"op": "=", "args": [{"property": "platform"}, "S1A"]}, "filter_lang": "cql2-json"},
        ["--filter=platform = 'S1A'"],
    ),
    ({"query": {"percent_valid_pixels": {"gte": 90}}}, ['--query={"percent_valid_pixels": {"gte": 90}}']),
    (
        {"query": ["percent_valid_pixels>=90", "platform=S1A"]},
        ['--query={"percent_valid_pixels": {"gte": 90}, "platform": {"eq": "S1A"}}'],
    ),
    (
        {"collections": "itslive-granules", "sortby": "+id", "max_items": 7},
        ["--collections=itslive-granules", "--sortby=+id", "--limit=7"],
    ),
    ({"sortby": ["platform", "-id"]}, ["--sortby=platform,-id"]),
    ({"sortby": [{"field": "id", "direction": "desc"}], "max_items": 3}, ["--sortby=-id", "--limit=3"]),
    ({"fields": ["id", "datetime"], "max_items": 3}, ["--fields=id,datetime", "--limit=3"]),
    (
        {"fields": {"exclude": ["assets", "links"]}, "max_items": 3},
        ["--fields=-assets,-links", "--limit=3"],
    ),
    ({"q": ["S1A", "S2B"]}, ["--q=S1A,S2B"]),
    ({"ids": ["no", "such"]}, ["--ids=no,such"]),
]


@pytest.mark.parametrize(("keywords", "flags"), SEARCHES, ids=[" ".join(flags)[:60] or "all" for _, flags in SEARCHES])
def test_a_search_finds_what_the_command_finds(demo, command, keywords, flags):
    found = demo.search(**keywords)
    expected = command.items(*flags)
    assert list(found.items_as_dicts()) == expected
    unlimited = [flag for flag in flags if not flag.startswith(("--limit", "--fields"))]
    assert found.matched() == int(command.run("search", "--count", *unlimited))
    if "fields" not in keywords:
        ids = found.to_arrow(["id"])["id"].to_pylist()
        assert ids == [item["id"] for item in expected]


def test_some_of_the_searches_find_something(demo):
    counts = [demo.search(**keywords).matched() for keywords, _ in SEARCHES]
    assert sum(count > 0 for count in counts) > len(SEARCHES) / 2, counts
    assert len(set(counts)) > 5, counts


def test_hrefs_are_those_of_the_command(demo, command):
    assert list(demo.search(bbox=BOX).hrefs()) == command.run("search", "--bbox=12,77,28,80.5", "--hrefs").splitlines()
    data = list(demo.search(bbox=BOX).hrefs("data"))
    assert data == command.run("search", "--bbox=12,77,28,80.5", "--hrefs=data").splitlines() and data
    assert list(demo.search(bbox=BOX).hrefs("no such asset")) == []


def test_it_behaves_as_pystac_client_does_over_a_service():
    catalog, url = environment("SERVED", "the catalog of a service"), environment("URL", "the address of a service")
    collection = environment("COLLECTION", "the collection of a service")
    here, there = earthcatalog.open(catalog=catalog), pystac_client.Client.open(url)
    for keywords in (
        {"limit": 7},
        {"limit": 7, "max_items": 20},
        {"bbox": [12, 77, 16, 80], "limit": 5},
        {"intersects": {"type": "Point", "coordinates": [12.5, 77.5]}},
        {"collections": [collection], "datetime": "2019-06-01T00:00:00Z/.."},
        {"filter": "platform LIKE 'S%' AND percent_valid_pixels >= 50", "filter_lang": "cql2-text"},
        {"query": {"gsd": {"lte": 10}}, "sortby": "-properties.datetime"},
        {"ids": ["i03", "i04"], "sortby": [{"field": "id", "direction": "asc"}]},
    ):
        ours, theirs = here.search(**keywords), there.search(**keywords)
        assert ours.matched() == theirs.matched(), keywords
        assert [item.id for item in ours.items()] == [item.id for item in theirs.items()], keywords
        assert len(ours.item_collection()) == len(theirs.item_collection()), keywords
        if "limit" in keywords:
            assert [len(page) for page in ours.pages()] == [len(page) for page in theirs.pages()], keywords
        theirs_by_id = {item["id"]: item for item in theirs.items_as_dicts()}
        for item in ours.items_as_dicts():
            served = theirs_by_id[item["id"]]
            # The service gives links of its own.
            assert {**item, "links": None} == {**served, "links": None}


def test_items_come_back_as_they_were_and_pystac_finds_them_valid(some_items):
    warehouse, items = some_items
    found = list(warehouse.search(sortby="id").items_as_dicts())
    assert found == items
    for item in found[:40]:
        # The core schema is with pystac; those of extensions would need a network.
        assert validate_dict(item, extensions=[])
    objects = list(warehouse.search(sortby="id", max_items=40))
    assert all(isinstance(item, pystac.Item) for item in objects)
    assert [item.to_dict(include_self_link=False)["properties"] for item in objects] == [
        item["properties"] for item in items[:40]
    ]


def test_pages_have_so_many_items(some_items):
    warehouse, items = some_items
    sizes = lambda **keywords: [len(page["features"]) for page in warehouse.search(**keywords).pages_as_dicts()]
    assert sizes(limit=120) == [120, 120, 60]
    assert sizes(limit=100, max_items=150) == [100, 50]
    assert sizes() == [100, 100, 100]
    assert sizes(ids=["no such"]) == []
    page = next(warehouse.search(limit=7).pages())
    assert isinstance(page, pystac.ItemCollection) and len(page) == 7
    whole = warehouse.search(sortby="id").item_collection_as_dict()
    assert whole == {"type": "FeatureCollection", "features": items}


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    search = earthcatalog.open(catalog=tmp_path / "none.db").search(bbox=BOX)
    with pytest.raises(earthcatalog.WarehouseError, match="there is no catalog at"):
        search.matched()


def test_a_search_sees_what_was_ingested_since(place, tmp_path):
    from conftest import item, write_items

    warehouse = earthcatalog.open(**place)
    warehouse.ingest(write_items(tmp_path / "1.ndjson", [item(0)]))
    search = warehouse.search()
    assert search.matched() == 1
    warehouse.ingest(write_items(tmp_path / "2.ndjson", [item(0, updated="2030-01-01T00:00:00Z", gsd=9), item(1)]))
    assert search.matched() == 2
    assert {item["id"]: item["properties"]["gsd"] for item in search.items_as_dicts()} == {
        "item-0000": 9,
        "item-0001": 2,
    }


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"bbox": [1, 2, 3]}, "bbox: .* is not a box"),
        ({"datetime": "yesterday"}, "datetime: it must be a year"),
        ({"datetime": ["2020", "2021", "2022"]}, "datetime: it has 3 times"),
        ({"intersects": "POINT(1"}, "intersects: it is not WKT"),
        ({"bbox": BOX, "intersects": AREA}, "intersects"),
        ({"filter": "a <"}, "filter: "),
        ({"query": ["nothing"]}, "query: 'nothing' is no condition"),
        ({"limit": 0}, "limit: "),
        ({"max_items": 0}, "max_items: "),
    ],
)
def test_what_is_wrong_is_named(demo, keywords, message):
    with pytest.raises(earthcatalog.InputError, match=message) as raised:
        demo.search(**keywords)
    assert isinstance(raised.value, ValueError)


@pytest.mark.real_data
def test_real_items_are_those_of_the_command():
    catalog = environment("REAL", "the catalog of the real Items")
    warehouse, command = earthcatalog.open(catalog=catalog), Command(catalog)
    found = list(warehouse.search(datetime="2017", max_items=50).items_as_dicts())
    assert found == command.items("--datetime=2017", "--limit=50") and len(found) == 50
