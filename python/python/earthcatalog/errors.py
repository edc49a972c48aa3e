"""What can go wrong. The messages are the engine's: what, why, and what to do.

The classes follow the exit codes of the command ``earthcatalog``. An interruption is a ``KeyboardInterrupt``, whose
cause says what was kept.
"""

__all__ = ["ConflictError", "DamageError", "EarthcatalogError", "InputError", "WarehouseError"]


class EarthcatalogError(Exception):
    """Something did not work. Exit code 1 of the command."""


class InputError(EarthcatalogError, ValueError):
    """What was asked for cannot be: an argument, a search parameter or the text of a statement. Exit code 2."""


class WarehouseError(EarthcatalogError):
    """The warehouse could not be opened, read or written. Exit code 1."""


class ConflictError(WarehouseError):
    """Another writer was in the way, and nothing was changed: tried again, the same may work. Exit code 4."""


class DamageError(WarehouseError):
    """What was looked at is damaged. Exit code 3."""
