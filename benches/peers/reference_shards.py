"""The shards that the reference's workers write of each delivery, by partition: reference_shards.py FOLDER DELIVERY…"""

import json
import logging
import sys

logging.disable(logging.CRITICAL)

from earthcatalog.grid_systems import get_grid_system
from earthcatalog.workers import _get_partition_key, _write_shard_to_scratch

out, deliveries = sys.argv[1], sys.argv[2:]
grid, shards = get_grid_system("h3", resolution=1), {}
for n, delivery in enumerate(deliveries):
    partitions = {}
    for line in open(delivery):
        item = json.loads(line)
        partitions.setdefault(_get_partition_key(item, grid, "year", False, 0), []).append(item)
    for partition, items in partitions.items():
        shard = _write_shard_to_scratch(items, partition, out, f"w{n}", 0)
        # The folder gets another name once it is complete.
        path = shard["shard_path"].removeprefix(out).lstrip("/")
        shards.setdefault(partition, []).append((path, shard["item_count"]))
with open(f"{out}/shards.json", "w") as file:
    json.dump({partition: files for partition, files in shards.items() if len(files) > 1}, file)
