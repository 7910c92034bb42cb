"""Athena's workgroups and named queries: what moto lacks of their definitions."""

from typing import Any

from moto.athena.models import AthenaBackend, NamedQuery, WorkGroup, athena_backends
from moto.core.utils import utcnow

from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

_ENGINE_VERSION = "Athena engine version 3"


@operation("athena", "CreateWorkGroup")
def create_work_group(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Create a workgroup."""
    configuration = params.get("Configuration", {})
    _set_effective_engine_version(configuration)
    work_group = _backend(ctx).create_work_group(
        params["Name"], configuration, params.get("Description", ""), params.get("Tags", [])
    )
    if work_group is None:
        raise AwsError("InvalidRequestException", f"WorkGroup {params['Name']} is already created")
    work_group.creation_time = utcnow()
    return {}


@operation("athena", "GetWorkGroup")
def get_work_group(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Describe a workgroup."""
    work_group = find_work_group(ctx, params["WorkGroup"])
    description = {
        "Name": work_group.name,
        "State": work_group.state,
        "Configuration": work_group.configuration,
        "Description": work_group.description,
        "CreationTime": getattr(work_group, "creation_time", None),  # `primary` always was
    }
    return {"WorkGroup": description}


@operation("athena", "UpdateWorkGroup")
def update_work_group(ctx: Context, params: dict[str, Any]) -> None:
    """Change what is given; `Remove…: true` clears a setting."""
    work_group = find_work_group(ctx, params["WorkGroup"])
    work_group.description = params.get("Description", work_group.description)
    work_group.state = params.get("State", work_group.state)
    updates = dict(params.get("ConfigurationUpdates", {}))
    result_updates = updates.pop("ResultConfigurationUpdates", {})
    _update(work_group.configuration, updates)
    _update(work_group.configuration.setdefault("ResultConfiguration", {}), result_updates)
    _set_effective_engine_version(work_group.configuration)


@operation("athena", "DeleteWorkGroup")
def delete_work_group(ctx: Context, params: dict[str, Any]) -> None:
    """Delete a workgroup; its named queries and prepared statements only if RecursiveDeleteOption says so."""
    backend = _backend(ctx)
    work_group = find_work_group(ctx, params["WorkGroup"])
    if work_group.name == "primary":
        raise AwsError("InvalidRequestException", "The primary workgroup cannot be deleted")
    queries = [query.id for query in backend.named_queries.values() if query.workgroup is work_group]
    statements = [key for key in backend.prepared_statements if key[0] == work_group.name]
    if (queries or statements) and not params.get("RecursiveDeleteOption"):
        raise AwsError("InvalidRequestException", f"WorkGroup {work_group.name} is not empty")
    for query_id in queries:
        del backend.named_queries[query_id]
    for key in statements:
        del backend.prepared_statements[key]
    del backend.work_groups[work_group.name]
    backend.tagger.delete_all_tags_for_resource(work_group.arn)


@operation("athena", "CreateNamedQuery")
def create_named_query(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse an unknown workgroup; moto does the rest."""
    find_work_group(ctx, params.get("WorkGroup", "primary"))
    return FALL_THROUGH


@operation("athena", "GetNamedQuery")
def get_named_query(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse an unknown query; moto does the rest."""
    _named_query(ctx, params["NamedQueryId"])
    return FALL_THROUGH


@operation("athena", "BatchGetNamedQuery")
def batch_get_named_query(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Describe several named queries, and say which do not exist."""
    queries = _backend(ctx).named_queries
    found = [query_id for query_id in params["NamedQueryIds"] if query_id in queries]
    return {
        "NamedQueries": [_describe_named_query(queries[query_id]) for query_id in found],
        "UnprocessedNamedQueryIds": [
            {"NamedQueryId": query_id, "ErrorCode": "INVALID_INPUT", "ErrorMessage": f"{query_id} does not exist"}
            for query_id in params["NamedQueryIds"]
            if query_id not in queries
        ],
    }


@operation("athena", "UpdateNamedQuery")
def update_named_query(ctx: Context, params: dict[str, Any]) -> None:
    """Change name, text and description."""
    query = _named_query(ctx, params["NamedQueryId"])
    query.name = params["Name"]
    query.query_string = params["QueryString"]
    query.description = params.get("Description", query.description)


@operation("athena", "DeleteNamedQuery")
def delete_named_query(ctx: Context, params: dict[str, Any]) -> None:
    """Delete a named query."""
    query = _named_query(ctx, params["NamedQueryId"])
    del _backend(ctx).named_queries[query.id]


@operation("athena", "ListTagsForResource")
def list_tags(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The tags of a resource; moto refuses those that have none."""
    return {"Tags": _backend(ctx).tagger.list_tags_for_resource(params["ResourceARN"])["Tags"]}


def find_work_group(ctx: Context, name: str) -> WorkGroup:
    """The workgroup of that name; refused as Athena does when there is none."""
    if name not in _backend(ctx).work_groups:
        raise AwsError("InvalidRequestException", f"WorkGroup {name} is not found.")
    return _backend(ctx).work_groups[name]


def _backend(ctx: Context) -> AthenaBackend:
    return athena_backends[ctx.account][ctx.region]


def _named_query(ctx: Context, query_id: str) -> NamedQuery:
    if query_id not in _backend(ctx).named_queries:
        raise AwsError("InvalidRequestException", f"NamedQuery {query_id} was not found")
    return _backend(ctx).named_queries[query_id]


def _describe_named_query(query: NamedQuery) -> dict[str, Any]:
    return {
        "Name": query.name,
        "Description": query.description,
        "Database": query.database,
        "QueryString": query.query_string,
        "NamedQueryId": query.id,
        "WorkGroup": query.workgroup.name,
    }


def _set_effective_engine_version(configuration: dict[str, Any]) -> None:
    selected = configuration.get("EngineVersion", {}).get("SelectedEngineVersion", "AUTO")
    if selected not in ("AUTO", _ENGINE_VERSION):
        raise AwsError("InvalidRequestException", f"Engine version {selected} is not available, only {_ENGINE_VERSION}")
    configuration["EngineVersion"] = {
        "SelectedEngineVersion": selected,
        "EffectiveEngineVersion": _ENGINE_VERSION,
    }


def _update(configuration: dict[str, Any], updates: dict[str, Any]) -> None:
    """Apply updates in Athena's form: `Name: value` sets, `RemoveName: true` clears."""
    for name, value in updates.items():
        if not name.startswith("Remove"):
            configuration[name] = value
        elif value:
            configuration.pop(name.removeprefix("Remove"), None)
