"""PyIceberg opens the catalog, counts the rows, and prunes files.

usage: warehouse_pyiceberg.py CATALOG WAREHOUSE ROWS
"""

import sys
from collections import Counter

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan

catalog_path, warehouse, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
catalog = SqlCatalog("earthcatalog", uri=f"sqlite:///{catalog_path}", warehouse=warehouse)
table = catalog.load_table("earthcatalog.items")

read = table.scan(selected_fields=("id", "grid_partition", "datetime", "platform")).to_arrow()
assert read.num_rows == rows, f"{read.num_rows} rows, expected {rows}"
assert read["id"].null_count == 0, "field ids do not match: ids read as null"
every = len(list(table.scan().plan_files()))


def files(row_filter):
    planned = list(table.scan(row_filter=row_filter).plan_files())
    assert 0 < len(planned) < every, f"{row_filter}: {len(planned)} of {every} files"
    return len(planned)


cell, in_cell = Counter(read["grid_partition"].to_pylist()).most_common(1)[0]
by_cell = EqualTo("grid_partition", cell)
files(by_cell)
assert table.scan(row_filter=by_cell, selected_fields=("id",)).to_arrow().num_rows == in_cell

times = [t for t in read["datetime"].to_pylist() if t is not None]
year = max(times).year
in_year = sum(t.year == year for t in times)
by_year = And(
    GreaterThanOrEqual("datetime", f"{year}-01-01T00:00:00+00:00"),
    LessThan("datetime", f"{year + 1}-01-01T00:00:00+00:00"),
)
files(by_year)
assert table.scan(row_filter=by_year, selected_fields=("id",)).to_arrow().num_rows == in_year
assert files(And(by_cell, GreaterThanOrEqual("datetime", f"{min(times).year}-01-01T00:00:00+00:00"))) <= files(by_cell)

summary = table.current_snapshot().summary
listed, committed = int(summary["earthcatalog.listed"]), int(summary["earthcatalog.items"])
others = sum(int(summary[f"earthcatalog.{name}"]) for name in ("rejected", "superseded", "skipped"))
assert listed == committed + others, summary
print(f"{rows} rows in {every} files")
