"""Arguments as the engine reads them."""

import datetime as dt
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import InputError


def location(value: "str | os.PathLike[str] | None") -> "str | None":
    """A path or URL as text."""
    return None if value is None else os.fspath(value)


def moment(value: "str | dt.date | None") -> "str | None":
    """A time as text: RFC 3339, a day, a month or a year. A time without zone is UTC."""
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


def duration(value: "str | dt.timedelta | None") -> "str | None":
    """A duration as text with a unit, such as ``7d``."""
    if isinstance(value, dt.timedelta):
        return f"{value // dt.timedelta(microseconds=1)}us"
    return value


def interval(value: Any) -> "str | None":
    """A time, or two of them with ``None`` for an open end, as ``START/END``."""
    if value is None or isinstance(value, (str, dt.date)):
        return moment(value)
    ends = [moment(end) or ".." for end in value]
    if len(ends) not in (1, 2):
        raise InputError(f"datetime: it has {len(ends)} times; give one, or a start and an end")
    return "/".join(ends)


def texts(value: Any) -> "list[str] | None":
    """One text, a text with commas, or several; of objects such as Collections, their ids."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.split(",")
    if hasattr(value, "id"):
        return [value.id]
    return [text if isinstance(text, str) else text.id for text in value]


def listed(value: Any) -> Any:
    """A list of texts as one text with commas; anything else as it is."""
    if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
        values = list(value)
        return ",".join(values) if all(isinstance(text, str) for text in values) else values
    return value


def geometry(value: Any) -> Any:
    """A place as a GeoJSON geometry, or as text: GeoJSON or WKT.

    Takes a mapping, text, or an object with ``__geo_interface__``, such as shapely's; of a Feature, its geometry.
    """
    value = getattr(value, "__geo_interface__", value)
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = json.loads(value)
    if isinstance(value, Mapping) and value.get("type") == "Feature":
        value = value["geometry"]
    return value


#: The longer ones first: ``<`` is a part of ``<=``.
OPERATORS = {"<=": "lte", ">=": "gte", "<>": "neq", "=": "eq", "<": "lt", ">": "gt"}


def query(value: Any) -> Any:
    """Conditions of extension query, as a mapping; or a list of such as ``eo:cloud_cover<10``, as pystac-client has
    it."""
    if value is None or isinstance(value, Mapping):
        return value
    conditions: dict[str, dict[str, Any]] = {}
    for text in [value] if isinstance(value, str) else value:
        found = next((operator for operator in OPERATORS if operator in text), None)
        if found is None:
            raise InputError(f"query: {text!r} is no condition; write it as eo:cloud_cover<10")
        name, literal = (part.strip() for part in text.split(found, 1))
        conditions.setdefault(name, {})[OPERATORS[found]] = number(literal)
    return conditions


def number(text: str) -> "int | float | str":
    """The number that a text is, or the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
