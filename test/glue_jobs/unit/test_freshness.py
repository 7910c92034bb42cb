"""The job freshness: what is known is published, what is not is named, and nothing unknown passes for fresh."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import boto3
import freshness
import pytest
from botocore.stub import ANY, Stubber
from freshness import Reading

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
AT_0930, AT_0955 = "2026-11-24T09:30:00.000000Z", "2026-11-24T09:55:00.000000Z"
ARGUMENTS = ["--lake-database", "lake", "--serving-frontiers", "s3://bucket/frontiers.json"]


def test_a_target_is_as_late_as_its_table_furthest_behind() -> None:
    assert Reading("lake", {"shots": AT_0955, "bays": AT_0930}).seconds(NOW) == 30 * 60


def test_a_target_of_which_not_all_is_known_has_no_value() -> None:
    assert Reading("lake", {"shots": AT_0955}, problem="no frontier on bays").seconds(NOW) is None
    assert Reading("lake", {}).seconds(NOW) is None


def test_tables_of_the_lake_without_a_frontier_are_named() -> None:
    properties = {"shots": {"trackman.frontier": AT_0955}, "players": {}, "bays": {"owner": "root"}}
    reading = freshness.lake_reading("trackman_lake", properties)
    assert reading.problem.startswith("no trackman.frontier on bays, players:")
    assert reading.frontiers == {"shots": AT_0955}


def test_a_lake_without_tables_is_not_fresh() -> None:
    assert freshness.lake_reading("trackman_lake", {}).problem == "trackman_lake holds no table: has ingest run?"


def test_only_what_is_known_is_published() -> None:
    readings = [Reading("lake", {"shots": AT_0930}), Reading("dataengineering-db", problem="there is no object")]
    assert freshness.metric_data(readings, NOW) == [
        {
            "MetricName": "Freshness",
            "Dimensions": [{"Name": "Target", "Value": "lake"}],
            "Timestamp": NOW,
            "Value": 1800.0,
            "Unit": "Seconds",
        }
    ]


def test_the_log_tells_every_table_s_frontier() -> None:
    readings = [Reading("lake", {"shots": AT_0930}), Reading("dataengineering-db", problem="there is no object")]
    assert freshness.report(readings, NOW) == {
        "time": "2026-11-24T10:00:00+00:00",
        "targets": {
            "lake": {"seconds": 1800.0, "frontiers": {"shots": AT_0930}},
            "dataengineering-db": {"seconds": None, "frontiers": {}},
        },
    }


def test_feeds_are_left_out() -> None:
    feed = {"trackman.files": "{}", "trackman.frontier": "2026-11-24T01:00:00.000000Z"}
    followed = {"trackman.frontier": "2026-11-24T09:00:00.000000Z"}
    reading = freshness.lake_reading("lake", {"readings": feed, "shots": followed})
    assert reading == Reading("lake", {"shots": followed["trackman.frontier"]})
    assert freshness.lake_reading("lake", {"readings": feed}).problem == "lake holds no table: has ingest run?"


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> dict[str, Stubber]:
    """Stubs of the clients that the job makes."""
    options = {"region_name": "eu-central-1", "aws_access_key_id": "k", "aws_secret_access_key": "s"}
    clients = {name: boto3.client(name, **options) for name in ("cloudwatch", "glue", "s3")}
    monkeypatch.setattr(boto3, "client", clients.__getitem__)
    return {name: Stubber(client) for name, client in clients.items()}


def answer_lake(services: dict[str, Stubber], frontier: str) -> None:
    location = "s3://bucket/lake/shots/metadata/7.json"
    table = {"Name": "shots", "Parameters": {"metadata_location": location}}
    services["glue"].add_response("get_tables", {"TableList": [table]}, {"DatabaseName": "lake"})
    metadata = json.dumps({"properties": {"trackman.frontier": frontier}})
    services["s3"].add_response("get_object", body(metadata), {"Bucket": "bucket", "Key": "lake/shots/metadata/7.json"})


def answer_serving(services: dict[str, Stubber], frontiers: dict[str, Any] | None) -> None:
    """What publish has left, or nothing."""
    asked = {"Bucket": "bucket", "Prefix": "frontiers.json", "MaxKeys": 1}
    services["s3"].add_response("list_objects_v2", {"KeyCount": 0 if frontiers is None else 1}, asked)
    if frontiers is not None:
        asked = {"Bucket": "bucket", "Key": "frontiers.json"}
        services["s3"].add_response("get_object", body(json.dumps(frontiers)), asked)


def body(text: str) -> dict[str, Any]:
    return {"Body": io.BytesIO(text.encode())}


def expect_values(services: dict[str, Stubber], *targets: str) -> None:
    data = [
        {
            "MetricName": "Freshness",
            "Dimensions": [{"Name": "Target", "Value": target}],
            "Timestamp": ANY,
            "Value": ANY,
            "Unit": "Seconds",
        }
        for target in targets
    ]
    services["cloudwatch"].add_response("put_metric_data", {}, {"Namespace": "Trackman", "MetricData": data})


def run(services: dict[str, Stubber]) -> None:
    for stub in services.values():
        stub.activate()
    freshness.main([*ARGUMENTS, "--TempDir", "of Glue's own"])


def test_both_targets_in_one_run(services: dict[str, Stubber], capsys: pytest.CaptureFixture) -> None:
    answer_lake(services, AT_0955)
    frontiers = {"frontier": AT_0930, "tables": {"shots": AT_0955, "bays": AT_0930}}
    answer_serving(services, frontiers)
    expect_values(services, "lake", "dataengineering-db")
    run(services)
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["targets"]["dataengineering-db"]["frontiers"] == frontiers["tables"]


def test_a_target_that_cannot_be_read_fails_the_job_once_the_other_is_published(services: dict[str, Stubber]) -> None:
    answer_lake(services, AT_0955)
    answer_serving(services, None)
    expect_values(services, "lake")
    with pytest.raises(RuntimeError, match=r"^dataengineering-db: there is no s3://bucket/frontiers\.json"):
        run(services)
    services["cloudwatch"].assert_no_pending_responses()


def test_a_service_that_refuses_is_its_target_s_problem_alone(services: dict[str, Stubber]) -> None:
    services["glue"].add_client_error("get_tables", "AccessDeniedException")
    frontiers = {"frontier": AT_0930, "tables": {"shots": AT_0930}}
    answer_serving(services, frontiers)
    expect_values(services, "dataengineering-db")
    with pytest.raises(RuntimeError, match=r"^lake: .*AccessDeniedException"):
        run(services)


def test_nothing_known_is_nothing_published(services: dict[str, Stubber]) -> None:
    services["glue"].add_response("get_tables", {"TableList": []})
    answer_serving(services, None)
    with pytest.raises(RuntimeError, match=r"lake: lake holds no table.*; dataengineering-db: there is no"):
        run(services)
