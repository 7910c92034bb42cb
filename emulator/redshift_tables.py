"""What Redshift Spectrum cannot read of an Iceberg table, though Trino can."""

import json
from collections.abc import Iterator
from typing import Any

from emulator.athena_tables import current_metadata
from emulator.redshift_database import ExternalSchema, SqlError

_READABLE_VERSIONS = (1, 2)
_UNREADABLE_TYPES = ("uuid", "time", "fixed")


def check(account: str, schema: ExternalSchema, table: str) -> None:
    """Refuse formats and column types that Spectrum does not read. Looks into the stores: no call of anybody's."""
    file = current_metadata(account, schema.region, schema.glue_database, table)
    if file is None:
        return  # the engine says what is missing
    metadata = json.loads(file)
    if metadata["format-version"] not in _READABLE_VERSIONS:
        raise SqlError(
            f"ERROR: Spectrum Scan Error: table {table} has Iceberg format version {metadata['format-version']}; "
            "Redshift reads versions 1 and 2 only"
        )
    current = next(each for each in metadata["schemas"] if each["schema-id"] == metadata["current-schema-id"])
    for field in current["fields"]:
        for type_name in _primitive_types(field["type"]):
            if type_name.partition("[")[0] in _UNREADABLE_TYPES:
                raise SqlError(
                    f'ERROR: Spectrum Scan Error: column "{field["name"]}" of table {table} has the type {type_name}, '
                    "which Redshift Spectrum cannot read"
                )


def _primitive_types(type_: Any) -> Iterator[str]:
    """The names of a type and of all in it: Iceberg's `list`, `map` and `struct` are objects."""
    if isinstance(type_, str):
        yield type_
        return
    inner = [type_[key] for key in ("element", "key", "value") if key in type_]
    for each in [*inner, *(field["type"] for field in type_.get("fields", []))]:
        yield from _primitive_types(each)
