"""Measurements as CloudWatch takes them."""

import boto3
import pytest
from botocore.stub import Stubber
from trackman import aws
from trackman.metrics import Measurement, to_cloudwatch


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


def test_without_measurements_nothing_is_called(cloudwatch: Stubber) -> None:
    to_cloudwatch([])
