"""``compact_warehouse``, and ``python -m earthcatalog.maintenance.compact``, for ``earthcatalog compact``."""

import os
import sys
from typing import Any

from ..catalog import open as open_warehouse

__all__ = ["compact_warehouse"]


def compact_warehouse(
    warehouse_path: "str | os.PathLike[str]",
    catalog_path: "str | os.PathLike[str]",
    threshold: int = 2,
    use_lock: bool = False,
    dry_run: bool = False,
) -> "dict[str, Any]":
    """Merge the part files of each bucket that has ``threshold`` of them or more.

    Returns ``buckets_scanned``, ``buckets_compacted``, ``files_before`` and ``files_after``, and what else
    :meth:`earthcatalog.Warehouse.compact` reports. A dry run counts the buckets that would be compacted, and changes
    nothing: ``files_after`` is ``files_before``.
    """
    warehouse = open_warehouse(catalog=catalog_path, warehouse=warehouse_path)
    summary = warehouse.compact(threshold=threshold, use_lock=use_lock, dry_run=dry_run)
    if not dry_run:
        return summary
    state = warehouse.info()
    return {
        "buckets_scanned": state["buckets"],
        "buckets_compacted": len(summary["buckets"]),
        "files_before": state["files"],
        "files_after": state["files"],
    }


if __name__ == "__main__":
    from ..cli import run

    sys.exit(run(["compact", *sys.argv[1:]]))
