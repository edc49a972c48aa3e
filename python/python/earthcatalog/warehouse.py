"""A warehouse: where Items go in, and answers come out."""

import json
import os
import time
from typing import TYPE_CHECKING, Any

from . import _earthcatalog
from ._html import count, size, table, world
from ._progress import shown
from ._values import duration, geometry, location, moment
from .errors import EarthcatalogError
from .search import ItemSearch
from .sql import Result

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["Warehouse"]

#: The finest cells on a map of the world; there are 842 of them.
MAP_RESOLUTION = 1

CELLS = """
SELECT cell, rows, ST_AsText(h3_cell_to_boundary(cell)) AS outline
FROM (
    SELECT h3_cell_to_parent(grid_partition, $resolution) AS cell, sum(record_count) AS rows
    FROM "items$partitions"
    WHERE grid_partition <> '__none__'
    GROUP BY 1
)
ORDER BY cell
"""


class Warehouse:
    """A warehouse. ``earthcatalog.open`` makes it; many threads may use one, and it can be pickled for other processes.

    Processes are started with multiprocessing's "spawn" or "forkserver": in one that is forked from a process in which
    the engine had begun to work, it does not work.

    The commands return their reports, the same as ``--output json`` of the command ``earthcatalog`` prints. They raise
    :class:`earthcatalog.InputError`, :class:`earthcatalog.WarehouseError` and its kinds. Interrupted by Ctrl-C, they
    leave the table as it was, or as it is after the commit that was under way, and raise ``KeyboardInterrupt``.
    """

    def __init__(
        self,
        catalog: "str | os.PathLike[str]",
        warehouse: "str | os.PathLike[str] | None" = None,
        *,
        workers: "int | None" = None,
        memory: "str | int | None" = None,
        cluster: "str | None" = None,
    ) -> None:
        self.catalog = location(catalog)
        self.warehouse = location(warehouse)
        self._options = {"workers": workers, "memory": memory, "cluster": cluster}
        places = {"catalog": self.catalog, "warehouse": self.warehouse}
        self._native = _earthcatalog.Warehouse(places | self._options)

    def __reduce__(self) -> "tuple[Any, ...]":
        return _unpickled, (type(self), self.catalog, self.warehouse, self._options)

    def search(self, **parameters: Any) -> ItemSearch:
        """A STAC search over the Items, each in its newest version; :class:`ItemSearch` has the parameters."""
        return ItemSearch(self._native, **parameters)

    def sql(self, query: str, **parameters: "str | int | float | bool | None") -> Result:
        """The answer of a statement, or of the last of several; it only reads the warehouse.

        ``$name`` in a statement has the value of the keyword ``name``. Tables are ``items`` (each Item once),
        ``item_cells`` (once per cell and version), and those of metadata; views and settings that a statement makes
        stay for later ones.

        Raises :class:`earthcatalog.InputError` with the place in the text that is wrong.
        """
        return Result(lambda: self._native.sql(query, parameters))

    def ingest(
        self,
        inventory: "str | os.PathLike[str]",
        *,
        limit: "int | None" = None,
        since: "str | dt.date | None" = None,
        h3_resolution: "int | None" = None,
        columns: "str | None" = None,
        chunk_size: "int | None" = None,
        fetch_concurrency: "int | None" = None,
        suffix: "str | None" = None,
        base: "str | os.PathLike[str] | None" = None,
        format: "str | None" = None,
        validate: bool = False,
        max_item_cells: "int | None" = None,
        max_rejects: "int | str | None" = None,
        dry_run: bool = False,
    ) -> "dict[str, Any]":
        """Ingest an inventory of STAC Items, as one snapshot.

        - ``inventory``: S3 Inventory (CSV, Parquet, ``manifest.json``), a list of keys or URLs, or Items themselves
          (NDJSON, ItemCollections, stac-geoparquet, folders of these); path or URL
        - ``limit``: the first so many objects only
        - ``since``: objects that were modified since then only
        - ``h3_resolution``: of a new table, 0 to 15
        - ``columns``: properties with a column of their own in a new table, as ``"platform VARCHAR, eo:cloud_cover DOUBLE"``
        - ``chunk_size``: objects of a task
        - ``fetch_concurrency``: objects that a task fetches at a time
        - ``suffix``: ends of the keys that are Items, as ``".json,.geojson"``
        - ``base``: what keys without a scheme are below
        - ``format``: what the inventory is, where its name does not tell
        - ``validate``: reject what does not follow STAC's core schema
        - ``max_item_cells``: reject Items that cover more cells
        - ``max_rejects``: fail if there are more, a number or a share (``"1%"``)
        - ``dry_run``: say what it would do, and write nothing

        Returns ``listed``, ``items``, ``rejected`` by reason, ``superseded``, ``skipped``, ``rows``, ``files``,
        ``bytes``, ``snapshot`` (``None`` where there was nothing to commit), ``seconds`` and more.
        """
        return self._command("ingest", _source(locals()))

    def incremental(
        self,
        inventory: "str | os.PathLike[str]",
        *,
        limit: "int | None" = None,
        since: "str | dt.date | None" = None,
        retry_rejects: bool = False,
        h3_resolution: "int | None" = None,
        columns: "str | None" = None,
        chunk_size: "int | None" = None,
        fetch_concurrency: "int | None" = None,
        suffix: "str | None" = None,
        base: "str | os.PathLike[str] | None" = None,
        format: "str | None" = None,
        validate: bool = False,
        max_item_cells: "int | None" = None,
        max_rejects: "int | str | None" = None,
        report_location: "str | os.PathLike[str] | None" = None,
        dry_run: bool = False,
    ) -> "dict[str, Any]":
        """Ingest the objects of an inventory that the table has not ingested yet, as one snapshot.

        As :meth:`ingest`. ``since`` may be ``"last"``, the time of the newest object that the table has seen; with
        ``retry_rejects``, objects that earlier runs rejected are tried again, however old they are. Each run adds a line
        to ``ingest_stats.json`` in ``report_location``, the catalog's folder where it is not given.
        """
        return self._command("incremental", _source(locals()))

    def backfill(
        self,
        inventory: "str | os.PathLike[str]",
        *,
        scheduler: "str | None" = None,
        restart: bool = False,
        limit: "int | None" = None,
        since: "str | dt.date | None" = None,
        h3_resolution: "int | None" = None,
        columns: "str | None" = None,
        chunk_size: "int | None" = None,
        fetch_concurrency: "int | None" = None,
        suffix: "str | None" = None,
        base: "str | os.PathLike[str] | None" = None,
        format: "str | None" = None,
        validate: bool = False,
        max_item_cells: "int | None" = None,
        max_rejects: "int | str | None" = None,
        report_location: "str | os.PathLike[str] | None" = None,
        dry_run: bool = False,
    ) -> "dict[str, Any]":
        """Ingest an inventory of any size, merge the files, and commit one snapshot at the end.

        As :meth:`incremental`, without ``since="last"``. Interrupted, or killed, it goes on where it was when it is
        called again; ``restart`` begins from the start. ``scheduler`` is ``"synchronous"`` (one chunk after the other),
        ``"local"`` or ``"ballista"`` (on the cluster). The report also has ``chunks``, ``chunks_resumed``,
        ``versions_dropped``, ``seconds_ingest`` and ``seconds_merge``.
        """
        return self._command("backfill", _source(locals()))

    def reconcile(
        self,
        inventory: "str | os.PathLike[str]",
        *,
        prefix: "str | None" = None,
        suffix: "str | None" = None,
        base: "str | os.PathLike[str] | None" = None,
        format: "str | None" = None,
        max_removed: "int | str | None" = None,
        dry_run: bool = False,
    ) -> "dict[str, Any]":
        """Remove the Items whose objects an inventory no longer lists, as one snapshot.

        - ``prefix``: of the objects that the inventory is complete for
        - ``max_removed``: change nothing if there are more, a number or a share (``"1%"``)
        - ``suffix``, ``base``, ``format``, ``dry_run``: as :meth:`ingest`

        Returns ``items`` and ``objects`` that are gone, ``rows_before``, ``rows_after``, ``snapshot``, ``seconds`` and
        more.
        """
        options = locals() | {"inventory": location(inventory), "base": location(base)}
        return self._command("reconcile", options)

    def delete(self, where: str, *, dry_run: bool = False) -> "dict[str, Any]":
        """Delete the Items for which ``where`` is true, in all versions and cells, as one snapshot.

        ``where`` is a condition in SQL on the columns of ``items``, as ``"platform = 'S1B'"``. Returns ``items``,
        ``rows_before``, ``rows_after``, ``snapshot`` and more; of a dry run, ``deleted`` and ``buckets``.
        """
        return self._command("delete", {"where": where, "dry_run": dry_run})

    def update(self, set: str, where: str, *, dry_run: bool = False) -> "dict[str, Any]":
        """Give the Items for which ``where`` is true other values, in all their cells, as one snapshot.

        ``set`` has columns with their new values, as behind ``SET`` in SQL:
        ``"platform = 'LC08', properties = json_set(properties, 'eo:cloud_cover', 12.5)"``. ``where`` and what is
        returned are as of :meth:`delete`; of a dry run, ``updated`` and ``buckets``.
        """
        return self._command("update", {"set": set, "where": where, "dry_run": dry_run})

    def compact(
        self,
        *,
        threshold: "int | None" = None,
        bucket: "str | None" = None,
        since: "int | None" = None,
        commit_every: "int | None" = None,
        retain: "str | dt.timedelta | None" = None,
        use_lock: bool = False,
        dry_run: bool = False,
    ) -> "dict[str, Any]":
        """Merge the part files of each bucket into one, with the newest version of each Item.

        - ``threshold``: buckets with so many files or more
        - ``bucket``: this one only, as ``CELL/YEAR``
        - ``since``: buckets of this year and later
        - ``commit_every``: commit after so many buckets
        - ``retain``: how long replaced files are kept for readers that still use them, as ``"7d"``
        - ``use_lock``: hold the catalog's lock, so that a second compaction does not repeat the work
        - ``dry_run``: list the buckets, and change nothing

        Returns ``buckets_scanned``, ``buckets_compacted``, ``files_before``, ``files_after``, ``versions_dropped``,
        ``snapshots``, ``seconds`` and more; of a dry run, ``buckets`` and their ``files``, ``rows`` and ``bytes``.
        """
        return self._command("compact", locals() | {"retain": duration(retain)})

    def expire(self, *, retain: "str | dt.timedelta | None" = None, dry_run: bool = False) -> "dict[str, Any]":
        """Remove snapshots that are older than ``retain`` (``"7d"``), and files that nothing needs any more.

        Returns ``snapshots_removed``, ``data_files_removed``, ``metadata_files_removed``, ``orphans_removed``,
        ``bytes_removed`` and more.
        """
        return self._command("expire", locals() | {"retain": duration(retain)})

    def info(self) -> "dict[str, Any]":
        """The state of the warehouse, from its metadata alone.

        Returns ``rows``, ``files``, ``bytes``, ``cells``, ``buckets``, ``years``, ``snapshots``, ``h3_resolution`` and
        more.
        """
        return self._command("info", {})

    def changes(self, since: "str | int | dt.date | None" = "last", to: "str | int | dt.date | None" = None) -> Result:
        """What has become of Items between two states of the table, as the rows of a question.

        A state is a time, the id of a snapshot, or the name of a tag. ``since`` may also be ``"last"`` (before the last
        commit that was more than a compaction) or ``None`` (before the first one); ``to`` is the newest where it is not
        given. The columns are ``change`` (``added``, ``changed`` or ``removed``), then those of ``items``, which are
        those of before where the Item is removed.
        """
        return self.sql("SELECT * FROM changes(items, $since, $to)", since=_state(since), to=_state(to))

    def paths(
        self,
        geometry: object,
        *,
        start: "str | dt.date | None" = None,
        end: "str | dt.date | None" = None,
    ) -> "dict[str, Any]":
        """The data files whose Items may intersect a place, for readers that take a list of files.

        - ``geometry``: GeoJSON, WKT, ``west, south, east, north``, or an object with ``__geo_interface__``
        - ``start``, ``end``: of the Items' times, both inclusive

        Returns ``files``, each with ``path``, ``grid_partition``, ``year``, ``rows`` and ``bytes``; how many files
        there are (``of``); and what pruned the rest.
        """
        options = {"geometry": _place(geometry), "start": moment(start), "end": moment(end)}
        return self._command("paths", options)

    def collections(self) -> "list[dict[str, Any]]":
        """The collections: those that Items name, and those that were added, each with its extent and number of
        Items."""
        return self._command("collections", {})

    def _command(self, name: str, options: "dict[str, Any]") -> Any:
        options.pop("self", None)
        with shown(name) as bar:
            report = self._native.command(name, options | {"progress": bar})
        return json.loads(report) if report else {}

    def __repr__(self) -> str:
        where = "" if self.warehouse is None else f", warehouse={self.warehouse!r}"
        return f"<earthcatalog.{type(self).__name__}: catalog={self.catalog!r}{where}>"

    def _repr_html_(self) -> "str | None":
        started = time.perf_counter()
        try:
            info = self.info()
            cells = self._cells(info["h3_resolution"])
        except EarthcatalogError:
            # There may be no table yet: the text says what there is.
            return None
        years = info["years"] and f"{info['years'][0]} to {info['years'][1]}"
        snapshots = info["snapshots"]
        summary = table(
            "earthcatalog.Warehouse",
            [
                ("catalog", info["catalog"]),
                ("files in", info["warehouse"]),
                ("rows", count(info["rows"])),
                ("files", f"{count(info['files'])}, {size(info['bytes'])}"),
                ("buckets", f"{count(info['buckets'])} in {count(info['cells'])} cells of {info['grid']}"),
                ("resolution", info["h3_resolution"]),
                ("years", years or "none"),
                (
                    "snapshots",
                    f"{len(snapshots)}, the last of {snapshots[-1]['committed_at']}" if snapshots else "none",
                ),
                ("metadata read in", f"{time.perf_counter() - started:.2f} s"),
            ],
        )
        return f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:center">{summary}{world(cells)}</div>'

    def _cells(self, resolution: int) -> "list[tuple[str, int, str]]":
        """Name, number of rows and outline of each cell, of the coarser cells that a map has room for; without pyarrow,
        none."""
        try:
            found = self.sql(CELLS, resolution=min(resolution, MAP_RESOLUTION)).to_arrow()
        except ModuleNotFoundError:
            return []
        return list(zip(*found.to_pydict().values(), strict=True))


def _unpickled(kind: "type[Warehouse]", catalog: str, warehouse: "str | None", options: "dict[str, Any]") -> Warehouse:
    return kind(catalog, warehouse, **options)


def _source(options: "dict[str, Any]") -> "dict[str, Any]":
    """The options of a command that ingests, as the engine reads them."""
    places = {name: location(options.get(name)) for name in ("inventory", "base", "report_location")}
    return options | places | {"since": moment(options["since"])}


def _state(value: "str | int | dt.date | None") -> "str | int | None":
    return value if isinstance(value, int) else moment(value)


def _place(value: object) -> str:
    value = geometry(value)
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ",".join(str(side) for side in value)
    return json.dumps(value)
