"""S3's events for EventBridge: a bucket whose notification configuration says so tells the default bus of its account.

moto's own have constant ids, and swallow whatever goes wrong.
"""

import logging
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

import moto.s3.notifications
from moto.events.models import events_backends
from moto.s3.models import FakeBucket, FakeKey

_log = logging.getLogger(__name__)


def _send_event_bridge_message(account: str, bucket: FakeBucket, event_name: str, key: FakeKey) -> None:
    """Stands in for moto's: whoever writes an object does not wait for what that sets off."""
    now = datetime.now(UTC)
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": moto.s3.notifications._detail_type(event_name),
        "source": "aws.s3",
        "account": account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": _object(key, now),
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": account,
            "source-ip-address": "127.0.0.1",
            "reason": _reason(event_name),
        },
    }
    threading.Thread(target=_deliver, args=(event,), name="S3 event", daemon=True).start()


def _object(key: FakeKey, now: datetime) -> dict[str, Any]:
    described = {"key": key.name, "size": key.size, "etag": key.etag.strip('"')}
    if key.version_id not in (None, "null"):
        described["version-id"] = key.version_id
    return {**described, "sequencer": f"{int(now.timestamp() * 1_000_000):016X}"}


def _reason(event_name: str) -> str:
    """The operation that made the object: PutObject, CopyObject, CompleteMultipartUpload."""
    operation = event_name.rpartition(":")[2]
    return operation if operation == "CompleteMultipartUpload" else f"{operation}Object"


def _deliver(event: dict[str, Any]) -> None:
    bus = events_backends[event["account"]][event["region"]].event_buses["default"]
    for rule in list(bus.rules.values()):
        try:
            rule.send_to_targets(event)
        except NotImplementedError as error:
            _log.error("event %s of %s was not delivered to every target: %s", event["id"], event["source"], error)


moto.s3.notifications._send_event_bridge_message = _send_event_bridge_message
