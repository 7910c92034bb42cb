"""Requests against the API's own model: what AWS refuses before it looks at anything else."""

from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import Emulator

QUERY = {"Name": "q", "Database": "d", "QueryString": "select 1"}


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "message"),
    [
        (
            "glue",
            "create_table",
            {"DatabaseName": "d", "TableInput": {"Name": "t" * 256}},
            "at 'tableInput.name' failed to satisfy constraint: Member must have length less than or equal to 255",
        ),
        (
            "glue",
            "create_table",
            {
                "DatabaseName": "d",
                "TableInput": {
                    "Name": "t",
                    "StorageDescriptor": {"Columns": [{"Name": "a"}, {"Name": "b", "Comment": "two\nlines"}]},
                },
            },
            "at 'tableInput.storageDescriptor.columns.2.member.comment' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern",
        ),
        (
            "glue",
            "create_job",
            {"Name": "j", "Command": {"Name": "glueetl"}},
            "Value null at 'role' failed to satisfy constraint: Member must not be null",
        ),
        (
            "glue",
            "create_trigger",
            {"Name": "t", "Type": "SOMETIMES", "Actions": []},
            "Value 'SOMETIMES' at 'type' failed to satisfy constraint: Member must satisfy enum value set: "
            "[SCHEDULED, CONDITIONAL, ON_DEMAND, EVENT]",
        ),
        (
            "athena",
            "create_named_query",
            {**QUERY, "QueryString": "x" * 262_145},
            "1 validation error detected: Value at 'queryString' failed to satisfy constraint: Member must have length "
            "less than or equal to 262144",
        ),
        (
            "athena",
            "create_work_group",
            {"Name": "w", "Configuration": {"BytesScannedCutoffPerQuery": 1}},
            "Value '1' at 'configuration.bytesScannedCutoffPerQuery' failed to satisfy constraint: Member must have "
            "value greater than or equal to 10000000",
        ),
        (
            "logs",
            "create_log_group",
            {"logGroupName": "with spaces"},
            r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+",
        ),
        (
            "athena",
            "create_named_query",
            {**QUERY, "Name": "", "Database": ""},
            "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1; Value '' at 'database' failed",
        ),
    ],
)
def test_request_is_refused(
    emulator: Emulator, service: str, operation: str, parameters: dict[str, Any], message: str
) -> None:
    client = emulator.client(service, config=Config(parameter_validation=False))
    codes = {"athena": "InvalidRequestException", "glue": "ValidationException", "logs": "InvalidParameterException"}
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**parameters)
    assert caught.value.response["Error"]["Code"] == codes[service]
    assert message in caught.value.response["Error"]["Message"]


def test_characters_beyond_the_basic_plane_are_accepted(client) -> None:
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "described", "Description": "⛳ golf 🏌"})
    assert glue.get_database(Name="described")["Database"]["Description"] == "⛳ golf 🏌"


def test_value_larger_than_its_parameters_tier_is_refused(client) -> None:
    ssm = client("ssm")
    with pytest.raises(ClientError, match="support a maximum parameter value of 4096 characters"):
        ssm.put_parameter(Name="/large", Type="String", Value="x" * 4097)
    ssm.put_parameter(Name="/large", Type="String", Value="x" * 4097, Tier="Advanced")
    assert ssm.get_parameter(Name="/large")["Parameter"]["Value"] == "x" * 4097
