#!/usr/bin/env python3
"""A guard against slower kernels that no busy machine disturbs: instructions that the binary executes, by callgrind.

    cargo build --release --config profile.release.strip=false      # functions are found by their names
    benches/instructions.py                       # compares with what is recorded for the profile: release
    benches/instructions.py --profile debug       # the binary of the tests, which CI compares
    benches/instructions.py --record              # records

Runs commands on fixed Items with one worker, and counts the instructions of the whole command and of the functions in which a
kernel's work is done, with what they call. Counts of equal binaries differ by some tenths of a percent, because threads wait
for each other. Another compiler makes other counts, and nothing is compared: record them with the change that brings it. Needs
valgrind.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from data import Data, at
from process import log

ROOT = Path(__file__).resolve().parent.parent
RECORD = Path(__file__).with_name("instructions.json")
ITEMS = 200
# Counts may grow by this much. Processors of other makes take other paths through the C library, of which more is left where
# nothing is optimised.
TOLERANCE = {"release": 0.03, "debug": 0.1}

KERNELS = {
    "JSON decode": "earthcatalog_stac_rows::decode::ItemDecoder::append_if",
    "WKB of geometries": "earthcatalog_stac_rows::decode::geometry::Footprint::geometry",
    "cover": "earthcatalog_udfs::cover::coverer::Coverer::cover",
    "Parquet encoding": "earthcatalog_plans::sink::small_file::SmallFileEncoder::encode",
    "commit": "earthcatalog_plans::table::commit::Committer::commit::{{closure}}",
}
# Which kernels a command is there for.
COMMANDS = {
    "ingest": ["JSON decode", "WKB of geometries", "cover", "Parquet encoding", "commit"],
    "ingest, small cells": ["cover"],
    "compact": ["Parquet encoding", "commit"],
    "plan": [],
    "question": [],
}
POINT = "WHERE ST_Intersects(geometry, ST_Point(18.0, 78.8)) AND datetime >= '2019-01-01' AND platform = 'LC08'"


def main():
    args = arguments()
    recorded = json.loads(RECORD.read_text())
    compiler = subprocess.run(["rustc", "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    before = recorded.get(args.profile, {"compiler": None, "counts": {}})
    if not args.record and before["compiler"] != compiler:
        return log(f"nothing is compared: the counts are of {before['compiler']}, and this is {compiler}")
    with tempfile.TemporaryDirectory(prefix="earthcatalog-instructions-") as folder:
        counts = {name: counted(name, words, Path(folder)) for name, words in commands(args, Path(folder))}
    slower = list(compared(before["counts"], counts, TOLERANCE[args.profile]))
    if args.record:
        recorded[args.profile] = {"compiler": compiler, "counts": counts}
        RECORD.write_text(json.dumps(recorded, indent=1) + "\n")
    elif slower:
        sys.exit(f"more instructions than recorded with {compiler}:\n" + "\n".join(slower))


def commands(args, folder):
    """Names and words of the commands, in an order in which each finds what it needs."""
    items = Data(args.binary.resolve(), args.dir.resolve()).ndjson(ITEMS)
    table, small = folder / "table", folder / "small"
    table.mkdir(), small.mkdir()
    yield "ingest", [args.binary, "ingest", *at(table), "--inventory", items, "--workers", "1"]
    yield "ingest, small cells", [args.binary, "ingest", *at(small), "--inventory", items, "--workers", "1", "--h3-resolution", "4",
                                  "--limit", "20"]
    subprocess.run([args.binary, "ingest", *at(table), "--inventory", items], check=True, stdout=subprocess.DEVNULL)
    yield "compact", [args.binary, "compact", *at(table), "--workers", "1"]
    ask = [args.binary, "sql", *at(table), "--workers", "1"]
    yield "plan", [*ask, f"EXPLAIN SELECT id FROM item_cells {POINT}"]
    yield "question", [*ask, f"SELECT id FROM item_cells {POINT}"]


def counted(name, words, folder):
    """Instructions of a command as a whole, and of each of its kernels."""
    log(f"callgrind: {name}")
    profile = folder / "callgrind.out"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", *words]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
    annotate = ["callgrind_annotate", "--inclusive=yes", "--threshold=100", profile]
    # It warns of what it finds in profiles of threads.
    lines = subprocess.run(annotate, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True).stdout.splitlines()
    counts = {}
    for line in lines:
        # Count, share, file, function, and the object in brackets.
        if found := re.match(r"\s*([\d,]+) \([^)]*\)  (?:PROGRAM TOTALS|\S*?:(.*?))(?: \[|$)", line):
            counts.setdefault(found[2], int(found[1].replace(",", "")))
    missing = [kernel for kernel in COMMANDS[name] if KERNELS[kernel] not in counts]
    if missing:
        sys.exit(f"{name}: no function {KERNELS[missing[0]]}; has it another name, been inlined, or was the binary stripped?")
    return {"all": counts[None]} | {kernel: counts[KERNELS[kernel]] for kernel in COMMANDS[name]}


def compared(recorded, counts, tolerance):
    """Prints a table; the lines of what grew."""
    print("| command | of which | recorded | now | |\n|---|---|---:|---:|---:|")
    for name, of in counts.items():
        for kernel, count in of.items():
            before = recorded.get(name, {}).get(kernel)
            change = f"{count / before - 1:+.1%}" if before else "new"
            print(f"| {name} | {kernel} | {before or 0:,} | {count:,} | {change} |")
            if before and count > before * (1 + tolerance):
                yield f"{name}, {kernel}: {before:,} recorded, {count:,} now, {change}"


def arguments():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write the counts in place of comparing them")
    parser.add_argument("--profile", choices=["release", "debug"], default="release", help="which binary, and which counts")
    parser.add_argument("--binary", type=Path, help="[default: that of the profile]")
    parser.add_argument("--dir", type=Path, default=target / "benches", help="Items; kept, the suite's too")
    args = parser.parse_args()
    args.binary = args.binary or target / args.profile / "earthcatalog"
    for needed in ["valgrind", "callgrind_annotate"]:
        if not shutil.which(needed):
            sys.exit(f"{needed} is missing (Debian, Ubuntu: apt-get install valgrind)")
    if not args.binary.exists():
        sys.exit(f"{args.binary} is missing; cargo build makes it, with --release for that profile, or --binary names another")
    return args


if __name__ == "__main__":
    main()
