"""Glue jobs for tests: a bucket for their scripts, a role that they run as, waiting for what they do."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from conftest import REGION, Emulator
from roles import Role, allow

TRUST_GLUE = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
_SECONDS_TO_WAIT = 120


def wait_for(read: Callable[[], Any], is_awaited: Callable[[Any], bool]) -> Any:
    """Read again and again until the value is the awaited one."""
    deadline = time.monotonic() + _SECONDS_TO_WAIT
    while not is_awaited(value := read()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {_SECONDS_TO_WAIT} s it still is {value}")
        time.sleep(0.1)
    return value


def zip_of(files: Mapping[str, str | bytes]) -> bytes:
    """An archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class GlueJobs:
    """Makes jobs whose scripts lie in a bucket, in an emulator of one's own or a shared one."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.glue = emulator.client("glue")
        self.logs = emulator.client("logs")
        self.s3 = emulator.client("s3")
        self.bucket = f"glue-jobs-{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.role = self.new_role(allow(["s3:*", "logs:*", "glue:*"]))

    def new_role(self, *statements: Mapping[str, Any]) -> Role:
        """A role that Glue may assume."""
        return Role(self.emulator, f"glue-{uuid.uuid4().hex[:8]}", *statements, AssumeRolePolicyDocument=TRUST_GLUE)

    def upload(self, key: str, content: str | bytes) -> str:
        """Put an object and return its URL."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return f"s3://{self.bucket}/{key}"

    def create(self, script: str, *, command: str = "pythonshell", **definition: Any) -> str:
        """A job of this script; returns its name."""
        name = f"job-{uuid.uuid4().hex[:8]}"
        url = self.upload(f"scripts/{name}.py", script)
        of_its_kind = {"GlueVersion": "5.1", "WorkerType": "G.1X", "NumberOfWorkers": 2} if command == "glueetl" else {}
        defaults = {"Role": self.role.name, "Command": {"Name": command, "ScriptLocation": url}, **of_its_kind}
        self.glue.create_job(Name=name, **{**defaults, **definition})
        return name

    def start(self, job: str, **request: Any) -> str:
        """Start a run and return its id."""
        return self.glue.start_job_run(JobName=job, **request)["JobRunId"]

    def get(self, job: str, run_id: str) -> dict[str, Any]:
        return self.glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]

    def await_state(self, job: str, run_id: str, *states: str) -> dict[str, Any]:
        """Wait until the run is in one of these states."""
        return wait_for(lambda: self.get(job, run_id), lambda run: run["JobRunState"] in states)

    def finish(self, job: str, run_id: str) -> dict[str, Any]:
        """Wait for the end of a run."""
        return self.await_state(job, run_id, "SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT")

    def run(self, job: str, **request: Any) -> dict[str, Any]:
        """Start a run and wait for its end."""
        return self.finish(job, self.start(job, **request))

    def log(self, run: Mapping[str, Any], name: str = "output") -> list[str]:
        """What a run has written to stdout ("output") or stderr ("error") so far, by lines."""
        group = f"{run['LogGroupName']}/{name}"
        try:
            events = self.logs.get_log_events(logGroupName=group, logStreamName=run["Id"])["events"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]
