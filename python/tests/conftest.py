"""What the tests share: the command beside the package, and warehouses.

The workspace's tests (`tests/python_package.rs`) say where the command and some warehouses are. Run by hand, after
`maturin develop`, the package's own command makes what is missing; what needs a service is left out, with the reason.
"""

import datetime as dt
import json
import os
import pathlib
import subprocess
import sys

import pytest

import earthcatalog


def environment(name, what):
    value = os.environ.get(f"EARTHCATALOG_TEST_{name}")
    return value or pytest.skip(f"EARTHCATALOG_TEST_{name} does not name {what}; the workspace's tests set it")


class Command:
    """The command `earthcatalog`, over a catalog."""

    def __init__(self, catalog):
        program = os.environ.get("EARTHCATALOG_TEST_COMMAND")
        self.words = [program] if program else [sys.executable, "-m", "earthcatalog"]
        self.catalog = catalog

    def run(self, *arguments):
        words = [*self.words, *map(str, arguments), "--catalog", str(self.catalog)]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def items(self, *flags):
        """What `search` writes, each Item a mapping."""
        return [json.loads(line) for line in self.run("search", *flags).splitlines()]

    def rows(self, query, *flags):
        """What `sql` writes, each row a mapping."""
        return [json.loads(line) for line in self.run("sql", query, "--output", "ndjson", *flags).splitlines()]


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    """A folder with the demo: its objects in `bucket`, `catalog.db` and `warehouse`."""
    if given := os.environ.get("EARTHCATALOG_TEST_DEMO"):
        return pathlib.Path(given)
    folder = tmp_path_factory.mktemp("demo") / "demo"
    words = [sys.executable, "-m", "earthcatalog", "demo", "--items", "700", "--dir", folder]
    subprocess.run(words, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def catalog(demo_folder, tmp_path_factory):
    """The catalog of a warehouse with some of the demo's Items: few files, so that questions are short."""
    folder = tmp_path_factory.mktemp("few")
    warehouse = earthcatalog.open(catalog=folder / "catalog.db", warehouse=folder / "warehouse")
    warehouse.ingest(demo_folder / "bucket/inventory.csv", limit=150, h3_resolution=0)
    return folder / "catalog.db"


@pytest.fixture(scope="session")
def command(catalog):
    return Command(catalog)


@pytest.fixture(scope="session")
def demo(catalog):
    return earthcatalog.open(catalog=catalog)


def item(i, **properties):
    """An Item that follows STAC's core schema."""
    x, y = i % 60, i % 40
    ring = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1], [x, y]]
    start = dt.datetime(2020, 1, 1) + dt.timedelta(days=i)
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": f"item-{i:04}",
        "collection": "c",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [x, y, x + 1, y + 1],
        "properties": {"datetime": f"{start.isoformat()}Z", "gsd": 1 + i % 3, **properties},
        "links": [{"rel": "collection", "href": "https://example.com/c"}],
        "assets": {"data": {"href": f"https://example.com/{i}.tif"}, "thumb": {"href": f"https://example.com/{i}.png"}},
    }


def write_items(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def write_objects(folder, count):
    """Items, each an object of its own, and an inventory of them with the times at which they were written."""
    folder.mkdir()
    lines = ["bucket,key,is_latest,is_delete_marker,size,last_modified_date"]
    for i in range(count):
        text = json.dumps(item(i))
        (folder / f"{i:04}.stac.json").write_text(text)
        lines.append(f",{i:04}.stac.json,true,false,{len(text)},2025-10-01T00:00:00.000Z")
    inventory = folder / "inventory.csv"
    inventory.write_text("\n".join(lines) + "\n")
    return inventory


@pytest.fixture
def place(tmp_path):
    """Where a new warehouse may be: keywords of `earthcatalog.open`."""
    return {"catalog": tmp_path / "catalog.db", "warehouse": tmp_path / "warehouse"}


@pytest.fixture(scope="session")
def some_items(tmp_path_factory):
    """A warehouse with 300 Items, and these."""
    folder = tmp_path_factory.mktemp("some")
    items = [item(i) for i in range(300)]
    warehouse = earthcatalog.open(catalog=folder / "catalog.db", warehouse=folder / "warehouse")
    warehouse.ingest(write_items(folder / "items.ndjson", items), h3_resolution=0)
    return warehouse, items
