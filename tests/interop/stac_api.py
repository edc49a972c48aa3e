"""pystac-client finds in a service what SQL finds in its warehouse.

usage: stac_api.py URL COLLECTION ITEMS PLACED FILTERED
"""

import sys

from pystac_client import Client

url, name, items, placed, filtered = *sys.argv[1:3], *map(int, sys.argv[3:])
client = Client.open(url)
collections = list(client.get_collections())
assert [collection.id for collection in collections] == [name], collections
collection = client.get_collection(name)
west, south, east, north = collection.extent.spatial.bboxes[0]
assert west < east and south < north

for method in ("GET", "POST"):
    search = client.search(method=method, limit=25)
    assert search.matched() == items, (method, search.matched())
    found = [item["id"] for page in search.pages_as_dicts() for item in page["features"]]
    assert len(found) == len(set(found)) == items, (method, len(found))

    search = client.search(method=method, bbox=[12, 77, 16, 80], limit=10)
    assert len(search.item_collection()) == placed, method

    # Without a package for CQL2, the language is that of the method.
    text = "platform LIKE 'S%' AND percent_valid_pixels >= 50"
    json = {
        "op": "and",
        "args": [
            {"op": "like", "args": [{"property": "platform"}, "S%"]},
            {"op": ">=", "args": [{"property": "percent_valid_pixels"}, 50]},
        ],
    }
    search = client.search(method=method, filter=text if method == "GET" else json, limit=7)
    assert sum(1 for _ in search.items()) == filtered, method

    search = client.search(method=method, sortby="-properties.percent_valid_pixels", max_items=25, limit=4)
    percents = [item.properties["percent_valid_pixels"] for item in search.items()]
    assert len(percents) == 25 and percents == sorted(percents, reverse=True), (method, percents)

    search = client.search(method=method, fields={"include": ["id", "properties.platform"]}, max_items=1)
    item = next(search.items_as_dicts())
    assert set(item) == {"type", "stac_version", "id", "collection", "properties"}, (method, item)
    assert set(item["properties"]) == {"platform"}, (method, item)

    search = client.search(method=method, query={"percent_valid_pixels": {"gte": 50}, "platform": {"startsWith": "S"}})
    assert search.matched() == filtered, method

item = next(collection.get_items())
again = collection.get_item(item.id)
assert (again.id, again.properties, again.geometry) == (item.id, item.properties, item.geometry)
assert again.get_self_href() == f"{url}collections/{name}/items/{item.id}"
assert item.get_single_link("collection").href == f"{url}collections/{name}"
assert client.get_queryables()["properties"]["platform"] == {"type": "string"}
print(f"{items} Items")
