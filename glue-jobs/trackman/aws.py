"""The AWS services that the jobs read their settings from and write their files to."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from trackman.errors import JobError

_DELETED_AT_ONCE = 1000  # S3's limit
# A service that is busy is asked again within 1, 2, 4, … seconds, by chance: half a minute on average, then the run
# fails. Iceberg's own client does the same.
_RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 7})


@cache
def client(service: str) -> BaseClient:
    """The process's one client of a service, under the job's own role."""
    return boto3.client(service, config=_RETRIES)


def parameter(name: str) -> str:
    """The value of an SSM parameter."""
    try:
        return client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except client("ssm").exceptions.ParameterNotFound:
        raise JobError(f"SSM parameter {name} does not exist: its owner has to create it") from None


def secret(name: str) -> str:
    """The current value of a secret in Secrets Manager."""
    try:
        return client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    except client("secretsmanager").exceptions.ResourceNotFoundException:
        raise JobError(
            f"secret {name} has no value: its owner, or for the platform's own secrets the job migrate, has to write it"
        ) from None


def read_object(uri: str) -> bytes:
    """The bytes of the object at `s3://bucket/key`."""
    try:
        return _body(uri)
    except ClientError as error:
        raise JobError(f"cannot read {uri}: {error}") from error


def read_object_if_there(uri: str) -> bytes | None:
    """The same, or None when there is no such object."""
    try:
        return _body(uri)
    except client("s3").exceptions.NoSuchKey:
        return None


def write_object(uri: str, body: bytes) -> None:
    """Write a small object in one request."""
    bucket, key = _split(uri)
    client("s3").put_object(Bucket=bucket, Key=key, Body=body)


def download(uri: str, file: Path) -> None:
    """Download an object, in parts when it is large."""
    bucket, key = _split(uri)
    client("s3").download_file(bucket, key, str(file))


def delete_objects(uris: Sequence[str]) -> None:
    """Delete objects of one bucket. It is no error when one does not exist."""
    for start in range(0, len(uris), _DELETED_AT_ONCE):
        some = [_split(uri) for uri in uris[start : start + _DELETED_AT_ONCE]]
        answer = client("s3").delete_objects(
            Bucket=some[0][0], Delete={"Objects": [{"Key": key} for _, key in some], "Quiet": True}
        )
        if errors := answer.get("Errors"):
            raise JobError(f"cannot delete {errors[0]['Key']}: {errors[0]['Code']}")


def upload(file: Path, uri: str) -> None:
    """Upload a file, in parts when it is large."""
    bucket, key = _split(uri)
    client("s3").upload_file(str(file), bucket, key)


def _body(uri: str) -> bytes:
    bucket, key = _split(uri)
    return client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def _split(uri: str) -> tuple[str, str]:
    address = urlsplit(uri, allow_fragments=False)
    if address.scheme != "s3" or not address.netloc or len(address.path) < 2:
        raise ValueError(f'"{uri}" is not the address of an S3 object: expected s3://bucket/key')
    return address.netloc, address.path[1:]
