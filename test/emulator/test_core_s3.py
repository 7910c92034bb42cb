"""S3 under concurrent readers and writers, and the details that Terraform reads."""

import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from conftest import REGION

LARGE = bytes(range(256)) * 20_000  # 5 MB: kept in a file


@pytest.fixture(scope="module")
def s3(client):
    s3 = client("s3")
    s3.create_bucket(Bucket="objects", CreateBucketConfiguration={"LocationConstraint": REGION})
    return s3


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_whole_object(s3, content):
    etag = s3.put_object(Bucket="objects", Key="whole", Body=content)["ETag"]
    answer = s3.get_object(Bucket="objects", Key="whole")
    assert answer["Body"].read() == content
    assert answer["ContentLength"] == len(content)
    assert answer["ETag"] == etag == s3.head_object(Bucket="objects", Key="whole")["ETag"]


@pytest.mark.parametrize("content", [b"0123456789", LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    ("requested", "part"),
    [
        ("bytes=2-5", slice(2, 6)),
        ("bytes=3-", slice(3, None)),
        ("bytes=-4", slice(-4, None)),
        ("bytes=0-", slice(None)),
    ],
)
def test_range_of_an_object(s3, content, requested, part):
    s3.put_object(Bucket="objects", Key="range", Body=content)
    answer = s3.get_object(Bucket="objects", Key="range", Range=requested)
    assert answer["Body"].read() == content[part]
    assert answer["ContentLength"] == len(content[part])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_presigned_url(s3):
    s3.put_object(Bucket="objects", Key="presigned", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "objects", "Key": "presigned"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"content"


def test_copy(s3):
    s3.put_object(Bucket="objects", Key="original", Body=LARGE)
    s3.copy_object(Bucket="objects", Key="copy", CopySource="objects/original")
    s3.delete_object(Bucket="objects", Key="original")
    assert s3.get_object(Bucket="objects", Key="copy")["Body"].read() == LARGE


def test_readers_see_one_content_while_it_is_replaced(s3, client):
    contents = [bytes([letter]) * len(LARGE) for letter in b"ab"]
    s3.put_object(Bucket="objects", Key="replaced", Body=contents[0])
    written = threading.Event()

    def read(_number: int) -> int:
        reader, mixed = client("s3"), 0
        while not written.is_set():
            mixed += reader.get_object(Bucket="objects", Key="replaced")["Body"].read() not in contents
        return mixed

    with ThreadPoolExecutor(4) as pool:
        mixed = pool.map(read, range(4))
        for number in range(10):
            s3.put_object(Bucket="objects", Key="replaced", Body=contents[number % 2])
        written.set()
        assert sum(mixed) == 0


def test_of_many_conditional_writers_one_wins(s3, client):
    clients = [client("s3") for _ in range(8)]

    def write(writer) -> bool:
        try:
            writer.put_object(Bucket="objects", Key="lock", Body=b"mine", IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return False
        return True

    with ThreadPoolExecutor(len(clients)) as pool:
        assert list(pool.map(write, clients)).count(True) == 1


def test_version_below_a_delete_marker_is_deleted(s3):
    s3.create_bucket(Bucket="versioned", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="versioned", Key="key", Body=b"content")["VersionId"]
    marker = s3.delete_object(Bucket="versioned", Key="key")["VersionId"]
    s3.delete_object(Bucket="versioned", Key="key", VersionId=version)
    s3.delete_object(Bucket="versioned", Key="key", VersionId=marker)
    s3.delete_bucket(Bucket="versioned")


def test_versions_are_listed_while_others_are_deleted(s3, client):
    s3.create_bucket(Bucket="emptied", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="emptied", VersioningConfiguration={"Status": "Enabled"})
    versions = {f"key-{number}": None for number in range(100)}
    for key in versions:
        versions[key] = s3.put_object(Bucket="emptied", Key=key, Body=b"content")["VersionId"]
    emptied = threading.Event()

    def list_versions() -> list[int]:
        lister, counts = client("s3"), []
        while not emptied.is_set():
            counts.append(len(lister.list_object_versions(Bucket="emptied").get("Versions", [])))
        return counts

    with ThreadPoolExecutor(2) as pool:
        listing = pool.submit(list_versions)
        for key, version in versions.items():
            s3.delete_object(Bucket="emptied", Key=key, VersionId=version)
        emptied.set()
        assert listing.result() == sorted(listing.result(), reverse=True)
    s3.delete_bucket(Bucket="emptied")


def test_eventbridge_notification_is_described(s3):
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket="objects")
    s3.put_bucket_notification_configuration(
        Bucket="objects", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    assert s3.get_bucket_notification_configuration(Bucket="objects")["EventBridgeConfiguration"] == {}
