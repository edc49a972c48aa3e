"""STAC APIs over the same Items, each as its users start it; `with` starts and ends them."""

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from data import at
from process import log

COLLECTION = "itslive"


class Service:
    """A process that answers at `url`, a path without its last slash, and its children."""

    def __init__(self, command, url, **options):
        self.url = url
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True, **options)

    def wait(self):
        deadline = time.monotonic() + 120
        while True:
            try:
                return urllib.request.urlopen(f"{self.url}/", timeout=5).read()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"there is no answer from {self.process.args}")
                time.sleep(0.1)

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait()


def peak_mb(processes):
    """The largest resident size of each process and its children, summed; pages that several share count in each."""
    found, peak = list(processes), 0
    for process in found:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
            found += map(int, children)
            peak += int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1])
    return round(peak * 1024 / 1e6, 1)


def postgresql():
    """The folder with PostgreSQL's programs, if it is installed; Debian keeps them out of the path."""
    found = shutil.which("initdb") or max(glob.glob("/usr/lib/postgresql/*/bin/initdb"), default=None)
    return Path(found).resolve().parent if found else None


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def ours(bench, items):
    port = free_port()
    words = [bench.binary, "serve", "--bind", f"127.0.0.1:{port}", "--workers", str(bench.workers), "--concurrency", "64"]
    with running(Service([*words, *at(collection(bench, items))], f"http://127.0.0.1:{port}")) as service:
        yield service.url, lambda: peak_mb([service.process.pid])


@contextlib.contextmanager
def geoparquet(bench, items):
    """stac-fastapi-geoparquet: one file of stac-geoparquet, and DuckDB for each question."""
    port, file = free_port(), parquet(bench, items)
    words = [bench.file_service.python, "-m", "uvicorn", "stac_fastapi.geoparquet.main:app", "--port", str(port)]
    environment = bench.file_service.variables | {"STAC_FASTAPI_GEOPARQUET_HREF": str(file)}
    with running(Service(words, f"http://127.0.0.1:{port}", env=environment)) as service:
        yield service.url, lambda: peak_mb([service.process.pid])


@contextlib.contextmanager
def rustac(bench, items):
    """rustac's server, over the same file."""
    port = free_port()
    words = [bench.file_service.python.parent / "rustac", "serve", parquet(bench, items), "--addr", f"127.0.0.1:{port}"]
    with running(Service(words, f"http://127.0.0.1:{port}", env=bench.file_service.variables)) as service:
        yield service.url, lambda: peak_mb([service.process.pid])


@contextlib.contextmanager
def pgstac(bench, items):
    """stac-fastapi-pgstac before PostgreSQL, which is loaded anew."""
    folder = bench.new_folder()
    # The server refuses to be run by root.
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    for part in [folder, *folder.parents]:
        with contextlib.suppress(PermissionError):
            part.chmod(part.stat().st_mode | 0o755)
    if user:
        shutil.chown(folder, "postgres")
    programs = postgresql()
    subprocess.run([programs / "initdb", "-D", folder / "db", "-U", "postgres", "--auth=trust"], check=True,
                   stdout=subprocess.DEVNULL, cwd="/", **user)
    port = free_port()
    settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "shared_buffers=1GB",
                "work_mem=64MB", "effective_cache_size=8GB", "max_wal_size=4GB", "jit=off"]
    words = [programs / "postgres", "-D", folder / "db", *(word for setting in settings for word in ("-c", setting))]
    server = subprocess.Popen([str(word) for word in words], cwd="/", stderr=subprocess.DEVNULL, **user)
    try:
        where = {"PGUSER": "postgres", "PGPASSWORD": "none", "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": "postgres"}
        environment = os.environ | where
        load(bench, items, folder, environment)
        listen = free_port()
        words = [bench.service.python, "-m", "uvicorn", "stac_fastapi.pgstac.app:create_app", "--factory", "--port", str(listen)]
        service = Service([*words, "--workers", str(bench.workers)], f"http://127.0.0.1:{listen}", env=environment, cwd=folder)
        with running(service) as service:
            yield service.url, lambda: peak_mb([service.process.pid, server.pid])
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def load(bench, items, folder, environment):
    pypgstac = bench.service.python.parent / "pypgstac"
    subprocess.run([pypgstac, "pgready"], check=True, env=environment, stdout=subprocess.DEVNULL)
    log(f"loading {items:,} Items into pgstac")
    (folder / "collection.json").write_text(json.dumps(document()))
    for words in [["migrate"], ["load", "collections", folder / "collection.json", "--method", "insert"],
                  ["load", "items", of_collection(bench, items), "--method", "insert"]]:
        done = subprocess.run([pypgstac, *words], env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"pypgstac {words[0]}: {done.stderr[-2000:]}")


@contextlib.contextmanager
def running(service):
    try:
        service.wait()
        yield service
    finally:
        service.end()


def document():
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [["1980-01-01T00:00:00Z", None]]}}
    return {"type": "Collection", "stac_version": "1.0.0", "id": COLLECTION, "description": "Items of the suite",
            "license": "various", "extent": extent, "links": []}


def of_collection(bench, items):
    """The Items, all of one collection, which the servers need."""
    def write(new):
        with open(bench.data.ndjson(items)) as lines, open(new, "w") as out:
            for line in lines:
                out.write(json.dumps(json.loads(line) | {"collection": COLLECTION}, separators=(",", ":")) + "\n")
    return bench.data.made(bench.work / f"collection-{items}.ndjson", write)


def collection(bench, items):
    """A compacted warehouse of them."""
    def write(new):
        new.mkdir(parents=True)
        bench.data.run("ingest", *at(new), "--inventory", of_collection(bench, items))
        bench.data.run("compact", *at(new), "--retain", "0s")
    folder = bench.work / f"served-{items}"
    # A table's paths are absolute: it is made where it stays.
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        write(folder)
        (folder / "complete").touch()
    return folder


def parquet(bench, items):
    def write(new):
        bench.data.run("search", *at(collection(bench, items)), "--output", "geoparquet", "--out", new, "--quiet")
    return bench.data.made(bench.work / f"collection-{items}.parquet", write)
