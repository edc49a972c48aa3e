#!/usr/bin/env python3
"""Ingest end to end, measured from outside: time, CPU and memory of whole processes, beside the Python reference.

    cargo build --release
    benches/ingest.py --data ../shared/data

Makes ITS_LIVE-like Items with the data folder's generator (seeded), as single files with an inventory and as NDJSON,
and ingests them with the release binary; then a smaller set with `earthcatalog` from PyPI, which fetches by HTTP only,
and with the binary by HTTP from the same server. Prints a Markdown table, and writes JSON with --json.

CPU is user and system time of the process and its children; Items/CPU-s are Items by that. The files are in the page
cache. Python 3.10 or later, standard library; the peer gets its own environment.
"""

import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import process
from process import log, measured

PEER = "earthcatalog==0.4.2"
SEED = 7

# Serves a folder. Python's own command takes five waiting connections, which makes clients of many wait for seconds.
SERVER = """
import functools, http.server, sys
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_message = lambda *_: None
Server(("127.0.0.1", int(sys.argv[1])), functools.partial(Handler, directory=sys.argv[2])).serve_forever()
"""


def main():
    parser = process.arguments(__doc__, [10_000, 100_000])
    parser.add_argument("--peer-items", type=int, default=5_000, help="0: without the peer")
    args = parser.parse_args()
    generator = process.generator(args)

    with contextlib.ExitStack() as stack:
        work = args.dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="earthcatalog-bench-")))
        work.mkdir(parents=True, exist_ok=True)
        out = stack.enter_context(tempfile.TemporaryDirectory(prefix="out-", dir=work))
        bench = Bench(args.binary, generator, work.resolve(), out, args.workers)
        for items in args.items:
            bench.ndjson(items)
            bench.single_files(items)
        if args.peer_items:
            with bench.server(args.peer_items) as url:
                bench.by_http(args.peer_items, url)
                bench.peer(args.peer_items, url)
    print(table(bench.results, args.workers))
    if args.json:
        machine = {"machine": platform.machine(), "cores": os.cpu_count(), "workers": args.workers}
        args.json.write_text(json.dumps({**machine, "results": bench.results}, indent=1) + "\n")


class Bench:
    def __init__(self, binary, generator, work, out, workers):
        self.binary, self.generator, self.work, self.out, self.workers = binary, generator, work, out, workers
        self.results = []

    # -------------------------------------------------------------------------------------------- what is ingested

    def generated(self, items, kind):
        """The folder with a set of Items; made once."""
        folder = self.work / f"{kind}-{items}"
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            where = {"ndjson": ["--ndjson", folder / "items.ndjson", "--no-inventory"]}.get(
                kind, ["--out-dir", folder / "bucket", "--inventory-dir", folder / "inventory", "--weird-keys", "0"]
            )
            log(f"generating {items:,} Items as {kind}")
            command = [sys.executable, self.generator, "--n", str(items), "--seed", str(SEED), *where]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            (folder / "complete").touch()
        # Into the page cache, however long ago they were made.
        for path in folder.rglob("*.json*") if kind == "files" else folder.glob("*.ndjson"):
            path.read_bytes()
        return folder

    # -------------------------------------------------------------------------------------------- who ingests it

    def ndjson(self, items):
        self.ingest(f"NDJSON, {items:,}", self.generated(items, "ndjson") / "items.ndjson", [])

    def single_files(self, items):
        folder = self.generated(items, "files")
        inventory, bucket = folder / "inventory" / "inventory.csv", folder / "bucket"
        self.ingest(f"single files, {items:,}", inventory, ["--base", bucket])

    def by_http(self, items, url):
        inventory = self.generated(items, "files") / "inventory" / "inventory.csv"
        self.ingest(f"by HTTP, {items:,}", inventory, ["--base", url])

    def ingest(self, what, inventory, flags):
        # Removed at the end: ext4 takes many times as long to create files just after many were deleted.
        folder = tempfile.mkdtemp(dir=self.out)
        command = [self.binary, "ingest", "--inventory", inventory, "--catalog", f"{folder}/catalog.db"]
        command += ["--warehouse", f"{folder}/warehouse", "--workers", str(self.workers), "--output", "json", *flags]
        log(f"earthcatalog: {what}")
        os.sync()
        output, figures = measured(command)
        report = json.loads(output)
        self.add("earthcatalog", what, report["items"], figures, report["rows"], report["files"])

    @contextlib.contextmanager
    def server(self, items):
        """A web server over the single files, on a port of this machine."""
        bucket = self.generated(items, "files") / "bucket"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-c", SERVER, str(port), bucket]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < deadline:
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()
            server.wait()

    def peer(self, items, url):
        python = self.work / "peer/bin/python"
        if not python.exists():
            log(f"installing {PEER} from PyPI")
            subprocess.run([sys.executable, "-m", "venv", self.work / "peer"], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
        bucket = self.generated(items, "files") / "bucket"
        keys = sorted(str(path.relative_to(bucket)) for path in bucket.rglob("*.stac.json"))
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            # Its input: a table with a column of URLs.
            make = "import sys, pandas; pandas.DataFrame({'url': sys.stdin.read().split()}).to_parquet(sys.argv[1])"
            urls = "\n".join(url + key for key in keys)
            subprocess.run([python, "-c", make, f"{folder}/urls.parquet"], input=urls, text=True, check=True)
            command = [python.parent / "stac-ingest", "--input", f"{folder}/urls.parquet", "--output", f"{folder}/out"]
            command += ["--scratch", f"{folder}/scratch", "--workers", str(self.workers), "--grid", "h3"]
            command += ["--grid-resolution", "1", "--temporal-bin", "year", "--mission-field", "platform"]
            command += ["--disable-global-partitioning"]
            log(f"{PEER}: {items:,} Items by HTTP")
            _, figures = measured(command, cwd=folder)
            files = list(Path(folder, "out").rglob("*.parquet"))
            count = "import sys, pyarrow.parquet as p; print(sum(p.read_metadata(f).num_rows for f in sys.stdin.read().split('\\n') if f))"
            counted = subprocess.run([python, "-c", count], input="\n".join(map(str, files)), text=True, check=True, capture_output=True)
        self.add(f"{PEER} (Python)", f"by HTTP, {items:,}", items, figures, int(counted.stdout), len(files))

    def add(self, who, what, items, figures, rows, files):
        per_cpu = round(items / figures["cpu_s"])
        self.results.append({"who": who, "what": what, "items": items, "rows": rows, "files": files, **figures, "items_per_cpu_s": per_cpu})


def table(results, workers):
    lines = [
        f"{workers} workers, {platform.machine()}",
        "",
        "| who | what | wall s | CPU s (user + system) | Items/CPU-s | peak MB | rows | files |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in results:
        cpu = f"{r['cpu_s']:.1f} ({r['user_s']:.1f} + {r['system_s']:.1f})"
        lines.append(
            f"| {r['who']} | {r['what']} | {r['wall_s']:.1f} | {cpu} | {r['items_per_cpu_s']:,} "
            f"| {r['peak_mb']:,} | {r['rows']:,} | {r['files']:,} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
