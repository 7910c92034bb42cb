"""What Glue's jobs and crawlers write, brought to CloudWatch Logs while they run, with the rights of their role."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TypedDict

from botocore.client import BaseClient
from botocore.exceptions import ClientError

# Limits of PutLogEvents: 10,000 events and 1 MiB a call, each event counted with 26 bytes more than its text; an event
# is at most 256 KiB, and a character at most 4 bytes.
_BATCH_EVENTS = 10_000
_BATCH_BYTES = 1_048_576
_EVENT_OVERHEAD_BYTES = 26
_LONGEST_MESSAGE = 60_000  # characters

_SECONDS_BETWEEN_BATCHES = 1.0

_log = logging.getLogger(__name__)


class LogEvent(TypedDict):
    timestamp: int  # milliseconds since 1970
    message: str


class LogStream:
    """One stream of a log group; both are created when the first line comes, and the group put under a key if there is
    one.

    A role that may not write logs does not stop anything: as on AWS the lines are lost, and the emulator's log says so.
    """

    def __init__(self, client: BaseClient, group: str, name: str, kms_key: str | None = None) -> None:
        self.group = group
        self.name = name
        self._client = client
        self._kms_key = kms_key
        self._exists = False
        self._refused = False

    def write(self, lines: list[str]) -> None:
        """Append lines, with the time of now."""
        self.put([event for line in lines for event in log_events(line)])

    def put(self, events: list[LogEvent]) -> None:
        """Append events, in the order of their timestamps."""
        if not events or self._refused:
            return
        try:
            if not self._exists:
                self._create()
            for batch in _batches(events):
                self._client.put_log_events(logGroupName=self.group, logStreamName=self.name, logEvents=batch)
        except ClientError as error:
            self._refused = True
            _log.warning("what is written to the log %s %s is lost: %s", self.group, self.name, error)

    def _create(self) -> None:
        try:
            self._create_stream()
        except self._client.exceptions.ResourceNotFoundException:
            with suppress(self._client.exceptions.ResourceAlreadyExistsException):  # another run was faster
                self._client.create_log_group(logGroupName=self.group)
            self._create_stream()
        if self._kms_key:
            self._client.associate_kms_key(logGroupName=self.group, kmsKeyId=self._kms_key)
        self._exists = True

    def _create_stream(self) -> None:
        with suppress(self._client.exceptions.ResourceAlreadyExistsException):  # all crawls of a crawler write to one
            self._client.create_log_stream(logGroupName=self.group, logStreamName=self.name)


class LogFollower(threading.Thread):
    """Sends the lines that arrive on a pipe to a log stream about once a second, until the pipe ends.

    `watch` sees every line, without its end.
    """

    def __init__(self, pipe: IO[bytes], stream: LogStream, watch: Callable[[str], None]) -> None:
        super().__init__(name=f"log {stream.group} {stream.name}", daemon=True)
        self._pipe = pipe
        self._stream = stream
        self._watch = watch
        self._waiting: deque[LogEvent] = deque()

    def run(self) -> None:
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        while reader.is_alive():
            reader.join(_SECONDS_BETWEEN_BATCHES)
            self._send()
        self._send()  # what came between the last batch and the reader's end

    def _read(self) -> None:
        with self._pipe:
            for data in self._pipe:
                line = data.decode(errors="replace").rstrip("\r\n")
                self._watch(line)
                self._waiting.extend(log_events(line))

    def _send(self) -> None:
        self._stream.put([self._waiting.popleft() for _ in range(len(self._waiting))])


def log_events(line: str) -> list[LogEvent]:
    """A line as events: none when it is blank, which CloudWatch Logs refuses, several when it is very long."""
    now = int(time.time() * 1000)
    if not line.strip():
        return []
    return [
        LogEvent(timestamp=now, message=line[start : start + _LONGEST_MESSAGE])
        for start in range(0, len(line), _LONGEST_MESSAGE)
    ]


def _batches(events: list[LogEvent]) -> list[list[LogEvent]]:
    batches: list[list[LogEvent]] = [[]]
    batch_bytes = 0
    for event in events:
        event_bytes = len(event["message"].encode()) + _EVENT_OVERHEAD_BYTES
        if len(batches[-1]) == _BATCH_EVENTS or batch_bytes + event_bytes > _BATCH_BYTES:
            batches.append([])
            batch_bytes = 0
        batches[-1].append(event)
        batch_bytes += event_bytes
    return batches
