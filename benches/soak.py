#!/usr/bin/env python3
"""A soak: writers, compactions, expiries and readers at once on one warehouse, and nothing is lost, doubled or in a reader's way.

    cargo build --release
    python3 -m pip install -r tests/interop/requirements.txt      # or the Python of the tests: target/tmp/interop/bin/python
    benches/soak.py                                # 10 minutes on disk, then 10 on an S3 server on this machine
    benches/soak.py --where disk --kill-every 3    # with processes that are killed

Everything is a process of the binary, one after the other of each writer, compactor, expirer and reader:

- Writers give `ingest`, `incremental`, `backfill`, `delete` and `update`, of some tens of Items, in two collections with the same
  ids; Items come again, later, and at other places. Each keeps a model of what its commands must have left of its Items, and
  asks the table for them after each command. Some Items are delivered by all writers. A command that fails because another
  writer was in its way must have left nothing, and is given again.
- Compactors give `compact` of all, or of a bucket, and now and then `index`; expirers give `expire --retain 5s`.
- Readers ask with `sql`, `search`, `changes` and `info`, with PyIceberg, and on disk with DuckDB over `paths`. An error counts
  as expired, and not as a finding, if the question took longer than the retention and the error says that the files are gone.
- --kill-every kills a writer or a compactor at random times, now and then twice in a row. A killed command must have
  happened for all of its Items, or for none; whichever it is, the model takes over.

Every --check-every seconds, and at the end, everything waits: the Items of the table are those of the models, in SQL as in
PyIceberg, and `verify --deep` finds no damage. After the last `compact` and `expire --retain 0s` each Item has one row in each of
its cells, no file is missing, and none is left over.

A line a minute, and a table at the end. Whatever should not be is a finding: printed when it is found, kept in DIR/disk or DIR/s3
with the warehouse and with `commands.ndjson`, which has every command; the script ends with 1. What is done is chosen by the seed;
when it is done is not. Python 3.10 or later.
"""

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import random
import re
import sys
import threading
import time
import traceback
from pathlib import Path

from process import log
from soak_items import SHARED, WRITES, Writer, places
from soak_warehouse import WORLD, warehouse

ROOT = Path(__file__).resolve().parent.parent
TRIES = 20
# The exit code of a command that another writer was in the way of.
CONFLICT = 4
NO_BUCKET = "the table has no such bucket"
EXPIRED = re.compile("expired|or no longer|a clean-up has removed|a clean-up removed")
# What other engines say of a file that is gone.
GONE = re.compile("No such file|not found|NoSuchKey|No files found|does not exist|404", re.IGNORECASE)
ITEMS = "SELECT collection, id, updated, platform FROM items"


def main():
    args = arguments()
    results = {}
    for where in ["disk", "s3"] if args.where == "both" else [args.where]:
        with warehouse(where, args.binary, args.dir / where) as place:
            soak = Soak(args, place)
            soak.run()
        results[where] = soak.result()
        if args.output == "text":
            print(f"{where}\n\n{table(results[where])}\n", flush=True)
    if args.output == "json":
        print(json.dumps(results, indent=1))
    sys.exit(any(result["findings"] for result in results.values()))


def arguments():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600, help="for each place")
    parser.add_argument("--where", choices=["disk", "s3", "both"], default="both")
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--compactors", type=int, default=2)
    parser.add_argument("--expirers", type=int, default=2)
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--retain", type=int, default=5, metavar="SECONDS", help="of the expiries")
    parser.add_argument("--kill-every", type=float, metavar="SECONDS", help="on average; nothing is killed without it")
    parser.add_argument("--check-every", type=int, default=120, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--binary", type=Path, default=target / "release/earthcatalog")
    parser.add_argument("--dir", type=Path, default=target / "soak", help="warehouses and Items; kept until the next soak")
    args = parser.parse_args()
    args.binary, args.dir = args.binary.resolve(), args.dir.resolve()
    if not args.binary.exists():
        sys.exit(f"{args.binary} is missing; cargo build --release makes it, or --binary names another")
    return args


class Gate:
    """Many pass it one by one, until one shuts it and has everything to itself."""

    def __init__(self):
        self.changed, self.within, self.is_shut = threading.Condition(), 0, False

    @contextlib.contextmanager
    def passing(self):
        with self.changed:
            self.changed.wait_for(lambda: not self.is_shut)
            self.within += 1
        try:
            yield
        finally:
            with self.changed:
                self.within -= 1
                self.changed.notify_all()

    @contextlib.contextmanager
    def shut(self):
        with self.changed:
            self.is_shut = True
            self.changed.wait_for(lambda: not self.within)
        yield
        with self.changed:
            self.is_shut = False
            self.changed.notify_all()


@dataclasses.dataclass
class Count:
    """What became of commands or questions of a kind."""

    given: int = 0
    done: int = 0
    conflicts: int = 0
    again: int = 0
    killed: int = 0
    expired: int = 0
    findings: int = 0
    seconds: float = 0
    longest: float = 0


class Soak:
    def __init__(self, args, place):
        self.args, self.place = args, place
        self.gate, self.lock = Gate(), threading.Lock()
        self.counts, self.findings = collections.defaultdict(Count), {}
        # Processes that may be killed, by who gave the command.
        self.mortal = {}
        self.ends = None
        self.commands = open(place.folder / "commands.ndjson", "w")
        models = places(args.binary, args.seed)
        self.writers = [Writer(n, args.writers, args.seed, models, place.folder) for n in range(args.writers)]

    def run(self):
        # The first delivery makes the table.
        self.begun = time.monotonic()
        self.ends = self.begun + self.args.seconds
        self.deliver(self.writers[0], self.writers[0].delivery("ingest"))
        loops = [(self.write, writer) for writer in self.writers]
        loops += [(loop, n) for loop, number in [(self.compact, self.args.compactors), (self.expire, self.args.expirers),
                                                 (self.read, self.args.readers)] for n in range(number)]
        loops += [(self.kill, 0)] if self.args.kill_every else []
        threads = [threading.Thread(target=self.loop, args=loop, name=f"{loop[0].__name__} {n}", daemon=True)
                   for n, loop in enumerate(loops)]
        for thread in threads:
            thread.start()
        checked = told = time.monotonic()
        while self.goes_on():
            time.sleep(1)
            now = time.monotonic()
            if now - told >= 60:
                told = now
                self.tell()
            if now - checked >= self.args.check_every:
                with self.gate.shut():
                    self.check()
                checked = time.monotonic()
        for thread in threads:
            thread.join()
        self.check()
        self.finish()
        self.seconds = time.monotonic() - self.begun
        self.commands.close()

    def goes_on(self):
        return time.monotonic() < self.ends

    def loop(self, step, who):
        chance = random.Random(f"{self.args.seed}-{step.__name__}-{getattr(who, 'number', who)}")
        while self.goes_on():
            try:
                with contextlib.nullcontext() if step == self.kill else self.gate.passing():
                    step(who, chance)
            except Exception:
                self.find(step.__name__, "the soak itself failed", traceback.format_exc())

    # Commands.

    def command(self, kind, *words, mortal=False):
        """Runs a command, and counts it."""
        who = threading.current_thread().name

        def started(process):
            if mortal:
                self.mortal[who] = process

        at = time.monotonic() - self.begun
        ended = self.place.run(words, started)
        self.mortal.pop(who, None)
        with self.lock:
            count = self.counts[kind]
            count.given += 1
            count.seconds += ended.seconds
            count.longest = max(count.longest, ended.seconds)
            outcome = "killed" if ended.killed else "done" if ended.code == 0 else None
            if outcome:
                setattr(count, outcome, getattr(count, outcome) + 1)
            line = {"at": round(at, 3), "who": who, "kind": kind, "words": ended.words, "code": ended.code,
                    "error": ended.error, "seconds": round(ended.seconds, 3)}
            self.commands.write(json.dumps(line) + "\n")
            self.commands.flush()
        return ended

    def count(self, kind, what):
        with self.lock:
            setattr(self.counts[kind], what, getattr(self.counts[kind], what) + 1)

    def find(self, kind, expected, found, words=()):
        """Notes a finding; of those that differ in numbers and files alone, the first, and how often what has met them."""
        alike = re.sub(r"\S*/\S*|\S*\d\S*", "#", f"{expected} {found}")[:200]
        self.count(kind, "findings")
        with self.lock:
            first = alike not in self.findings
            finding = self.findings.setdefault(alike, {"at": round(time.monotonic() - self.begun, 1), "command": " ".join(words),
                                                       "expected": expected, "found": found, "times": collections.Counter()})
            finding["times"][kind] += 1
        if first:
            log(f"FINDING {json.dumps(finding, indent=1)}")

    # Writers.

    def write(self, writer, _):
        call = writer.next()
        self.deliver(writer, call)
        writer.over(call)

    def deliver(self, writer, call):
        for attempt in range(TRIES):
            if attempt:
                self.count(call.kind, "again")
            ended = self.command(call.kind, *call.words, "--output", "json", mortal=True)
            gave_way = self.gave_way(call.kind, ended)
            items = len(call.leaves) + len(call.shared)
            if ended.code == 0 and attempt == 0 and ended.json["items"] != items:
                self.find(call.kind, f"a report of {items} Items", ended.out, ended.words)
            self.settle(writer, call, ended, gave_way)
            if not (gave_way or ended.killed and writer.again.random() < 0.5):
                return

    def gave_way(self, kind, ended):
        """Whether a command stopped for another one, and left nothing; any other failure is a finding."""
        if ended.code == 0 or ended.killed:
            return False
        if ended.code == CONFLICT:
            self.count(kind, "conflicts")
        elif ended.seconds > self.args.retain and EXPIRED.search(ended.error):
            self.count(kind, "expired")
        else:
            self.find(kind, "done, or a conflict", f"{ended.code} after {ended.seconds:.1f} s: {ended.error}", ended.words)
            return False
        return True

    def settle(self, writer, call, ended, gave_way):
        """Compares what the table has of the writer's Items with the model, which then goes by the table."""
        if ended.killed and self.place.s3:
            # Its last request may still be on the way.
            time.sleep(1)
        before, after, found = writer.items, writer.with_call(call), self.items_of(writer)
        if ended.code == 0:
            may_be = {"after": after}
        elif gave_way:
            may_be = {"before": before}
        else:
            may_be = {"before": before, "after": after}
        if found not in may_be.values():
            differences = [f"{when} it: {difference(items, found)}" for when, items in may_be.items()]
            self.find(call.kind, f"the Items as {' or '.join(may_be)} it", f"{ended.code} {ended.error} {differences}", ended.words)
        if ended.code == 0 or found == after:
            writer.done(call)
        writer.items = found

    def items_of(self, writer):
        """What the table has of the writer's Items, asked until there is an answer."""
        for _ in range(TRIES):
            asked = self.command("after a write", "sql", "--output", "json", f"{ITEMS} WHERE starts_with(id, '{writer.prefix}')")
            if asked.code == 0:
                return as_items(asked.json)
            self.reader_failed("after a write", asked)
        raise RuntimeError(f"no answer in {TRIES} tries: {asked.error}")

    # Compactors and expirers.

    def compact(self, _, chance):
        words = ["compact", "--retain", f"{self.args.retain}s"]
        which = chance.random()
        if which < 0.1:
            words = ["index"]
        elif which < 0.4:
            asked = self.command("buckets", "compact", "--dry-run", "--threshold", "1", "--output", "json")
            if asked.code:
                return self.reader_failed("buckets", asked)
            words += ["--bucket", chance.choice(asked.json["buckets"])["bucket"]]
        elif which < 0.6:
            words += ["--commit-every", "3"]
        elif which < 0.7:
            words += ["--threshold", "3"]
        ended = self.command(words[0], *words, mortal=True)
        if "--bucket" in words and NO_BUCKET in ended.error:
            # Its Items have moved, or are deleted.
            return self.count(words[0], "conflicts")
        self.gave_way(words[0], ended)

    def expire(self, *_):
        self.gave_way("expire", self.command("expire", "expire", "--retain", f"{self.args.retain}s"))

    # Readers.

    def read(self, _, chance):
        questions = [self.ask_once, self.ask_sum, self.ask_shared, self.ask_search, self.ask_info, self.ask_changes,
                     self.ask_pyiceberg] + ([] if self.place.s3 else [self.ask_duckdb])
        chance.choice(questions)()

    def question(self, kind, *words):
        """The answer, or None."""
        ended = self.command(kind, *words)
        return ended.out if ended.code == 0 else self.reader_failed(kind, ended)

    def reader_failed(self, kind, ended):
        self.failed(kind, EXPIRED, ended.error, ended.seconds, ended.words)

    def failed(self, kind, says, error, seconds, words):
        late = seconds > self.args.retain
        if late and says.search(error):
            self.count(kind, "expired")
        else:
            how = "that says that the snapshot has expired" if late else f"at all within {self.args.retain} s"
            self.find(kind, f"no error but one {how}" if late else f"no error {how}", f"after {seconds:.1f} s: {error}", words)

    def ask_once(self):
        one = "SELECT sum(n) AS items, max(n) AS most FROM (SELECT count(*) AS n FROM items GROUP BY collection, id)"
        if (out := self.question("sql: each once", "sql", "--output", "json", one)) and json.loads(out)[0]["most"] != 1:
            self.find("sql: each once", "most = 1", out, [one])

    def ask_sum(self):
        words = "SELECT platform, count(*) AS items, sum(xmax) AS x FROM items WHERE id LIKE '%1' GROUP BY platform"
        self.question("sql: sums", "sql", words)

    def ask_shared(self):
        floor = self.shared()
        if out := self.question("sql: newest", "sql", "--output", "json", f"{ITEMS} WHERE starts_with(id, '{SHARED}')"):
            self.compare_shared("sql: newest", floor, as_items(json.loads(out)))

    def ask_search(self):
        out = self.question("search", "search", "--collections", "a", "--bbox", WORLD, "--fields", "id")
        ids = [json.loads(line)["id"] for line in out.splitlines()] if out else []
        if len(ids) != len(set(ids)):
            self.find("search", "each Item once", str(sorted(ids)))

    def ask_info(self):
        if out := self.question("info", "info", "--output", "json"):
            info = json.loads(out)
            if info["rows"] != sum(year["rows"] for year in info["rows_by_year"]):
                self.find("info", "rows of all years", out)

    def ask_changes(self):
        asked = time.monotonic()
        out = self.question("sql: snapshot", "sql", "--output", "json", 'SELECT snapshot_id FROM "items$table"')
        if out:
            ended = self.command("changes", "changes", "--since", json.loads(out)[0]["snapshot_id"])
            if ended.code:
                self.reader_failed("changes", dataclasses.replace(ended, seconds=time.monotonic() - asked))

    def ask_pyiceberg(self):
        asked, floor = time.monotonic(), self.shared()
        try:
            opened = self.place.table()
            rows = opened.scan(selected_fields=("collection", "id", "updated", "platform")).to_arrow().to_pylist()
        except Exception as error:
            self.answered("PyIceberg", asked, "")
            return self.failed("PyIceberg", GONE, f"{type(error).__name__}: {error}", time.monotonic() - asked, [])
        self.answered("PyIceberg", asked, "done")
        told = int(opened.current_snapshot().summary["total-records"])
        if len(rows) != told:
            self.find("PyIceberg", f"{told} rows, as the snapshot says", f"{len(rows)}")
        self.compare_shared("PyIceberg", floor, newest(as_rows(rows)))

    def ask_duckdb(self):
        asked, floor = time.monotonic(), self.shared()
        out = self.question("paths", "paths", f"--geometry={WORLD}")
        if not out:
            return
        try:
            rows = self.place.duckdb_rows(out.split())
        except Exception as error:
            self.answered("DuckDB", asked, "")
            return self.failed("DuckDB", GONE, f"{type(error).__name__}: {error}", time.monotonic() - asked, [])
        self.answered("DuckDB", asked, "done")
        names = ["collection", "id", "updated", "platform"]
        self.compare_shared("DuckDB", floor, newest(as_rows(dict(zip(names, row)) for row in rows)))

    def answered(self, kind, asked, outcome):
        """Counts a question that no command asks."""
        seconds = time.monotonic() - asked
        with self.lock:
            count = self.counts[kind]
            count.given += 1
            count.done += outcome == "done"
            count.seconds += seconds
            count.longest = max(count.longest, seconds)

    def shared(self):
        """The newest that writers have delivered of the Items that they share."""
        return newest((key, value) for writer in self.writers for key, value in list(writer.shared.items()))

    def compare_shared(self, kind, floor, found):
        older = {key: value for key, value in floor.items() if found.get(key, ("",)) < value}
        if older:
            self.find(kind, f"at least what was delivered before: {older}", str({key: found.get(key) for key in older}))

    # Whoever kills.

    def kill(self, _, chance):
        time.sleep(chance.uniform(0, 2 * self.args.kill_every))
        victim = None
        # Each second one is killed again, when it has begun anew.
        while self.goes_on() and (victim is None or chance.random() < 0.5):
            running = dict(self.mortal)
            victim = victim or (chance.choice(sorted(running)) if running else None)
            if process := running.get(victim):
                process.kill()
            time.sleep(chance.uniform(0.1, 2))

    # Checks, for which everything waits.

    def check(self):
        expected = {key: value for writer in self.writers for key, value in writer.items.items()} | self.shared()
        ours = self.command("check", "sql", "--output", "json", ITEMS)
        cells = self.command("check", "sql", "--output", "json", ITEMS.replace("items", "item_cells"))
        if ours.code or cells.code:
            return self.find("check", "an answer", ours.error + cells.error)
        read = self.place.table().scan(selected_fields=("collection", "id", "updated", "platform")).to_arrow().to_pylist()
        if len(ours.json) != len(expected) or as_items(ours.json) != expected:
            self.find("check", "items are those of the models", f"{len(ours.json)}: {difference(expected, as_items(ours.json))}")
        if (theirs := newest(as_rows(read))) != expected:
            self.find("check", "PyIceberg has the newest of the models", difference(expected, theirs))
        if sorted(as_rows(read)) != sorted(as_rows(cells.json)):
            self.find("check", "PyIceberg has the rows of item_cells", f"{len(read)} and {len(cells.json)} rows")
        verified = self.command("verify --deep", "verify", "--deep", "--output", "json")
        if verified.code:
            self.find("verify --deep", "no damage", f"{verified.code}: {verified.error} {verified.out}")

    def finish(self):
        """Cleans up, after which there is nothing but one state of the table."""
        for run in self.command("runs", "runs", "--output", "json").json:
            if run["state"] != "finished":
                if not self.args.kill_every:
                    self.find("runs", "every backfill has ended", json.dumps(run))
                self.command("runs", "runs", "--discard", run["run"])
        for words in ["compact", "--retain", "0s"], ["expire", "--retain", "0s"]:
            ended = self.command(words[0], *words)
            if ended.code:
                self.find(words[0], "done", f"{ended.code}: {ended.error}", ended.words)
        self.check()
        report = self.command("verify --deep", "verify", "--deep", "--output", "json").json
        if report["notices"] or report["orphans"] or report["snapshots"] != 1:
            self.find("verify --deep", "one snapshot, no orphans, no notices", json.dumps(report))
        once = "SELECT max(n) AS most FROM (SELECT count(*) AS n FROM item_cells GROUP BY collection, id, grid_partition)"
        versions = "SELECT max(n) AS most FROM (SELECT count(DISTINCT updated) AS n FROM item_cells GROUP BY collection, id)"
        for sql in once, versions:
            out = self.command("check", "sql", "--output", "json", sql).out
            if json.loads(out)[0]["most"] != 1:
                self.find("check", "after a compaction, one row of one version in a cell", out, [sql])
        named = {file.file.file_path.rsplit("warehouse/", 1)[1] for file in self.place.table().scan().plan_files()}
        files = self.place.files()
        there = {file for file in files if file.startswith("grid_partition=")}
        if named != there:
            self.find("check", "the files of the table alone", f"missing {named - there}, left over {there - named}")
        if leases := {file for file in files if file.startswith("_runs/")}:
            self.find("check", "no lease of a command that has ended", str(leases))

    # What is told.

    def tell(self):
        total = self.total()
        log(f"{time.monotonic() - self.begun:.0f} s: {total.given} commands and questions, {total.conflicts} conflicts, "
            f"{total.killed} killed, {total.expired} expired, {total.findings} findings")

    def total(self):
        with self.lock:
            counts = [dataclasses.asdict(count) for count in self.counts.values()]
        total = Count(**{name: sum(count[name] for count in counts) for name in counts[0]})
        return dataclasses.replace(total, longest=max(count["longest"] for count in counts))

    def result(self):
        kinds = {kind: dataclasses.asdict(count) for kind, count in sorted(self.counts.items(), key=order)}
        return {"seconds": round(self.seconds), "items": sum(len(writer.items) for writer in self.writers) + len(self.shared()),
                "counts": kinds | {"all": dataclasses.asdict(self.total())}, "findings": list(self.findings.values())}


def order(counted):
    kind, _ = counted
    kinds = [*WRITES, "compact", "index", "expire"]
    return (kinds.index(kind) if kind in kinds else len(kinds), kind)


def as_rows(rows):
    """Rows, by collection and id, with what the models say of Items; times as text."""
    def text(time):
        return time if isinstance(time, str) else time.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [((row["collection"], row["id"]), (text(row["updated"]), row["platform"])) for row in rows]


def as_items(rows):
    return dict(as_rows(rows))


def newest(rows):
    """The newest value of each key."""
    found = {}
    for key, value in rows:
        found[key] = max(value, found.get(key, value))
    return found


def difference(expected, found):
    keys = [key for key in sorted(expected | found) if expected.get(key) != found.get(key)]
    few = "; ".join(f"{key}: {found.get(key)}, not {expected.get(key)}" for key in keys[:5])
    return f"{len(keys)} Items differ, such as {few}"


def table(result):
    """The counts as Markdown, and the findings."""
    names = [field.name for field in dataclasses.fields(Count)]
    lines = [f"| what | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for kind, count in result["counts"].items():
        lines.append(f"| {kind} | {' | '.join(f'{count[name]:,.1f}' if isinstance(count[name], float) else f'{count[name]:,}' for name in names)} |")
    lines.append(f"\n{result['seconds']} s; {result['items']} Items at the end; {len(result['findings'])} kinds of findings")
    return "\n".join(lines + [json.dumps(finding, indent=1) for finding in result["findings"]])


if __name__ == "__main__":
    main()
