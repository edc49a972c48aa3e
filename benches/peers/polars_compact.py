"""Merges buckets with polars, one after the other: polars_compact.py BUCKETS.json FOLDER THREADS"""

import json
import os
import sys

# Read when polars is loaded.
os.environ["POLARS_MAX_THREADS"] = sys.argv[3]

import polars

buckets, out = json.load(open(sys.argv[1])), sys.argv[2]
for n, files in enumerate(buckets):
    read = [polars.read_parquet(path, hive_partitioning=False).with_columns(polars.lit(s).alias("sequence")) for s, path in files]
    rows = polars.concat(read).sort(["updated", "created", "sequence"], descending=True, nulls_last=True)
    rows = rows.unique("id", keep="first", maintain_order=True).drop("sequence").sort(["platform", "datetime"], nulls_last=True)
    folder = os.path.join(out, "/".join(files[0][1].split("/")[-3:-1]))
    os.makedirs(folder, exist_ok=True)
    rows.write_parquet(os.path.join(folder, f"{n}.parquet"), compression="zstd", compression_level=3)
