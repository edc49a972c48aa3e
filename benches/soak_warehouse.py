"""One warehouse of the soak, on disk or on the tests' S3 server: our commands on it, PyIceberg and DuckDB over it."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import duckdb
from pyiceberg.catalog.sql import SqlCatalog

ROOT = Path(__file__).resolve().parent.parent
BUCKET = "bucket"
# A command that takes longer hangs.
LONGEST = 240
WORLD = "-180,-90,180,90"


@dataclasses.dataclass
class Ended:
    """A command that has ended, and how."""

    words: list
    code: int
    out: str
    error: str
    seconds: float

    @property
    def killed(self):
        return self.code == -signal.SIGKILL

    @property
    def json(self):
        return json.loads(self.out)


class Hangs(Exception):
    """A command did not end."""


class Warehouse:
    def __init__(self, binary, folder, s3=None):
        """`s3`: the address of a server with bucket `bucket`; without one, the warehouse is in the folder."""
        self.binary, self.folder, self.s3 = binary, folder, s3
        place = f"s3://{BUCKET}/soak" if s3 else str(folder)
        self.catalog, self.location = f"{place}/catalog.db", f"{place}/warehouse"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("EARTHCATALOG_")}
        self.environment |= {"EARTHCATALOG_CATALOG": self.catalog, "EARTHCATALOG_WAREHOUSE": self.location,
                             "EARTHCATALOG_WORKERS": "2"}
        if s3:
            self.environment |= {"AWS_ENDPOINT_URL": s3, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
                                 "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
            self.client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1", aws_access_key_id="test",
                                       aws_secret_access_key="test")

    def run(self, words, started=lambda process: None):
        """Runs a command to its end. `started` is given its process."""
        words, begun = [str(word) for word in words], time.monotonic()
        process = subprocess.Popen([self.binary, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment, cwd=self.folder)
        started(process)
        try:
            out, error = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Hangs(f"{words} has not ended in {LONGEST} s: {process.communicate()[1]}") from None
        return Ended(words, process.returncode, out, error, time.monotonic() - begun)

    def table(self):
        """The table as PyIceberg opens it."""
        if not self.s3:
            return SqlCatalog("earthcatalog", uri=f"sqlite:///{self.catalog}").load_table("earthcatalog.items")
        access = {"s3.endpoint": self.s3, "s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": "us-east-1"}
        with tempfile.NamedTemporaryFile(suffix=".db") as copy:
            self.client.download_fileobj(BUCKET, "soak/catalog.db", copy)
            copy.flush()
            catalog = SqlCatalog("earthcatalog", uri=f"sqlite:///{copy.name}", **access)
            return catalog.load_table("earthcatalog.items")

    def duckdb_rows(self, paths):
        """Rows of part files, without the catalog."""
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            files = f"read_parquet({paths!r}, hive_partitioning = false)"
            return connection.execute(f"SELECT collection, id, updated, platform FROM {files}").fetchall()

    def files(self):
        """Paths of all files of the warehouse, relative to it."""
        if not self.s3:
            return {str(path.relative_to(self.location)) for path in Path(self.location).rglob("*") if path.is_file()}
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="soak/warehouse/")
        return {entry["Key"].removeprefix("soak/warehouse/") for page in pages for entry in page.get("Contents", [])}


@contextlib.contextmanager
def warehouse(where, binary, folder):
    """An empty warehouse, `disk` or `s3`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if where == "disk":
        yield Warehouse(binary, folder)
        return
    words = [sys.executable, ROOT / "tests/interop/s3_server.py", folder / "requests.log", BUCKET]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        # It ends with its standard input, which is closed behind this, and at the latest with this process.
        yield Warehouse(binary, folder, server.stdout.readline().strip())
