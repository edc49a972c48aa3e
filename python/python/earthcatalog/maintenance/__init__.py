"""Maintenance by the names that it has in the Python reference."""
