"""STAC searches, as ``pystac_client.ItemSearch`` has them."""

import itertools
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _earthcatalog
from ._html import count, rows, table
from ._values import geometry, interval, listed, texts
from ._values import query as conditions
from .errors import EarthcatalogError, InputError
from .sql import ArrowRows, needs

if TYPE_CHECKING:
    import datetime as dt

    import geopandas
    import pyarrow
    import pystac

    from ._earthcatalog import Rows

__all__ = ["ItemSearch"]

#: Items on a page where ``limit`` is not given.
PAGE = 100

#: The order of the Items where none is asked for.
NEWEST_FIRST = "-datetime"

#: What notebooks show of the first Items, and of how many.
SHOWN = ["datetime", "collection", "id"]
MOST_SHOWN = 5


class ItemSearch(ArrowRows):
    """A search, with the parameters and methods of ``pystac_client.ItemSearch``.

    Nothing is read before it is asked for; Items come as they are read. Each use asks again, on the state that the
    warehouse then has. All conditions must hold:

    - ``intersects``: a geometry: GeoJSON, WKT, or an object with ``__geo_interface__``; not together with ``bbox``
    - ``bbox``: west, south, east, north in degrees; west > east goes over the antimeridian
    - ``datetime``: a time, a day, a month or a year; ``"START/END"``, or two of these with ``None`` for an open end
    - ``ids``, ``collections``: one of these
    - ``q``: texts of which the id has one
    - ``filter``, ``filter_lang``: CQL2, a text or a mapping
    - ``query``: ``{"eo:cloud_cover": {"lt": 10}}``, or ``["eo:cloud_cover<10"]``

    And of the answer:

    - ``sortby``: ``"-datetime,+id"``, a list of these, or of ``{"field": …, "direction": …}``; the newest first where
      it is not given
    - ``fields``: what is left of each Item: ``"id,-links"``, a list, or ``{"include": […], "exclude": […]}``. Rows
      (``to_arrow`` and the like) have all columns
    - ``max_items``: how many Items at most; all where it is not given
    - ``limit``: how many on a page of :meth:`pages`

    Raises :class:`earthcatalog.InputError`, which names the parameter.
    """

    def __init__(
        self,
        warehouse: "_earthcatalog.Warehouse",
        *,
        max_items: "int | None" = None,
        limit: "int | None" = None,
        ids: "str | Iterable[str] | None" = None,
        collections: "str | Iterable[str | pystac.Collection] | None" = None,
        bbox: "str | Sequence[float] | None" = None,
        intersects: "str | Mapping[str, Any] | object | None" = None,
        datetime: "str | dt.date | Sequence[str | dt.date | None] | None" = None,
        query: "Mapping[str, Any] | str | Iterable[str] | None" = None,
        filter: "str | Mapping[str, Any] | None" = None,
        filter_lang: "str | None" = None,
        sortby: "str | Iterable[str | Mapping[str, str]] | None" = None,
        fields: "str | Iterable[str] | Mapping[str, Any] | None" = None,
        q: "str | Iterable[str] | None" = None,
    ) -> None:
        if limit is not None and limit < 1:
            raise InputError(f"limit: a page of {limit} Items is none; give 1 or more")
        if max_items is not None and max_items < 1:
            raise InputError(f"max_items: {max_items} Items are none; give 1 or more")
        given = {
            "bbox": bbox if bbox is None or isinstance(bbox, str) else [float(side) for side in bbox],
            "intersects": geometry(intersects),
            "datetime": interval(datetime),
            "ids": texts(ids),
            "collections": texts(collections),
            "q": texts(q),
            "filter": filter,
            "filter-lang": filter_lang,
            "query": conditions(query),
            "sortby": listed(sortby) or NEWEST_FIRST,
            "fields": listed(fields),
            "limit": max_items,
        }
        given = {name: value for name, value in given.items() if value is not None}
        super().__init__(self._ask)
        self._warehouse = warehouse
        self._page = limit or PAGE
        self._parameters = _earthcatalog.search_parameters(json.dumps(given, default=_plain))
        #: For notebooks: how many match, once somebody has asked, and how many Items were read so far.
        self._matched: int | None = None
        self._read = 0

    def get_parameters(self) -> "dict[str, Any]":
        """The parameters, as the body of a POST to a STAC API has them; ``limit`` is ``max_items``."""
        return json.loads(self._parameters)

    def matched(self) -> int:
        """How many Items meet the conditions, exactly, whatever ``max_items`` is."""
        unlimited = {name: value for name, value in self.get_parameters().items() if name not in ("limit", "sortby")}
        self._matched = self._warehouse.count(json.dumps(unlimited))
        return self._matched

    def stats(self) -> "dict[str, int]":
        """How much there is to look at, from metadata alone: ``files`` of the place and time, or of all where no place is
        given, with ``rows_upper_bound`` and ``bytes_upper_bound``, which are those of these files."""
        asked = self.get_parameters()
        place = asked.get("intersects") or asked.get("bbox")
        if place is None:
            found = [json.loads(self._warehouse.command("info", {}))]
            files = found[0]["files"]
        else:
            start, end = (None if end == ".." else end for end in (asked.get("datetime", "..").split("/") * 2)[:2])
            # Heights of a box are left out.
            sides = place if isinstance(place, dict) or len(place) == 4 else [*place[:2], *place[3:5]]
            text = json.dumps(sides) if isinstance(sides, dict) else ",".join(map(str, sides))
            options = {"geometry": text, "start": start, "end": end}
            found = json.loads(self._warehouse.command("paths", options))["files"]
            files = len(found)
        return {"files": files} | {
            f"{unit}_upper_bound": sum(part[unit] for part in found) for unit in ("rows", "bytes")
        }

    def items_as_dicts(self) -> "Iterator[dict[str, Any]]":
        """The Items as they were ingested, each a mapping."""
        rows = self._ask()
        for lines in iter(rows.next_items, None):
            for line in lines.split(b"\n")[:-1]:
                self._read += 1
                yield json.loads(line)

    def items(self) -> "Iterator[pystac.Item]":
        """The Items as ``pystac.Item``; needs pystac."""
        pystac = needs("pystac", "items")
        for item in self.items_as_dicts():
            yield pystac.Item.from_dict(item, preserve_dict=False)

    def __iter__(self) -> "Iterator[pystac.Item]":
        return self.items()

    def pages_as_dicts(self) -> "Iterator[dict[str, Any]]":
        """The Items in ItemCollections of ``limit`` Items each, as mappings."""
        items = self.items_as_dicts()
        while page := list(itertools.islice(items, self._page)):
            yield {"type": "FeatureCollection", "features": page}

    def pages(self) -> "Iterator[pystac.ItemCollection]":
        """The Items in ``pystac.ItemCollection`` of ``limit`` Items each; needs pystac."""
        pystac = needs("pystac", "pages")
        items = self.items()
        while page := list(itertools.islice(items, self._page)):
            yield pystac.ItemCollection(page, clone_items=False)

    def item_collection_as_dict(self) -> "dict[str, Any]":
        """All Items as one ItemCollection, a mapping."""
        return {"type": "FeatureCollection", "features": list(self.items_as_dicts())}

    def item_collection(self) -> "pystac.ItemCollection":
        """All Items as one ``pystac.ItemCollection``; needs pystac."""
        return needs("pystac", "item_collection").ItemCollection(self.items(), clone_items=False)

    def hrefs(self, asset: "str | None" = None) -> "Iterator[str]":
        """The addresses of the assets, of all or of those called ``asset``; an asset without one is left out. A relative one is
        made whole by the Item's link to itself."""
        rows = self._ask(["assets", "links"])
        for lines in iter(lambda: rows.next_hrefs(asset), None):
            yield from lines.decode().split("\n")[:-1]

    def to_arrow(self, columns: "Iterable[str] | None" = None) -> "pyarrow.Table":
        """The Items as rows of table ``items``: all columns, or these.

        Needs pyarrow. Geometries are WKB with extension type ``geoarrow.wkb`` and their system.
        """
        return self._columns(columns).to_arrow()

    def to_pandas(self, columns: "Iterable[str] | None" = None, **options: Any) -> Any:
        """As :meth:`to_arrow`, as a frame of pandas, with the options of ``pyarrow.Table.to_pandas``."""
        return self._columns(columns).to_pandas(**options)

    def to_geopandas(self, columns: "Iterable[str] | None" = None) -> "geopandas.GeoDataFrame":
        """As :meth:`to_arrow`, as a frame of geopandas; ``columns`` must have ``geometry`` among them."""
        return self._columns(columns).to_geopandas()

    def _ask(self, columns: "Iterable[str] | None" = None) -> "Rows":
        names = "*" if columns is None else ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
        return self._warehouse.search(self._parameters, names)

    def _columns(self, columns: "Iterable[str] | None") -> ArrowRows:
        names = None if columns is None else list(columns)
        return ArrowRows(lambda: self._ask(names))

    def __repr__(self) -> str:
        return f"<earthcatalog.ItemSearch: {self._parameters}>"

    def _repr_html_(self) -> "str | None":
        started = time.perf_counter()
        asked = self.get_parameters()
        first = json.dumps(asked | {"limit": min(MOST_SHOWN, asked.get("limit", MOST_SHOWN))})
        try:
            items = ArrowRows(lambda: self._warehouse.search(first, ", ".join(SHOWN))).to_arrow()
        except (EarthcatalogError, ModuleNotFoundError):
            # The text says what is asked for.
            return None
        counts = [("match", self._matched), ("read so far", self._read or None)]
        lines = [(name, json.dumps(value)) for name, value in asked.items()]
        lines += [(name, count(number)) for name, number in counts if number is not None]
        lines += [(f"first {items.num_rows} read in", f"{time.perf_counter() - started:.2f} s")]
        columns = zip(*items.to_pydict().values(), strict=True)
        return f"{table('earthcatalog.ItemSearch', lines)}{rows(SHOWN, columns)}"


def _plain(value: Any) -> Any:
    """Numbers of numpy and the like, as JSON has them."""
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{value!r} is not a value of JSON")
