"""The cases: each module has a TITLE, COLUMNS of its table, and `run(bench)`, which gives its rows."""
