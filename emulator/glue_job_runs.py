"""Runs of Glue jobs: each a process of its own, from STARTING to SUCCEEDED, FAILED, STOPPED or TIMEOUT."""

import functools
import logging
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.client import BaseClient
from moto.glue.models import FakeJob

from emulator import glue_network, glue_security, settings
from emulator.accounts import Credentials
from emulator.glue_events import emit
from emulator.glue_job_artifacts import LaunchError
from emulator.glue_job_errors import LastException
from emulator.glue_job_runtime import JobProgram, Launch, prepare
from emulator.glue_logs import LogFollower, LogStream
from emulator.glue_network import NetworkError
from emulator.glue_roles import assume
from emulator.overlay import AwsError, not_emulated
from emulator.processes import Process, spawn

LIVE_STATES = frozenset({"STARTING", "RUNNING", "STOPPING"})

# What a run may set differently from its job.
_OVERRIDES = (
    "AllocatedCapacity",
    "ExecutionClass",
    "MaxCapacity",
    "NotificationProperty",
    "NumberOfWorkers",
    "SecurityConfiguration",
    "Timeout",
    "WorkerType",
)
_SPARK_GLUE_VERSION = "5.1"  # the one whose Python, Spark and Iceberg the toolchain has
_DEFAULT_TIMEOUT = 2880  # minutes
_DEFAULT_TIMEOUT_FROM_5_0 = 480
_STOP_SECONDS = 5  # for a stopped job to end by itself
_LOG_SECONDS = 5  # for the last lines to arrive when the job has ended

_log = logging.getLogger(__name__)


class ConcurrentRunsExceeded(AwsError):
    """The job has as many runs as its MaxConcurrentRuns allows."""

    def __init__(self, job_name: str) -> None:
        super().__init__("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {job_name}")


class JobRun:
    """One run. Its job keeps it in `job_runs`, in the order of their starts."""

    def __init__(
        self,
        account: str,
        region: str,
        job: FakeJob,
        request: Mapping[str, Any],
        *,
        trigger_name: str | None = None,
        on_end: Callable[["JobRun"], None] = lambda run: None,
        retried: "JobRun | None" = None,
    ) -> None:
        """`request` is StartJobRun's; `on_end` is called when this run has ended, and by each of its retries."""
        self.account = account
        self.region = region
        self.job = job
        self.request = request
        self.trigger_name = trigger_name
        self.on_end = on_end
        self.retry: JobRun | None = None
        self.attempt = retried.attempt + 1 if retried else 0
        self.previous_run_id = retried.id if retried else request.get("JobRunId")
        self.id = (
            f"{retried.first_id}_attempt_{self.attempt}" if retried else f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}"
        )
        self.first_id = retried.first_id if retried else self.id
        # What counts is the definition at the start, whatever becomes of the job meanwhile.
        overrides = {name: request[name] for name in _OVERRIDES if name in request}
        self.definition: dict[str, Any] = {**job.as_dict(), **overrides}
        self.definition["Timeout"] = self.definition["Timeout"] or _default_timeout(self.definition)
        self._log_group = glue_security.job_log_group(account, region, self.definition, self._arguments())
        self._logs_key = glue_security.logs_key(account, region, self.definition.get("SecurityConfiguration"))

        self.state = "STARTING"
        self.error_message: str | None = None
        self.started_on = self.last_modified_on = datetime.now(UTC)
        self.completed_on: datetime | None = None
        self._execution_seconds = 0.0
        self._running_since: float | None = None  # time.monotonic()
        self._process: Process | None = None
        self._lock = threading.Lock()

    @property
    def is_live(self) -> bool:
        """Whether it still runs, or will."""
        return self.state in LIVE_STATES

    @property
    def attempts(self) -> list["JobRun"]:
        """This run and its retries."""
        return [self, *(self.retry.attempts if self.retry else [])]

    def launch(self) -> None:
        """Start the process, from a thread of its own."""
        self._watch_delay()
        threading.Thread(target=self._execute, name=self.id, daemon=True).start()

    def stop(self) -> None:
        """Ask it to end; it is STOPPED when its process has ended."""
        with self._lock:
            if self.state not in ("STARTING", "RUNNING"):
                return
            self._enter("STOPPING")
            if self._process:
                threading.Thread(target=self._process.stop, args=(_STOP_SECONDS,), daemon=True).start()

    def refuse(self, message: str) -> None:
        """Make it a run that failed without having started; nothing tries it again and `on_end` is not called."""
        self._conclude("FAILED", message)

    def as_dict(self) -> dict[str, Any]:
        """The run as GetJobRun has it."""
        description = {
            "Id": self.id,
            "Attempt": self.attempt,
            "PreviousRunId": self.previous_run_id,
            "TriggerName": self.trigger_name,
            "JobName": self.job.name,
            "StartedOn": self.started_on,
            "LastModifiedOn": self.last_modified_on,
            "CompletedOn": self.completed_on,
            "JobRunState": self.state,
            "Arguments": self.request.get("Arguments"),
            "ErrorMessage": self.error_message,
            "PredecessorRuns": [],
            "ExecutionTime": int(self._execution_time()),
            "LogGroupName": self._log_group,
            "GlueVersion": self.definition["GlueVersion"],
            **{name: self.definition.get(name) for name in _OVERRIDES},
        }
        return {name: value for name, value in description.items() if value is not None}

    def _execution_time(self) -> float:
        """Seconds since it was RUNNING, up to its end."""
        if self._running_since is None or not self.is_live:
            return self._execution_seconds
        return time.monotonic() - self._running_since

    def _enter(self, state: str) -> None:
        self.state = state
        self.last_modified_on = datetime.now(UTC)

    def _execute(self) -> None:
        directory = settings.current().directory("glue-jobs") / self.id
        # What an unforeseen error leaves; the emulator's log has its traceback.
        state, message = "FAILED", "Internal service error"
        try:
            state, message = self._run_process(directory)
        except (LaunchError, NetworkError) as error:
            message = f"LAUNCH ERROR | {error}"
        except AwsError as error:
            message = error.message
        finally:
            if self.state == "STOPPING":
                state, message = "STOPPED", None
            if state in ("SUCCEEDED", "STOPPED"):
                # What a process that is just ending still writes there stays until the emulator's next start.
                shutil.rmtree(directory, ignore_errors=True)
            self._end(state, message)

    def _run_process(self, directory: Path) -> tuple[str, str | None]:
        """Run the job; return its last state and the error message."""
        credentials = assume(self.account, self.definition["Role"], "GlueJobRunnerSession")
        program = JobProgram(self.definition["Command"], self._arguments(), self.job.name, self.id, self.region)
        connections = (self.definition.get("Connections") or {}).get("Connections", [])
        with glue_network.entered(connections, functools.partial(credentials.client, region=self.region)):
            launch = prepare(program, credentials, directory)
            return self._follow(launch, credentials, directory)

    def _follow(self, launch: Launch, credentials: Credentials, directory: Path) -> tuple[str, str | None]:
        with self._lock:
            if self.state == "STOPPING":
                return "STOPPED", None
            self._process = spawn(
                launch.argv,
                name=f"glue-{self.job.name}",
                env=launch.environment,
                cwd=directory,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self._running_since = time.monotonic()
            self._enter("RUNNING")

        logs = credentials.client("logs", self.region)
        last_exception = LastException()
        followers = [
            LogFollower(self._process.stdout, self._stream(logs, "output"), lambda line: None),
            LogFollower(self._process.stderr, self._stream(logs, "error"), last_exception.see),
        ]
        for follower in followers:
            follower.start()
        timed_out, exit_code = self._wait()
        for follower in followers:
            follower.join(_LOG_SECONDS)  # a process that left the job's group may keep its pipe open for longer

        if timed_out:
            return "TIMEOUT", None
        if exit_code == 0:
            return "SUCCEEDED", None
        return "FAILED", last_exception.message or f"Command failed with exit code {exit_code}"

    def _stream(self, logs: BaseClient, name: str) -> LogStream:
        return LogStream(logs, f"{self._log_group}/{name}", self.id, self._logs_key)

    def _wait(self) -> tuple[bool, int]:
        """Wait for the process, ending it at its timeout: whether that was reached, and the exit code."""
        try:
            return False, self._process.wait(self.definition["Timeout"] * settings.current().minute_seconds)
        except subprocess.TimeoutExpired:
            return True, self._process.stop(_STOP_SECONDS)

    def _arguments(self) -> dict[str, str]:
        return {
            **self.definition["DefaultArguments"],
            **self.request.get("Arguments", {}),
            **(self.definition["NonOverridableArguments"] or {}),
        }

    def _conclude(self, state: str, message: str | None) -> None:
        with self._lock:
            self._execution_seconds = self._execution_time()
            self.error_message = message
            self.completed_on = datetime.now(UTC)
            self._enter(state)
        _log.info("job %s, run %s: %s%s", self.job.name, self.id, state, f" ({message})" if message else "")
        self._emit_state_change()

    def _end(self, state: str, message: str | None) -> None:
        self._conclude(state, message)
        # A run that reached its timeout is not tried again.
        if state == "FAILED" and self.attempt < (self.definition["MaxRetries"] or 0):
            self.retry = JobRun(
                self.account,
                self.region,
                self.job,
                self.request,
                trigger_name=self.trigger_name,
                on_end=self.on_end,
                retried=self,
            )
            self.job.job_runs.append(self.retry)
            self.retry.launch()
        self.on_end(self)

    def _watch_delay(self) -> None:
        """Have EventBridge told when the run takes longer than its NotifyDelayAfter (minutes)."""
        minutes = (self.definition.get("NotificationProperty") or {}).get("NotifyDelayAfter")
        if minutes is not None:
            timer = threading.Timer(minutes * settings.current().minute_seconds, self._emit_run_status, [minutes])
            timer.daemon = True
            timer.start()

    def _emit_run_status(self, minutes: int) -> None:
        if not self.is_live:
            return
        detail = {
            "jobName": self.job.name,
            "severity": "INFO",
            "notificationCondition": {"NotifyDelayAfter": float(minutes)},
            "state": self.state,
            "jobRunId": self.id,
            "message": f"Job is in {self.state} state",
            "startedOn": self.started_on.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        emit(self.account, self.region, "Glue Job Run Status", detail)

    def _emit_state_change(self) -> None:
        severity, message = {
            "SUCCEEDED": ("INFO", "Job run succeeded"),
            "STOPPED": ("INFO", "Job run stopped"),
            "TIMEOUT": ("WARN", "Job run timed out"),
            "FAILED": (
                "ERROR",
                f"JobName:{self.job.name} and JobRunId:{self.id} failed to execute with exception {self.error_message}",
            ),
        }[self.state]
        detail = {
            "jobName": self.job.name,
            "severity": severity,
            "state": self.state,
            "jobRunId": self.id,
            "message": message,
        }
        emit(self.account, self.region, "Glue Job State Change", detail)


_starting = threading.Lock()


def start(account: str, region: str, job: FakeJob, request: Mapping[str, Any], **options: Any) -> JobRun:
    """Start a run; `options` are as for JobRun. Raises AwsError: ConcurrentRunsExceeded, or what is not emulated."""
    _check_emulated(job)
    run = JobRun(account, region, job, request, **options)
    with _starting:
        live = [other for other in job.job_runs if other.is_live]
        if len(live) >= job.execution_property.get("MaxConcurrentRuns", 1):
            raise ConcurrentRunsExceeded(job.name)
        job.job_runs.append(run)
    run.launch()
    return run


def start_by_trigger(account: str, region: str, job: FakeJob, request: Mapping[str, Any], **options: Any) -> JobRun:
    """Start a run or, as there is nobody to refuse it to, make one that has failed with the reason."""
    try:
        return start(account, region, job, request, **options)
    except ConcurrentRunsExceeded:
        reason = "Max concurrent runs exceeded"
    except AwsError as error:
        reason = error.message
    run = JobRun(account, region, job, request, **options)
    job.job_runs.append(run)
    run.refuse(reason)
    return run


def _check_emulated(job: FakeJob) -> None:
    command = job.command["Name"]
    if command not in ("glueetl", "pythonshell"):
        raise not_emulated("glue", "StartJobRun", f"command {command}, only glueetl and pythonshell")
    if command == "glueetl" and job.glue_version != _SPARK_GLUE_VERSION:
        raise not_emulated("glue", "StartJobRun", f"Glue version {job.glue_version}, only {_SPARK_GLUE_VERSION}")


def _default_timeout(definition: Mapping[str, Any]) -> int:
    is_spark = definition["Command"]["Name"] == "glueetl"
    return _DEFAULT_TIMEOUT_FROM_5_0 if is_spark and definition["GlueVersion"] >= "5" else _DEFAULT_TIMEOUT
