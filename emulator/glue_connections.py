"""Glue connections: changing and deleting them, and describing them as the API does."""

from typing import Any

import moto.glue.models
from moto.core.utils import utcnow
from moto.glue.models import FakeConnection, GlueBackend, glue_backends

from emulator import glue_network
from emulator.overlay import FALL_THROUGH, AwsError, Context, operation


@operation("glue", "CreateConnection")
def create_connection(ctx: Context, params: dict[str, Any]) -> Any:
    """Check a connection's definition; moto keeps it."""
    if params["ConnectionInput"]["Name"] in _backend(ctx).connections:
        raise AwsError("AlreadyExistsException", f"Connection {params['ConnectionInput']['Name']} already exists")
    glue_network.check(ctx.account, ctx.region, params["ConnectionInput"])
    return FALL_THROUGH


@operation("glue", "UpdateConnection")
def update_connection(ctx: Context, params: dict[str, Any]) -> None:
    """Replace a connection's definition."""
    connection = _connection(ctx, params["Name"])
    definition = params["ConnectionInput"]
    glue_network.check(ctx.account, ctx.region, definition)
    connection.connection_input = definition
    connection.name = definition["Name"]
    connection.description = definition.get("Description")
    connection.connection_properties = definition.get("ConnectionProperties", {})
    connection.athena_properties = definition.get("AthenaProperties", {})
    connection.spark_properties = definition.get("SparkProperties", {})
    connection.python_properties = definition.get("PythonProperties", {})
    connection.updated_time = utcnow()


@operation("glue", "DeleteConnection")
def delete_connection(ctx: Context, params: dict[str, Any]) -> None:
    """Delete a connection and its tags."""
    connection = _connection(ctx, params["ConnectionName"])
    del _backend(ctx).connections[params["ConnectionName"]]
    _backend(ctx).tagger.delete_all_tags_for_resource(connection.arn)


class Connection(FakeConnection):
    """moto forgets these two when it describes a connection."""

    def as_dict(self, hide_password: bool = False) -> dict[str, Any]:
        return {
            **super().as_dict(hide_password),
            "ConnectionType": self.connection_input["ConnectionType"],
            "MatchCriteria": self.connection_input.get("MatchCriteria"),
        }


moto.glue.models.FakeConnection = Connection


def _backend(ctx: Context) -> GlueBackend:
    return glue_backends[ctx.account][ctx.region]


def _connection(ctx: Context, name: str) -> FakeConnection:
    if name not in _backend(ctx).connections:
        raise AwsError("EntityNotFoundException", f"Connection {name} not found")
    return _backend(ctx).connections[name]
