"""S3's events for EventBridge: a bucket whose notification configuration says so tells the default bus of its account.

moto's own have constant ids, and swallow whatever goes wrong.
"""

import threading
import time
import uuid
from typing import Any

import moto.s3.notifications
from moto.s3.models import FakeBucket, FakeKey

from emulator import event_rules


def _send_event_bridge_message(account: str, bucket: FakeBucket, event_name: str, key: FakeKey) -> None:
    """Stands in for moto's: whoever writes an object does not wait for what that sets off."""
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": _object(key),
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": account,
        "source-ip-address": "127.0.0.1",
        "reason": _reason(event_name),
    }
    detail_type = moto.s3.notifications._detail_type(event_name)
    arguments = (account, bucket.region_name, "aws.s3", detail_type, detail, [bucket.arn])
    threading.Thread(target=event_rules.emit, args=arguments, name="S3 event", daemon=True).start()


def _object(key: FakeKey) -> dict[str, Any]:
    described = {"key": key.name, "size": key.size, "etag": key.etag.strip('"')}
    if key.version_id not in (None, "null"):
        described["version-id"] = key.version_id
    return {**described, "sequencer": f"{time.time_ns():016X}"}


def _reason(event_name: str) -> str:
    """The operation that made the object: PutObject, CopyObject, CompleteMultipartUpload."""
    operation = event_name.rpartition(":")[2]
    return operation if operation == "CompleteMultipartUpload" else f"{operation}Object"


moto.s3.notifications._send_event_bridge_message = _send_event_bridge_message
