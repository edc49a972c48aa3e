#!/usr/bin/env python3
"""Compaction measured from outside: time, CPU and memory of whole processes, beside DuckDB, polars and the Python reference.

    cargo build --release
    benches/compact.py --data ../shared/data

Makes ITS_LIVE-like Items with the data folder's generator (seeded; one in five repeats an earlier id), delivers them to a
warehouse in ten ingests, and lets each engine merge the part files of the buckets with two files or more: one file per
bucket, with the newest version of each id, sorted by platform and datetime, zstd. DuckDB does it in one query (QUALIFY,
COPY … PARTITION_BY), polars bucket by bucket. The results are compared: as many rows in as many buckets.

The Python reference (NASA ITS_LIVE's earthcatalog 0.4.2) merges on its own layout, which it made of the same deliveries:
an Item is in one partition (first cell of its footprint, year), so that it has fewer rows, and each delivery leaves a
GeoParquet shard per partition, with assets and properties as columns. Its `consolidate_partition` reads the shards of a
partition into a data frame, keeps one version of each id, sorts by datetime and writes one file (snappy); a thread pool
of its own runs it for each partition with two shards or more. It takes minutes: --reference-items says at which sizes.

CPU is user and system time of the process; rows are those read. The files are in the page cache. Python 3.10 or later,
standard library; the peers get their own environment.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import process
from process import log, measured

PEERS = ["duckdb==2.0.0", "polars==2.1.0", "pyiceberg[sql-sqlite,pyarrow]==0.11.0"]
REFERENCE = "earthcatalog==0.4.2"
SEED = 11
DELIVERIES = 10

# The live files by bucket, with the sequence number of their commit: what a compaction knows from metadata.
LIVE = """
import json, sys
from pyiceberg.catalog.sql import SqlCatalog
table = SqlCatalog("earthcatalog", uri=f"sqlite:///{sys.argv[1]}").load_table("earthcatalog.items")
buckets = {}
for manifest in table.current_snapshot().manifests(table.io):
    for entry in manifest.fetch_manifest_entry(table.io):
        path = entry.data_file.file_path.removeprefix("file://")
        buckets.setdefault(path.rsplit("/", 1)[0], []).append((entry.sequence_number, path))
"""

PLAN = LIVE + """
json.dump([sorted(files) for files in buckets.values() if len(files) > 1], open(sys.argv[2], "w"))
"""

DUCKDB = """
import duckdb, json, sys
buckets, out, threads = json.load(open(sys.argv[1])), sys.argv[2], int(sys.argv[3])
database = duckdb.connect(config={"threads": threads})
database.execute("CREATE TABLE live (filename VARCHAR, sequence BIGINT)")
database.executemany("INSERT INTO live VALUES (?, ?)", [(path, n) for files in buckets for n, path in files])
paths = [path for files in buckets for _, path in files]
database.execute(f'''
    COPY (
        SELECT * EXCLUDE (filename, sequence, year), year
        FROM (SELECT *, date_part('year', datetime) AS year FROM read_parquet({paths}, filename = true, hive_partitioning = false))
        JOIN live USING (filename)
        QUALIFY row_number() OVER (
            PARTITION BY grid_partition, year, id
            ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC) = 1
        ORDER BY grid_partition, year, platform NULLS LAST, datetime NULLS LAST
    ) TO '{out}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (grid_partition, year), WRITE_PARTITION_COLUMNS true)''')
"""

POLARS = """
import json, os, sys
import polars as pl
buckets, out = json.load(open(sys.argv[1])), sys.argv[2]
for n, files in enumerate(buckets):
    rows = pl.concat([pl.read_parquet(path, hive_partitioning=False).with_columns(pl.lit(s).alias("sequence")) for s, path in files])
    rows = rows.sort(["updated", "created", "sequence"], descending=True, nulls_last=True)
    rows = rows.unique("id", keep="first", maintain_order=True).drop("sequence")
    rows = rows.sort(["platform", "datetime"], nulls_last=True)
    folder = os.path.join(out, "/".join(files[0][1].split("/")[-3:-1]))
    os.makedirs(folder, exist_ok=True)
    rows.write_parquet(os.path.join(folder, f"{n}.parquet"), compression="zstd", compression_level=3)
"""

# The shards that the reference's workers write of each delivery, by partition: what its consolidation is given.
REFERENCE_SHARDS = """
import json, logging, sys
logging.disable(logging.CRITICAL)
from earthcatalog.grid_systems import get_grid_system
from earthcatalog.workers import _get_partition_key, _write_shard_to_scratch
lines, out, deliveries = open(sys.argv[1]).readlines(), sys.argv[2], int(sys.argv[3])
grid, shards = get_grid_system("h3", resolution=1), {}
for n in range(deliveries):
    partitions = {}
    for line in lines[n * len(lines) // deliveries:(n + 1) * len(lines) // deliveries]:
        item = json.loads(line)
        partitions.setdefault(_get_partition_key(item, grid, "year", False, 0), []).append(item)
    for partition, items in partitions.items():
        shard = _write_shard_to_scratch(items, partition, out, f"w{n}", 0)
        shards.setdefault(partition, []).append((shard["shard_path"], shard["item_count"]))
json.dump({partition: files for partition, files in shards.items() if len(files) > 1}, open(f"{out}/shards.json", "w"))
"""

REFERENCE_CONSOLIDATE = """
import json, logging, sys
logging.disable(logging.CRITICAL)
from earthcatalog.ingestion_pipeline import LocalProcessor, ProcessingConfig
from earthcatalog.workers import consolidate_partition
shards, out, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
partitions = [(name, [path for path, _ in files]) for name, files in json.load(open(f"{shards}/shards.json")).items()]
config = ProcessingConfig(input_file="", output_catalog=out, scratch_location=shards, grid_resolution=1, temporal_bin="year")
done = LocalProcessor(n_workers=workers).consolidate_shards(partitions, consolidate_partition, config_dict=config.to_dict())
sys.exit(any(of["item_count"] == 0 for of in done))
"""

# Rows and buckets of what an engine made: of a folder, or of the compacted buckets of a table.
COUNT = """
import duckdb
def count(files):
    return duckdb.connect().execute(f"SELECT count(*), count(DISTINCT grid_partition || year(datetime)) FROM read_parquet({files!r}, hive_partitioning = false)").fetchall()
"""

COUNT_FOLDER = COUNT + """
import sys
print(count(sys.argv[1] + "/**/*.parquet"))
"""

COUNT_COMPACTED = LIVE + COUNT + """
compacted = {files[0][1].rsplit("/", 1)[0] for files in json.load(open(sys.argv[2]))}
print(count([path for folder, files in buckets.items() if folder in compacted for _, path in files]))
"""


def main():
    parser = process.arguments(__doc__, [7_000, 27_000, 100_000])
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--reference-items", type=int, nargs="*", default=[7_000], help="sizes at which the reference runs, once")
    parser.add_argument("--runs", type=int, default=3, help="the one with the least CPU counts")
    args = parser.parse_args()
    generator = process.generator(args)
    with tempfile.TemporaryDirectory(prefix="earthcatalog-bench-") as temporary:
        bench = Bench(args, generator, (args.dir or Path(temporary)).resolve())
        results = [result for items in args.items for result in bench.size(items)]
    print(table(results))
    if args.json:
        args.json.write_text(json.dumps({"cores": os.cpu_count(), "workers": args.workers, "results": results}, indent=1) + "\n")


class Bench:
    def __init__(self, args, generator, work):
        self.args, self.generator, self.work = args, generator, work
        self.python = work / "peers/bin/python"
        if not self.python.exists():
            log("making the environment of the peers")
            subprocess.run([sys.executable, "-m", "venv", work / "peers"], check=True)
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS]
            subprocess.run([self.python, *install], check=True)

    def size(self, items):
        folder = self.delivered(items)
        plan = self.work / f"buckets-{items}.json"
        self.script(PLAN, folder / "catalog.db", plan)
        dry_run = subprocess.run(self.compact(folder, "--dry-run"), check=True, capture_output=True).stdout
        size = json.loads(dry_run)
        size = {"items": items, "rows": size["rows"], "buckets": len(size["buckets"]), "files": size["files"]}
        engines = {"earthcatalog": self.ours} | ({} if self.args.no_peers else {"DuckDB": self.duckdb, "polars": self.polars})
        best, answers = {}, {}
        for run in range(self.args.runs):
            # Alternating, so that a slow minute of the machine hits all of them.
            for engine, run_engine in engines.items():
                log(f"{items:,} Items, {engine}, run {run + 1}")
                figures, answers[engine] = run_engine(folder, plan)
                if engine not in best or figures["cpu_s"] < best[engine]["cpu_s"]:
                    best[engine] = figures
        if len(set(answers.values())) > 1:
            sys.exit(f"the engines disagree about the rows and buckets that stay: {answers}")
        results = [{**size, "engine": engine, **figures} for engine, figures in best.items()]
        if items in self.args.reference_items and not self.args.no_peers:
            results.append(self.reference(items))
        return results

    def delivered(self, items):
        """A warehouse with ten deliveries. Its catalog holds absolute paths, so that each run works in the same place."""
        folder = self.work / f"delivered-{items}"
        if not folder.exists():
            log(f"generating and delivering {items:,} Items")
            lines = self.work / f"items-{items}.ndjson"
            subprocess.run([sys.executable, self.generator, "--n", str(items), "--seed", str(SEED), "--dup-fraction", "0.2",
                            "--ndjson", lines, "--no-inventory"], check=True, stdout=subprocess.DEVNULL)
            folder.mkdir(parents=True)
            text = lines.read_text().splitlines(keepends=True)
            for n in range(DELIVERIES):
                part = self.work / "delivery.ndjson"
                part.write_text("".join(text[n * len(text) // DELIVERIES:(n + 1) * len(text) // DELIVERIES]))
                ingest = [self.args.binary, "ingest", *self.at(folder), "--inventory", part]
                subprocess.run(ingest, check=True, stdout=subprocess.DEVNULL)
        return folder

    def at(self, folder):
        return ["--catalog", folder / "catalog.db", "--warehouse", folder / "warehouse"]

    def compact(self, folder, *flags):
        return [self.args.binary, "compact", *self.at(folder), "--output", "json", "--workers", str(self.args.workers), *flags]

    def ours(self, folder, plan):
        before = self.work / "before"
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(folder, before)
        _, figures = measured(self.compact(folder))
        answer = self.script(COUNT_COMPACTED, folder / "catalog.db", plan)
        shutil.rmtree(folder)
        shutil.move(before, folder)
        return figures, answer

    def duckdb(self, _, plan):
        return self.peer(DUCKDB, plan)

    def polars(self, _, plan):
        return self.peer(POLARS, plan)

    def reference(self, items):
        """The reference's consolidation of the same deliveries; shards and environment are made once."""
        python, shards = self.work / "reference/bin/python", self.work / f"reference-{items}"
        if not python.exists():
            log("making the environment of the reference")
            subprocess.run([sys.executable, "-m", "venv", self.work / "reference"], check=True)
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", REFERENCE]
            subprocess.run([python, *install], check=True)
        if not (shards / "shards.json").exists():
            log(f"{items:,} Items, shards of the reference")
            lines = self.work / f"items-{items}.ndjson"
            subprocess.run([python, "-c", REFERENCE_SHARDS, lines, shards, str(DELIVERIES)], check=True)
        log(f"{items:,} Items, reference")
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        _, figures = measured([python, "-c", REFERENCE_CONSOLIDATE, shards, out, str(self.args.workers)])
        partitions = json.loads((shards / "shards.json").read_text()).values()
        rows, files = sum(rows for of in partitions for _, rows in of), sum(len(of) for of in partitions)
        return {"items": items, "rows": rows, "buckets": len(partitions), "files": files, "engine": "reference", **figures}

    def peer(self, script, plan):
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        os.environ["POLARS_MAX_THREADS"] = str(self.args.workers)
        _, figures = measured([self.python, "-c", script, plan, out, str(self.args.workers)])
        return figures, self.script(COUNT_FOLDER, out)

    def script(self, script, *arguments):
        done = subprocess.run([self.python, "-c", script, *arguments], check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout


def table(results):
    lines = ["| rows | buckets | files | engine | CPU s | wall s | rows/CPU-s | peak MB |", "|---|---|---|---|---|---|---|---|"]
    for r in results:
        lines.append(f"| {r['rows']:,} | {r['buckets']:,} | {r['files']:,} | {r['engine']} | {r['cpu_s']:.2f} | {r['wall_s']:.2f} "
                     f"| {r['rows'] / r['cpu_s']:,.0f} | {r['peak_mb']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
