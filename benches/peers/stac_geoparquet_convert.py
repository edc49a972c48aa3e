"""NDJSON to stac-geoparquet by its own function: stac_geoparquet_convert.py NDJSON FILE"""

import sys

from stac_geoparquet.arrow import parse_stac_ndjson_to_parquet

parse_stac_ndjson_to_parquet(sys.argv[1], sys.argv[2], compression="zstd", compression_level=3)
