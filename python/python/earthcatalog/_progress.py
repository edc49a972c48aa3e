"""How far a command is, as tqdm draws it."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TextIO

WIDTH = 20
EIGHTHS = " ▏▎▍▌▋▊▉"


class Bar:
    """A line that is written over itself: on a terminal, or below the cell of a notebook."""

    def __init__(self, name: str, out: TextIO) -> None:
        self._name, self._out = name, out
        self._unit, self._total, self._longest = "", 0, 0

    def __call__(self, done: int, total: int, unit: str, note: str) -> None:
        """Draw ``done`` of ``total`` units, and ``note`` behind them. Other units begin another line."""
        if unit != self._unit:
            self.close(is_done=True)
            self._unit, self._started = unit, time.monotonic()
        if total:
            self._total = total
            self._write(line(self._name, done, total, unit, time.monotonic() - self._started) + note)

    def close(self, *, is_done: bool) -> None:
        """Leave what is drawn where it is, whole if it is done."""
        if not self._total:
            return
        if is_done:
            self._write(line(self._name, self._total, self._total, self._unit, time.monotonic() - self._started))
        self._out.write("\n")
        self._total, self._longest = 0, 0

    def _write(self, text: str) -> None:
        # Shorter texts do not leave the ends of longer ones behind.
        self._longest = max(self._longest, len(text))
        self._out.write(f"\r{text:{self._longest}}")
        self._out.flush()


def line(name: str, done: int, total: int, unit: str, seconds: float) -> str:
    """`backfill:  25%|█████               | 10/40 [00:05<00:15, 2.00 chunks/s]`"""
    full, eighths = divmod(WIDTH * 8 * done // total, 8)
    bar = ("█" * full + EIGHTHS[eighths])[:WIDTH].ljust(WIDTH)
    left = clock(seconds * (total - done) / done) if done else "?"
    rate = f"{done / seconds:.2f}" if done and seconds else "?"
    return f"{name}: {100 * done // total:3}%|{bar}| {done}/{total} [{clock(seconds)}<{left}, {rate} {unit}/s]"


def clock(seconds: float) -> str:
    """`75` as `01:15`, and from an hour on with hours."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


@contextlib.contextmanager
def shown(name: str) -> "Iterator[Bar | None]":
    """A bar for a command, or nothing where nobody would see it: standard error is neither a terminal nor a notebook."""
    out = sys.stderr
    if out is None or not (out.isatty() or type(out).__module__.startswith("ipykernel.")):
        yield None
        return
    bar, is_done = Bar(name, out), False
    try:
        yield bar
        is_done = True
    finally:
        bar.close(is_done=is_done)
