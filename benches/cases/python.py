"""All Items in Python, in one process: as a table of Arrow, a frame of geopandas, and as mappings, as pystac has them.

- earthcatalog: `search()` of the package over a compacted warehouse, the newest first.
- rustac's `DuckdbClient`, and stac-geoparquet (pyarrow and geopandas read its files; `stac_table_to_items` makes Items), over one
  file of stac-geoparquet with the same Items, in no order of their own.
- The reference (0.6.1): `search` and `search_to_arrow` for the whole world, over a catalog that its own functions made. It makes
  no frames of geopandas. It opens its files one after the other, so that it is asked once, and of fewer Items; of the cells of so
  large a place it knows some, so "found" says how many Items it finds.

The ids of the others are compared. "first" and "again": the first answer of a process and the second, without imports. The process
holds one at a time, and its libraries.
"""

import json
import shutil
import sys
from pathlib import Path

from cases import services
from process import log, measured

TITLE = "Items in Python"
COLUMNS = ["items", "form", "engine", "first_s", "again_s", "cpu_s", "answer_mb", "peak_mb", "found"]
FORMS = ["Arrow", "geopandas", "Items"]
PACKAGE = Path(__file__).resolve().parent.parent.parent / "python/python/earthcatalog"


def key(row):
    return row["items"], row["form"]


def cost(row):
    return row["first_s"]


def run(bench):
    if not bench.peers:
        log("python is left out: pyarrow and geopandas are in the peers' environment")
        return
    for items in bench.scale.in_python:
        file = services.parquet(bench, items)
        engines = {
            "earthcatalog": Answer(bench, bench.peers, "earthcatalog", services.collection(bench, items) / "catalog.db"),
            "rustac": Answer(bench, bench.peers, "rustac", file),
            "stac-geoparquet": Answer(bench, bench.peers, "stac_geoparquet", file),
        }
        for form in FORMS:
            what = f"{items:,} Items in Python, {form}"
            # Items of Python take long, and whichever engine makes them.
            runs = 1 if form == "Items" else None
            found = bench.alternate(what, {name: engine.of(form) for name, engine in engines.items()}, by="first_s", runs=runs)
            if form != "geopandas" and items in bench.scale.in_python_by_reference:
                answer = Answer(bench, bench.reference_search, "reference", reference(bench, items)).of(form)
                found |= bench.alternate(what, {"reference": answer}, by="first_s", runs=1)
            for engine, figures in found.items():
                yield {**figures, "items": items, "form": form, "engine": engine}


class Answer:
    def __init__(self, bench, environment, engine, where):
        self.engine = engine
        self.words = lambda form: environment.script("python_answer", engine, where, form)
        self.variables = environment.variables | {"OMP_NUM_THREADS": str(bench.workers), "PYTHONDONTWRITEBYTECODE": "1"}
        if engine == "earthcatalog":
            self.variables["PYTHONPATH"] = str(package(bench))

    def of(self, form):
        def answer():
            text, figures = measured(self.words(form), env=self.variables)
            told = json.loads(text)
            found = told.pop("items"), told.pop("digest")
            return (None, figures | told | {"found": found[0]}) if self.engine == "reference" else (found, figures | told)
        return answer


def package(bench):
    """A folder with the package as a wheel has it: the Python sources, and the engine, built beside the command."""
    library = bench.binary.with_name(f"lib_earthcatalog.{'dylib' if sys.platform == 'darwin' else 'so'}")
    if not library.exists():
        sys.exit(f"{library} is missing; cargo build --release --workspace makes it")
    folder = bench.new_folder() / "earthcatalog"
    folder.mkdir()
    for source in PACKAGE.iterdir():
        (folder / source.name).symlink_to(source)
    (folder / "_earthcatalog.abi3.so").symlink_to(library)
    return folder.parent


def reference(bench, items):
    """A catalog of the reference, without collections, which its table has no place for."""
    folder = bench.work / f"reference-catalog-{items}"
    # A table's paths are absolute: it is made where it stays.
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        measured(bench.reference_search.script("reference_catalog", bench.data.ndjson(items), folder))
        (folder / "complete").touch()
    return folder
