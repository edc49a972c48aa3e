"""Whole processes, measured from outside: what the end-to-end benches share. Python 3.10 or later, standard library."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def arguments(description, sizes):
    """The parser of a bench, with the options that all have."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("EARTHCATALOG_DATA", ROOT / "../shared/data"))
    parser.add_argument("--binary", type=Path, default=target / "release/earthcatalog")
    parser.add_argument("--items", type=int, nargs="*", default=sizes, help="sizes of the sets")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--dir", type=Path, help="keeps the generated Items and the peers' environment for the next time")
    parser.add_argument("--json", type=Path, help="also writes the figures here")
    return parser


def generator(args):
    """The generator of Items; ends the bench where it, or the binary, is missing."""
    found = args.data / "gen_itslive.py"
    for needed, way_out in [(args.binary, "cargo build --release"), (found, "--data or EARTHCATALOG_DATA")]:
        if not needed.exists():
            sys.exit(f"{needed} is missing; {way_out}")
    return found


def measured(command, **options):
    """Runs a command; its output, and what it and its children took."""
    os.sync()
    started = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=errors, **options)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        output.seek(0), errors.seek(0)
        if process.returncode:
            sys.exit(f"{command[0]} failed:\n{errors.read().decode()[-3000:]}")
        text = output.read().decode()
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    figures = {
        "wall_s": round(wall, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "user_s": round(usage.ru_utime, 2),
        "system_s": round(usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss * unit / 1e6),
    }
    return text, figures


def log(text):
    print(text, file=sys.stderr, flush=True)
