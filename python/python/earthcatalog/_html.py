"""What notebooks show."""

import math
import re
from collections.abc import Iterable, Sequence
from html import escape

from ._land import PATH

#: The points of a ring in WKT.
RING = re.compile(r"\(([^()]+)\)")


def table(title: str, rows: "Iterable[tuple[str, object]]") -> str:
    """Names and values below a title, as HTML."""
    lines = (
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in rows
    )
    return f"<table><caption><b>{escape(title)}</b></caption>{''.join(lines)}</table>"


def rows(names: "Sequence[str]", values: "Iterable[Sequence[object]]") -> str:
    """Rows below the names of their columns, as HTML; what is null is left empty."""
    cells = lambda cell, texts: (f'<{cell} style="text-align:left">{escape(text)}</{cell}>' for text in texts)
    line = lambda cell, texts: f"<tr>{''.join(cells(cell, texts))}</tr>"
    texts = (["" if value is None else str(value) for value in row] for row in values)
    return f"<table>{line('th', names)}{''.join(line('td', row) for row in texts)}</table>"


def world(cells: "Iterable[tuple[str, int, str]]") -> str:
    """A map of the world as SVG: cells by name, number of rows and outline (WKT), the darker the more rows."""
    cells = list(cells)
    most = math.log1p(max((number for _, number, _ in cells), default=0))
    paths = "".join(
        f'<path d="{_path(outline)}" fill-opacity="{0.25 + 0.75 * math.log1p(number) / (most or 1):.2f}">'
        f"<title>{escape(name)}: {count(number)} rows</title></path>"
        for name, number, outline in cells
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -90 360 180" width="540" height="270" role="img">'
        f'<path d="{PATH}" fill="currentColor" fill-opacity="0.15"/>'
        '<rect x="-180" y="-90" width="360" height="180" fill="none" stroke="currentColor" stroke-opacity="0.3"/>'
        f'<g fill="#2364aa" stroke="#2364aa" stroke-width="0.3">{paths}</g></svg>'
    )


def _path(outline: str) -> str:
    rings = ([point.split() for point in ring.split(",")] for ring in RING.findall(outline))
    return "".join(f"M{'L'.join(f'{float(x):.1f} {-float(y):.1f}' for x, y in ring)}z" for ring in rings)


def count(number: int) -> str:
    """`1234567` as `1,234,567`."""
    return f"{number:,}"


def size(number: float) -> str:
    """Bytes in decimal units, as object stores bill: `35.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.95:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
