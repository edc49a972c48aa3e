"""The command ``earthcatalog``: the same program as the one that is not Python's."""

import signal
import sys
from collections.abc import Sequence

from . import _earthcatalog

__all__ = ["main", "run"]


def run(arguments: Sequence[str]) -> int:
    """Run ``earthcatalog`` with ``arguments``, a subcommand first, as ``earthcatalog --help`` lists them.

    Writes to the standard output and standard error of the process. Returns the exit code: 0 done, 1 failed, 2 asked
    for wrongly, 3 damage found, 4 another writer in the way, 130
    interrupted.
    """
    # The engine has its own way to stop at Ctrl-C; Python's would raise an exception when all is done.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return _earthcatalog.main(["earthcatalog", *arguments])
    finally:
        signal.signal(signal.SIGINT, before)


def main() -> int:
    """Run ``earthcatalog`` with the arguments of this process; returns its exit code."""
    return run(sys.argv[1:])
