"""Runs the snippets that `earthcatalog info` prints: DuckDB's, then PyIceberg's."""

import sys

import duckdb

print(duckdb.sql(sys.argv[1]).fetchall())
exec(sys.argv[2])
