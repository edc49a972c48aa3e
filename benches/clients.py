#!/usr/bin/env python3
"""Real clients, unchanged, against `earthcatalog serve`: do they work, and find what there is?

    cargo build --release
    benches/clients.py
    benches/clients.py --only pystac-client rustac

Makes each client an environment of its own below --dir, which is kept, and a warehouse: Items of `earthcatalog demo`, or those of
--items, and scenes with small GeoTIFFs. Starts a service over it, and runs each client as its users do. What must be found is
worked out from the Items themselves, with shapely. A line for each client: ok, FAILED and why, or skipped where a program
is missing. Ends with 1 if one failed.

pystac-client, stac-client (its command), itslive (as a STAC API), rustac (library and command), odc-stac (pixels of the scenes),
stac-browser (built with npm, seen in Chromium; minutes the first time), stac-api-validator, and schemathesis (--requests made-up
requests after the OpenAPI description: no answer is a 500, each 400 names the parameter, and answers are what is described).

Python 3.11 or later, which most of the clients need; the script itself needs nothing else. With uv in the path, environments are
made in seconds.
"""

import argparse
import contextlib
import functools
import http.server
import importlib.metadata
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

from data import MEMBERS, Data, at
from process import log

ROOT = Path(__file__).resolve().parent.parent

# What each client needs, in an environment of its own.
ENVIRONMENTS = {
    "oracle": ["shapely==2.1.2"],
    "pystac-client": ["pystac-client==0.9.1"],
    "itslive": ["itslive==0.7.4"],
    "rustac": ["rustac==0.9.18"],
    "odc-stac": ["odc-stac==0.5.3", "pystac-client==0.9.1", "rasterio==1.4.4"],
    "stac-api-validator": ["stac-api-validator==0.6.8"],
    "schemathesis": ["schemathesis==4.32.5"],
}
# The schemas of STAC 1.0.0, which later versions of pystac do not bring.
SCHEMAS = "pystac==1.10.1"
BROWSER = "@radiantearth/stac-browser@4.0.1"
# Later ones, which its requirements allow, need another OpenLayers than it has.
BROWSER_NEEDS = "ol-stac@1.1.0"

SCENES = "scenes"
SIZE, PIXEL = 128, 10.0
# Items that made-up requests are asked of: what is wrong with a request does not depend on how many there are.
FEW = 30


class Failure(Exception):
    """What a client did not do."""


class Skipped(Exception):
    """A program that a client needs is not here."""


def main():
    args = arguments()
    args.dir.mkdir(parents=True, exist_ok=True)
    clients, failed = Clients(args), []
    with clients.service():
        for name in args.only or CHECKS:
            try:
                print(f"ok {name} {CHECKS[name](clients)}", flush=True)
            except Skipped as why:
                print(f"skipped {name}: {why}", flush=True)
            except Exception as why:
                if not isinstance(why, Failure):
                    traceback.print_exc()
                print(f"FAILED {name}: {why}", flush=True)
                failed.append(name)
    sys.exit(bool(failed))


def arguments():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CHECKS, metavar="NAME", help=f"these of {', '.join(CHECKS)}")
    parser.add_argument("--binary", type=Path, default=target / "release/earthcatalog")
    parser.add_argument("--dir", type=Path, default=target / "clients", help="environments, Items, warehouse, pictures; kept")
    parser.add_argument("--items", type=Path, help="NDJSON of ITS_LIVE Items [default: 2,000 of the demo]")
    parser.add_argument("--requests", type=int, default=10_000, help="of schemathesis, at least")
    parser.add_argument("--seed", type=int, default=1, help="of schemathesis")
    args = parser.parse_args()
    args.dir = args.dir.resolve()
    if not args.binary.exists():
        sys.exit(f"{args.binary} is missing; cargo build --release makes it, or --binary names another")
    return args


class Clients:
    """The service, what its warehouse holds, and the clients' environments."""

    def __init__(self, args):
        self.args, self.binary, self.dir = args, args.binary.resolve(), args.dir
        self.url = None

    @contextlib.contextmanager
    def service(self):
        self.items = self.source()
        with self.serving(self.warehouse("warehouse", [self.items, self.scenes()])) as self.url:
            self.questions = self.asked()
            yield

    @contextlib.contextmanager
    def serving(self, folder):
        """The address of a service over a warehouse, until it is left."""
        with open(folder / "serve.log", "w") as errors:
            words = [self.binary, "serve", "--bind", "127.0.0.1:0", *at(folder)]
            process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=errors, text=True)
            try:
                url = process.stdout.readline().strip()
                if not url:
                    sys.exit(f"the service did not start; {errors.name} says why")
                yield url
            finally:
                process.terminate()
                process.wait()

    def warehouse(self, name, sources):
        """A compacted warehouse of NDJSON files, made anew for another binary or other Items."""
        folder = self.dir / name
        made, of = folder / "made", " ".join(f"{path} {path.stat().st_mtime}" for path in [self.binary, *sources])
        if not made.exists() or made.read_text() != of:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            document = folder / "scenes.json"
            document.write_text(json.dumps(collection()))
            log(f"making {name}")
            for words in [*(["ingest", "--inventory", source] for source in sources), ["compact", "--retain", "0s"],
                          ["collection", "add", document]]:
                run([self.binary, *words, *at(folder)])
            made.write_text(of)
        return folder

    def few(self):
        """NDJSON of some of the Items."""
        path = self.dir / "few.ndjson"
        with open(self.items) as lines:
            text = "".join(line for line, _ in zip(lines, range(FEW)))
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path

    def source(self):
        if not self.args.items:
            return Data(self.binary, self.dir / "data").ndjson(2_000)
        # Without what the service may leave out: what is no Item, and all but one of an id.
        path, items = self.dir / "items.ndjson", {}
        with open(self.args.items) as lines:
            for line in lines:
                if item := usable(line):
                    items.setdefault(item["id"], json.dumps(item, separators=(",", ":")))
        text = "\n".join(items.values()) + "\n"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path

    def scenes(self):
        """NDJSON of the scenes, whose assets are files beside it."""
        folder = self.dir / "scenes"
        if not (folder / "scenes.ndjson").exists():
            self.inside("odc-stac", "make_scenes", folder=str(folder))
        return folder / "scenes.ndjson"

    def asked(self):
        """Questions with the ids that are to be found."""
        return self.inside("oracle", "make_questions", items=str(self.items))

    def python(self, name):
        """The interpreter of an environment, which is made once."""
        folder, wanted = self.dir / f"environment-{name}", "\n".join(ENVIRONMENTS[name])
        python, installed = folder / "bin/python", folder / "requirements.txt"
        if not installed.exists() or installed.read_text() != wanted:
            log(f"making {folder.name}")
            if uv := shutil.which("uv"):
                run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
                run([uv, "pip", "install", "--quiet", "--python", python, *ENVIRONMENTS[name]])
            else:
                run([sys.executable, "-m", "venv", "--clear", folder])
                run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *ENVIRONMENTS[name]])
            installed.write_text(wanted)
        return python

    def program(self, name, program):
        return self.python(name).with_name(program)

    def inside(self, environment, function, **given):
        """What a function of this file returns, run in an environment."""
        command = [self.python(environment), __file__, INSIDE, function]
        done = subprocess.run([str(word) for word in command], input=json.dumps(given), capture_output=True, text=True)
        if done.returncode:
            # What was asserted is the last line, or, without words, in the code before it.
            lines = done.stderr.strip().splitlines()
            raise Failure(lines[-1] if lines[-1].startswith("AssertionError: ") else "\n".join(lines[-12:]))
        return json.loads(done.stdout.splitlines()[-1])

    def client(self, environment, function):
        return self.inside(environment, function, url=self.url, **self.questions)


def run(command, **options):
    """What a command prints; a failure if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode:
        words = " ".join(map(str, command))
        raise Failure(f"{words[:300]}: {(done.stderr.strip() or done.stdout.strip())[-1500:]}")
    return done.stdout


def usable(line):
    """The Item in a line, if it is a usual one of a collection."""
    try:
        item = json.loads(line)
        datetime.fromisoformat(item["properties"]["datetime"].replace("Z", "+00:00"))
        is_usual = item["type"] == "Feature" and item["collection"] and item["geometry"]["coordinates"][0][0][0] and MEMBERS >= set(item)
        return item if is_usual else None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def collection():
    extent = {"spatial": {"bbox": [[14, 77, 17, 79]]}, "temporal": {"interval": [["2024-01-01T00:00:00Z", None]]}}
    return {"type": "Collection", "stac_version": "1.0.0", "id": SCENES, "description": "Two made-up scenes", "license": "CC0-1.0",
            "title": "Scenes", "extent": extent, "links": []}


# What runs in the environments: each takes what it is given as JSON, and returns what is.


def make_questions(items):
    """Questions about these Items, and the ids of those that each finds."""
    from shapely.geometry import box, mapping, shape
    from shapely.prepared import prep

    with open(items) as lines:
        items = [json.loads(line) for line in lines]
    shapes = {item["id"]: shape(item["geometry"]) for item in items}
    # In the middle of one of them; not near the antimeridian.
    middle = next(s.centroid for s in shapes.values() if s.bounds[2] - s.bounds[0] < 30 and abs(s.centroid.x) < 120)
    x, y = round(middle.x, 3), round(middle.y, 3)
    around = [x - 8, max(y - 3, -90), x + 8, min(y + 3, 90)]
    triangle = {"type": "Polygon", "coordinates": [[[x - 9, y - 2], [x + 9, y - 1], [x, y + 4], [x - 9, y - 2]]]}
    # As itslive has it, if it is given a box.
    roi = mapping(box(*around))

    def place(place):
        near = prep(shape(place))
        return lambda item: near.intersects(shapes[item["id"]])

    def moment(text):
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return time if time.tzinfo else time.replace(tzinfo=timezone.utc)

    def during(start, end):
        start, end = moment(start), moment(end)

        def holds(item):
            of = lambda name: (text := item["properties"].get(name)) and moment(text)
            first, last = of("start_datetime"), of("end_datetime")
            return (start <= of("datetime") <= end) or bool(first and last and first <= end and last >= start)
        return holds

    def number(item, name):
        value = item["properties"].get(name)
        return value if isinstance(value, (int, float)) else math.nan

    platform = lambda item: str(item["properties"].get("platform"))
    years = "2016-01-01T00:00:00Z/2018-12-31T23:59:59Z"
    valid = lambda item: number(item, "percent_valid_pixels") >= 50
    text = "platform LIKE 'S%' AND percent_valid_pixels >= 50"
    as_json = {"op": "and", "args": [{"op": "like", "args": [{"property": "platform"}, "S%"]},
                                     {"op": ">=", "args": [{"property": "percent_valid_pixels"}, 50]}]}
    query = {"percent_valid_pixels": {"gte": 50}, "platform": {"startsWith": "S"}}
    of_filter = lambda item: platform(item).startswith("S") and valid(item)
    ids = sorted(shapes)[:: len(shapes) // 3]
    in_box, in_triangle, in_years = place(roi), place(triangle), during(*years.split("/"))
    asked = {
        "all": ({}, lambda item: True),
        "box": ({"bbox": around}, in_box),
        "triangle": ({"intersects": triangle}, in_triangle),
        "time": ({"datetime": years}, in_years),
        "box and time": ({"bbox": around, "datetime": years}, lambda item: in_box(item) and in_years(item)),
        "ids": ({"ids": ids}, lambda item: item["id"] in ids),
        "filter": ({"filter": text}, of_filter),
        "filter as JSON": ({"filter": as_json}, of_filter),
        "query": ({"query": query}, of_filter),
    }
    # The arguments of itslive.search.
    long_enough = lambda item: number(item, "percent_valid_pixels") >= 1 and in_box(item)
    sentinel = lambda item: platform(item) in ("S2A", "S2B") and 5 <= number(item, "date_dt") <= 200
    itslive = {
        "box": ({"bbox": around}, lambda item: long_enough(item) and during("2000-01-01T00:00:00Z", "2025-12-31T23:59:59Z")(item)),
        "mission": ({"bbox": around, "start": "2016-01-01", "end": "2021-12-31", "mission": "sentinel2", "percent_valid_pixels": 20,
                     "min_interval": 5, "max_interval": 200},
                    lambda item: in_box(item) and during("2016-01-01T00:00:00Z", "2021-12-31T23:59:59Z")(item) and sentinel(item)
                    and number(item, "percent_valid_pixels") >= 20),
    }
    hrefs = lambda item: [asset["href"] for asset in item["assets"].values()
                          if "data" in (asset.get("roles") or []) and asset["href"].endswith(".nc")]
    every = {item["id"]: item for item in items}
    names = {item["collection"] for item in items}
    assert len(names) == 1, f"the Items are of {len(names)} collections; give those of one"
    return {
        "collection": names.pop(),
        "point": [x, y],
        "sample": every[ids[1]],
        "percents": sorted((number(item, "percent_valid_pixels") for item in items if not math.isnan(number(item, "percent_valid_pixels"))),
                           reverse=True)[:50],
        "questions": {name: {"parameters": parameters, "ids": found(items, name, holds)} for name, (parameters, holds) in asked.items()},
        "itslive": {name: {"arguments": arguments, "hrefs": sorted({href for id in found(items, name, holds) for href in hrefs(every[id])})}
                    for name, (arguments, holds) in itslive.items()},
    }


def found(items, name, holds):
    ids = sorted(item["id"] for item in items if holds(item))
    assert ids, f"there is no Item for question {name}; give others"
    return ids


def same(what, ids, expected):
    """Items that a client found are those that there are, each once."""
    missing, more = sorted(set(expected) - set(ids)), sorted(set(ids) - set(expected))
    assert len(ids) == len(set(ids)), f"{what}: {len(ids) - len(set(ids))} Items are found twice"
    assert not missing and not more, f"{what}: {len(missing)} are missing, as {missing[:2]}; {len(more)} are too many, as {more[:2]}"


def pystac_client(url, collection, sample, questions, percents, **_):
    from pystac_client import Client

    client = Client.open(url)
    assert {each.id for each in client.get_collections()} == {collection, SCENES}
    for method in ["GET", "POST"]:
        for name, question in questions.items():
            parameters, expected = question["parameters"] | {"collections": [collection]}, question["ids"]
            if "filter" in parameters:
                parameters["filter_lang"] = "cql2-text" if isinstance(parameters["filter"], str) else "cql2-json"
                if method == "GET" and parameters["filter_lang"] == "cql2-json":
                    continue
            search = client.search(method=method, limit=250, **parameters)
            assert search.matched() == len(expected), f"{method} {name}: matched() is {search.matched()}, not {len(expected)}"
            same(f"{method} {name}", [item["id"] for page in search.pages_as_dicts() for item in page["features"]], expected)
        search = client.search(method=method, collections=[collection], sortby="-properties.percent_valid_pixels", max_items=50, limit=20)
        found = [item.properties["percent_valid_pixels"] for item in search.items()]
        assert found == percents, f"{method} sortby: {found} is not {percents}"
        search = client.search(method=method, collections=[collection], fields=["id", "properties.platform"], max_items=1)
        item = next(search.items_as_dicts())
        assert set(item["properties"]) == {"platform"} and "assets" not in item, f"{method} fields: {item}"
    of = client.get_collection(collection)
    item = of.get_item(sample["id"])
    for member in ["id", "properties", "geometry", "bbox"]:
        assert json.loads(json.dumps(item.to_dict()[member])) == sample[member], f"{member} of {sample['id']} is another"
    assert item.get_parent().id == item.get_collection().id == collection
    assert of.get_item("no such Item") is None
    assert "platform" in client.get_queryables()["properties"] and "platform" in of.get_queryables()["properties"]
    # Three pages.
    assert len({item.id for _, item in zip(range(25), of.get_items())}) == 25
    assert [each.id for each in client.collection_search(q=SCENES).collections()] == [SCENES]
    assert len(of.extent.spatial.bboxes[0]) in (4, 6) and of.extent.temporal.intervals[0][0]
    return f"{importlib.metadata.version('pystac-client')}: {len(questions)} questions by GET and by POST, Items, Collections, queryables"


def itslive(url, collection, point, itslive, **_):
    questions = itslive
    import itslive

    for name, question in questions.items():
        given = question["arguments"] | {"collection": collection, "base_catalog_href": url}
        same(f"search: {name}", itslive.search(type="pgstac", **given), question["hrefs"])
        same(f"find: {name}", itslive.velocity_pairs.find(engine="stac", **given), question["hrefs"])
        same(f"pages: {name}", list(itslive.search(type="pgstac", stream=True, limit=3, **given)), question["hrefs"])
    box = questions["box"]["arguments"]["bbox"]
    command = [Path(sys.executable).with_name("itslive-search"), f"--bbox={','.join(map(str, box))}", "--type", "pgstac",
               "--base-catalog-href", url, "--collection", collection, "--quiet"]
    printed = run(command).split()
    same("itslive-search", [line for line in printed if line.endswith(".nc")], questions["box"]["hrefs"])
    return f"{importlib.metadata.version('itslive')}: {len(questions)} questions by search, find and itslive-search"


def rustac(url, collection, sample, questions, percents, **_):
    import asyncio
    import tempfile

    import rustac

    for name, question in questions.items():
        parameters, expected = question["parameters"], question["ids"]
        found = rustac.search_sync(url, collections=[collection], limit=250, **parameters)
        same(f"search_sync: {name}", [item["id"] for item in found], expected)
    found = rustac.search_sync(url, collections=[collection], sortby="-percent_valid_pixels", max_items=50, limit=20)
    assert [item["properties"]["percent_valid_pixels"] for item in found] == percents, "sortby: another order"

    async def of_time():
        ids = []
        async for item in await rustac.iter_search(url, collections=[collection], limit=250, **questions["time"]["parameters"]):
            # Behind the last one, this version goes on with nothing for ever, of whichever service.
            if item is None:
                break
            ids.append(item["id"])
        return ids

    same("iter_search", asyncio.run(of_time()), questions["time"]["ids"])
    client = rustac.ApiClient(url)
    assert {each["id"] for each in client.get_collections_sync()} == {collection, SCENES}
    assert client.get_collection_sync(collection)["id"] == collection
    [item] = rustac.search_sync(url, ids=sample["id"])
    assert (item["properties"], item["bbox"]) == (sample["properties"], sample["bbox"]), f"{sample['id']} has other properties"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "found.parquet")
        command = [Path(sys.executable).with_name("rustac"), "search", url, file, "--collections", collection]
        box, text = questions["box"], questions["filter"]
        run([*command, f"--bbox={','.join(map(str, box['parameters']['bbox']))}"])
        same("rustac search --bbox", [item["id"] for item in rustac.read_sync(str(file))["features"]], box["ids"])
        run([*command, "--filter", text["parameters"]["filter"]])
        same("rustac search --filter", [item["id"] for item in rustac.read_sync(str(file))["features"]], text["ids"])
    return f"{importlib.metadata.version('rustac')}: {len(questions)} questions, Items, Collections, GeoParquet by its command"


def make_scenes(folder):
    """Two GeoTIFFs side by side, of two days, and the Items that name them."""
    import rasterio
    from pyproj import Transformer
    from rasterio.transform import from_origin

    folder, to_degrees = Path(folder), Transformer.from_crs(32633, 4326, always_xy=True)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(2):
        west, north = 500_000.0 + number * SIZE * PIXEL, 8_650_000.0
        transform, path = from_origin(west, north, PIXEL, PIXEL), folder / f"scene-{number}.tif"
        with rasterio.open(path, "w", driver="COG", width=SIZE, height=SIZE, count=1, dtype="int16", crs="EPSG:32633", transform=transform,
                           nodata=-1, blocksize=128) as file:
            file.write(pixels(number), 1)
        x, y = [west, west + SIZE * PIXEL], [north - SIZE * PIXEL, north]
        ring = [list(to_degrees.transform(x[i], y[j])) for i, j in [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]]
        box = [min(p[0] for p in ring), min(p[1] for p in ring), max(p[0] for p in ring), max(p[1] for p in ring)]
        asset = {"href": path.as_uri(), "type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data"],
                 "bands": [{"name": "speed", "data_type": "int16", "nodata": -1}]}
        properties = {"datetime": f"2024-06-0{number + 1}T12:00:00Z", "proj:code": "EPSG:32633", "proj:shape": [SIZE, SIZE],
                      "proj:transform": list(transform)[:6]}
        lines.append({"type": "Feature", "stac_version": "1.1.0", "id": f"scene-{number}", "collection": SCENES, "properties": properties,
                      "stac_extensions": ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"], "links": [],
                      "geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": box, "assets": {"speed": asset}})
    (folder / "scenes.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return len(lines)


def pixels(number):
    import numpy

    return (numpy.arange(SIZE * SIZE, dtype="int16").reshape(SIZE, SIZE) % 1000) + 1000 * number


def odc_stac(url, **_):
    import numpy
    import odc.stac
    from pystac_client import Client

    items = Client.open(url).search(collections=[SCENES], sortby="datetime").item_collection()
    assert [item.id for item in items] == ["scene-0", "scene-1"], [item.id for item in items]
    # Without resolution and coordinate system: they come from the Items.
    cube = odc.stac.load(items)
    assert dict(cube.sizes) == {"time": 2, "y": SIZE, "x": 2 * SIZE}, dict(cube.sizes)
    for number in range(2):
        part = cube["speed"].isel(time=number, x=slice(number * SIZE, (number + 1) * SIZE)).values
        assert numpy.array_equal(part, pixels(number)), f"pixels of scene-{number} are others"
    lazy = odc.stac.load(items, bands=["speed"], bbox=list(items[0].bbox), resolution=2 * PIXEL, crs="EPSG:32633", chunks={"x": 64, "y": 64})
    assert lazy["speed"].chunks and int(lazy["speed"].isel(time=0).max().compute()) > 0
    return f"{importlib.metadata.version('odc-stac')}: {dict(cube.sizes)} of two GeoTIFFs, each pixel, and lazily"


# The checks: each returns what was done, or fails.


def of_stac_client(clients):
    """The command of pystac-client."""
    program, asked = clients.program("pystac-client", "stac-client"), clients.questions["questions"]
    of = ["-c", clients.questions["collection"]]
    box, time_, text, ids = asked["box"], asked["time"], asked["filter"], asked["ids"]
    number = lambda *words: int(re.search(r"(\d+) items matched", run([program, "search", clients.url, *words, "--matched"]))[1])
    saved = clients.dir / "stac-client.json"

    def ids_of(*words):
        run([program, "search", clients.url, *words, "--save", saved])
        return [item["id"] for item in json.loads(saved.read_text())["features"]]

    for method in ["GET", "POST"]:
        by = [*of, "--method", method]
        matched = number(*by, "--bbox", *box["parameters"]["bbox"])
        agree(f"{method} --bbox --matched", matched, len(box["ids"]))
        agree(f"{method} --bbox", sorted(ids_of(*by, "--bbox", *box["parameters"]["bbox"])), box["ids"])
        agree(f"{method} --datetime", sorted(ids_of(*by, "--datetime", "2016/2018", "--limit", 300)), time_["ids"])
        words = ["--filter", text["parameters"]["filter"], "--filter-lang", "cql2-text"]
        agree(f"{method} --filter", sorted(ids_of(*by, *words)), text["ids"])
        agree(f"{method} --ids", sorted(ids_of(*by, "--ids", *ids["parameters"]["ids"])), ids["ids"])
        words = ["--query", "percent_valid_pixels>=50", "platform=S2A", "--max-items", 5, "--sortby=-properties.datetime"]
        agree(f"{method} --query", len(ids_of(*by, *words)), 5)
    agree("--intersects", sorted(ids_of(*of, "--intersects", json.dumps(asked["triangle"]["parameters"]["intersects"]))), asked["triangle"]["ids"])
    listed = run([program, "collections", clients.url])
    agree("collections", sorted(each["id"] for each in json.loads(listed)), sorted([clients.questions["collection"], SCENES]))
    return "of pystac-client: search with each flag, by GET and by POST, and collections"


def agree(what, value, expected):
    if value != expected:
        raise Failure(f"{what}: {str(value)[:300]}, not {str(expected)[:300]}")


def of_validator(clients):
    python, asked = clients.python("stac-api-validator"), clients.questions
    offline(clients, python)
    x, y = asked["point"]
    square = {"type": "Polygon", "coordinates": [[[x - 1, y - 1], [x + 1, y - 1], [x + 1, y + 1], [x - 1, y + 1], [x - 1, y - 1]]]}
    platform, percent = (asked["sample"]["properties"][name] for name in ("platform", "percent_valid_pixels"))
    classes = ["core", "collections", "features", "item-search", "filter", "item-search#sort", "item-search#fields", "item-search#query",
               "features#sort", "features#fields", "features#query"]
    command = [python.with_name("stac-api-validator"), "--root-url", clients.url, "--collection", asked["collection"],
               "--geometry", json.dumps(square), *(word for name in classes for word in ("--conformance", name)),
               "--fields-nested-property", "properties.platform", "--query-comparison-field", "percent_valid_pixels",
               "--query-eq-value", percent, "--query-neq-value", percent, "--query-lt-value", 50, "--query-lte-value", 50,
               "--query-gt-value", 50, "--query-gte-value", 50, "--query-substring-field", "platform",
               "--query-starts-with-value", platform[:2], "--query-ends-with-value", platform[-1], "--query-contains-value", platform[1:-1] or platform,
               # It takes a text for the list of its letters.
               "--query-in-field", "platform", "--query-in-values", f"{platform},{platform[0]}"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    (clients.dir / "stac-api-validator.log").write_text(done.stdout + done.stderr)
    errors = re.search(r"Errors: none", done.stdout + done.stderr)
    if done.returncode or not errors:
        said = re.search(r"Errors:(.*)", done.stdout + done.stderr, re.S)
        raise Failure((said[1] if said else done.stderr).strip()[-3000:])
    warnings = re.search(r"Warnings:(.*?)Errors:", done.stdout + done.stderr, re.S)
    return f"{version(python, 'stac-api-validator')}: {', '.join(classes)}; warnings: {' '.join(warnings[1].split()) if warnings else '?'}"


def offline(clients, python):
    """Lets an environment answer requests for STAC's schemas from files: there may be no network, and none of these schemas change.

    Those of extensions are in no package: of extensions nothing is checked.
    """
    [packages] = python.parent.parent.glob("lib/python*/site-packages")
    folder = packages / "stac-schemas"
    if not folder.exists():
        old = clients.dir / "schemas"
        install = ["install", "--quiet", "--no-deps", "--target", old, SCHEMAS]
        run([shutil.which("uv"), "pip", *install] if shutil.which("uv") else [sys.executable, "-m", "pip", *install])
        new = folder.with_name("stac-schemas.new")
        shutil.rmtree(new, ignore_errors=True)
        for source in [packages, old]:
            shutil.copytree(source / "pystac/validation/jsonschemas", new, dirs_exist_ok=True)
        new.rename(folder)
    (packages / "sitecustomize.py").write_text(OFFLINE)


OFFLINE = '''"""Answers requests for the schemas of STAC from files."""

import io
import re
from pathlib import Path

import urllib3

SCHEMAS = Path(__file__).with_name("stac-schemas")
PLACES = {
    r"schemas\\.stacspec\\.org/v([^/]+)/[^/]+/json-schema/(.+\\.json)": "stac-spec/v{}/{}",
    r"geojson\\.org/schema/(\\w+\\.json)": "geojson/{}",
}
urlopen = urllib3.HTTPConnectionPool.urlopen


def answered(self, method, url, *rest, preload_content=True, **named):
    address, text = f"{self.host}{url}", None
    for pattern, place in PLACES.items():
        if found := re.fullmatch(pattern, address):
            text = (SCHEMAS / place.format(*found.groups())).read_bytes()
    if self.host == "stac-extensions.github.io":
        text = b'{"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://%s"}' % address.encode()
    if text is None:
        return urlopen(self, method, url, *rest, preload_content=preload_content, **named)
    return urllib3.HTTPResponse(io.BytesIO(text), {}, 200, preload_content=preload_content)


urllib3.HTTPConnectionPool.urlopen = answered
'''


def version(python, package):
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return run([python, "-c", code]).strip()


def of_schemathesis(clients):
    python, folder = clients.python("schemathesis"), clients.dir / "schemathesis"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "hooks.py").write_text(HOOKS)
    requests, seed, failures = folder / "requests", clients.args.seed, {}
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(folder), "REQUESTS": str(requests)}
    with clients.serving(clients.warehouse("few", [clients.few(), clients.scenes()])) as url:
        while not requests.exists() or requests.stat().st_size < clients.args.requests:
            # That valid data is accepted cannot be said: no schema says what CQL2, a time or a token is.
            command = [python.with_name("st"), "run", f"{url}api", "--checks", "all", "--exclude-checks", "positive_data_acceptance",
                       "--phases", "examples,coverage,fuzzing" if seed == clients.args.seed else "fuzzing", "--continue-on-failure",
                       "--no-shrink", "--max-examples", max(clients.args.requests // 10, 1), "--workers", 2, "--seed", seed, "--no-color", "--suppress-health-check", "all",
                       "--generation-database", "none", "--warnings", "off"]
            log(f"schemathesis, seed {seed}")
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=folder, env=environment)
            (folder / f"seed-{seed}.log").write_text(done.stdout + done.stderr)
            if not requests.exists():
                raise Failure(done.stdout[-2000:] + done.stderr[-2000:])
            # A kind of failure of an operation, and the request that shows it.
            for part in re.split(r"\n_{3,} (?=[A-Z]+ /)", done.stdout)[1:]:
                operation = part.split(" _", 1)[0]
                for kind, request in re.findall(r"- ((?:ST\d+ )?\S.*)\n[\s\S]*?(curl .*)", part):
                    failures.setdefault((operation, kind), request)
            seed += 1
        with urllib.request.urlopen(f"{url}healthz") as answer:
            agree("/healthz after it", answer.read(), b"ok\n")
    count = f"{requests.stat().st_size:,} requests"
    if failures:
        raise Failure(f"{count}, {folder} has the logs\n" + "\n".join(f"  {of}: {kind}: {request}" for (of, kind), request in failures.items()))
    return f"{version(python, 'schemathesis')}: {count}, no 500, each 400 names the parameter, answers as described"


HOOKS = '''"""What schemathesis does not check by itself."""

import os
import re
import threading

import schemathesis

NAMES = ("bbox|intersects|datetime|ids|collections|q|filter|filter-lang|filter-crs|query|sortby|fields|limit|token|aggregations|"
         "datetime_frequency_interval|geometry_geohex_grid_frequency_precision")
lock = threading.Lock()


@schemathesis.check
def a_bad_request_names_the_parameter(ctx, response, case):
    with lock, open(os.environ["REQUESTS"], "ab") as file:
        file.write(b".")
    if response.status_code == 400:
        said = response.json()
        given = set(case.query or {}) | set(case.body if isinstance(case.body, dict) else ())
        name = said["description"].split(":")[0]
        known = re.match(f"({NAMES}): ", said["description"]) or name in given
        whole = said["code"] == "InvalidBody" and not isinstance(case.body, dict)
        assert known or whole or "there is no such parameter" in said["description"], f"no parameter is named: {said}"
'''

def of_stac_browser(clients):
    from shutil import which

    if not which("npm"):
        raise Skipped("npm is not here")
    sys.path.insert(0, str(ROOT / "tests/interop"))
    from browser import Browser, found

    if not found():
        raise Skipped("Chromium is not here (Debian: apt-get install chromium)")
    dist, shots = browser_build(clients), clients.dir / "stac-browser-pictures"
    shots.mkdir(exist_ok=True)
    handler = functools.partial(Quiet, directory=dist)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, Browser(1280, 1000) as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            return browsed(clients, browser, f"http://127.0.0.1:{server.server_port}", shots)
        finally:
            server.shutdown()


def browser_build(clients):
    """The folder with the pages of STAC Browser, built once."""
    folder = clients.dir / "stac-browser"
    package = folder / "package"
    if not (package / "dist/index.html").exists():
        log("building STAC Browser")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        run(["npm", "pack", "--silent", BROWSER], cwd=folder)
        run(["tar", "xzf", next(folder.glob("*.tgz")).name], cwd=folder)
        install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        run([*install, BROWSER_NEEDS], cwd=package)
        run(["npx", "vue-cli-service", "build", "--noSourceMaps", "--historyMode", "hash", "--pathPrefix", "./"], cwd=package)
    return package / "dist"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def browsed(clients, browser, address, shots):
    asked, text = clients.questions, "document.body.innerText"
    at_service = f"{address}/#/external/{clients.url.replace('//', '/')}"
    title = json.loads(urllib.request.urlopen(f"{clients.url}collections/{SCENES}").read())["title"]

    def see(name, path, *words):
        browser.open("about:blank")
        browser.open(f"{at_service}{path}")
        try:
            browser.until(f"{json.dumps(words)}.every((word) => {text}.includes(word))", 30)
        except AssertionError:
            browser.picture(shots / f"{name}.png")
            raise Failure(f"{name}: {words} are not on the page; {shots}/{name}.png has it: {browser.run(text)[:600]}")
        time.sleep(1)
        browser.picture(shots / f"{name}.png")

    newest = json.loads(urllib.request.urlopen(f"{clients.url}collections/{asked['collection']}/items?limit=3").read())["features"]
    see("catalog", "", title, asked["collection"])
    see("collection", f"collections/{asked['collection']}", *(item["id"] for item in newest))
    see("item", f"collections/{asked['collection']}/items/{asked['sample']['id']}", asked["sample"]["id"], "Metadata")
    # Of what the pages load from elsewhere, maps for example, there may be nothing.
    ours = [error for error in browser.errors if clients.url in error]
    if ours:
        raise Failure(f"on the console: {ours[:3]}")
    return f"{BROWSER.rpartition('@')[2]}: the catalog, a collection, an Item; pictures in {shots}"


CHECKS = {
    "pystac-client": lambda clients: clients.client("pystac-client", "pystac_client"),
    "stac-client": of_stac_client,
    "itslive": lambda clients: clients.client("itslive", "itslive"),
    "rustac": lambda clients: clients.client("rustac", "rustac"),
    "odc-stac": lambda clients: clients.client("odc-stac", "odc_stac"),
    "stac-browser": of_stac_browser,
    "stac-api-validator": of_validator,
    "schemathesis": of_schemathesis,
}
# How this file runs one of its functions in an environment.
INSIDE = "--inside"

if __name__ == "__main__":
    if sys.argv[1:2] == [INSIDE]:
        print(json.dumps(globals()[sys.argv[2]](**json.load(sys.stdin))))
    else:
        main()
