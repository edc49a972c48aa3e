"""Makes land.json.gz from Natural Earth's land of 1:50,000,000, as the npm package world-atlas has it.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python3 land.py package/land-50m.json

Standard library only; the same input gives the same bytes. The machine that builds earthcatalog does not run it.
"""

import gzip
import json
import sys
from pathlib import Path

# Degrees. A coast is thinned to what a map of a continent shows.
TOLERANCE = 0.03
# Square degrees: smaller islands are left out.
LEAST_AREA = 0.02


def arcs_of(topology):
    """The arcs in degrees: TopoJSON has them as steps on a grid of whole numbers."""
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * sx + tx, y * sy + ty))
        yield points


def ring_of(arcs, indices):
    ring = []
    for index in indices:
        arc = arcs[index] if index >= 0 else arcs[~index][::-1]
        ring.extend(arc[1:] if ring else arc)
    return ring


def unrolled(ring):
    """The ring with longitudes that do not jump at the antimeridian."""
    points, turn = [], 0
    for i, (x, y) in enumerate(ring):
        if i and abs(y) < 89.9:
            step = x - ring[i - 1][0]
            turn -= 360 if step > 180 else -360 if step < -180 else 0
        points.append((x + turn, y))
    return points


def half(ring, at, is_kept):
    """What of a ring lies on one side of a meridian."""
    points = []
    for (x1, y1), (x2, y2) in zip(ring, ring[1:]):
        if is_kept(x1):
            points.append((x1, y1))
        if is_kept(x1) != is_kept(x2):
            points.append((at, y1 + (y2 - y1) * (at - x1) / (x2 - x1)))
    return points + points[:1]


def cut(ring):
    """The parts of a ring on a map from -180 to 180, as RFC 7946 wants them."""
    whole = unrolled(ring)
    (x1, y1), (x2, _) = whole[0], whole[-1]
    if abs(x2 - x1) > 180:
        # Antarctica goes round its pole.
        whole += [(x2, -90), (x1, -90), (x1, y1)]
    parts = []
    for turn in (-360, 0, 360):
        moved = [(x + turn, y) for x, y in whole]
        part = half(half(moved, -180, lambda x: x >= -180), 180, lambda x: x <= 180)
        if len(part) > 3 and area(part) > 0:
            parts.append(part)
    return parts


def thinned(points):
    """Douglas and Peucker's simplification."""
    keep, stack = {0, len(points) - 1}, [(0, len(points) - 1)]
    while stack:
        first, last = stack.pop()
        (x1, y1), (x2, y2) = points[first], points[last]
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        worst, at = 0, None
        for i in range(first + 1, last):
            x, y = points[i]
            away = ((x - x1) ** 2 + (y - y1) ** 2) ** 0.5
            if length:
                away = abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length
            if away > worst:
                worst, at = away, i
        if worst > TOLERANCE:
            keep.add(at)
            stack += [(first, at), (at, last)]
    return [points[i] for i in sorted(keep)]


def area(ring):
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(ring, ring[1:]))) / 2


def rounded(ring):
    points = []
    for x, y in ring:
        # The antimeridian and the pole stay where they are, so that the map knows a cut from a coast.
        point = [round(x, 2), round(max(y, -90), 2)]
        if not points or points[-1] != point:
            points.append(point)
    return points


def main():
    topology = json.loads(Path(sys.argv[1]).read_text())
    arcs = list(arcs_of(topology))
    polygons = []
    for geometry in topology["objects"]["land"]["geometries"]:
        several = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        for polygon in several:
            rings = [ring_of(arcs, ring) for ring in polygon]
            outer, *holes = [cut(ring) for ring in rings]
            for part in outer:
                # No hole of the land is on the antimeridian; the Caspian Sea, say, is one of the larger part.
                of_part = holes if len(part) == max(map(len, outer)) else []
                drawn = [rounded(thinned(ring)) for ring in [part, *(hole for [hole] in of_part)] if area(ring) >= LEAST_AREA]
                if drawn and len(drawn[0]) > 3:
                    polygons.append([ring for ring in drawn if len(ring) > 3])
    text = json.dumps({"type": "MultiPolygon", "coordinates": polygons}, separators=(",", ":"))
    out = Path(__file__).with_name("land.json.gz")
    out.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    points = sum(len(ring) for polygon in polygons for ring in polygon)
    print(f"{len(polygons)} polygons, {points} points, {len(text)} bytes, {out.stat().st_size} compressed")


main()
