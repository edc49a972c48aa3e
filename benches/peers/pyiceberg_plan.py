"""How many files PyIceberg would read: pyiceberg_plan.py CATALOG.db CONDITION"""

import sys

from pyiceberg.catalog.sql import SqlCatalog

table = SqlCatalog("earthcatalog", uri=f"sqlite:///{sys.argv[1]}").load_table("earthcatalog.items")
print(len(list(table.scan(row_filter=sys.argv[2]).plan_files())))
