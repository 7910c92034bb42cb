"""What triggers set off: runs of workflows, and chains of triggers that belong to no workflow.

A run begins with its start trigger. Whenever one of its jobs or crawlers has ended, the conditional triggers of the
same workflow are looked at again, each fires once a run. What was started otherwise, by a crawler's own schedule or by
StartJobRun, fires none of them.
"""

import hashlib
import logging
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.glue.models import FakeTrigger, FakeWorkflow, GlueBackend, glue_backends
from moto.glue.utils import Action, Condition, Logical

from emulator import glue_job_runs
from emulator.glue_crawlers import Crawler
from emulator.glue_crawls import Crawl
from emulator.glue_job_runs import LIVE_STATES, JobRun
from emulator.overlay import AwsError

# An EVENT trigger starts a workflow when EventBridge has called glue:NotifyEvent often enough (see glue_notify.py).
START_TYPES = ("ON_DEMAND", "SCHEDULED", "EVENT")

_log = logging.getLogger(__name__)


class WorkflowRun:
    """One run of a workflow, which keeps it in `runs`; without a workflow, a chain of triggers outside of any."""

    def __init__(
        self,
        account: str,
        region: str,
        workflow: FakeWorkflow | None,
        properties: Mapping[str, str] | None = None,
        starting_condition: Mapping[str, int] | None = None,
    ) -> None:
        """`starting_condition` is the batch condition that started it: BatchSize or BatchWindow."""
        self.account = account
        self.region = region
        self.workflow = workflow
        self.id = f"wr_{uuid.uuid4().hex}{uuid.uuid4().hex}"
        self.properties = {**((workflow and workflow.default_run_properties) or {}), **(properties or {})}
        self.starting_condition = starting_condition
        self.previous_run_id = next(reversed(workflow.runs), None) if workflow else None
        self.status = "RUNNING"
        self.error_message: str | None = None
        self.started_on = datetime.now(UTC)
        self.completed_on: datetime | None = None
        self._job_runs: list[JobRun] = []  # first attempts
        self._crawls: list[Crawl] = []
        self._missing = 0  # actions whose job or crawler does not exist
        self._fired: set[str] = set()
        self._lock = threading.RLock()

    @property
    def is_live(self) -> bool:
        return self.status in ("RUNNING", "STOPPING")

    def start(self, triggers: Iterable[FakeTrigger]) -> None:
        """Fire the start triggers."""
        with self._lock:
            for trigger in triggers:
                self._fire(trigger)
            self._advance()

    def stop(self) -> None:
        """Stop its jobs and crawlers; it is STOPPED when they are."""
        with self._lock:
            self.status = "STOPPING"
            for run in self._job_runs:
                run.attempts[-1].stop()
            for crawl in self._crawls:
                if crawl.is_live:
                    crawl.stop()
            self._advance()

    def refuse(self, message: str) -> None:
        """Make it a run that could not start."""
        self.status = "ERROR"
        self.error_message = message
        self.completed_on = datetime.now(UTC)

    def as_dict(self) -> dict[str, Any]:
        """The run as GetWorkflowRun has it, without its graph."""
        description = {
            "Name": self.workflow.name,
            "WorkflowRunId": self.id,
            "PreviousRunId": self.previous_run_id,
            "WorkflowRunProperties": self.properties,
            "StartedOn": self.started_on,
            "CompletedOn": self.completed_on,
            "Status": self.status,
            "ErrorMessage": self.error_message,
            "Statistics": self._statistics(),
            "StartingEventBatchCondition": self.starting_condition,
        }
        return {name: value for name, value in description.items() if value is not None}

    def job_runs(self, name: str) -> list[JobRun]:
        """The runs of a job in this run, with their retries."""
        return [attempt for run in self._job_runs if run.job.name == name for attempt in run.attempts]

    def crawls(self, name: str) -> list[Crawl]:
        """The crawls of a crawler in this run."""
        return [crawl for crawl in self._crawls if crawl.crawler.name == name]

    @property
    def _backend(self) -> GlueBackend:
        return glue_backends[self.account][self.region]

    def _fire(self, trigger: FakeTrigger) -> None:
        self._fired.add(trigger.name)
        for action in trigger.actions:
            if action.job_name in self._backend.jobs:
                self._start_job(trigger, action)
            elif action.crawler_name in self._backend.crawlers:
                self._start_crawler(self._backend.crawlers[action.crawler_name])
            else:
                self._missing += 1
                _log.error("trigger %s starts %s, which was deleted", trigger.name, action.as_dict())

    def _start_job(self, trigger: FakeTrigger, action: Action) -> None:
        request: dict[str, Any] = {"Arguments": {**(action.arguments or {}), **self._own_arguments()}}
        if action.timeout:
            request["Timeout"] = action.timeout
        self._job_runs.append(
            glue_job_runs.start_by_trigger(
                self.account,
                self.region,
                self._backend.jobs[action.job_name],
                request,
                trigger_name=trigger.name,
                on_end=lambda run: self._on_end(),
            )
        )

    def _own_arguments(self) -> dict[str, str]:
        """What Glue passes to the jobs of a workflow."""
        return {"--WORKFLOW_NAME": self.workflow.name, "--WORKFLOW_RUN_ID": self.id} if self.workflow else {}

    def _start_crawler(self, crawler: Crawler) -> None:
        try:
            crawl = crawler.start(on_end=lambda crawl: self._on_end())
        except AwsError as error:
            crawl = Crawl(crawler)
            crawl.refuse(error.message)
        self._crawls.append(crawl)

    def _on_end(self) -> None:
        with self._lock:
            self._advance()

    def _advance(self) -> None:
        """Fire the conditional triggers whose time has come; end the run when nothing of it is left."""
        while due := self._due_triggers():
            for trigger in due:
                self._fire(trigger)
        is_busy = any(state in LIVE_STATES | {"CANCELLING"} for state in self._states())
        if self.is_live and not is_busy:
            self.status = "STOPPED" if self.status == "STOPPING" else "COMPLETED"
            self.completed_on = datetime.now(UTC)
            _log.info("workflow %s, run %s: %s", self.workflow and self.workflow.name, self.id, self.status)

    def _due_triggers(self) -> list[FakeTrigger]:
        if self.status != "RUNNING":
            return []
        return [
            trigger
            for trigger in triggers_of(self._backend, self.workflow)
            if trigger.trigger_type == "CONDITIONAL"
            and trigger.state == "ACTIVATED"
            and trigger.name not in self._fired
            and self._is_met(trigger)
        ]

    def _is_met(self, trigger: FakeTrigger) -> bool:
        combine = any if trigger.predicate.logical is Logical.ANY else all
        return combine(map(self._holds, trigger.predicate.conditions))

    def _holds(self, condition: Condition) -> bool:
        """Whether the last run of the job or crawler in this run, retries included, ended as the condition says."""
        if condition.job_name:
            runs = self.job_runs(condition.job_name)
            return bool(runs) and runs[-1].state == condition.state
        crawls = self.crawls(condition.crawler_name)
        return bool(crawls) and crawls[-1].state == condition.crawl_state

    def _states(self) -> list[str]:
        """How its jobs, by their last attempt, and crawlers are."""
        return [run.attempts[-1].state for run in self._job_runs] + [crawl.state for crawl in self._crawls]

    def _statistics(self) -> dict[str, int]:
        states = Counter(self._states())
        return {
            "TotalActions": states.total() + self._missing,
            "TimeoutActions": states["TIMEOUT"],
            "FailedActions": states["FAILED"],
            "StoppedActions": states["STOPPED"] + states["CANCELLED"],
            "SucceededActions": states["SUCCEEDED"],
            "RunningActions": sum(states[state] for state in (*LIVE_STATES, "CANCELLING")),
            "ErroredActions": states["ERROR"] + self._missing,
            "WaitingActions": 0,
        }


class WorkflowRunsExceeded(AwsError):
    """The workflow has as many runs as its MaxConcurrentRuns allows."""

    def __init__(self, workflow: str) -> None:
        super().__init__("ConcurrentRunsExceededException", f"Concurrent runs exceeded for workflow: {workflow}.")


_starting = threading.Lock()


def start(
    account: str,
    region: str,
    workflow: FakeWorkflow,
    properties: Mapping[str, str] | None = None,
    starting_condition: Mapping[str, int] | None = None,
) -> WorkflowRun:
    """Start a run of a workflow, by its start trigger. Raises WorkflowRunsExceeded."""
    with _starting:
        live = [run for run in workflow.runs.values() if run.is_live]
        if workflow.max_concurrent_runs and len(live) >= workflow.max_concurrent_runs:
            raise WorkflowRunsExceeded(workflow.name)
        run = WorkflowRun(account, region, workflow, properties, starting_condition)
        workflow.runs[run.id] = run
    triggers = triggers_of(glue_backends[account][region], workflow)
    run.start([trigger for trigger in triggers if trigger.trigger_type in START_TYPES])
    return run


def fire(account: str, region: str, trigger: FakeTrigger) -> None:
    """Fire a start trigger: it starts its workflow, or what it names itself. Raises WorkflowRunsExceeded."""
    if trigger.workflow_name:
        start(account, region, _workflow_of(account, region, trigger))
    else:
        WorkflowRun(account, region, None).start([trigger])


def fire_by_schedule(account: str, region: str, trigger: FakeTrigger) -> None:
    """Fire a start trigger; a workflow that has too many runs gets one in ERROR, as nobody is there to be told."""
    try:
        fire(account, region, trigger)
    except WorkflowRunsExceeded as error:
        _keep_refused(WorkflowRun(account, region, _workflow_of(account, region, trigger)), error)


def fire_by_events(
    account: str, region: str, trigger: FakeTrigger, events: Sequence[str], condition: Mapping[str, int]
) -> None:
    """Start the workflow of an EVENT trigger for a batch of events, given by their ids, that met the condition."""
    workflow = _workflow_of(account, region, trigger)
    properties = {"aws:eventIds": f"[{', '.join(events)}]"}
    try:
        start(account, region, workflow, properties, condition)
    except WorkflowRunsExceeded as error:
        _keep_refused(WorkflowRun(account, region, workflow, properties, condition), error)


def _keep_refused(run: WorkflowRun, error: WorkflowRunsExceeded) -> None:
    run.refuse(error.message)
    run.workflow.runs[run.id] = run


def _workflow_of(account: str, region: str, trigger: FakeTrigger) -> FakeWorkflow:
    workflow = glue_backends[account][region].workflows.get(trigger.workflow_name)
    if workflow is None:
        raise AwsError(
            "EntityNotFoundException", f"Workflow {trigger.workflow_name} of trigger {trigger.name} was deleted"
        )
    return workflow


def triggers_of(backend: GlueBackend, workflow: FakeWorkflow | None) -> list[FakeTrigger]:
    """The triggers of a workflow; of none: those outside of any."""
    name = workflow.name if workflow else None
    return [trigger for trigger in backend.triggers.values() if trigger.workflow_name == name]


def graph(backend: GlueBackend, workflow: FakeWorkflow, run: WorkflowRun | None = None) -> dict[str, Any]:
    """A workflow's triggers, jobs and crawlers and what leads from one to the other, with what they did in a run."""
    nodes: dict[str, dict[str, Any]] = {}
    edges: list[dict[str, str]] = []

    def node(kind: str, name: str, details: Mapping[str, Any]) -> str:
        unique_id = f"wnode_{hashlib.sha256(f'{workflow.name}/{kind}/{name}'.encode()).hexdigest()}"
        nodes[unique_id] = {"Type": kind, "Name": name, "UniqueId": unique_id, **details}
        return unique_id

    def part(item: Action | Condition) -> str:
        if item.job_name:
            runs = [each.as_dict() for each in run.job_runs(item.job_name)] if run else []
            return node("JOB", item.job_name, {"JobDetails": {"JobRuns": runs}})
        crawls = [each.as_node() for each in run.crawls(item.crawler_name)] if run else []
        return node("CRAWLER", item.crawler_name, {"CrawlerDetails": {"Crawls": crawls}})

    for trigger in triggers_of(backend, workflow):
        trigger_id = node("TRIGGER", trigger.name, {"TriggerDetails": {"Trigger": trigger.as_dict()}})
        for condition in trigger.predicate.conditions if trigger.predicate else []:
            edges.append({"SourceId": part(condition), "DestinationId": trigger_id})
        edges += [{"SourceId": trigger_id, "DestinationId": part(action)} for action in trigger.actions]
    return {"Nodes": list(nodes.values()), "Edges": edges}
