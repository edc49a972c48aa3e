"""A day of a large bucket: its inventory beside what the table has ingested, and what is new, changed or gone.

The table has a real part, 10,000 objects that were ingested, and a record of as many more as a bucket like ITS_LIVE's has, whose keys
and times are made: files of 10,000 objects each, as a backfill leaves them, without the Items. The inventory of the next day is
of 134 Parquet files (columns bucket, key, size, last_modified_date, storage_class; no ETag), in another order, and lists all of
them, but for 100 that are gone, and with 300 of which the time is later; 3,000 of its objects are new.

"compare": `incremental --dry-run`, which finds the delta, and fetches nothing. "the day": `incremental`, then `reconcile`.
The reference takes 432 s to compare two inventories of 43.2 million keys, on a machine of its own, and does not look for objects that are gone.
"""

import csv
import json
import subprocess
import sys

from data import at
from process import log, measured

TITLE = "A day of a large bucket"
COLUMNS = ["keys", "what", "engine", "wall_s", "cpu_s", "peak_mb", "read_mb", "written_mb"]
KNOWN, NEW, CHANGED, GONE = 10_000, 3_000, 300, 100
PER_RECORD = 10_000
INVENTORY_FILES = 134
# Of an object i: an odd factor scatters the numbers below 2^32, none twice.
KEY = """concat('velocity_image_pair/landsatOLI/v02/', CASE WHEN k % 3 = 0 THEN 'S' ELSE 'N' END,
    lpad(CAST(k % 9 * 10 AS VARCHAR), 2, '0'), 'W', lpad(CAST(k % 18 * 10 AS VARCHAR), 3, '0'),
    '/LC08_L1TP_', lpad(CAST(k % 65536 AS VARCHAR), 6, '0'), '_', CAST(20130000 + k / 65536 AS VARCHAR), '_',
    CAST(20170000 + j % 1231 AS VARCHAR), '_02_T1_X_LC09_L1GT_', lpad(CAST(k % 65536 AS VARCHAR), 6, '0'), '_',
    CAST(20140000 + j % 65521 AS VARCHAR), '_', CAST(20200000 + j % 1231 AS VARCHAR), '_02_T2_G0120V02_P',
    lpad(CAST(j % 100 AS VARCHAR), 3, '0'), '.stac.json')"""
SECONDS = 1_500_000_000
OBJECTS = "(SELECT i, i * 2654435761 % 4294967296 AS k, i * 40503 % 2147483647 AS j FROM (SELECT value AS i FROM generate_series({}, {})))"


def key(row):
    return row["keys"], row["what"]


def cost(row):
    return row["wall_s"]


def run(bench):
    return [row for keys in bench.scale.days for row in days(bench, keys)]


def days(bench, keys):
    day = Day(bench, keys)
    # The day itself happens once.
    for what, start, runs in [("compare", day.compare, None), ("the day: new and changed", day.incremental, 1),
                              ("the day: gone", day.reconcile, 1)]:
        engines = {"earthcatalog": start}
        for engine, figures in bench.alternate(f"{what}, {keys:,} keys", engines, by="wall_s", runs=runs).items():
            yield {"keys": keys, "what": what, "engine": engine, **figures}


class Day:
    def __init__(self, bench, keys):
        self.bench, self.folder = bench, bench.new_folder()
        self.files = bench.data.files(KNOWN + NEW)
        self.bucket = self.files / "bucket"
        made = keys - (KNOWN + NEW - GONE)
        with open(self.files / "inventory.csv") as inventory:
            names = [row["key"] for row in csv.DictReader(inventory)]
        self.ingest(names[:KNOWN])
        log(f"making the record of {made:,} objects")
        self.record(made)
        log(f"making an inventory of {keys:,} keys")
        self.inventory = self.list(made, names[GONE:])

    def ingest(self, names):
        listed = self.folder / "before.csv"
        self.write(listed, names)
        self.bench.data.run("ingest", *at(self.folder), "--inventory", listed, "--base", self.bucket)

    def write(self, path, names, changed=range(0)):
        with open(path, "w") as out:
            out.write("bucket,key,size,last_modified_date,storage_class\n")
            for number, name in enumerate(names):
                day = 2 if number in changed else 1
                out.write(f",{name},7000,2026-01-0{day}T00:00:00Z,STANDARD\n")

    def record(self, made):
        """Files of record beyond those of the ingest, and the list that the snapshot names."""
        [listed] = (self.folder / "warehouse/metadata").glob("_ingested-*.json")
        document = json.loads(listed.read_text())
        below = self.folder / "warehouse/_ingested/made"
        below.mkdir(parents=True)
        base = self.bucket.as_uri()
        statements, entries = [], []
        for first in range(1, made + 1, PER_RECORD):
            last = min(first + PER_RECORD - 1, made)
            path = below / f"{first}.parquet"
            statements.append(f"""COPY (SELECT concat('{base}/', object) AS object, CAST(NULL AS VARCHAR) AS e_tag,
                CAST(to_timestamp_seconds({SECONDS} + i) AS TIMESTAMP(3) WITH TIME ZONE) AS last_modified, 'made' AS run,
                'its-live' AS collection, concat('item-', CAST(k AS VARCHAR)) AS id
                FROM (SELECT i, k, {KEY} AS object FROM {OBJECTS.format(first, last)})) TO '{path}';""")
            entries.append((path, last - first + 1, (SECONDS + last) * 1000))
        self.sql(statements)
        document["files"] += [{"path": path.as_uri(), "rows": rows, "bytes": path.stat().st_size, "newest": newest}
                              for path, rows, newest in entries]
        listed.write_text(json.dumps(document))

    def list(self, made, names):
        folder = self.folder / "inventory"
        folder.mkdir()
        self.write(self.folder / "now.csv", names, range(CHANGED))
        size, paths, statements = -(-made // INVENTORY_FILES), [], []
        columns = "CAST(NULL AS VARCHAR) AS bucket, key, size, last_modified_date, 'INTELLIGENT_TIERING' AS storage_class"
        for first in reversed(range(1, made + 1, size)):
            paths.append(folder / f"{first}.parquet")
            statements.append(f"""COPY (SELECT {columns} FROM (SELECT {KEY} AS key, 7000 + k % 900 AS size,
                CAST(to_timestamp_seconds({SECONDS} + i) AS TIMESTAMP(3) WITH TIME ZONE) AS last_modified_date
                FROM {OBJECTS.format(first, min(first + size - 1, made))})) TO '{paths[-1]}';""")
        paths.append(folder / "real.parquet")
        statements.append(f"""CREATE EXTERNAL TABLE now STORED AS CSV LOCATION '{self.folder}/now.csv';
            COPY (SELECT {columns} FROM now) TO '{paths[-1]}';""")
        self.sql(statements)
        manifest = folder / "manifest.json"
        manifest.write_text(json.dumps({"destinationBucket": "arn:aws:s3:::inventories", "fileFormat": "Parquet",
                                        "fileSchema": "", "files": [{"key": path.name} for path in paths]}))
        return manifest

    def compare(self):
        return self.counted(lambda report: report["source"]["items"], NEW + CHANGED, "incremental", "--dry-run")

    def incremental(self):
        return self.counted(lambda report: report["items"], NEW + CHANGED, "incremental")

    def reconcile(self):
        return self.counted(lambda report: report["items"], GONE, "reconcile")

    def counted(self, items, number, *words):
        """Figures of a command that finds so many Items; else it ends the suite."""
        words = [*words, "--inventory", self.inventory, "--base", self.bucket, *at(self.folder), "--output", "json"]
        text, figures = measured([self.bench.binary, *words])
        found = items(json.loads(text))
        if found != number:
            sys.exit(f"{words[0]}: {found} Items, where there are {number}")
        return found, figures

    def sql(self, statements):
        subprocess.run([self.bench.binary, "sql", "-"], check=True, input="\n".join(statements), text=True,
                       stdout=subprocess.DEVNULL)
