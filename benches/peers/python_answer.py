"""All Items of a catalog or file in one form, twice, of the reference once: python_answer.py ENGINE WHERE FORM

Prints JSON: the seconds of each, imports left out; of Arrow the bytes that the answer holds; how many Items, and a digest of their ids.
"""

import json
import sys
import time
import zlib

WORLD = [-180, -90, 180, 90]


def earthcatalog(where):
    import earthcatalog

    search = earthcatalog.open(catalog=where).search()
    return {"Arrow": search.to_arrow, "geopandas": search.to_geopandas, "Items": lambda: list(search.items_as_dicts())}


def rustac(where):
    import geopandas
    import pyarrow
    import rustac

    client = rustac.DuckdbClient(install_extensions=False)
    return {
        "Arrow": lambda: pyarrow.table(client.search_to_arrow(where)),
        "geopandas": lambda: geopandas.GeoDataFrame.from_arrow(client.search_to_arrow(where)),
        "Items": lambda: client.search(where),
    }


def stac_geoparquet(where):
    import geopandas
    import pyarrow.parquet
    from stac_geoparquet.arrow import stac_table_to_items

    return {
        "Arrow": lambda: pyarrow.parquet.read_table(where),
        "geopandas": lambda: geopandas.read_parquet(where),
        "Items": lambda: list(stac_table_to_items(pyarrow.parquet.read_table(where))),
    }


def reference(where):
    import earthcatalog
    from obstore.store import LocalStore

    catalog = earthcatalog.open(store=LocalStore(), base=where)
    return {
        "Arrow": lambda: catalog.search_to_arrow(bbox=WORLD),
        "Items": lambda: list(catalog.search(bbox=WORLD).items_as_dicts()),
    }


engine, where, form = sys.argv[1:]
ask, took = {f.__name__: f for f in (earthcatalog, rustac, stac_geoparquet, reference)}[engine](where)[form], []
for _ in range(1 if engine == "reference" else 2):
    answer = None
    started = time.perf_counter()
    answer = ask()
    took.append(round(time.perf_counter() - started, 4))
ids = {item["id"] for item in answer} if form == "Items" else set(answer["id"].to_pylist() if form == "Arrow" else answer["id"])
figures = {"first_s": took[0], "again_s": took[-1] if took[1:] else None}
if form == "Arrow":
    figures["answer_mb"] = round(answer.get_total_buffer_size() / 1e6, 1)
print(json.dumps(figures | {"items": len(ids), "digest": sum(zlib.crc32(text.encode()) for text in ids)}))
