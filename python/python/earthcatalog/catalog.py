"""``open``, and a warehouse with the names of the Python reference."""

import json
import os
from typing import TYPE_CHECKING, Any

from ._values import geometry as place_of
from .errors import InputError
from .sql import needs
from .warehouse import Warehouse

if TYPE_CHECKING:
    import datetime as dt

    import pandas
    import pyarrow
    import pyiceberg.table
    import pystac

__all__ = ["EarthCatalog", "open"]


def open(
    store: object = None,
    base: "str | os.PathLike[str] | None" = None,
    *,
    catalog: "str | os.PathLike[str] | None" = None,
    warehouse: "str | os.PathLike[str] | None" = None,
    workers: "int | None" = None,
    memory: "str | int | None" = None,
    cluster: "str | None" = None,
) -> "Warehouse":
    """Open a warehouse, or the place for a new one, which the first ingest makes.

    - ``catalog``: path or URL of the Iceberg catalog, a SQLite file
    - ``warehouse``: folder or URL of the data files. The table knows it; only a new one needs it
    - ``store``, ``base``: the form of the Python reference, which gives an :class:`EarthCatalog`. The catalog is
      ``earthcatalog.db`` below ``base``, and the files are in ``warehouse`` beside it. The engine reaches a store by its
      URL, with the credentials of the environment: ``store`` itself is not used
    - ``workers``: how many tasks a command runs at a time; the number of cores where it is not given
    - ``memory``: what sorts may use before they spill to disk, in bytes or as ``"2GB"``
    - ``cluster``: ``df://HOST:PORT`` of a scheduler whose executors do the work

    Nothing is read yet: what is wrong with the warehouse is said by the first question.
    """
    kind = Warehouse
    if base is not None:
        if catalog is not None or warehouse is not None:
            raise InputError("base: it names catalog and warehouse; leave it or these out")
        root, kind = os.fspath(base).rstrip("/"), EarthCatalog
        catalog, warehouse = f"{root}/earthcatalog.db", f"{root}/warehouse"
    if catalog is None:
        raise InputError("catalog: name the catalog, as in earthcatalog.open(catalog='catalog.db')")
    return kind(catalog, warehouse, workers=workers, memory=memory, cluster=cluster)


class EarthCatalog(Warehouse):
    """A warehouse, which also has the methods of the Python reference by their names."""

    def ingest(
        self,
        inventory: "str | os.PathLike[str]",
        *,
        mode: str = "auto",
        update_hash_index: bool = False,
        **options: Any,
    ) -> "dict[str, Any]":
        """As :meth:`Warehouse.ingest` with ``mode="full"``, else as :meth:`Warehouse.incremental`.

        Either adds to the table: an Item that is there already stays in its newest version. ``update_hash_index`` changes
        nothing, because the table itself knows what it has ingested.
        """
        if mode not in ("auto", "delta", "full"):
            raise InputError(f"mode: {mode!r} is not a mode; give 'auto', 'delta' or 'full'")
        return super().ingest(inventory, **options) if mode == "full" else self.incremental(inventory, **options)

    ingest_inventory = ingest

    def search_to_arrow(self, **parameters: Any) -> "pyarrow.Table":
        """The Items of a search as a table of pyarrow: ``search(…).to_arrow()``."""
        return self.search(**parameters).to_arrow()

    def duck_search(self, *, format: str = "native", **parameters: Any) -> "pandas.DataFrame | list[pystac.Item]":
        """The Items of a search as a frame of pandas, or with ``format="pystac"`` as a list of ``pystac.Item``."""
        found = self.search(**parameters)
        return list(found.items()) if format == "pystac" else found.to_pandas()

    def search_uris(self, **parameters: Any) -> "pandas.DataFrame":
        """The ``id`` of each Item of a search, and as ``uri`` the address of its asset ``data``."""
        found = self.search(**parameters).to_arrow(["id", "assets"]).to_pydict()
        uris = [json.loads(assets or "{}").get("data", {}).get("href") for assets in found["assets"]]
        return needs("pandas", "search_uris").DataFrame({"id": found["id"], "uri": uris})

    def search_files(
        self,
        geometry: object,
        start_datetime: "str | dt.date | None" = None,
        end_datetime: "str | dt.date | None" = None,
    ) -> "list[str]":
        """The paths of the data files whose Items may intersect a place; :meth:`Warehouse.paths` says more of them."""
        return [file["path"] for file in self.paths(geometry, start=start_datetime, end=end_datetime)["files"]]

    def stats(self) -> "list[dict[str, Any]]":
        """Each bucket, from metadata alone: ``grid_partition``, ``year``, ``row_count``, ``file_count``,
        ``total_bytes``."""
        return self.sql(BUCKETS).to_arrow().to_pylist()

    def unique_item_count(self) -> int:
        """How many Items there are, exactly."""
        return self.search().matched()

    def cells_for_geometry(self, geometry: object) -> "list[str]":
        """The cells of the grid that share a point with a place: GeoJSON, WKT, or an object with
        ``__geo_interface__``."""
        place = place_of(geometry)
        read, text = ("Text", place) if isinstance(place, str) else ("GeoJSON", json.dumps(place))
        query = f"SELECT h3_cells(ST_GeomFrom{read}($text), $resolution) AS cells"
        return self.sql(query, text=text, resolution=self.info()["h3_resolution"]).to_arrow()["cells"][0].as_py() or []

    def cell_list_sql(self, geometry: object) -> str:
        """These cells as a condition of SQL: ``grid_partition IN ('…', '…')``."""
        return f"grid_partition IN ({', '.join(map(repr, self.cells_for_geometry(geometry))) or 'NULL'})"

    @property
    def table(self) -> "pyiceberg.table.Table":
        """The table as it is now, for PyIceberg, which it needs; it only reads."""
        return needs("pyiceberg.table", "table").StaticTable.from_metadata(self.info()["metadata"])


BUCKETS = """
SELECT grid_partition, year, record_count AS row_count, file_count, total_data_file_size_in_bytes AS total_bytes
FROM "items$partitions"
ORDER BY grid_partition, year
"""
