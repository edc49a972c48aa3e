"""NDJSON to one Parquet file with one row an Item, zstd level 3: rustac's command line, stac-geoparquet, DuckDB.

The peers write stac-geoparquet. Ours is `convert.sql`, the STAC table and COPY: the same columns, but assets and links as JSON
text and without the `geo` key, because the binary has no command yet that writes stac-geoparquet of NDJSON. DuckDB is told the
types of all members; the others find them out. Ids, times (to the millisecond: rustac keeps no more), a number and the bounds of
the geometries are compared.
"""

from pathlib import Path

from bench import Ids
from process import measured

TITLE = "NDJSON to one file"
UNIT = "Items"
COLUMNS = ["items", "engine", "wall_s", "cpu_s", "per_cpu_s", "peak_mb", "read_mb", "written_mb", "bytes"]
SCRIPTS = Path(__file__).parent

PROPERTIES = {
    "mid_datetime": "TIMESTAMPTZ", "created": "TIMESTAMPTZ", "updated": "TIMESTAMPTZ", "latitude": "DOUBLE", "longitude": "DOUBLE",
    "date_dt": "DOUBLE", "platform": "VARCHAR", "scene_1_id": "VARCHAR", "scene_2_id": "VARCHAR", "scene_1_frame": "VARCHAR",
    "scene_2_frame": "VARCHAR", "sat:orbit_state": "VARCHAR", "start_datetime": "TIMESTAMPTZ", "end_datetime": "TIMESTAMPTZ",
    "percent_valid_pixels": "BIGINT", "proj:code": "VARCHAR", "version": "VARCHAR", "datetime": "TIMESTAMPTZ",
}
ASSET = "href VARCHAR, \"type\" VARCHAR, roles VARCHAR[]"
COLUMN_TYPES = {
    "type": "VARCHAR", "stac_version": "VARCHAR", "stac_extensions": "VARCHAR[]", "id": "VARCHAR", "geometry": "JSON", "bbox": "DOUBLE[]",
    "properties": f"STRUCT({', '.join(f'{chr(34)}{name}{chr(34)} {kind}' for name, kind in PROPERTIES.items())})",
    "links": "STRUCT(href VARCHAR, rel VARCHAR, \"type\" VARCHAR, title VARCHAR)[]", "collection": "VARCHAR",
    "assets": f"STRUCT(\"data\" STRUCT({ASSET}, alternate STRUCT(s3 STRUCT(href VARCHAR, \"alternate:name\" VARCHAR))),"
              f" overview STRUCT({ASSET}), thumbnail STRUCT({ASSET}))",
}


def key(row):
    return row["items"]


def cost(row):
    return row["cpu_s"] / row["items"]


def run(bench):
    rows = []
    for items in bench.scale.items:
        source, out = bench.data.ndjson(items), bench.new_folder() / "items.parquet"
        ours = [bench.binary, "run", SCRIPTS / "convert.sql", "--set", f"inventory={source}", "--set", f"out={out}"]
        ours += ["--workers", str(bench.workers), "--output", "csv"]
        commands = {"earthcatalog": ours}
        if bench.peers:
            bin = bench.peers.python.parent
            commands["rustac"] = [bin / "rustac", "--parquet-compression", "zstd(3)", "translate", source, out]
            commands["stac-geoparquet"] = bench.peers.script("stac_geoparquet_convert", source, out)
            commands["DuckDB"] = [bench.peers.duckdb, "-c", duckdb(bench, source, out)]
        engines = {engine: Convert(bench, command, out) for engine, command in commands.items()}
        for engine, figures in bench.alternate(f"convert {items:,} Items", engines).items():
            rows.append({"items": items, "engine": engine, **figures, "per_cpu_s": round(items / figures["cpu_s"])})
    return rows


class Convert:
    def __init__(self, bench, command, out):
        self.bench, self.command, self.out = bench, command, out

    def __call__(self):
        self.out.unlink(missing_ok=True)
        _, figures = measured(self.command)
        return self.contents(), figures | {"bytes": self.out.stat().st_size}

    def contents(self):
        if not self.bench.peers:
            return None
        times = "min(epoch_ms(datetime::TIMESTAMPTZ)), max(epoch_ms(datetime::TIMESTAMPTZ))"
        bounds = "round(sum(ST_XMin(geometry)), 2), round(sum(ST_YMax(geometry)), 2), sum(ST_NPoints(geometry))"
        what = f"count(*), count(DISTINCT id), bit_xor(hash(id)), {times}, sum(percent_valid_pixels), {bounds}"
        settings = f"SET TimeZone = 'UTC'; LOAD '{self.bench.peers.spatial}';"
        geometry = "ST_GeomFromWKB(geometry)" if self.command[0] == self.bench.binary else "geometry"
        rows = f"(SELECT * REPLACE ({geometry} AS geometry) FROM read_parquet('{self.out}'))"
        return Ids(self.bench).ask(what, rows, settings)


def duckdb(bench, source, out):
    types = ", ".join(f"\"{name}\": '{kind}'" for name, kind in COLUMN_TYPES.items())
    box = "{'xmin': bbox[1], 'ymin': bbox[2], 'xmax': bbox[3], 'ymax': bbox[4]} AS bbox"
    columns = f"* EXCLUDE (properties, geometry, bbox), properties.*, ST_GeomFromGeoJSON(geometry) AS geometry, {box}"
    rows = f"SELECT {columns} FROM read_json('{source}', format = 'newline_delimited', columns = {{{types}}})"
    settings = f"SET threads = {bench.workers}; SET TimeZone = 'UTC'; LOAD '{bench.peers.spatial}';"
    return f"{settings} COPY ({rows}) TO '{out}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)"
