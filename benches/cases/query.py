"""Questions over a compacted warehouse: whole processes, from start to printed answer.

Each question is asked of `item_cells` (rows as stored) and of `items` (each Item once, in its newest version).

- DuckDB is its own command line over the hive layout, with the year as partition, the bounds by hand, ST_Intersects from
  its spatial extension; each Item once by DISTINCT ON (id), which is enough where buckets are compact.
- "DuckDB, listed" reads the files that `earthcatalog paths` lists for the place and time, which takes no part in its time.
- The reference reads its own layout (cell of the Item, year) as its documentation says: `resolve_partitions`,
  `generate_query_paths`, DuckDB in Python. The layout is made with its function for the key of an Item and geopandas, but
  not by its ingest, which would take days. It keeps an Item in one of its cells alone, so it may miss some: "found" says.

All answers but the reference's equal those of DuckDB over all rows in memory, without pruning, where an Item is once what
its newest version says. "new process": files in the page cache; "off disk": taken out of it before; "same process": the
mean of further answers of one process.
"""

import csv
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from data import at
from process import forget, log, measured

TITLE = "Questions"
COLUMNS = ["question", "table", "engine", "new_process_s", "off_disk_s", "same_process_s", "cpu_s", "peak_mb", "read_mb", "found"]
def key(row):
    return row["items"], row["question"], row["table"]


def cost(row):
    return row["new_process_s"]


# How often a process that is asked several times is asked again.
AGAIN = 5
POINT = (18.0, 78.8)
REGION = [(-144, 60), (-139, 60), (-139, 61.5), (-142, 62), (-144, 61), (-144, 60)]


class Question:
    """SQL in three dialects: this project's, DuckDB's over the files, and DuckDB's over all rows without any pruning."""

    def __init__(self, name, select, rest, shape=None, years=None, platform=None):
        self.name, self.select, self.rest, self.shape, self.years, self.platform = name, select, rest, shape, years, platform

    @property
    def wkt(self):
        positions = ", ".join(f"{x} {y}" for x, y in self.shape)
        return f"POINT({positions})" if len(self.shape) == 1 else f"POLYGON(({positions}))"

    @property
    def period(self):
        return f"{self.years[0]}-01-01", f"{self.years[1]}-12-31"

    def where(self, *more):
        words = list(more)
        if self.shape:
            words.append(f"ST_Intersects(geometry, ST_GeomFromText('{self.wkt}'))")
        if self.years:
            words.append(f"datetime >= '{self.years[0]}-01-01T00:00:00Z' AND datetime < '{self.years[1] + 1}-01-01T00:00:00Z'")
        if self.platform:
            words.append(f"platform = '{self.platform}'")
        return f"WHERE {' AND '.join(words)}" if words else ""

    def ours(self, table):
        return f"SELECT {self.select} FROM {table} {self.where()} {self.rest}".strip()

    def duckdb(self, table, files):
        more = []
        if self.shape:
            (xs, ys) = zip(*self.shape)
            more.append(f"xmin <= {max(xs)} AND xmax >= {min(xs)} AND ymin <= {max(ys)} AND ymax >= {min(ys)}")
        if self.years:
            more.append(f"year BETWEEN {self.years[0]} AND {self.years[1]}")
        rows = f"read_parquet({files}, hive_partitioning = true) {self.where(*more)}"
        if table == "items" and self.name == "count":
            return f"SELECT count(DISTINCT id) FROM {rows}"
        if table == "items":
            rows = f"(SELECT DISTINCT ON (id) id, platform, datetime, percent_valid_pixels FROM {rows})"
        return f"SELECT {self.select} FROM {rows} {self.rest}"

    def unpruned(self, table):
        newest = "(FROM raw QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST) = 1)"
        return f"SELECT {self.select} FROM {newest if table == 'items' else 'raw'} {self.where()} {self.rest}"


SUMMARY = "platform, count(*) AS n, sum(percent_valid_pixels) AS valid, min(datetime) AS first, max(datetime) AS last"
QUESTIONS = [
    Question("point, year, platform", "id, datetime, percent_valid_pixels", "ORDER BY id", [POINT], (2019, 2019), "LC08"),
    Question("region, five years", SUMMARY, "GROUP BY platform ORDER BY platform", REGION, (2015, 2019)),
    Question("group-by over all", SUMMARY, "GROUP BY platform ORDER BY platform"),
    Question("count", "count(*)", ""),
]
TABLES = ["item_cells", "items"]


def run(bench):
    return [row for items in bench.scale.queried for row in questions(bench, items)]


def questions(bench, items):
    folder = bench.data.warehouse(items)
    live = f"'{folder}/warehouse/grid_partition=*/year=*/*.parquet'"
    expected = unpruned(bench, live) if bench.peers else {}
    if bench.peers and expected["count", "items"] != ((str(items),),):
        sys.exit(f"{items:,} Items were ingested, and {expected['count', 'items']} are in the warehouse")
    rows = []
    for question in QUESTIONS:
        for table in TABLES:
            engines = {"earthcatalog": Ours(bench, folder, question, table)}
            if bench.peers:
                engines["DuckDB"] = DuckDb(bench, question.duckdb(table, live))
            # The list names each Item's file in one of its cells at least, not each row's.
            if bench.peers and question.shape and table == "items":
                engines["DuckDB, listed"] = DuckDb(bench, question.duckdb(table, listed(bench, folder, question)))
            rows += asked(bench, items, folder, question, table, engines, expected.get((question.name, table)))
        if bench.reference and question.shape:
            rows.append(reference(bench, items, question, expected[question.name, "items"]))
    return rows


def asked(bench, items, folder, question, table, engines, expected):
    what = f"{question.name}, {table}, {items:,} Items"
    expectation = {"DuckDB without pruning": lambda: (expected, {"wall_s": 0.0})} if expected is not None else {}
    new = bench.alternate(what, expectation | {name: engine.once for name, engine in engines.items()}, by="wall_s")
    off_disk = again = {}
    if bench.disk:
        cold = {name: lambda engine=engine: (forget(folder), engine.once())[1] for name, engine in engines.items()}
        off_disk = bench.alternate(what + ", off disk", cold, by="wall_s")
    several = {name: engine.again for name, engine in engines.items() if engine.several}
    if several:
        again = bench.alternate(what + f", {1 + AGAIN} times", several, by="wall_s")
    for engine in engines:
        figures = new[engine]
        row = {"items": items, "question": question.name, "table": table, "engine": engine, "new_process_s": figures["wall_s"]}
        if engine in off_disk:
            row |= {"off_disk_s": off_disk[engine]["wall_s"], "disk_read_mb": off_disk[engine].get("disk_read_mb")}
        if engine in again:
            row["same_process_s"] = max(0.0, (again[engine]["wall_s"] - figures["wall_s"]) / AGAIN)
        yield {**figures, **row}


class Ours:
    def __init__(self, bench, folder, question, table):
        self.bench, self.flags, self.sql = bench, [*at(folder), "--workers", str(bench.workers), "--output", "csv"], question.ours(table)
        # Several statements in one process.
        self.several = "--file" in measured([bench.binary, "sql", "--help"])[0]

    def once(self):
        text, figures = measured([self.bench.binary, "sql", self.sql, *self.flags])
        return answer(text), figures

    def again(self):
        script = self.bench.work / "question.sql"
        script.write_text(f"{self.sql};\n" * (1 + AGAIN))
        text, figures = measured([self.bench.binary, "sql", "--file", script, *self.flags])
        return answer(text, 1 + AGAIN), figures


class DuckDb:
    several = True

    def __init__(self, bench, sql):
        self.binary, self.script = bench.peers.duckdb, bench.work / "question.sql"
        spatial = f"LOAD '{bench.peers.spatial}'; " if "ST_" in sql else ""
        self.settings, self.sql = f"SET threads = {bench.workers}; SET TimeZone = 'UTC'; {spatial}", sql

    def once(self):
        return self.ask(1)

    def again(self):
        return self.ask(1 + AGAIN)

    def ask(self, times):
        # Not an argument: lists of files are longer than the system lets one be.
        self.script.write_text(self.settings + f"{self.sql};\n" * times)
        text, figures = measured([self.binary, "-csv", "-f", self.script])
        return answer(text, times), figures


TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00)$")


def answer(text, times=1):
    """The rows of a CSV answer, without header and with one way to write times; of equal answers one."""
    rows = [tuple(TIME.sub(lambda t: f"{t[1]}T{t[2]}.{t[3] or '':0<6}Z", cell) for cell in row) for row in csv.reader(io.StringIO(text))]
    size, left_over = divmod(len(rows), times)
    answers = {tuple(rows[n * size + 1:(n + 1) * size]) for n in range(times)}
    return answers.pop() if len(answers) == 1 and not left_over else sorted(answers)


def unpruned(bench, files):
    """The answers over all rows, in memory: by question and table."""
    log("answers without pruning")
    columns = "id, platform, datetime, percent_valid_pixels, updated, created, geometry"
    words = [f"CREATE TABLE raw AS SELECT {columns} FROM read_parquet({files}, hive_partitioning = false)"]
    with tempfile.TemporaryDirectory(dir=bench.work) as folder:
        asked = [(question, table) for question in QUESTIONS for table in TABLES]
        for n, (question, table) in enumerate(asked):
            words.append(f"COPY ({question.unpruned(table)}) TO '{folder}/{n}.csv' (HEADER)")
        DuckDb(bench, "; ".join(words)).once()
        return {(q.name, table): answer(Path(folder, f"{n}.csv").read_text()) for n, (q, table) in enumerate(asked)}


def listed(bench, folder, question):
    start, end = question.period
    words = ["paths", *at(folder), "--geometry", question.wkt, "--start", start, "--end", end]
    return str(measured([bench.binary, *words])[0].split())


def reference(bench, items, question, expected):
    """The documented way: how long, and how many of the Items it finds."""
    layout = bench.data.made(bench.work / f"reference-layout-{items}", lambda new: measured(
        bench.reference.script("reference_layout", bench.data.ndjson(items), new)))
    asked = {"shape": question.shape, "years": question.years, "platform": question.platform}
    command = bench.reference.script("reference_query", layout, json.dumps(asked), bench.reference.spatial)
    best, text = None, ""
    for run in range(bench.runs):
        log(f"{question.name}, {items:,} Items: reference, run {run + 1}")
        text, figures = measured(command, env=os.environ | {"OMP_NUM_THREADS": str(bench.workers)})
        if best is None or figures["wall_s"] < best["wall_s"]:
            best = figures
    all_items = len(expected) if question.name.startswith("point") else sum(int(row[1]) for row in expected)
    row = {"items": items, "question": question.name, "table": "items", "engine": "reference", "new_process_s": best["wall_s"]}
    return {**best, **row, "found": f"{int(text)} of {all_items}"}
