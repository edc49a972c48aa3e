"""Throughput and memory against size, as SVG: plots.py RESULTS.json FOLDER. Needs matplotlib."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same figures make the same bytes.
matplotlib.rcParams |= {"svg.hashsalt": "earthcatalog", "svg.fonttype": "none", "font.size": 9}

import matplotlib.pyplot as plt
from matplotlib.ticker import EngFormatter, NullFormatter

# Case, its title, rows to draw, their size, and what is counted per CPU-second.
CASES = [
    ("ingest", "ingest of NDJSON", lambda row: row["from"] == "NDJSON", "items", "Items"),
    ("convert", "NDJSON to one file", lambda row: True, "items", "Items"),
    ("compact", "compaction", lambda row: True, "rows", "rows"),
]
MEASURES = [("throughput", "per_cpu_s", "{unit} per CPU-second"), ("memory", "peak_mb", "peak memory, MB")]


def main():
    results, folder = json.loads(Path(sys.argv[1]).read_text())["results"], Path(sys.argv[2])
    cases = [case for case in CASES if case[0] in results]
    for name, measure, label in MEASURES * bool(cases):
        figure, axes = plt.subplots(1, len(cases), figsize=(4 * len(cases), 3), squeeze=False, layout="constrained")
        for axis, (case, title, wanted, size, unit) in zip(axes[0], cases):
            draw(axis, [row for row in results[case] if wanted(row)], size, measure)
            axis.set(title=title, xlabel=unit, ylabel=label.format(unit=unit))
            axis.grid(True, which="major", linewidth=0.3)
            axis.legend(frameon=False)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def draw(axis, rows, size, measure):
    values = [row[measure] for row in rows]
    # A decade at least, or a small change would look like a large one.
    axis.set(xscale="log", yscale="log", ylim=(min(values) / 3, max(values) * 3))
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(EngFormatter(sep=""))
        side.set_minor_formatter(NullFormatter())
    for engine in dict.fromkeys(row["engine"] for row in rows):
        points = sorted((row[size], row[measure]) for row in rows if row["engine"] == engine)
        axis.plot(*zip(*points), marker="o", markersize=3, linewidth=2 if engine == "earthcatalog" else 1, label=engine)


main()
