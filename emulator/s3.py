"""Where moto's S3 differs from AWS's, as far as the platform depends on it."""

import io
import threading
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from moto.s3.models import FakeDeleteMarker
from moto.s3.responses import S3Response
from moto.s3.utils import _VersionedKeyStore as KeyStore

_conditional_write = threading.Lock()
_moto_put_object = S3Response.put_object
_moto_get_bucket_notification = S3Response.get_bucket_notification


def _put_object(response: S3Response) -> Any:
    """Of several writers of `If-None-Match: *` or `If-Match`, one wins: Terraform's state lock stands on it."""
    if response.headers.get("If-None-Match") is None and response.headers.get("If-Match") is None:
        return _moto_put_object(response)
    with _conditional_write:
        return _moto_put_object(response)


def _get_bucket_notification(response: S3Response) -> Any:
    """moto keeps an EventBridge configuration but does not describe it."""
    status, headers, body = _moto_get_bucket_notification(response)
    configuration = response.backend.get_bucket_notification_configuration(response.bucket_name)
    if configuration is None or configuration.event_bridge is None:
        return status, headers, body
    document = ElementTree.fromstring(body)
    ElementTree.SubElement(document, "EventBridgeConfiguration")
    return status, headers, ElementTree.tostring(document, encoding="unicode")


def _handle_encoded_body(response: S3Response, body: bytes) -> bytes:
    """Join the chunks of a body with a trailing checksum; moto's way takes time by the square of their number."""
    stream = io.BytesIO(body)
    chunks = []
    while size := int(stream.readline().strip() or b"0", 16):
        chunks.append(stream.read(size))
        stream.readline()
    return b"".join(chunks)


def _versions_by_key(store: KeyStore) -> Iterator[tuple[str, list[Any]]]:
    """Iterate over a bucket as it is now. moto looks every key up again on the way, and fails on a deleted one."""
    return iter([(key, versions) for key, versions in dict(store).items() if versions])


def _newest_by_key(store: KeyStore) -> Iterator[tuple[str, Any]]:
    return ((key, versions[-1]) for key, versions in _versions_by_key(store))


S3Response.put_object = _put_object
S3Response.get_bucket_notification = _get_bucket_notification
S3Response._handle_encoded_body = _handle_encoded_body
KeyStore.iterlists = _versions_by_key
KeyStore.items = KeyStore.iteritems = _newest_by_key
FakeDeleteMarker.dispose = lambda _marker: None  # deleting a version below a delete marker calls it
