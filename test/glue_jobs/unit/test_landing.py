"""What lies in the landing zone, by S3's answers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from trackman import aws
from trackman.landing import list_landed

ASKED = {"Bucket": "landing", "Prefix": "telemetry/"}
DATE = "Tue, 24 Nov 2026 09:00:00 GMT"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("s3", region_name="eu-central-1", aws_access_key_id="k", aws_secret_access_key="s")
    monkeypatch.setattr(aws, "client", {"s3": client}.__getitem__)
    with Stubber(client) as stub:
        first = {"ResponseMetadata": {"HTTPHeaders": {"date": DATE}}}
        stub.add_response("list_object_versions", first, {**ASKED, "MaxKeys": 1})
        yield stub
        stub.assert_no_pending_responses()


def version(key: str, version: str, second: int, size: int = 5) -> dict[str, Any]:
    landed_at = datetime(2026, 11, 24, 8, 0, second, tzinfo=UTC)
    return {"Key": key, "VersionId": version, "Size": size, "ETag": f'"{version}"', "LastModified": landed_at}


def test_all_versions_of_all_pages_in_the_order_in_which_they_landed(s3: Stubber) -> None:
    more = {"IsTruncated": True, "NextKeyMarker": "k", "NextVersionIdMarker": "v"}
    page = {**more, "Versions": [version("telemetry/a", "a2", 7), version("telemetry/a", "a1", 7)]}
    s3.add_response("list_object_versions", page, ASKED)
    page = {"Versions": [version("telemetry/a", "a0", 3), version("telemetry/b", "null", 5)]}
    s3.add_response("list_object_versions", page, {**ASKED, "KeyMarker": "k", "VersionIdMarker": "v"})
    listing = list_landed("landing", "telemetry/")
    assert listing.began_at == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert [(unit.version, unit.etag) for unit in listing.units] == [
        ("a0", "a0"),
        ("null", "null"),
        ("a1", "a1"),
        ("a2", "a2"),
    ]


def test_what_was_withdrawn_and_what_stands_for_a_folder_is_left_out(s3: Stubber) -> None:
    markers = [
        {"Key": "telemetry/gone", "VersionId": "m", "IsLatest": True},
        {"Key": "telemetry/again", "VersionId": "m", "IsLatest": False},
    ]
    versions = [
        version("telemetry/", "f", 1, size=0),
        version("telemetry/again", "v", 2),
        version("telemetry/empty", "v", 3, size=0),
        version("telemetry/gone", "v", 4),
    ]
    s3.add_response("list_object_versions", {"Versions": versions, "DeleteMarkers": markers}, ASKED)
    units = list_landed("landing", "telemetry/").units
    assert [unit.key for unit in units] == ["telemetry/again", "telemetry/empty"]
