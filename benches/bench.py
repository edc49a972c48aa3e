"""What a case is given: the binary, the data, the peers, and how often to run."""

import sys

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

    @property
    def out(self):
        """A folder for what one run writes."""
        return self.work / "out"

    def alternate(self, what, engines, by="cpu_s"):
        """Runs engines by turns, so that a slow minute of the machine hits all of them; the figures of the best run of each.

        An engine returns its answer and its figures. Answers that differ end the suite before a figure is reported.
        """
        answers, figures = {}, {engine: [] for engine in engines}
        for run in range(self.runs):
            for engine, start in engines.items():
                log(f"{what}: {engine}, run {run + 1}")
                answer, took = start()
                answers[engine] = answer
                figures[engine].append(took)
                agree(what, answers)
        best = {engine: min(runs, key=lambda took: took[by]) for engine, runs in figures.items()}
        return {engine: took | {"runs": [run[by] for run in figures[engine]]} for engine, took in best.items()}


def agree(what, answers):
    (first, expected), *others = answers.items()
    for engine, answer in others:
        if answer != expected:
            sys.exit(f"{what}: {first} and {engine} disagree:\n{str(expected)[:1000]}\n{str(answer)[:1000]}")
