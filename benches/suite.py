#!/usr/bin/env python3
"""The end-to-end benchmark: this project and its peers on the same Items, measured from outside, on this machine.

    cargo build --release
    benches/suite.py --scale small --peers

Makes seeded Items, gives the peers Python environments of their own, runs every case by turns with its peers, compares
the answers, and prints Markdown tables; JSON with every figure and SVG plots go to the suite's folder (--dir), which also
keeps Items and environments for the next time. Python 3.10 or later; the suite itself needs nothing else.

small takes some minutes and 2 GB of disk, medium half an hour and 10 GB, large some hours and 60 GB.

wall: from start to end of the process. CPU: its user and system time. peak MB: its largest resident size. read and written
MB: what went through read and write calls, page cache or not. Of several runs the one with the least counts, by CPU time or,
for questions, by wall time. Unless a column says otherwise, files are in the page cache. times ours: what an engine takes by what
earthcatalog takes.
"""

import argparse
import dataclasses
import importlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from bench import Bench
from report import markdown, with_ratios

ROOT = Path(__file__).resolve().parent.parent
CASES = ["ingest", "convert", "compact", "query", "search", "python", "table", "resume", "day"]


@dataclasses.dataclass
class Scale:
    """Sizes in Items; of these Items a warehouse has 1.66 times as many rows."""

    # NDJSON, for ingest and for conversion; single files; single files by HTTP, which takes the reference 20 ms each.
    items: list[int]
    files: list[int]
    served: list[int]
    delivered: list[int]
    delivered_to_reference: list[int]
    queried: list[int]
    searched: list[int]
    in_python: list[int]
    in_python_by_reference: list[int]
    # Files.
    tables: list[int]
    resumed: list[int]
    # Keys of an inventory.
    days: list[int]


SCALES = {
    "small": Scale(items=[10_000], files=[10_000], served=[500], delivered=[7_000], delivered_to_reference=[],
                   queried=[6_000], searched=[6_000], in_python=[6_000], in_python_by_reference=[], tables=[100, 5_000],
                   resumed=[10_000], days=[500_000]),
    "medium": Scale(items=[10_000, 100_000], files=[10_000, 100_000], served=[5_000],
                    delivered=[7_000, 27_000], delivered_to_reference=[7_000], queried=[60_000], searched=[100_000],
                    in_python=[5_000, 100_000], in_python_by_reference=[5_000], tables=[100, 5_000, 50_000],
                    resumed=[100_000], days=[5_000_000]),
    "large": Scale(items=[10_000, 100_000, 1_000_000], files=[10_000, 100_000], served=[5_000],
                   delivered=[7_000, 27_000, 100_000], delivered_to_reference=[7_000], queried=[600_000],
                   searched=[100_000, 1_000_000], in_python=[5_000, 100_000], in_python_by_reference=[5_000],
                   tables=[100, 5_000, 50_000], resumed=[100_000], days=[5_000_000, 43_200_000]),
}


def main():
    args = arguments()
    args.dir.mkdir(parents=True, exist_ok=True)
    bench = Bench(args, SCALES[args.scale])
    machine = {"machine": platform.machine(), "system": platform.platform(), "cores": os.cpu_count(), "workers": args.workers,
               "scale": args.scale, "runs": args.runs, "load": os.getloadavg()}
    tables, results = [], {}
    for name in args.only or CASES:
        case = importlib.import_module(f"cases.{name}")
        rows = list(case.run(bench))
        results[name] = with_ratios(rows, case.cost, case.key)
        tables.append(f"### {case.TITLE}\n\n{markdown(case, rows)}\n")
        print(tables[-1], flush=True)
        # After each case, because the next one may take hours, or end the suite.
        args.json.write_text(json.dumps(machine | {"results": results}, indent=1) + "\n")
        args.json.with_suffix(".md").write_text("\n".join(tables))
    bench.clean()
    if bench.peers:
        subprocess.run([bench.peers.python, ROOT / "benches/plots.py", args.json, args.json.parent], check=True)


def arguments():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--peers", action="store_true", help="with the peers; else this project alone")
    parser.add_argument("--only", nargs="*", choices=CASES, help="these cases")
    parser.add_argument("--runs", type=int, default=3, help="of each engine in each case")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="threads of each engine")
    parser.add_argument("--skip-disk", dest="disk", action="store_false", help="no runs with files out of the page cache")
    parser.add_argument("--binary", type=Path, default=target / "release/earthcatalog")
    parser.add_argument("--dir", type=Path, default=target / "benches", help="Items, environments, results; kept")
    parser.add_argument("--json", type=Path, help="the figures; tables and plots go beside it [default: results-SCALE.json in --dir]")
    args = parser.parse_args()
    args.dir = args.dir.resolve()
    args.json = args.json or args.dir / f"results-{args.scale}.json"
    if not args.binary.exists():
        sys.exit(f"{args.binary} is missing; cargo build --release makes it, or --binary names another")
    return args


if __name__ == "__main__":
    main()
