"""Measurements as CloudWatch takes them."""

import boto3
import pytest
from botocore.stub import Stubber
from trackman import aws
from trackman.metrics import Measurement, to_cloudwatch
from trackman.reports import TableReport, by_table


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    client = boto3.client("cloudwatch", region_name="eu-central-1", aws_access_key_id="k", aws_secret_access_key="s")
    monkeypatch.setattr(aws, "client", {"cloudwatch": client}.__getitem__)
    with Stubber(client) as stub:
        yield stub


def test_measurements_are_sent_to_their_namespace(cloudwatch: Stubber) -> None:
    datum = {
        "MetricName": "SlotRestartLagBytes",
        "Dimensions": [{"Name": "Source", "Value": "backend"}],
        "Value": 42,
        "Unit": "Bytes",
    }
    cloudwatch.add_response("put_metric_data", {}, {"Namespace": "Trackman", "MetricData": [datum]})
    to_cloudwatch([Measurement("SlotRestartLagBytes", 42, "Bytes", {"Source": "backend"})])
    cloudwatch.assert_no_pending_responses()


def test_more_than_a_request_takes_are_sent_in_several(cloudwatch: Stubber) -> None:
    for count in (1000, 1):
        data = [{"MetricName": "M", "Dimensions": [], "Value": 1, "Unit": "Count"}] * count
        cloudwatch.add_response("put_metric_data", {}, {"Namespace": "Trackman", "MetricData": data})
    to_cloudwatch([Measurement("M", 1, "Count", {})] * 1001)
    cloudwatch.assert_no_pending_responses()


def test_report_of_both_steps_of_a_table() -> None:
    copied = TableReport("public.shots", read=10, inserted=10, bytes=1000, seconds=1.0)
    followed = TableReport("public.shots", read=2, updated=1, deleted=1, bytes=50, frontier="T", lag_seconds=3.5)
    [report] = by_table([copied, followed])
    assert report == TableReport("public.shots", 12, 10, 1, 1, 0, 1050, 1.0, "T", 3.5)
    values = {each.metric: (each.value, each.unit) for each in report.measurements("backend")}
    assert values == {
        "RowsRead": (12, "Count"),
        "RowsInserted": (10, "Count"),
        "RowsUpdated": (1, "Count"),
        "RowsDeleted": (1, "Count"),
        "RowsQuarantined": (0, "Count"),
        "BytesWritten": (1050, "Bytes"),
        "PublicationLag": (3.5, "Seconds"),
    }
    assert {str(each.dimensions) for each in report.measurements("backend")} == {
        str({"Source": "backend", "Table": "public.shots"})
    }


def test_without_measurements_nothing_is_called(cloudwatch: Stubber) -> None:
    to_cloudwatch([])
