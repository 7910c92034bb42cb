"""The tables that a statement names, checked for what the real Athena cannot read though Trino can."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import sqlglot
from moto.glue.models import glue_backends
from sqlglot import exp

from emulator.athena_failures import Failure
from emulator.athena_sql import CATALOG, Statement
from emulator.iam_s3 import find_bucket

_READABLE_VERSIONS = (1, 2)
_FORMAT_VERSION = re.compile(rb'"format-version"\s*:\s*(\d+)')  # the first field of a table's metadata


def check_formats(statement: Statement, account: str, region: str, database: str) -> None:
    """Refuse Iceberg tables of a format that Athena does not read. Looks into the stores: no call of the caller's."""
    for database_name, table_name in tables_of(statement, database):
        version = _format_version(account, region, database_name, table_name)
        if version is not None and version not in _READABLE_VERSIONS:
            raise Failure(
                f"NOT_SUPPORTED: Table '{CATALOG}.{database_name}.{table_name}' has Iceberg format version {version}; "
                "Athena reads and writes versions 1 and 2 only"
            )


def tables_of(statement: Statement, database: str) -> Iterator[tuple[str, str]]:
    """Database and name, in lower case, of what stands where a table may stand; common table expressions included."""
    try:
        tree = sqlglot.parse_one(statement.text, read="athena")
    except sqlglot.errors.SqlglotError:
        return  # Trino says what is wrong, and it also runs a few things that sqlglot does not read
    for table in tree.find_all(exp.Table):
        yield (table.db or database).lower(), table.name.lower()


def _format_version(account: str, region: str, database: str, table: str) -> int | None:
    """The format version in an Iceberg table's current metadata file, None when there is no such table or file."""
    metadata = current_metadata(account, region, database, table)
    version = metadata and _FORMAT_VERSION.search(metadata, 0, 1024)
    return int(version[1]) if version else None


def current_metadata(account: str, region: str, database: str, table: str) -> bytes | None:
    """An Iceberg table's current metadata file (JSON), None when there is no such table or file."""
    found = glue_backends[account][region].databases.get(database)
    found = found and found.tables.get(table)
    location = found and found.as_dict().get("Parameters", {}).get("metadata_location")
    if not location:
        return None
    url = urlsplit(location)
    owned = find_bucket(url.netloc)
    stored = owned and owned[1].keys.get(url.path.lstrip("/"))
    return stored.value if stored else None
