"""The Items that all cases use: made by `earthcatalog demo`, which is seeded, and kept in the suite's folder.

Block k is what the demo makes of seed k, without what is no Item by intent and without repeated ids, in the order of its
inventory. A set of N Items is the first N of blocks 0, 1, …: a larger set extends a smaller one.
"""

import csv
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from process import log

BLOCK = 10_000
# At least so many objects of a block are Items to use.
USABLE = 8_500
DELIVERIES = 10
# Of each delivery but the first, one Item in five repeats one of the delivery before, processed anew.
REPEATED = 4
# What every peer's reader takes; some stop at others.
MEMBERS = {"type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "properties", "links", "assets", "collection"}
UPDATED = re.compile(r'"updated":"[^"]*"')
REPROCESSED = '"updated":"2025-09-01T00:00:00Z"'


class Data:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder

    def ndjson(self, items):
        """A file with one Item a line."""
        path = self.folder / f"items-{items}.ndjson"
        return self.made(path, lambda new: self.write_ndjson(new, items))

    def files(self, items):
        """Folder `bucket` with one object per Item, indented as the bucket's are, and `inventory.csv`, which lists them."""
        return self.made(self.folder / f"files-{items}", lambda new: self.write_files(new, items))

    def deliveries(self, items):
        """Ten NDJSON files, of which a later one repeats Items of the one before, with a later `updated`."""
        folder = self.made(self.folder / f"deliveries-{items}", lambda new: self.write_deliveries(new, items))
        return sorted(folder.iterdir())

    def warehouse(self, items):
        """A compacted warehouse without old files: folder `warehouse`, and `catalog.db`. Its paths are absolute."""
        folder = self.folder / f"warehouse-{items}"
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self.run("ingest", *at(folder), "--inventory", self.ndjson(items))
            self.run("compact", *at(folder), "--retain", "0s")
            (folder / "complete").touch()
        return folder

    def run(self, *words):
        log(f"earthcatalog {words[0]}, to prepare")
        subprocess.run([self.binary, *words], check=True, stdout=subprocess.DEVNULL)

    def made(self, path, write):
        """`path`, made unless it is there; never half of it."""
        if not path.exists():
            log(f"making {path.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(path.name + ".new")
            shutil.rmtree(new, ignore_errors=True)
            write(new)
            new.rename(path)
        return path

    def write_ndjson(self, path, items):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.block, range(-(-items // USABLE))))
        with open(path, "w") as out:
            for block in range(sys.maxsize):
                with open(self.block(block)) as lines:
                    for line in lines:
                        out.write(line)
                        items -= 1
                        if not items:
                            return

    def write_files(self, folder, items):
        (folder / "bucket").mkdir(parents=True)
        with open(self.ndjson(items)) as lines, open(folder / "inventory.csv", "w") as inventory:
            inventory.write("bucket,key\n")
            for line in lines:
                item = json.loads(line)
                href = item["assets"]["data"]["href"]
                key = href.split("/", 3)[3].removesuffix(".nc") + ".stac.json"
                path = folder / "bucket" / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(item, indent=2))
                inventory.write(f",{key}\n")

    def write_deliveries(self, folder, items):
        folder.mkdir(parents=True)
        size = -(-items // DELIVERIES)
        with open(self.ndjson(items)) as lines:
            before = []
            for number in range(DELIVERIES):
                delivery = [line for line, _ in zip(lines, range(size))]
                repeated = [UPDATED.sub(REPROCESSED, line) for line in before[::REPEATED]]
                (folder / f"{number}.ndjson").write_text("".join(delivery + repeated))
                before = delivery

    def block(self, number):
        return self.made(self.folder / "blocks" / f"{number:03}.ndjson", lambda new: self.write_block(new, number))

    def write_block(self, path, number):
        # In memory where there is such a folder: they are thousands of files, and soon deleted.
        memory = Path("/dev/shm")
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else self.folder) as folder, open(path, "w") as out:
            demo = [self.binary, "demo", "--dir", f"{folder}/demo", "--items", str(BLOCK), "--seed", str(number)]
            subprocess.run(demo, check=True, stdout=subprocess.DEVNULL)
            bucket, ids = Path(folder, "demo/bucket"), set()
            with open(bucket / "inventory.csv") as inventory:
                for row in csv.DictReader(inventory):
                    item = plain(bucket / row["key"])
                    if item and item["id"] not in ids:
                        ids.add(item["id"])
                        out.write(json.dumps(item, separators=(",", ":")) + "\n")


def at(folder):
    """The flags that say where a table is."""
    return ["--catalog", folder / "catalog.db", "--warehouse", folder / "warehouse"]


def plain(path):
    """The Item in a file, if it is one that every engine reads: with id, polygon, datetime, and no members of its own."""
    try:
        item = json.loads(path.read_text())
        datetime.datetime.fromisoformat(item["properties"]["datetime"].replace("Z", "+00:00"))
        position = item["geometry"]["coordinates"][0][0]
        numbers = isinstance(position[0], (int, float))
        return item if item["type"] == "Feature" and isinstance(item["id"], str) and numbers and MEMBERS >= set(item) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
