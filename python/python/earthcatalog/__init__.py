"""STAC Items by the million in a spatially partitioned GeoParquet warehouse with an Apache Iceberg catalog.

``earthcatalog.open`` gives a :class:`Warehouse`, which ingests inventories of STAC Items, keeps them compact, and
answers in SQL and as a STAC search. Answers are Arrow (``__arrow_c_stream__``): pyarrow, polars, DuckDB, pandas and
geopandas take them without a copy.

    import earthcatalog

    warehouse = earthcatalog.open(catalog="catalog.db", warehouse="warehouse")
    warehouse.ingest("items.ndjson")
    warehouse.search(bbox=[12, 77, 28, 80.5], datetime="2018/2020").to_geopandas()
    warehouse.sql("SELECT platform, count(*) AS items FROM items GROUP BY platform").to_pandas()

The command ``earthcatalog`` comes with the package.
"""

from ._earthcatalog import __version__
from .catalog import EarthCatalog, open
from .errors import ConflictError, DamageError, EarthcatalogError, InputError, WarehouseError
from .search import ItemSearch
from .sql import Result
from .warehouse import Warehouse

__all__ = [
    "ConflictError",
    "DamageError",
    "EarthCatalog",
    "EarthcatalogError",
    "InputError",
    "ItemSearch",
    "Result",
    "Warehouse",
    "WarehouseError",
    "__version__",
    "open",
]
