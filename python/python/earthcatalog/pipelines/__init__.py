"""Pipelines by the names that they have in the Python reference."""
