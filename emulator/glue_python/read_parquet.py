"""Prints what Parquet files hold, a line of JSON for each path that is given: columns (name and type, as the Glue
catalog names it), rows, compression; null for a file that is no Parquet.
"""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def describe(path: str) -> dict | None:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid:
        return None
    metadata = file.metadata
    compression = metadata.row_group(0).column(0).compression.lower() if metadata.num_row_groups else "none"
    return {
        "columns": [[field.name.lower(), catalog_type(field.type)] for field in file.schema_arrow],
        "rows": metadata.num_rows,
        "compression": "none" if compression == "uncompressed" else compression,
    }


def catalog_type(arrow: pa.DataType) -> str:
    if pa.types.is_struct(arrow):
        members = (arrow.field(number) for number in range(arrow.num_fields))
        return f"struct<{','.join(f'{member.name}:{catalog_type(member.type)}' for member in members)}>"
    if pa.types.is_list(arrow):
        return f"array<{catalog_type(arrow.value_type)}>"
    if pa.types.is_map(arrow):
        return f"map<{catalog_type(arrow.key_type)},{catalog_type(arrow.item_type)}>"
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    if pa.types.is_timestamp(arrow):
        return "timestamp"
    return NAMES.get(str(arrow), "string")


NAMES = {
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "float": "float",
    "double": "double",
    "date32[day]": "date",
    "binary": "binary",
}

for each in sys.argv[1:]:
    print(json.dumps(describe(each)))
