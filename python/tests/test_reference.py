"""The names of the Python reference: the code of its documentation, word for word but for the paths."""

import json
import pickle
import re
import subprocess
import sys
import types

import pytest
from conftest import item, write_objects

import earthcatalog
from earthcatalog.maintenance.compact import compact_warehouse
from earthcatalog.pipelines.backfill import run_backfill

# Of its pages "Backfill Pipeline" and "Warehouse Compaction". The block with --scheduler coiled needs its cloud.
PIPELINES = """
from earthcatalog.pipelines.backfill import run_backfill

run_backfill(
    inventory_path="s3://its-live-data/inventory/latest.parquet",
    catalog_path="/tmp/catalog.db",
    warehouse_path="/tmp/warehouse",
    scheduler="local",
    n_workers=4,
    chunk_size=500,
    limit=None,
)

from earthcatalog.maintenance.compact import compact_warehouse

summary = compact_warehouse(
    warehouse_path="/tmp/warehouse",
    catalog_path="/tmp/catalog.db",
    threshold=2,       # compact any bucket with ≥ 2 files
    use_lock=False,    # set True in production
    dry_run=False,
)

print(summary)
"""

COMMANDS = r"""
python -m earthcatalog.pipelines.backfill \
    --inventory /tmp/inventory.csv \
    --catalog   /tmp/catalog.db \
    --warehouse /tmp/warehouse \
    --scheduler synchronous \
    --limit     200

python -m earthcatalog.pipelines.backfill \
    --inventory /tmp/inventory.csv \
    --catalog   /tmp/catalog.db \
    --warehouse /tmp/warehouse \
    --scheduler local \
    --workers   4

# Dry run — see what would be compacted without touching any files
python -m earthcatalog.maintenance.compact \
    --warehouse /tmp/warehouse \
    --catalog   /tmp/catalog.db \
    --dry-run

# Compact all buckets with ≥ 2 part files (default)
python -m earthcatalog.maintenance.compact \
    --warehouse /tmp/warehouse \
    --catalog   /tmp/catalog.db

# Custom threshold (only compact buckets with ≥ 5 files)
python -m earthcatalog.maintenance.compact \
    --warehouse /tmp/warehouse \
    --catalog   /tmp/catalog.db \
    --threshold 5

# With S3 lock (recommended for production)
python -m earthcatalog.maintenance.compact \
    --warehouse /tmp/warehouse \
    --catalog   /tmp/catalog.db \
    --use-lock
"""

# Of its page "Quick Start". A block that installs an extension of DuckDB needs a network.
QUICK_START = """
from earthcatalog.core import catalog
from obstore.store import S3Store

store = S3Store(bucket="its-live-data", region="us-west-2")
ec = catalog.open(
    store=store,
    base="s3://its-live-data/test-space/stac/catalog",
)
print(ec)

ec.ingest(
    "s3://my-bucket/inventory/full.parquet",
    mode="full",
    chunk_size=10000,
    update_hash_index=True,
)

ec.ingest(
    "s3://my-bucket/inventory/delta_2026-04-28.parquet",
    mode="delta",
    update_hash_index=True,
)

from datetime import UTC, datetime, timedelta
inventory = "s3://my-bucket/inventory/delta_2026-04-28.parquet"
ec.ingest(inventory, mode="delta", since=datetime.now(UTC) - timedelta(days=2))

from shapely.geometry import box

greenland = box(-60, 60, -20, 85)
paths = ec.search_files(greenland, start_datetime="2020-01-01")
print(f"{len(paths)} files intersect Greenland")

cell_filter = ec.cell_list_sql(greenland)

# Per-partition stats (from Iceberg manifests, no Parquet I/O)
for s in ec.stats()[:3]:
    print(f"{s['grid_partition']}/{s['year']}: {s['row_count']} rows")

# Unique item count (from hash index)
print(f"Unique items: {ec.unique_item_count():,}")
"""

# Of its README, and its page "Querying the Catalog".
QUERIES = """
import earthcatalog as ec
from obstore.store import S3Store

store = S3Store(bucket='its-live-data', region='us-west-2', skip_signature=True)
catalog = ec.open(store=store, base='s3://its-live-data/test-space/stac/catalog')

catalog.ingest_inventory("delta.parquet", mode="delta")

results = catalog.search(
    intersects={"type": "Point", "coordinates": [0, 60]},
    datetime="2020-01-01/2020-12-31",
    max_items=100,
)
for item in results.items():
    print(item.id, item.properties["platform"])

df = catalog.duck_search(
    format="native",
    intersects={"type": "Point", "coordinates": [0, 60]},
    datetime="2020-01-01/2020-12-31",
    filter={"op": ">=", "args": [{"property": "percent_valid_pixels"}, 80]},
    max_items=100,
)
# df is a pandas.DataFrame — iterate or convert as needed
for _, row in df.iterrows():
    print(row["id"], row["platform"])

# pages() — one batch per file
for i, page in enumerate(results.pages()):
    print(f"Page {i}: {len(page)} items")

# matched() — estimated upper bound from Iceberg manifest (no Parquet I/O)
print(f"Up to {results.matched():,} matching rows")

# stats() — file count and data volume from manifests
s = results.stats()
print(f"{s['files']} files, ~{s['rows_upper_bound']:,} rows")

table = catalog.search_to_arrow(
    bbox=[-60, 60, -20, 85],
    datetime="2020-01/..",
)
"""

BASE = "s3://its-live-data/test-space/stac/catalog"


@pytest.fixture
def objects(tmp_path):
    """An inventory of 30 Items: the first at 0 to 1 degrees east and 60 to 61 north, the others elsewhere."""
    inventory = write_objects(tmp_path / "objects", 30)
    first = item(0, platform="sentinel-1", percent_valid_pixels=90)
    first["geometry"]["coordinates"] = [[[0, 60], [1, 60], [1, 61], [0, 61], [0, 60]]]
    (tmp_path / "objects/0000.stac.json").write_text(json.dumps(first))
    return inventory


def with_paths(code, paths):
    """The code with other paths."""
    return re.sub("|".join(map(re.escape, paths)), lambda path: str(paths[path[0]]), code)


def run(code, paths):
    """Runs code with other paths; the names that it defines."""
    names = {}
    exec(with_paths(code, paths), names)  # noqa: S102 (the code above)
    return names


@pytest.fixture
def stores(monkeypatch):
    """In place of obstore, whose stores we do not use."""
    module = types.ModuleType("obstore.store")
    module.S3Store = lambda **_: object()
    monkeypatch.setitem(sys.modules, "obstore", types.ModuleType("obstore"))
    monkeypatch.setitem(sys.modules, "obstore.store", module)


def test_its_pipelines(objects, tmp_path, capsys):
    names = run(PIPELINES, {"s3://its-live-data/inventory/latest.parquet": objects, "/tmp": tmp_path})
    keys = ("buckets_scanned", "buckets_compacted", "files_before", "files_after")
    assert [type(names["summary"][key]) for key in keys] == [int] * 4
    assert "'buckets_scanned': " in capsys.readouterr().out
    assert earthcatalog.open(catalog=tmp_path / "catalog.db").search().matched() == 30


def test_its_commands(objects, tmp_path):
    script = with_paths(
        COMMANDS, {"/tmp/inventory.csv": objects, "/tmp": tmp_path, "python -m": f"'{sys.executable}' -m"}
    )
    ran = subprocess.run(["bash", "-euc", script], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert earthcatalog.open(catalog=tmp_path / "catalog.db").search().matched() == 30


def test_its_pipelines_count_as_they_say(objects, tmp_path):
    places = {"catalog_path": str(tmp_path / "earthcatalog.db"), "warehouse_path": str(tmp_path / "warehouse")}
    report = run_backfill(inventory_path=str(objects), **places, chunk_size=5)
    assert (report["items"], report["chunks"]) == (30, 6)
    again = run_backfill(inventory_path=str(objects), **places, scheduler="synchronous", chunk_size=5, limit=10)
    assert again["listed"] == 10

    before = compact_warehouse(**places, dry_run=True)
    assert before["buckets_compacted"] > 0 and before["files_before"] == before["files_after"]
    summary = compact_warehouse(**places, threshold=2, use_lock=False, dry_run=False)
    assert {name: summary[name] for name in ("buckets_scanned", "buckets_compacted", "files_before")} == {
        name: before[name] for name in ("buckets_scanned", "buckets_compacted", "files_before")
    }
    assert summary["files_after"] == summary["buckets_scanned"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="datetime.UTC came with Python 3.11")
def test_its_quick_start(objects, stores, tmp_path, capsys):
    full, delta = (f"s3://my-bucket/inventory/{name}.parquet" for name in ("full", "delta_2026-04-28"))
    names = run(QUICK_START, {full: objects, delta: objects, BASE: tmp_path})
    printed = capsys.readouterr().out
    assert "0 files intersect Greenland" in printed and "Unique items: 30" in printed
    stats = names["ec"].stats()
    assert sum(bucket["row_count"] for bucket in stats) == names["ec"].info()["rows"]
    assert f"{stats[0]['grid_partition']}/{stats[0]['year']}: {stats[0]['row_count']} rows" in printed
    cells = names["ec"].cells_for_geometry(names["greenland"])
    assert len(cells) > 5 and names["cell_filter"] == f"grid_partition IN ({', '.join(map(repr, cells))})"


def test_its_queries(objects, stores, tmp_path, capsys):
    names = run(QUERIES, {BASE: tmp_path, "delta.parquet": objects})
    printed = capsys.readouterr().out
    assert printed.count("item-0000 sentinel-1") == 2
    assert "Page 0: 1 items" in printed and "Up to 1 matching rows" in printed
    assert names["s"]["files"] >= 1 and names["table"].num_rows == 0
    catalog = names["catalog"]
    assert [found.id for found in catalog.duck_search(ids=["item-0003"], format="pystac")] == ["item-0003"]
    uris = catalog.search_uris(sortby="id", max_items=2)
    assert list(uris.itertuples(index=False, name=None)) == [
        (f"item-000{i}", f"https://example.com/{i}.tif") for i in range(2)
    ]


def test_its_form_of_open_has_its_methods_and_ours_has_not(objects, tmp_path):
    catalog = earthcatalog.open(object(), tmp_path)
    assert catalog.ingest(objects, mode="full", limit=20)["items"] == 20
    # What is there is not fetched again, unless that is asked for.
    assert catalog.ingest(objects)["items"] == 10
    assert catalog.ingest(objects, mode="full")["listed"] == 30 and catalog.unique_item_count() == 30
    with pytest.raises(earthcatalog.InputError, match="mode: 'half' is not a mode"):
        catalog.ingest(objects, mode="half")
    assert catalog.table.scan().count() == catalog.info()["rows"]
    assert type(pickle.loads(pickle.dumps(catalog))) is earthcatalog.EarthCatalog
    plain = earthcatalog.open(catalog=tmp_path / "earthcatalog.db")
    assert type(plain) is earthcatalog.Warehouse and not hasattr(plain, "duck_search")
    with pytest.raises(earthcatalog.InputError, match="base: it names catalog and warehouse"):
        earthcatalog.open(base=tmp_path, catalog="catalog.db")
