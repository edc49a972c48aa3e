"""The bar of a long command."""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys

import pytest
from conftest import write_objects

import earthcatalog
from earthcatalog import _progress
from earthcatalog._progress import line, shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


#: As ipykernel has it: no terminal, but a carriage return goes back to the start of the line.
Notebook = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})


def test_a_line_is_as_tqdm_draws_it():
    assert line("backfill", 10, 40, "chunks", 5) == (
        "backfill:  25%|█████               | 10/40 [00:05<00:15, 2.00 chunks/s]"
    )
    assert line("backfill", 0, 40, "chunks", 0) == ("backfill:   0%|                    | 0/40 [00:00<?, ? chunks/s]")
    assert line("compact", 3, 3, "groups", 7_200) == (
        "compact: 100%|████████████████████| 3/3 [2:00:00<00:00, 0.00 groups/s]"
    )
    assert "|██▌     " in line("compact", 1, 8, "groups", 1)


@pytest.mark.parametrize("kind", [Terminal, Notebook])
def test_it_is_written_over_itself_and_each_unit_has_a_line(monkeypatch, kind):
    monkeypatch.setattr(sys, "stderr", out := kind())
    monkeypatch.setattr(_progress.time, "monotonic", iter(range(100)).__next__)
    with shown("backfill") as bar:
        bar(0, 0, "chunks", "")
        bar(1, 4, "chunks", ", 700 Items")
        bar(3, 4, "chunks", "")
        bar(1, 2, "groups", "")
    chunks, groups, rest = out.getvalue().split("\n")
    first, second, last = chunks.split("\r")[1:]
    assert first == "backfill:  25%|█████               | 1/4 [00:01<00:03, 1.00 chunks/s], 700 Items"
    assert second.startswith("backfill:  75%|███████████████     | 3/4 ") and len(second) == len(first)
    # The chunks are done when groups begin, and the groups when the command ends.
    assert "100%" in last and "| 4/4 [" in last and "| 2/2 [" in groups.split("\r")[-1]
    assert rest == ""


def test_what_fails_stays_where_it_is(monkeypatch):
    monkeypatch.setattr(sys, "stderr", out := Terminal())
    with pytest.raises(KeyboardInterrupt), shown("compact") as bar:
        bar(1, 4, "groups", "")
        raise KeyboardInterrupt
    assert "1/4" in out.getvalue() and "4/4" not in out.getvalue() and out.getvalue().endswith("\n")


def test_nothing_is_drawn_where_nobody_sees_it(monkeypatch, demo):
    for out in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", out)
        with shown("compact") as bar:
            assert bar is None
    monkeypatch.setattr(sys, "stderr", out := Terminal())
    demo.info()
    assert out.getvalue() == ""


BACKFILL = re.compile(r"backfill: +\d+%\|[^|]{20}\| (\d+)/100 \[\d\d:\d\d<[\d:?]+, [\d.?]+ chunks/s\]")


def test_a_notebook_shows_a_backfill_as_it_goes_on(monkeypatch, place, tmp_path):
    objects = write_objects(tmp_path / "objects", 400)
    monkeypatch.setattr(sys, "stderr", out := Notebook())
    earthcatalog.open(**place, workers=1).backfill(objects, chunk_size=4)
    done = [int(step) for step in BACKFILL.findall(out.getvalue())]
    assert done == sorted(done) and done[-1] == 100 and len(done) > 1
    assert " Items (" in out.getvalue() and "groups/s" in out.getvalue()


def test_a_terminal_shows_it_once(place, tmp_path):
    objects = write_objects(tmp_path / "objects", 400)
    program = (
        "import earthcatalog, sys\n"
        "catalog, warehouse, inventory = sys.argv[1:]\n"
        "earthcatalog.open(catalog=catalog, warehouse=warehouse, workers=1).backfill(inventory, chunk_size=4)\n"
    )
    words = [sys.executable, "-c", program, str(place["catalog"]), str(place["warehouse"]), str(objects)]
    terminal, stderr = pty.openpty()
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=stderr)
    os.close(stderr)
    shown = b""
    # At its end, reading a terminal is an error on Linux, and nothing elsewhere.
    with contextlib.suppress(OSError):
        while read := os.read(terminal, 4096):
            shown += read
    os.close(terminal)
    text = shown.decode()
    assert child.wait() == 0, text
    assert BACKFILL.search(text)
    # The engine's own bar has the time first.
    assert not re.search(r"\d+s \[", text)


def test_what_the_bar_raises_stops_the_command(monkeypatch, place, tmp_path):
    objects = write_objects(tmp_path / "objects", 400)

    class Closed(Notebook):
        __module__ = Notebook.__module__

        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    with pytest.raises(BrokenPipeError):
        earthcatalog.open(**place, workers=1).backfill(objects, chunk_size=4)
    # Nothing was committed, and the chunks that are done are kept.
    assert earthcatalog.open(**place).info()["rows"] == 0
