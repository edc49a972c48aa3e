"""``run_backfill``, and ``python -m earthcatalog.pipelines.backfill``, with the flags of ``earthcatalog backfill``."""

import os
import sys
from typing import TYPE_CHECKING, Any

from ..catalog import open as open_warehouse

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["run_backfill"]


def run_backfill(
    inventory_path: "str | os.PathLike[str]",
    catalog_path: "str | os.PathLike[str]",
    warehouse_path: "str | os.PathLike[str]",
    scheduler: str = "local",
    n_workers: int = 4,
    chunk_size: int = 500,
    limit: "int | None" = None,
    since: "str | dt.date | None" = None,
    h3_resolution: "int | None" = None,
    fetch_concurrency: "int | None" = None,
    report_location: "str | os.PathLike[str] | None" = None,
) -> "dict[str, Any]":
    """Ingest an inventory of any size; :meth:`earthcatalog.Warehouse.backfill` says how, and what it returns.

    ``scheduler`` is ``"local"``, with ``n_workers`` chunks at a time; ``"synchronous"``, with one; or
    ``df://HOST:PORT``, the scheduler of a cluster.
    """
    cluster = scheduler if scheduler.startswith("df://") else None
    warehouse = open_warehouse(catalog=catalog_path, warehouse=warehouse_path, workers=n_workers, cluster=cluster)
    return warehouse.backfill(
        inventory_path,
        scheduler="ballista" if cluster else scheduler,
        chunk_size=chunk_size,
        limit=limit,
        since=since,
        h3_resolution=h3_resolution,
        fetch_concurrency=fetch_concurrency,
        report_location=report_location,
    )


if __name__ == "__main__":
    from ..cli import run

    sys.exit(run(["backfill", *sys.argv[1:]]))
