"""Planning and committing at tables of about 100, 5,000 and 50,000 small files.

Whole processes. "plan": EXPLAIN of a question about a point, a year and a platform, which reads metadata alone; PyIceberg's is
`plan_files` with the same bounds, and it has to choose as many files; DuckDB's is EXPLAIN over the hive layout, of which it
lists the folders and opens what it needs for its schema. "append": an ingest of one Item, the rows of some cells, to the table;
PyIceberg appends the same rows, from a file, to a table of its own. "replace": a compaction of one bucket of two files.
"""

import json
import re
import subprocess

from data import at
from process import measured

TITLE = "The table: planning and committing"
COLUMNS = ["files", "what", "engine", "wall_s", "cpu_s", "peak_mb", "read_mb", "written_mb"]

# Small cells, so that few Items make many files.
RESOLUTION = "3"
BOUNDS = "xmin <= 18.0 AND xmax >= 18.0 AND ymin <= 78.8 AND ymax >= 78.8 AND platform = 'LC08'"
YEAR = "datetime >= '2019-01-01T00:00:00+00:00' AND datetime < '2020-01-01T00:00:00+00:00'"
POINT = "ST_Intersects(geometry, ST_Point(18.0, 78.8)) AND platform = 'LC08'"
FILES = re.compile(r"files=(\d+)/\d+")


def key(row):
    return row["size"], row["what"]


def cost(row):
    return row["wall_s"]


def run(bench):
    return [row for size in bench.scale.tables for row in sizes(bench, size)]


def sizes(bench, size):
    items, chunk = {100: (16, 10_000), 5_000: (1_050, 10_000), 50_000: (7_400, 250)}[size]
    tables = {engine: table(bench, items, chunk) for engine in ["ours"] + ["pyiceberg"] * bool(bench.peers)}
    [[files]] = ask(bench, tables["ours"], 'SELECT count(*) FROM "items$files"')
    for what, engines in {
        "plan, rows of a point": planning(bench, tables, "item_cells"),
        "plan, Items at a point": {"earthcatalog": Plan(bench, tables["ours"], "items", POINT)},
        "append an Item": appending(bench, tables),
        "replace a bucket": {"earthcatalog": Replace(bench, tables["ours"])},
    }.items():
        for engine, figures in bench.alternate(f"{what}, {files:,} files", engines, by="wall_s").items():
            yield {"size": size, "files": files, "what": what, "engine": engine, **figures}


def planning(bench, tables, name):
    engines = {"earthcatalog": Plan(bench, tables["ours"], name, BOUNDS)}
    if bench.peers:
        engines["PyIceberg"] = Script(bench, "pyiceberg_plan", tables["ours"], f"{BOUNDS} AND {YEAR}")
        engines["DuckDB"] = DuckDb(bench, tables["ours"])
    return engines


def appending(bench, tables):
    item = bench.work / "one-item.ndjson"
    with open(bench.data.ndjson(10_000)) as lines:
        item.write_text(lines.readlines(1)[0])
    engines = {"earthcatalog": Append(bench, tables["ours"], item)}
    if bench.peers:
        engines["PyIceberg"] = Script(bench, "pyiceberg_append", tables["pyiceberg"], rows_of(bench, item))
    return engines


def table(bench, items, chunk):
    """A table for one engine to change."""
    folder = bench.new_folder()
    bench.data.run("ingest", *at(folder), "--inventory", bench.data.ndjson(10_000), "--limit", str(items),
                   "--chunk-size", str(chunk), "--h3-resolution", RESOLUTION)
    return folder


def rows_of(bench, item):
    """The rows that an Item has in such a table: a folder of part files."""
    folder = bench.new_folder()
    bench.data.run("ingest", *at(folder), "--inventory", item, "--h3-resolution", RESOLUTION)
    return folder / "warehouse"


def ask(bench, folder, sql):
    words = [bench.binary, "sql", sql, *at(folder), "--output", "json"]
    return [list(row.values()) for row in json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)]


class Plan:
    def __init__(self, bench, folder, name, place):
        self.words = [bench.binary, "sql", f"EXPLAIN SELECT id FROM {name} WHERE {place} AND {YEAR}", *at(folder), "--output", "csv"]

    def __call__(self):
        text, figures = measured(self.words)
        # A scan of no file is not in the plan; table `items` reads other versions in a second one.
        return min((int(files) for files in FILES.findall(text)), default=0), figures


class DuckDb:
    def __init__(self, bench, folder):
        files = f"read_parquet('{folder}/warehouse/grid_partition=*/year=*/*.parquet', hive_partitioning = true)"
        sql = f"SET threads = {bench.workers}; EXPLAIN SELECT id FROM {files} WHERE {BOUNDS} AND {YEAR} AND year = 2019"
        self.words = [bench.peers.duckdb, "-c", sql]

    def __call__(self):
        return None, measured(self.words)[1]


class Append:
    def __init__(self, bench, folder, item):
        self.words = [bench.binary, "ingest", *at(folder), "--inventory", item, "--h3-resolution", RESOLUTION]
        self.words += ["--output", "json", "--workers", str(bench.workers)]

    def __call__(self):
        text, figures = measured(self.words)
        return json.loads(text)["rows"], figures


class Script:
    """A script of PyIceberg, which prints a number."""

    def __init__(self, bench, name, folder, argument):
        self.words = bench.peers.script(name, folder / "catalog.db", argument)

    def __call__(self):
        text, figures = measured(self.words)
        return int(text), figures


class Replace:
    def __init__(self, bench, folder):
        self.bench, self.folder = bench, folder

    def __call__(self):
        # The Item that was appended is in the table since its beginning: its buckets have several files.
        item = self.bench.work / "one-item.ndjson"
        subprocess.run(Append(self.bench, self.folder, item).words, check=True, stdout=subprocess.DEVNULL)
        sql = 'SELECT grid_partition, year FROM "items$partitions" WHERE file_count > 1'
        sql += " ORDER BY last_sequence_number DESC, grid_partition LIMIT 1"
        [[cell, year]] = ask(self.bench, self.folder, sql)
        words = [self.bench.binary, "compact", *at(self.folder), "--bucket", f"{cell}/{year}", "--output", "json"]
        text, figures = measured([*words, "--workers", str(self.bench.workers)])
        return None, figures
