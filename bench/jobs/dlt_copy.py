"""Copies a table by dlt (connectorx, to Iceberg on this disk) each time that a line comes in; answers with one.

Usage: python dlt_copy.py postgresql://… TABLE DIRECTORY
"""

import sys

import dlt
from dlt.sources.sql_database import sql_table


def main(url: str, table: str, directory: str) -> None:
    pipeline = dlt.pipeline(
        "rival",
        pipelines_dir=f"{directory}/pipelines",
        destination=dlt.destinations.filesystem(f"file://{directory}/lake"),
        dataset_name="rival",
    )
    for _ in sys.stdin:
        rows = sql_table(url, table=table, backend="connectorx", reflection_level="full_with_precision")
        pipeline.run(rows, table_format="iceberg", write_disposition="replace")
        print(pipeline.last_trace.last_normalize_info.row_counts[table], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
