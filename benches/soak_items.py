"""The Items of the soak's writers, and the model: what each finished command must have left of them.

The Items of a writer are its own: nobody else changes them, so that the table must show them as the model does, whatever
else goes on. Items called `shared-…` are delivered by all writers, and never deleted: of these the newest delivery stays.
"""

import copy
import csv
import dataclasses
import datetime
import json
import random
import subprocess
import tempfile
from pathlib import Path

from data import plain

# Every id is in both.
COLLECTIONS = ["a", "b"]
IDS, SHARED_IDS = 20, 5
SHARED = "shared-"
# A version may have the place and time of any of them, so that Items move between buckets.
PLACES = 6
PLATFORMS = ["LC08", "LE07", "S2A"]
FIRST = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
WRITES = {"ingest": 3, "incremental": 3, "backfill": 2, "delete": 1, "update": 1}


def places(binary, seed):
    """Some Items of the demo."""
    with tempfile.TemporaryDirectory() as folder:
        demo = [binary, "demo", "--dir", f"{folder}/demo", "--items", "100", "--seed", str(seed), "--quiet"]
        subprocess.run(demo, check=True, stdout=subprocess.DEVNULL)
        items = (plain(path) for path in sorted(Path(folder, "demo/bucket").rglob("*.json")))
        usable = [item for item in items if item]
    return random.Random(seed).sample(usable, PLACES)


@dataclasses.dataclass
class Call:
    """A command of a writer."""

    kind: str
    words: list
    # What it leaves of the writer's own Items, by collection and id: `updated` and platform, or None.
    leaves: dict
    shared: dict = dataclasses.field(default_factory=dict)
    # Of an incremental run: the objects that are new to the table, with their ETags.
    objects: dict = dataclasses.field(default_factory=dict)
    file: Path | None = None


class Writer:
    """What one writer does next, and what the table must have of it."""

    def __init__(self, number, writers, seed, places, folder):
        self.number, self.writers, self.places = number, writers, places
        self.random, self.again = random.Random(f"{seed}-writer-{number}"), random.Random(f"{seed}-again-{number}")
        self.folder = folder / f"writer-{number}"
        self.folder.mkdir()
        self.prefix = f"w{number}-"
        self.calls = 0
        # By collection and id: `updated` and platform.
        self.items, self.shared = {}, {}
        self.ingested = {}

    def next(self):
        self.calls += 1
        kind = self.random.choices(list(WRITES), WRITES.values())[0]
        if kind in ("delete", "update") and self.items:
            return self.change(kind)
        return self.delivery(kind if kind in ("incremental", "backfill") else "ingest")

    def done(self, call):
        """The call has happened."""
        self.items = self.with_call(call)
        self.shared |= call.shared
        self.ingested |= call.objects

    def over(self, call):
        """The call is not tried again."""
        for name, e_tag in call.objects.items():
            # Its file has a version that the table never got.
            if self.ingested.get(name) != e_tag:
                self.ingested.pop(name, None)
        if call.file:
            call.file.unlink()

    def with_call(self, call):
        return {key: value for key, value in (self.items | call.leaves).items() if value}

    def change(self, kind):
        collection = self.random.choice(COLLECTIONS)
        numbers = self.random.sample(range(IDS), self.random.randint(1, 6))
        ids = [f"{self.prefix}{n}" for n in sorted(numbers)]
        condition = f"collection = '{collection}' AND id IN ({', '.join(map(repr, ids))})"
        keys = [(collection, id) for id in ids if (collection, id) in self.items]
        if kind == "delete":
            return Call(kind, ["delete", "--where", condition], {key: None for key in keys})
        platform = f"of call {self.calls}"
        words = ["update", "--set", f"platform = '{platform}'", "--where", condition]
        return Call(kind, words, {key: (self.items[key][0], platform) for key in keys})

    def delivery(self, kind):
        seconds = self.calls * self.writers + self.number
        updated = (FIRST + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        own = [(collection, f"{self.prefix}{n}") for collection in COLLECTIONS for n in range(IDS)]
        common = [(collection, f"{SHARED}{n}") for collection in COLLECTIONS for n in range(SHARED_IDS)]
        keys = self.random.sample(own, self.random.randint(5, 20)) + self.random.sample(common, self.random.randint(0, 4))
        items = [self.item(key, updated) for key in keys]
        values = {key: (updated, item["properties"]["platform"]) for key, item in zip(keys, items)}
        call = Call(kind, [], {key: value for key, value in values.items() if key in own},
                    {key: value for key, value in values.items() if key in common})
        if kind == "incremental":
            call.file = self.objects(call, items)
        else:
            call.file = self.folder / f"{self.calls}.ndjson"
            call.file.write_text("".join(json.dumps(item) + "\n" for item in items))
        call.words = [kind, "--inventory", call.file, *(["--chunk-size", "5"] if kind == "backfill" else [])]
        return call

    def item(self, key, updated):
        collection, id = key
        item = copy.deepcopy(self.random.choice(self.places)) | {"collection": collection, "id": id}
        item["properties"] |= {"updated": updated, "platform": self.random.choice(PLATFORMS)}
        return item

    def objects(self, call, items):
        """An inventory of objects that are new, and of all that the table has."""
        for item in items:
            name = f"{item['collection']}-{item['id']}.json"
            (self.folder / name).write_text(json.dumps(item))
            call.objects[name] = str(self.calls)
        inventory = self.folder / f"{self.calls}.csv"
        with open(inventory, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["key", "e_tag"])
            rows.writerows((self.ingested | call.objects).items())
        return inventory
