"""The peers' Python environments: one for each list of requirements in `peers/`, made once for a folder."""

import subprocess
import sys
from pathlib import Path

from process import log

PEERS = Path(__file__).resolve().parent / "peers"


class Environment:
    """`peers`: DuckDB, polars, PyIceberg, rustac, stac-geoparquet; `reference`: the Python earthcatalog;
    `service`: servers of STAC APIs."""

    def __init__(self, folder, name):
        self.folder, self.requirements = folder / f"environment-{name}", PEERS / f"{name}.txt"

    @property
    def python(self):
        installed, wanted = self.folder / "requirements.txt", self.requirements.read_text()
        python = self.folder / "bin/python"
        if not installed.exists() or installed.read_text() != wanted:
            log(f"making {self.folder.name}")
            subprocess.run([sys.executable, "-m", "venv", "--clear", self.folder], check=True)
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", self.requirements]
            subprocess.run([python, *install], check=True)
            installed.write_text(wanted)
        return python

    def script(self, name, *arguments):
        """The command that runs a script of `peers/`."""
        return [self.python, PEERS / f"{name}.py", *arguments]

    def packaged(self, package, file):
        """A file that a package brings; the pattern names just one."""
        [found] = self.python.parent.parent.glob(f"lib/python*/site-packages/{package}/{file}")
        return found

    @property
    def duckdb(self):
        """DuckDB's own command line: it starts sooner than Python does."""
        return self.packaged("duckdb_cli", "duckdb")

    @property
    def spatial(self):
        return self.packaged("duckdb_extension_spatial", "extensions/*/spatial.duckdb_extension")
