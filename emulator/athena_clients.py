"""Clients with which Athena does a caller's Glue and S3 calls: with the caller's own permissions, as on AWS."""

import functools
import threading

import boto3
from botocore.client import BaseClient

from emulator import settings

_session = boto3.session.Session()  # shared: each session reads the services' large models for itself
_lock = threading.Lock()


@functools.lru_cache(maxsize=128)
def client(access_key: str, service: str, region: str) -> BaseClient:
    """A client that calls as the holder of an access key. The emulator checks no signatures: the key is enough."""
    with _lock:
        return _session.client(
            service,
            region_name=region,
            endpoint_url=settings.current().endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key="unchecked",
        )
