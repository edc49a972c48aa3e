"""Commands: their reports, and the command itself."""

import datetime as dt
import json
import pathlib
import subprocess
import sys

import pytest
from conftest import Command, item, write_items, write_objects

import earthcatalog


def without(report, *names):
    return {name: value for name, value in report.items() if name not in names}


def test_a_day_of_a_warehouse(place, tmp_path):
    # Given a warehouse that is new,
    warehouse = earthcatalog.open(**place)
    objects = write_objects(tmp_path / "objects", 40)
    would = warehouse.ingest(objects, dry_run=True)
    assert would and not place["catalog"].exists()

    # when objects are ingested, then they are counted, and found;
    report = warehouse.ingest(objects, h3_resolution=2, limit=30, max_rejects="1%")
    assert (report["listed"], report["items"], report["rejected"]) == (30, 30, {})
    assert warehouse.search().matched() == 30
    info = warehouse.info()
    assert (info["h3_resolution"], info["rows"], len(info["snapshots"])) == (2, report["rows"], 1)

    # the rest comes with the next run,
    report = warehouse.incremental(objects, h3_resolution=2, report_location=tmp_path)
    assert (report["items"], warehouse.search().matched()) == (10, 40)
    assert (tmp_path / "ingest_stats.json").exists()
    assert warehouse.incremental(objects, h3_resolution=2)["snapshot"] is None

    # buckets are merged,
    planned = warehouse.compact(dry_run=True)
    summary = warehouse.compact(threshold=2, retain=dt.timedelta(0))
    assert summary["buckets_compacted"] == len(planned["buckets"]) > 0
    assert summary["files_after"] < summary["files_before"] == info["files"] + report["files"]

    # what is gone from the inventory goes,
    header, *lines = objects.read_text().splitlines()
    left = objects.with_name("left.csv")
    left.write_text("\n".join([header, *lines[5:]]) + "\n")
    removed = warehouse.reconcile(left, max_removed=10)
    assert (removed["items"], removed["objects"], warehouse.search().matched()) == (5, 5, 35)

    # and so does what nothing needs.
    expired = warehouse.expire(retain="0s")
    assert expired["snapshots_removed"] > 0 and not expired["dry_run"]
    assert [(c["id"], c["items"]) for c in warehouse.collections()] == [("c", 35)]


def test_items_get_other_values_and_go(place, tmp_path):
    items = write_items(tmp_path / "items.ndjson", [item(i, **{"eo:cloud_cover": 1.5}) for i in range(20)])
    warehouse = earthcatalog.open(**place)
    warehouse.ingest(items, columns="eo:cloud_cover DOUBLE")
    set = "eo_cloud_cover = eo_cloud_cover * 2, properties = json_set(properties, 'mended', true)"
    some = "id IN (SELECT id FROM items ORDER BY id LIMIT 3)"
    assert warehouse.update(set, some, dry_run=True)["updated"] == 3
    updated = warehouse.update(set, some)
    assert updated["items"] == 3 and updated["snapshot"]
    properties = [found["properties"] for found in warehouse.search().items_as_dicts()]
    mended = [of for of in properties if "mended" in of]
    assert len(properties) == 20 and len(mended) == 3
    assert all(of["eo:cloud_cover"] == 3.0 and of["mended"] is True for of in mended)
    assert warehouse.delete("eo_cloud_cover > 2", dry_run=True)["deleted"] == 3
    assert warehouse.delete("eo_cloud_cover > 2")["items"] == 3
    assert warehouse.search().matched() == 17
    with pytest.raises(earthcatalog.EarthcatalogError, match="column id cannot be set"):
        warehouse.update("id = 'x'", "true")


def test_reports_are_those_of_the_command(place, tmp_path):
    items = write_items(tmp_path / "items.ndjson", [item(i) for i in range(20)])
    (tmp_path / "other").mkdir()
    command = Command(tmp_path / "other/catalog.db")
    warehouse = earthcatalog.open(**place)
    changing = ("run", "snapshot", "seconds", "items_per_second", "bytes")
    theirs = json.loads(
        command.run("ingest", "--inventory", items, "--warehouse", tmp_path / "other/files", "--output", "json")
    )
    assert without(warehouse.ingest(items), *changing) == without(theirs, *changing)
    command = Command(place["catalog"])
    assert warehouse.info() == json.loads(command.run("info", "--output", "json"))
    asked = ["--geometry=10,10,20,20", "--start=2020-01-15", "--output=json"]
    paths = warehouse.paths([10, 10, 20, 20], start=dt.date(2020, 1, 15))
    assert paths == json.loads(command.run("paths", *asked)) and paths["files"]
    assert warehouse.collections() == json.loads(command.run("collection", "list", "--output", "json"))


def test_errors_are_of_the_class_that_the_exit_code_says(place, tmp_path):
    warehouse = earthcatalog.open(**place)
    with pytest.raises(earthcatalog.InputError, match="there is no such file"):
        warehouse.ingest(tmp_path / "no-such.csv")
    items = write_items(tmp_path / "items.ndjson", [item(0)])
    for keywords, message in (
        ({"since": "soon"}, "since soon: it must be a date"),
        ({"max_rejects": "many"}, "max_rejects many: it must be a number"),
        ({"limit": -1}, "limit: "),
        ({"h3_resolution": "one"}, "h3_resolution: "),
    ):
        with pytest.raises(earthcatalog.InputError, match=message):
            warehouse.ingest(items, **keywords)
    with pytest.raises(earthcatalog.WarehouseError, match="there is no catalog"):
        warehouse.info()
    warehouse.ingest(items, h3_resolution=1)
    with pytest.raises(earthcatalog.WarehouseError, match="resolution"):
        warehouse.ingest(items, h3_resolution=2)
    with pytest.raises(TypeError):
        warehouse.ingest(items, no_such_option=1)
    with pytest.raises(earthcatalog.InputError, match="name the catalog"):
        earthcatalog.open()
    with pytest.raises(earthcatalog.InputError, match="cluster s3://nowhere"):
        earthcatalog.open(**place, cluster="s3://nowhere")
    assert issubclass(earthcatalog.ConflictError, earthcatalog.WarehouseError)


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], check=False, capture_output=True, text=True, **options
    )


def test_modules_run_with_the_flags_of_the_command(tmp_path):
    objects = write_objects(tmp_path / "objects", 10)
    places = ["--catalog", tmp_path / "catalog.db", "--warehouse", tmp_path / "warehouse"]
    backfilled = python(
        "-m", "earthcatalog.pipelines.backfill", "--inventory", objects, *places,
        "--scheduler", "local", "--workers", 2, "--chunk-size", 5, "--output", "json",
    )  # fmt: skip
    assert backfilled.returncode == 0, backfilled.stderr
    assert json.loads(backfilled.stdout)["items"] == 10
    compacted = python(
        "-m", "earthcatalog.maintenance.compact", *places, "--threshold", 2, "--use-lock", "--output", "json"
    )
    assert compacted.returncode == 0, compacted.stderr
    assert json.loads(compacted.stdout)["buckets_scanned"] > 0


def test_the_command_is_the_command(command):
    version = python("-m", "earthcatalog", "--version")
    assert version.returncode == 0 and version.stdout.startswith("earthcatalog ")
    assert python("-m", "earthcatalog").returncode == 2
    wrong = python("-m", "earthcatalog", "info", "--catalog", "/no/such/catalog.db")
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: --catalog")
    asked = python(
        "-m", "earthcatalog", "sql", "SELECT count(*) AS n FROM items", "--catalog", command.catalog, "--output", "csv"
    )
    assert asked.stdout == command.run("sql", "SELECT count(*) AS n FROM items", "--output", "csv")
    # Whoever closes the pipe has seen enough.
    words = [sys.executable, "-m", "earthcatalog", "search", "--catalog", str(command.catalog)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as search:
        search.stdout.readline()
        search.stdout.close()
        assert search.wait() == 0 and search.stderr.read() == b""


def test_the_stubs_name_what_there_is():
    from earthcatalog import _earthcatalog

    stub = pathlib.Path(earthcatalog.__file__).with_name("_earthcatalog.pyi").read_text()
    for name in dir(_earthcatalog):
        assert name.startswith("__") or name in stub
    for owner in (_earthcatalog.Warehouse, _earthcatalog.Rows, _earthcatalog.Batch):
        for name in vars(owner):
            assert name in stub or name in ("__doc__", "__module__"), name


def test_what_has_changed_is_asked_for_by_states(place, tmp_path):
    warehouse = earthcatalog.open(**place)
    before = dt.datetime.now(dt.timezone.utc)
    items = [item(i) for i in range(4)]
    first = warehouse.ingest(write_items(tmp_path / "monday.ndjson", items[:3]))
    # One comes again as it was, one in a newer version, and one is new.
    newer = item(1, updated="2030-01-01T00:00:00Z")
    warehouse.ingest(write_items(tmp_path / "tuesday.ndjson", [items[0], newer, items[3]]))
    changes = lambda *states: [(row["change"], row["id"]) for row in warehouse.changes(*states).to_arrow().to_pylist()]
    tuesday = [("added", "item-0003"), ("changed", "item-0001")]
    assert sorted(changes()) == sorted(changes(first["snapshot"])) == tuesday
    assert sorted(changes(None, first["snapshot"])) == [("added", f"item-000{i}") for i in range(3)]
    assert len(changes(None)) == 4
    with pytest.raises(earthcatalog.WarehouseError, match="no snapshot as of"):
        changes(before)
