"""Tables of what the cases found, as Markdown."""

HEADERS = {
    "new_process_s": "new process s", "off_disk_s": "off disk s", "same_process_s": "same process s", "cpu_s": "CPU s",
    "wall_s": "wall s", "user_s": "user s", "system_s": "system s", "peak_mb": "peak MB", "read_mb": "read MB", "written_mb": "written MB",
    "first_s": "first s", "again_s": "again s", "answer_mb": "answer MB", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "per_s": "questions/s", "per_cpu_s": "{unit}/CPU-s",
}


def markdown(case, rows):
    """A case's table: its columns, and last how many times ours an engine takes."""
    columns = [column for column in case.COLUMNS if any(row.get(column) is not None for row in rows)]
    headers = [HEADERS.get(column, column).format(unit=getattr(case, "UNIT", "")) for column in columns]
    with_ratio = any("ratio" in row for row in rows)
    headers += ["times ours"] * with_ratio
    columns += ["ratio"] * with_ratio
    numeric = [all(not isinstance(row.get(column), str) for row in rows) for column in columns]
    lines = [f"| {' | '.join(headers)} |", "|" + "|".join("---:" if n else "---" for n in numeric) + "|"]
    lines += [f"| {' | '.join(cell(row.get(column)) for column in columns)} |" for row in rows]
    return "\n".join(lines)


def cell(value):
    """A figure with three digits that count."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3}f}"


def with_ratios(rows, cost, key):
    """Each row of another engine gets what it takes by what earthcatalog takes for the same question."""
    ours = {key(row): cost(row) for row in rows if row["engine"] == "earthcatalog"}
    for row in rows:
        if row["engine"] != "earthcatalog" and ours.get(key(row)):
            row["ratio"] = round(cost(row) / ours[key(row)], 3)
    return rows
