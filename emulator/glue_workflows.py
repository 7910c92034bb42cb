"""Glue workflows and triggers: starting, stopping and describing their runs (see glue_workflow_runs.py)."""

from typing import Any

import moto.glue.models
from moto.glue.models import FakeTrigger, FakeWorkflow, GlueBackend, glue_backends

from emulator import glue_workflow_runs
from emulator.glue_paging import page
from emulator.glue_schedules import Scheduled
from emulator.glue_workflow_runs import WorkflowRun, graph
from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

_RUNS_PER_PAGE = 100


@operation("glue", "StartWorkflowRun")
def start_workflow_run(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Start a run, as its start trigger would."""
    workflow = _workflow(ctx, params["Name"])
    return {"RunId": glue_workflow_runs.start(ctx.account, ctx.region, workflow, params.get("RunProperties")).id}


@operation("glue", "StopWorkflowRun")
def stop_workflow_run(ctx: Context, params: dict[str, Any]) -> None:
    """Stop a run with all that it has started."""
    run = _run(ctx, params)
    if run.status != "RUNNING":
        raise AwsError("IllegalWorkflowStateException", f"Workflow run {run.id} is {run.status}, not RUNNING")
    run.stop()


@operation("glue", "GetWorkflowRun")
def get_workflow_run(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One run."""
    return {"Run": _describe(ctx, _run(ctx, params), params)}


@operation("glue", "GetWorkflowRuns")
def get_workflow_runs(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A workflow's runs, newest first."""
    runs, token = page([*reversed(_workflow(ctx, params["Name"]).runs.values())], "id", params, _RUNS_PER_PAGE)
    return {"Runs": [_describe(ctx, run, params) for run in runs], "NextToken": token}


@operation("glue", "GetWorkflow")
def get_workflow(ctx: Context, params: dict[str, Any]) -> Any:
    """A workflow, with its last run; moto knows it without a graph."""
    if not params.get("IncludeGraph"):
        return FALL_THROUGH
    workflow = _workflow(ctx, params["Name"])
    description = {**workflow.as_dict(), "Graph": graph(_backend(ctx), workflow)}
    if workflow.runs:
        description["LastRun"] = _describe(ctx, next(reversed(workflow.runs.values())), params)
    return {"Workflow": description}


@operation("glue", "GetWorkflowRunProperties")
def get_workflow_run_properties(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """What the run was given, and what its jobs have added."""
    return {"RunProperties": _run(ctx, params).properties}


@operation("glue", "PutWorkflowRunProperties")
def put_workflow_run_properties(ctx: Context, params: dict[str, Any]) -> None:
    """Add properties, in place of those of the same names."""
    _run(ctx, params).properties.update(params["RunProperties"])


class Trigger(Scheduled, FakeTrigger):
    """A trigger whose schedule is checked when it is set."""


moto.glue.models.FakeTrigger = Trigger


@operation("glue", "StartTrigger")
def start_trigger(ctx: Context, params: dict[str, Any]) -> Any:
    """Fire a trigger on demand; the other types are only activated, which moto does."""
    trigger = _backend(ctx).get_trigger(params["Name"])
    if trigger.trigger_type != "ON_DEMAND":
        return FALL_THROUGH
    glue_workflow_runs.fire(ctx.account, ctx.region, trigger)
    return {"Name": trigger.name}


def _backend(ctx: Context) -> GlueBackend:
    return glue_backends[ctx.account][ctx.region]


def _workflow(ctx: Context, name: str) -> FakeWorkflow:
    workflow = _backend(ctx).workflows.get(name)
    if workflow is None:
        raise AwsError("EntityNotFoundException", f"Workflow {name} not found")
    return workflow


def _run(ctx: Context, params: dict[str, Any]) -> WorkflowRun:
    run = _workflow(ctx, params["Name"]).runs.get(params["RunId"])
    if run is None:
        raise AwsError("EntityNotFoundException", f"Run {params['RunId']} of workflow {params['Name']} not found")
    return run


def _describe(ctx: Context, run: WorkflowRun, params: dict[str, Any]) -> dict[str, Any]:
    description = run.as_dict()
    if params.get("IncludeGraph"):
        description["Graph"] = graph(_backend(ctx), run.workflow, run)
    return description
