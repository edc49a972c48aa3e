#!/usr/bin/env python3
"""Compares covers with h3-py's experimental overlap mode.

Usage: h3_cover.py COVERS.ndjson

Each line is an object with `resolution`, `cells` (15 hexadecimal digits each) and either `wkb_hex` or `geojson`.
Only polygons are compared, and of those the ones that the reference can take: near a pole, over the antimeridian and
from 180 degrees of longitude on it has no answer of its own, so these are counted as skipped. The two cells that hold
a pole are left out, as h3-py draws them without it.

h3-py draws the edges of cells straight in longitude and latitude; a cell that a cover has beside h3-py's is right
if its geodesic outline touches the footprint. Prints a summary, and fails (exit code 1) if a cell is missing, or an
extra one does not touch.

Needs h3 >= 4.2 and shapely >= 2.
"""

import collections
import json
import math
import sys

import h3
import shapely
import shapely.geometry
import shapely.wkb

# Chords per cell edge, and the degrees by which they may be off.
CHORDS = 200
TOLERANCE = 1e-5


def polygons(geometry):
    if geometry.geom_type == "Polygon":
        return [geometry]
    if geometry.geom_type in ("MultiPolygon", "GeometryCollection"):
        return [p for part in geometry.geoms for p in polygons(part)]
    return []


def is_plain(polygon):
    """Whether the footprint is planar for everybody, and away from the seams of the plane."""
    west, south, east, north = polygon.bounds
    return -179 < west and east < 179 and east - west < 180 and -85 < south and north < 85 and polygon.is_valid


def geodesic_outline(cell):
    def vector(lat, lng):
        lat, lng = math.radians(lat), math.radians(lng)
        return math.cos(lat) * math.cos(lng), math.cos(lat) * math.sin(lng), math.sin(lat)

    corners = h3.cell_to_boundary(cell)
    ring = []
    for a, b in zip(corners, corners[1:] + corners[:1]):
        a, b = vector(*a), vector(*b)
        for step in range(CHORDS):
            x, y, z = (p + (q - p) * step / CHORDS for p, q in zip(a, b))
            ring.append((math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))))
    unwrapped = [ring[0]]
    for x, y in ring[1:]:
        unwrapped.append((x - 360 * round((x - unwrapped[-1][0]) / 360), y))
    return shapely.Polygon(unwrapped)


def holds_pole(cell):
    lngs = [lng for _, lng in h3.cell_to_boundary(cell)]
    turn = sum((b - a + 180) % 360 - 180 for a, b in zip(lngs, lngs[1:] + lngs[:1]))
    return abs(turn) > 180


def touches(cell, polygon):
    outline = geodesic_outline(cell)
    turned = [shapely.affinity.translate(outline, 360 * k) for k in (-1, 0, 1)]
    return any(polygon.distance(o) <= TOLERANCE for o in turned)


def main(path):
    counts = collections.Counter()
    wrong = []
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        record = json.loads(line)
        if "wkb_hex" in record:
            geometry = shapely.wkb.loads(record["wkb_hex"], hex=True)
        else:
            geometry = shapely.geometry.shape(record["geojson"])
        parts = polygons(geometry)
        if not parts or len(parts) != len(shapely.get_parts(geometry)) or not all(map(is_plain, parts)):
            counts["skipped"] += 1
            continue
        counts["compared"] += 1
        ours = set(record["cells"])
        theirs = set()
        for part in parts:
            shape = h3.geo_to_h3shape(shapely.force_2d(part))
            theirs.update(h3.polygon_to_cells_experimental(shape, record["resolution"], contain="overlap"))
        counts["cells"] += len(ours)
        missing, extra = ({c for c in side if not holds_pole(c)} for side in (theirs - ours, ours - theirs))
        geodesic = {cell for cell in extra if any(touches(cell, part) for part in parts)}
        counts["extra, geodesic"] += len(geodesic)
        counts["missing"] += len(missing)
        counts["extra"] += len(extra - geodesic)
        if missing or extra - geodesic:
            wrong.append(f"line {number}: missing {sorted(missing)}, extra {sorted(extra - geodesic)}")
    for name in ("compared", "skipped", "cells", "extra, geodesic", "missing", "extra"):
        print(f"{name:>16} {counts[name]}")
    print(*wrong[:20], sep="\n")
    if not counts["compared"]:
        sys.exit("nothing to compare")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
