"""Makes `_land.py`, the land below the maps of notebooks, of the land on the page of the service.

    python land.py

Standard library only; the same input gives the same bytes.
"""

import gzip
import itertools
import json
from pathlib import Path

HERE = Path(__file__).parent
# Degrees. A map of the world is some 500 pixels wide.
TOLERANCE = 1
# Square degrees: smaller islands are left out.
LEAST_AREA = 8


def thinned(points):
    """Douglas and Peucker's simplification, of complex numbers."""
    if len(points) < 3:
        return points
    first, last = points[0], points[-1]
    line = last - first
    away = [
        abs(((point - first) * line.conjugate()).imag) / abs(line) if line else abs(point - first) for point in points
    ]
    worst = max(away)
    if worst <= TOLERANCE:
        return [first, last]
    at = away.index(worst)
    return thinned(points[: at + 1])[:-1] + thinned(points[at:])


def drawn(ring):
    """The ring as the path of an SVG, in which y goes down."""
    points = [(round(point.real), -round(point.imag)) for point in thinned([complex(*point) for point in ring])]
    steps = [f"{x - left} {y - up}" for (left, up), (x, y) in itertools.pairwise(points)]
    return f"M{points[0][0]} {points[0][1]}l{' '.join(steps[:-1])}z".replace(" -", "-")


def area(ring):
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in itertools.pairwise(ring))) / 2


land = json.loads(gzip.decompress((HERE / "../src/site/vendor/land.json.gz").read_bytes()))
path = "".join(drawn(polygon[0]) for polygon in land["coordinates"] if area(polygon[0]) >= LEAST_AREA)
lines = "\n".join(f'    "{path[i : i + 112]}"' for i in range(0, len(path), 112))
(HERE / "python/earthcatalog/_land.py").write_text(
    f'"""Natural Earth\'s land as the path of an SVG, in degrees; made by `land.py`."""\n\nPATH = (\n{lines}\n)\n'
)
