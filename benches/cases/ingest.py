"""Ingest: NDJSON, single files with an inventory, and single files by HTTP, from a server on this machine.

By HTTP the Python reference is beside it, which reads in no other way; its input is a table of URLs, its grid and years are
ours, and it keeps an Item in one cell alone, so that it has fewer rows. Both end with the same ids. The reference runs once.
"""

import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

from bench import Ids
from data import at
from process import measured

TITLE = "Ingest"
UNIT = "Items"
COLUMNS = ["items", "from", "engine", "wall_s", "cpu_s", "per_cpu_s", "peak_mb", "read_mb", "written_mb", "rows", "files"]
# From here on a run is long enough to need no other.
LONG = 1_000_000


def key(row):
    return row["items"], row["from"]


def cost(row):
    return row["cpu_s"] / row["items"]


def run(bench):
    return list(cases(bench))


def cases(bench):
    for items in bench.scale.items:
        yield from by_turns(bench, items, "NDJSON", {"earthcatalog": Ours(bench, bench.data.ndjson(items))})
    for items in bench.scale.files:
        folder = bench.data.files(items)
        ours = Ours(bench, folder / "inventory.csv", "--base", folder / "bucket")
        yield from by_turns(bench, items, "single files", {"earthcatalog": ours})
    for items in bench.scale.served:
        folder = bench.data.files(items)
        with served(folder / "bucket") as url:
            engines = {"earthcatalog": Ours(bench, folder / "inventory.csv", "--base", url)}
            if bench.reference:
                engines["reference"] = Reference(bench, folder, url)
            yield from by_turns(bench, items, "HTTP", engines, runs=1)


def by_turns(bench, items, source, engines, runs=None):
    runs = runs or (1 if items >= LONG else bench.runs)
    for engine, figures in bench.alternate(f"ingest {items:,} Items, {source}", engines, runs=runs).items():
        yield {"items": items, "from": source, "engine": engine, **figures, "per_cpu_s": round(items / figures["cpu_s"])}


class Ours:
    def __init__(self, bench, inventory, *flags):
        self.bench, self.ids = bench, Ids(bench)
        self.words = [bench.binary, "ingest", "--inventory", inventory, "--workers", str(bench.workers), "--output", "json", *flags]

    def __call__(self):
        folder = self.bench.new_folder()
        text, figures = measured([*self.words, *at(folder)])
        report = json.loads(text)
        return self.ids.below(folder / "warehouse"), figures | {"rows": report["rows"], "files": report["files"]}


class Reference:
    def __init__(self, bench, folder, url):
        self.bench, self.ids, self.urls = bench, Ids(bench), bench.work / "urls.parquet"
        keys = [line.rstrip("\n").split(",")[1] for line in open(folder / "inventory.csv")][1:]
        make = "import sys, pandas; pandas.DataFrame({'url': sys.stdin.read().split()}).to_parquet(sys.argv[1])"
        subprocess.run([bench.reference.python, "-c", make, self.urls], input="\n".join(url + key for key in keys), text=True, check=True)

    def __call__(self):
        folder = self.bench.new_folder()
        words = [self.bench.reference.python.parent / "stac-ingest", "--input", self.urls, "--output", folder / "out"]
        words += ["--scratch", folder / "scratch", "--workers", str(self.bench.workers), "--grid", "h3", "--grid-resolution", "1"]
        words += ["--temporal-bin", "year", "--mission-field", "platform", "--disable-global-partitioning"]
        _, figures = measured(words, cwd=folder)
        files = len(list((folder / "out").rglob("items.parquet")))
        ids, rows = self.ids.below(folder / "out", "items.parquet"), self.ids.rows(folder / "out", "items.parquet")
        return ids, figures | {"rows": rows, "files": files}


@contextlib.contextmanager
def served(folder):
    """A web server over a folder, on a port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, Path(__file__).with_name("server.py"), str(port), folder])
    try:
        deadline = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()
