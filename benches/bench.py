"""What a case is given: the binary, the data, the peers, and how often to run."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from data import Data
from environment import Environment
from process import log


class Bench:
    def __init__(self, args, scale):
        self.binary, self.work, self.workers, self.runs = args.binary.resolve(), args.dir, args.workers, args.runs
        self.disk, self.scale = args.disk, scale
        self.data = Data(self.binary, self.work)
        self.peers = Environment(self.work, "peers") if args.peers else None
        self.reference = Environment(self.work, "reference") if args.peers else None
        # Its files run on the Python that the suite asks for.
        alone = "earthcatalog==0.6.1"
        self.reference_search = Environment(self.work, "reference-search", alone) if args.peers else None
        self.service = Environment(self.work, "service") if args.peers else None
        self.file_service = Environment(self.work, "file-service") if args.peers else None
        self.out = self.work / "out"
        self.clean()

    def new_folder(self):
        """An empty folder for what a run writes. It stays until the end: ext4 takes many times as long to create files just after
        many were deleted."""
        self.out.mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self.out))

    def clean(self):
        shutil.rmtree(self.out, ignore_errors=True)

    def alternate(self, what, engines, by="cpu_s", runs=None):
        """Runs engines by turns, so that a slow minute of the machine hits all of them; the figures of the best run of each.

        An engine returns its answer and its figures. Answers that differ end the suite before a figure is reported.
        """
        answers, figures = {}, {engine: [] for engine in engines}
        for run in range(runs or self.runs):
            for engine, start in engines.items():
                log(f"{what}: {engine}, run {run + 1}")
                answers[engine], took = start()
                figures[engine].append(took)
                agree(what, answers)
        best = {engine: min(runs, key=lambda took: took[by]) for engine, runs in figures.items()}
        return {engine: took | {"runs": [run[by] for run in figures[engine]]} for engine, took in best.items()}


def agree(what, answers):
    """Ends the suite if answers differ. None is no answer: there was nobody to ask for it."""
    known = {engine: answer for engine, answer in answers.items() if answer is not None}
    for engine, answer in known.items():
        first = next(iter(known))
        if answer != known[first]:
            sys.exit(f"{what}: {first} and {engine} disagree:\n{str(known[first])[:1000]}\n{str(answer)[:1000]}")


class Ids:
    """What Parquet files hold, counted by DuckDB; nothing where there are no peers."""

    def __init__(self, bench):
        self.bench = bench

    def below(self, folder, pattern="grid_partition=*/year=*/*.parquet"):
        """How many distinct ids there are, and a digest of them."""
        return self.ask("count(*), bit_xor(hash(id))", f"(SELECT DISTINCT id FROM {self.files(folder, pattern)})")

    def rows(self, folder, pattern):
        return int(self.ask("count(*)", self.files(folder, pattern)))

    def files(self, folder, pattern):
        return f"read_parquet('{folder}/**/{pattern}', hive_partitioning = false)"

    def ask(self, what, source, settings=""):
        if not self.bench.peers:
            return None
        # Not an argument: lists of files are longer than the system lets one be.
        sql, command = f"{settings} SELECT {what} FROM {source};", [self.bench.peers.duckdb, "-csv", "-noheader"]
        return subprocess.run(command, check=True, input=sql, stdout=subprocess.PIPE, text=True).stdout.strip()
