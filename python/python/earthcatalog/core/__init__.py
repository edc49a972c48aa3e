"""The catalog by the name that it has in the Python reference."""

from .. import catalog

__all__ = ["catalog"]
