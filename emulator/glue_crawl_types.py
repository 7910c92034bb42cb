"""How a crawler translates Postgres's types into those of the Glue catalog."""

import re

_SIMPLE = {
    "smallint": "smallint",
    "integer": "int",
    "bigint": "bigint",
    "oid": "bigint",
    "real": "float",
    "double precision": "double",
    "money": "double",
    "boolean": "boolean",
    "date": "date",
    "bytea": "binary",
}
_NUMERIC = re.compile(r"numeric(?:\((\d+),(-?\d+)\))?")
_TIMESTAMP = re.compile(r"timestamp(?:\(\d\))? with(?:out)? time zone")
_UNCONSTRAINED_NUMERIC = "decimal(38,18)"  # as Spark reads it


def catalog_type(postgres_type: str) -> str:
    """The catalog's type of a column, from the type as Postgres's format_type names it.

    What has no counterpart (uuid, json, time, interval, enumerations, …) is a string, as JDBC hands it over.
    """
    if postgres_type.endswith("[]"):
        return f"array<{catalog_type(postgres_type.removesuffix('[]'))}>"
    if numeric := _NUMERIC.fullmatch(postgres_type):
        return f"decimal({numeric[1]},{numeric[2]})" if numeric[1] else _UNCONSTRAINED_NUMERIC
    if _TIMESTAMP.fullmatch(postgres_type):
        return "timestamp"
    return _SIMPLE.get(postgres_type, "string")
