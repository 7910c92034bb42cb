"""Clients with which Athena does a caller's Glue and S3 calls: with the caller's own permissions, as on AWS."""

import functools

import boto3
from botocore.client import BaseClient

from emulator import settings


@functools.lru_cache(maxsize=128)
def client(access_key: str, service: str, region: str) -> BaseClient:
    """A client that calls as the holder of an access key. The emulator checks no signatures: the key is enough."""
    session = boto3.session.Session(aws_access_key_id=access_key, aws_secret_access_key="unchecked", region_name=region)
    return session.client(service, endpoint_url=settings.current().endpoint)
