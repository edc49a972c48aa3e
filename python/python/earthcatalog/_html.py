"""What notebooks show."""

from collections.abc import Iterable
from html import escape


def table(title: str, rows: "Iterable[tuple[str, object]]") -> str:
    """Names and values below a title, as HTML."""
    lines = (
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in rows
    )
    return f"<table><caption><b>{escape(title)}</b></caption>{''.join(lines)}</table>"


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
