"""The peers' Python environments: one for each list of requirements in `peers/`, made once for a folder."""

import os
import subprocess
import sys
from pathlib import Path

from process import log

PEERS = Path(__file__).resolve().parent / "peers"


class Environment:
    """`peers`: DuckDB, polars, PyIceberg, rustac, stac-geoparquet; `reference`: the Python earthcatalog;
    `reference-search`: a later one of it, and its search; `service`: pgstac's STAC API;
    `file-service`: STAC APIs over a file.

    `alone` is a package that is installed without those that it asks for, and without asking whether it wants this Python.
    """

    def __init__(self, folder, name, alone=None):
        self.folder, self.requirements, self.alone = folder / f"environment-{name}", PEERS / f"{name}.txt", alone

    @property
    def python(self):
        installed, wanted = self.folder / "requirements.txt", f"{self.requirements.read_text()}{self.alone or ''}"
        python = self.folder / "bin/python"
        if not installed.exists() or installed.read_text() != wanted:
            log(f"making {self.folder.name}")
            subprocess.run([sys.executable, "-m", "venv", "--clear", self.folder], check=True)
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, "-r", self.requirements], check=True)
            if self.alone:
                subprocess.run([*install, "--no-deps", "--ignore-requires-python", self.alone], check=True)
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

    @property
    def variables(self):
        """Variables with which the DuckDB of rustac finds the extensions that packages bring: it would download others."""
        python, home = self.python, self.folder / "home"
        if not home.exists():
            ask = "import duckdb; print(duckdb.sql('PRAGMA platform').fetchone()[0])"
            system = subprocess.run([python, "-c", ask], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
            for extension in self.folder.glob("lib/python*/site-packages/duckdb_extension_*/extensions/*/*.duckdb_extension"):
                folder = home / ".duckdb/extensions" / extension.parent.name / system
                folder.mkdir(parents=True, exist_ok=True)
                (folder / extension.name).symlink_to(extension)
        return os.environ | {"HOME": str(home)}
