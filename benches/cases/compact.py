"""Compaction: ten deliveries to a warehouse, merged to one file per bucket, with the newest version of each id.

Each engine merges the part files of the buckets with two files or more, sorts by platform and datetime, and writes zstd level 3:
DuckDB in one query, polars bucket by bucket. Rows, ids, versions and buckets are compared. Ours also commits.

The reference merges on its own layout, in which an Item is in one partition (cell, year), so that it has fewer rows: each
delivery leaves the GeoParquet shards that its workers write, with assets and properties as columns, and its
`consolidate_partition` makes one file of each partition with two shards or more, sorted by datetime (snappy), in a thread pool of
its own. It runs once.
"""

import json
import shutil
import subprocess

from bench import Ids
from data import at
from process import log, measured

TITLE = "Compaction"
UNIT = "rows"
COLUMNS = ["items", "rows", "buckets", "files", "engine", "wall_s", "cpu_s", "per_cpu_s", "peak_mb", "read_mb", "written_mb"]


def key(row):
    return row["items"]


def cost(row):
    return row["cpu_s"] / row["rows"]


def run(bench):
    return [row for items in bench.scale.delivered for row in sizes(bench, items)]


def sizes(bench, items):
    folder = delivered(bench, items)
    buckets = {bucket: files for bucket, files in live(bench, folder).items() if len(files) > 1}
    plan = bench.work / "buckets.json"
    plan.write_text(json.dumps(list(buckets.values())))
    size = json.loads(subprocess.run(ours(bench, folder, "--dry-run"), check=True, stdout=subprocess.PIPE).stdout)
    size = {"items": items, "rows": size["rows"], "buckets": len(buckets), "files": size["files"]}
    engines = {"earthcatalog": Ours(bench, folder, buckets)}
    if bench.peers:
        engines |= {"DuckDB": Peer(bench, "duckdb_compact", plan), "polars": Peer(bench, "polars_compact", plan)}
    for engine, figures in bench.alternate(f"compact {items:,} Items", engines).items():
        yield {**size, "engine": engine, **figures, "per_cpu_s": round(size["rows"] / figures["cpu_s"])}
    if bench.reference and items in bench.scale.delivered_to_reference:
        yield reference(bench, items)


def delivered(bench, items):
    """A warehouse after ten ingests; whole if it says so, wherever an earlier suite was ended."""
    folder = bench.work / f"delivered-{items}"
    before = folder.with_suffix(".before")
    if before.exists():
        shutil.rmtree(folder, ignore_errors=True)
        before.rename(folder)
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for part in bench.data.deliveries(items):
            bench.data.run("ingest", *at(folder), "--inventory", part)
        (folder / "complete").touch()
    return folder


def live(bench, folder):
    """The table's files, by bucket, each with the number of the commit that brought it."""
    sql = 'SELECT grid_partition, year, sequence_number, file_path FROM "items$files"'
    listed = subprocess.run([bench.binary, "sql", sql, *at(folder), "--output", "json"], check=True, stdout=subprocess.PIPE).stdout
    buckets = {}
    for file in json.loads(listed):
        path = file["file_path"].removeprefix("file://")
        buckets.setdefault((file["grid_partition"], file["year"]), []).append((file["sequence_number"], path))
    return buckets


def ours(bench, folder, *flags):
    return [bench.binary, "compact", *at(folder), "--output", "json", "--workers", str(bench.workers), *flags]


class Ours:
    def __init__(self, bench, folder, buckets):
        self.bench, self.folder, self.buckets = bench, folder, buckets

    def __call__(self):
        # In the same place: the catalog holds absolute paths.
        before, after = self.folder.with_suffix(".before"), self.bench.new_folder() / "after"
        self.folder.rename(before)
        shutil.copytree(before, self.folder)
        _, figures = measured(ours(self.bench, self.folder))
        files = live(self.bench, self.folder)
        answer = contents(self.bench, [path for bucket in self.buckets for _, path in files[bucket]])
        self.folder.rename(after)
        before.rename(self.folder)
        return answer, figures


class Peer:
    def __init__(self, bench, script, plan):
        self.bench, self.script, self.plan = bench, script, plan

    def __call__(self):
        out = self.bench.new_folder() / "compacted"
        _, figures = measured(self.bench.peers.script(self.script, self.plan, out, str(self.bench.workers)))
        return contents(self.bench, f"{out}/**/*.parquet"), figures


def contents(bench, files):
    what = "count(*), count(DISTINCT (grid_partition, year(datetime))), bit_xor(hash((grid_partition, id, updated)))"
    return Ids(bench).ask(what, f"read_parquet({files!r}, hive_partitioning = false)", "SET TimeZone = 'UTC';")


def reference(bench, items):
    shards = bench.data.made(bench.work / f"reference-shards-{items}", lambda new: subprocess.run(
        bench.reference.script("reference_shards", new, *bench.data.deliveries(items)), check=True))
    out = bench.new_folder() / "reference"
    log(f"compact {items:,} Items: reference")
    _, figures = measured(bench.reference.script("reference_compact", shards, out, str(bench.workers)))
    partitions = json.loads((shards / "shards.json").read_text()).values()
    rows, files = sum(rows for of in partitions for _, rows in of), sum(len(of) for of in partitions)
    size = {"items": items, "rows": rows, "buckets": len(partitions), "files": files}
    return {**size, "engine": "reference", **figures, "per_cpu_s": round(rows / figures["cpu_s"])}
