"""A backfill that is killed half-way and started again, beside one that is left alone: what is done twice, and what stays.

The kill is SIGKILL, once half of the chunks have left their checkpoint. Both tables then have the same rows. "killed, then
resumed" is the sum of both starts.
"""

from bench import Ids
from data import at
from process import measured

TITLE = "Backfill, killed half-way"
UNIT = "Items"
COLUMNS = ["items", "what", "engine", "wall_s", "cpu_s", "user_s", "system_s", "per_cpu_s", "peak_mb", "read_mb", "written_mb"]
CHUNKS = 20


def key(row):
    return row["items"], row["what"]


def cost(row):
    return row["cpu_s"] / row["items"]


def run(bench):
    return [row for items in bench.scale.resumed for row in cases(bench, items)]


def cases(bench, items):
    starts = {"left alone": Backfill(bench, items), "killed, then resumed": Killed(bench, items)}
    for what, figures in bench.alternate(f"backfill {items:,} Items", starts).items():
        yield {"items": items, "what": what, "engine": "earthcatalog", **figures, "per_cpu_s": round(items / figures["cpu_s"])}


class Backfill:
    def __init__(self, bench, items):
        self.bench, self.words = bench, [bench.binary, "backfill", "--inventory", bench.data.ndjson(items), "--output", "json"]
        self.words += ["--chunk-size", str(items // CHUNKS), "--workers", str(bench.workers)]

    def __call__(self):
        return self.finish(self.bench.new_folder())

    def finish(self, folder):
        _, figures = measured([*self.words, *at(folder)])
        files = f"read_parquet('{folder}/warehouse/grid_partition=*/year=*/*.parquet', hive_partitioning = false)"
        return Ids(self.bench).ask("count(*), bit_xor(hash((grid_partition, id, updated)))", files), figures


class Killed(Backfill):
    def __call__(self):
        folder = self.bench.new_folder()
        checkpoints = lambda: sum(1 for _ in folder.glob("warehouse/_checkpoints/*/chunk-*/ingest_stats.json"))
        _, first = measured([*self.words, *at(folder)], kill_when=lambda: checkpoints() >= CHUNKS // 2)
        answer, second = self.finish(folder)
        return answer, {name: max(first[name], second[name]) if name == "peak_mb" else first[name] + second[name] for name in first}
