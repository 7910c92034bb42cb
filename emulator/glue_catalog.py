"""The Glue Data Catalog's promise to concurrent writers, which moto does not keep.

A table's VersionId changes with every update. Who names the version that it read has its update refused when somebody
else was faster: that is what makes a commit to an Iceberg table atomic (GlueCatalog of Iceberg).
"""

import threading
from typing import Any

from moto.glue.models import FakeTable, GlueBackend, glue_backends

from emulator.overlay import AwsError, Context, operation

# One for all tables: what it guards takes microseconds.
_writing = threading.Lock()


@operation("glue", "CreateTable")
def create_table(ctx: Context, params: dict[str, Any]) -> None:
    """Create a table, once."""
    definition = _definition(params)
    with _writing:
        _catalog(ctx).create_table(
            params["DatabaseName"], definition["Name"], definition, params.get("OpenTableFormatInput")
        )


@operation("glue", "UpdateTable")
def update_table(ctx: Context, params: dict[str, Any]) -> None:
    """Replace a table's definition, if it still is of the version that VersionId names, when it names one.

    The definition so far stays as an old version unless SkipArchive is set.
    """
    definition = _definition(params)
    with _writing:
        table = _catalog(ctx).get_table(params["DatabaseName"], definition["Name"])
        version = _current_version(table)
        if params.get("VersionId", version) != version:
            raise AwsError(
                "ConcurrentModificationException",
                f"Update table failed due to concurrent modifications: {table.database_name}.{table.name} is at "
                f"version {version}, not {params['VersionId']}.",
            )
        table.update(definition)
        if params.get("SkipArchive"):
            table.delete_version(version)


@operation("glue", "DeleteTableVersion")
def delete_table_version(ctx: Context, params: dict[str, Any]) -> None:
    """Delete an old version; the current one stays."""
    with _writing:
        table = _catalog(ctx).get_table(params["DatabaseName"], params["TableName"])
        if params["VersionId"] == _current_version(table):
            raise AwsError("InvalidInputException", f"Cannot delete the current version {params['VersionId']}")
        table.get_version(params["VersionId"])  # refuses a version that does not exist
        table.delete_version(params["VersionId"])


def _catalog(ctx: Context) -> GlueBackend:
    return glue_backends[ctx.account][ctx.region]


def _definition(params: dict[str, Any]) -> dict[str, Any]:
    if "TableInput" not in params:
        raise AwsError("InvalidInputException", "TableInput is missing: the emulator makes no Iceberg metadata itself")
    return params["TableInput"]


def _current_version(table: FakeTable) -> str:
    return table.as_dict()["VersionId"]
