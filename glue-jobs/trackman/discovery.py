"""The source's tables that the last crawl found."""

import time

from trackman import aws
from trackman.contract import Contract, TableName
from trackman.errors import JobError

_WAIT_SECONDS = 300
_POLL_SECONDS = 5


def discover_tables(contract: Contract) -> list[TableName]:
    """The crawled tables that the contract selects, sorted.

    Waits a few minutes when nothing of the connection was crawled yet; a catalog that is there is used as it is.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while not (crawled := _crawled_tables(contract)):
        if time.monotonic() > deadline:
            raise JobError(
                f"{contract.source}: Glue database {contract.catalog_database} has no table of the connection "
                f"{contract.connection.glue_connection} after {_WAIT_SECONDS} s: look at the last crawl"
            )
        print(f"{contract.source}: nothing was crawled yet, waiting for the first crawl to end", flush=True)
        time.sleep(_POLL_SECONDS)
    return sorted(name for name in crawled if name in contract.selection)


def _crawled_tables(contract: Contract) -> list[TableName]:
    """By what the crawler writes about a table; how it names one is its own affair."""
    names = []
    for page in aws.client("glue").get_paginator("get_tables").paginate(DatabaseName=contract.catalog_database):
        for table in page["TableList"]:
            if table.get("Parameters", {}).get("connectionName") == contract.connection.glue_connection:
                _database, schema, name = table["StorageDescriptor"]["Location"].split(".", 2)
                names.append(TableName(schema, name))
    return names
