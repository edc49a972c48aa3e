"""Answers of SQL."""

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import geopandas
    import pandas
    import pyarrow

    from ._earthcatalog import Batch, Rows

__all__ = ["Result"]


def needs(module: str, what: str) -> Any:
    """Import a module that ``what`` needs, or say how it is installed."""
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{what} needs {module}: pip install {module}", name=module) from error


class ArrowRows:
    """Rows as Arrow. Nothing is read before it is asked for, and each use asks the question again."""

    def __init__(self, rows: "Callable[[], Rows]") -> None:
        self._rows = rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows, as a capsule of Arrow's C stream interface: pyarrow, polars, DuckDB and others take it."""
        return self._rows().__arrow_c_stream__(requested_schema)

    def batches(self) -> "Iterator[pyarrow.RecordBatch | Batch]":
        """The rows batch by batch, as they come: record batches of pyarrow.

        Without pyarrow, objects with ``__arrow_c_array__``.
        """
        return _batches(self._rows())

    def to_arrow(self) -> "pyarrow.Table":
        """All rows as a table of pyarrow. Geometries are WKB, with extension type ``geoarrow.wkb`` and their system."""
        return _table(self._rows(), "to_arrow")

    def to_pandas(self, **options: Any) -> "pandas.DataFrame":
        """All rows as a frame of pandas, with the options of ``pyarrow.Table.to_pandas``."""
        return _for_pandas(_table(self._rows(), "to_pandas")).to_pandas(**options)

    def to_geopandas(self) -> "geopandas.GeoDataFrame":
        """All rows as a frame of geopandas, with the coordinate system of the geometries.

        Raises ``ValueError`` where there is no column of geometries.
        """
        geopandas = needs("geopandas", "to_geopandas")
        return geopandas.GeoDataFrame.from_arrow(_for_pandas(_table(self._rows(), "to_geopandas")))


def _batches(rows: "Rows") -> "Iterator[pyarrow.RecordBatch | Batch]":
    try:
        import pyarrow
    except ModuleNotFoundError:
        convert: Callable[[Any], Any] = lambda batch: batch
    else:
        convert = pyarrow.record_batch
    return map(convert, iter(rows.next_batch, None))


def _table(rows: "Rows", what: str) -> "pyarrow.Table":
    pyarrow = needs("pyarrow", what)
    # Batch by batch, and not as one stream: so errors keep their class, and Ctrl-C works.
    return pyarrow.Table.from_batches(list(_batches(rows)), schema=pyarrow.schema(rows))


def _for_pandas(table: "pyarrow.Table") -> "pyarrow.Table":
    """``table`` without lists of views, of which pyarrow 22 makes no frame."""
    import pyarrow

    def plain(kind: "pyarrow.DataType") -> "pyarrow.DataType":
        if pyarrow.types.is_list(kind):
            return pyarrow.list_(kind.value_field.with_type(plain(kind.value_type)))
        return {pyarrow.string_view(): pyarrow.string(), pyarrow.binary_view(): pyarrow.binary()}.get(kind, kind)

    lists = [
        field.with_type(plain(field.type)) if pyarrow.types.is_list(field.type) else field for field in table.schema
    ]
    return table.cast(pyarrow.schema(lists, metadata=table.schema.metadata))


class Result(ArrowRows):
    """The answer of a statement.

    Nothing is read before it is asked for. Each use (``to_arrow``, iteration, a library that reads it) runs the
    statement again, on the state that the warehouse then has; keep ``to_arrow()`` to use one answer twice.
    """

    def __init__(self, plan: "Callable[[], Rows]") -> None:
        super().__init__(self._next)
        self._plan = plan
        # Planned at once: what is wrong with a statement is said where it is written.
        self._planned: list[Rows] = [plan()]
        self._schema = self._planned[0]
        if self._schema.writes:
            # Files are written now, and once.
            for _ in iter(self._schema.next_batch, None):
                pass

    def _next(self) -> "Rows":
        # A definition, or a statement that writes files, takes effect once; it has no rows to ask for again.
        if self._schema.writes or not self.columns:
            return self._schema
        try:
            return self._planned.pop()
        except IndexError:
            return self._plan()

    @functools.cached_property
    def columns(self) -> "list[str]":
        """Names of the columns; none of a statement without rows."""
        return self._schema.columns

    def __arrow_c_schema__(self) -> object:
        """The columns and their types, as a capsule of Arrow's C interface."""
        return self._schema.__arrow_c_schema__()

    def __iter__(self) -> "Iterator[pyarrow.RecordBatch | Batch]":
        return self.batches()

    def __repr__(self) -> str:
        return f"<earthcatalog.Result: {', '.join(self.columns) or 'no rows'}>"
