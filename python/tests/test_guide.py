"""The guide: its cells run from top to bottom, and print what the page says."""

import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).parents[2] / "docs/guide/python.md"

BLOCK = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    """Line, language, info, and body of each block."""
    text = PAGE.read_text()
    for block in BLOCK.finditer(text):
        yield text.count("\n", 0, block.start()) + 1, block[1], block[2], block[3]


def matches(expected, printed):
    """Whether the page shows what was printed; … stands for any text, and on a line of its own for any lines."""
    parts = [re.escape(part) for part in expected.split("…")]
    return re.fullmatch("(?s:.*?)".join(parts), printed) is not None


def test_the_cells_of_the_guide_run_and_print_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "bin/earthcatalog"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m earthcatalog "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    names, printed, ran = {"__name__": "__main__"}, None, 0
    for line, language, info, body in blocks():
        if language == "sh" and not info:
            subprocess.run(["bash", "-euc", body], check=True, env={**os.environ, "PATH": path})
        elif language == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(body, f"{PAGE.name}:{line}", "exec"), names)  # noqa: S102 (our own page)
            printed, ran = out.getvalue(), ran + 1
        elif language == "text":
            assert printed is not None and matches(body, printed), f"{PAGE.name}:{line}\n{printed}"
            printed = None
        else:
            assert info and info.startswith("skip: "), f"{PAGE.name}:{line}"
        assert language != "python" or "print(" not in body or printed, f"{PAGE.name}:{line} printed nothing"
    assert ran >= 8
