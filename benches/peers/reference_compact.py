"""The reference's consolidation of shards, in its own thread pool: reference_compact.py SHARDS FOLDER THREADS"""

import json
import logging
import sys

logging.disable(logging.CRITICAL)

from earthcatalog.ingestion_pipeline import LocalProcessor, ProcessingConfig
from earthcatalog.workers import consolidate_partition

shards, out, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
listed = json.load(open(f"{shards}/shards.json"))
partitions = [(name, [f"{shards}/{path}" for path, _ in files]) for name, files in listed.items()]
config = ProcessingConfig(input_file="", output_catalog=out, scratch_location=shards, grid_resolution=1, temporal_bin="year")
done = LocalProcessor(n_workers=threads).consolidate_shards(partitions, consolidate_partition, config_dict=config.to_dict())
sys.exit(any(of["item_count"] == 0 for of in done))
