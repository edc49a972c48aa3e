"""Questions to a STAC API, by HTTP: ours and its peers over the same Items, of one collection, on this machine.

Each engine runs alone, and is asked before its figures count. A client asks one question after the other over one connection;
clients are threads of this process, on the same cores as the server, so that the fastest are held up most. p50 and p99 are of
the questions of all clients. "same" says how many of the questions had the answer of the first engine: the Item, or so many
Items, of a page of 10.
"""

import concurrent.futures
import http.client
import json
import random
import time
import urllib.parse

from cases import services
from process import log

TITLE = "Search over HTTP"
COLUMNS = ["items", "question", "clients", "engine", "p50_ms", "p99_ms", "per_s", "peak_mb", "same"]
QUESTIONS = 40
CLIENTS = [1, 8, 64]
SECONDS = 5
# An engine that takes longer for each question is not asked by more clients.
SLOW_MS = 2_000


def key(row):
    return row["items"], row["question"], row["clients"]


def cost(row):
    return row["p50_ms"]


def run(bench):
    for items in bench.scale.searched:
        engines = {"earthcatalog": services.ours}
        if bench.service:
            engines |= {"stac-fastapi-geoparquet": services.geoparquet, "rustac": services.rustac}
            if services.postgresql():
                engines["pgstac"] = services.pgstac
            else:
                log("pgstac is left out: there is no PostgreSQL")
        asked, expected = questions(services.of_collection(bench, items)), {}
        for engine, start in engines.items():
            with start(bench, items) as (url, peak):
                for question, paths in asked.items():
                    log(f"search of {items:,} Items: {engine}, {question}")
                    address = urllib.parse.urlsplit(url)
                    answers = [answer(ask(connect(address), path)) for path in paths]
                    first = expected.setdefault(question, answers)
                    same = sum(ours == theirs for ours, theirs in zip(first, answers))
                    row = {"items": items, "question": question, "engine": engine, "same": f"{same} of {len(paths)}"}
                    for clients in CLIENTS:
                        figures = timed(address, paths, clients)
                        yield row | {"clients": clients, **figures, "peak_mb": peak()}
                        if figures["p50_ms"] > SLOW_MS:
                            break


def questions(file):
    """Paths of each kind of question, about Items that there are."""
    random.seed(7)
    with open(file) as lines:
        chosen = [json.loads(line) for line in random.sample(list(lines), QUESTIONS)]
    search = lambda **parameters: "/search?" + urllib.parse.urlencode(parameters | {"limit": 10})
    found = {"an Item": [], "point": [], "region, a year": [], "region, filter": []}
    for item in chosen:
        x, y = center(item)
        box = f"{x - 1:.4f},{max(y - 1, -90):.4f},{x + 1:.4f},{min(y + 1, 90):.4f}"
        year, platform = item["properties"]["datetime"][:4], item["properties"]["platform"]
        found["an Item"].append(f"/collections/{services.COLLECTION}/items/{urllib.parse.quote(item['id'])}")
        found["point"].append(search(intersects=json.dumps({"type": "Point", "coordinates": [x, y]})))
        found["region, a year"].append(search(bbox=box, datetime=f"{year}-01-01T00:00:00Z/{year}-12-31T23:59:59Z"))
        found["region, filter"].append(search(**{"bbox": box, "filter-lang": "cql2-text",
                                                 "filter": f"platform = '{platform}' AND percent_valid_pixels >= 50"}))
    return found


def center(item):
    ring = item["geometry"]["coordinates"][0]
    return tuple(round(sum(position[axis] for position in ring[:-1]) / (len(ring) - 1), 4) for axis in (0, 1))


def connect(address):
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)
    connection.path = address.path
    return connection


def ask(connection, path):
    connection.request("GET", connection.path + path, headers={"Accept": "application/geo+json"})
    response = connection.getresponse()
    return response.status, response.read()


def answer(asked):
    """What is compared of an answer: how many Items it has, or its id."""
    status, body = asked
    if status != 200:
        return f"status {status}"
    document = json.loads(body)
    return len(document["features"]) if "features" in document else document["id"]


def timed(address, paths, clients):
    """Figures of questions in a row, by some clients at a time."""
    end = time.monotonic() + SECONDS

    def client(number):
        connection, took, i = connect(address), [], number
        while not took or time.monotonic() < end:
            started = time.perf_counter()
            ask(connection, paths[i % len(paths)])
            took.append(time.perf_counter() - started)
            i += 1
        return took

    started = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        took = sorted(t for times in pool.map(client, range(clients)) for t in times)
    elapsed = time.perf_counter() - started
    at = lambda share: round(took[min(int(len(took) * share), len(took) - 1)] * 1e3, 2)
    return {"p50_ms": at(0.5), "p99_ms": at(0.99), "per_s": round(len(took) / elapsed, 1)}
