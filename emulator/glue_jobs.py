"""Glue job runs: starting, stopping and describing them (what they are is in glue_job_runs.py)."""

from typing import Any

from moto.core.utils import get_service_model
from moto.glue.models import FakeJob, glue_backends

from emulator import glue_job_runs
from emulator.glue_job_runs import JobRun
from emulator.glue_paging import page
from emulator.glue_roles import require_trust
from emulator.overlay import AwsError, Context, not_emulated, operation

_LONGEST_TIMEOUT = 7 * 24 * 60  # minutes
_RUNS_PER_PAGE = 200


@operation("glue", "StartJobRun")
def start_job_run(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Refuse what AWS refuses and start a process."""
    job = glue_backends[ctx.account][ctx.region].jobs.get(params["JobName"])
    if job is None:
        raise AwsError("EntityNotFoundException", "Failed to start job run due to missing metadata.")
    if "JobRunId" in params:
        _find(job, params["JobRunId"])
    _check_settings(params)
    require_trust(ctx.account, job.role)
    for name in ("ExecutionRoleSessionPolicy", "JobRunQueuingEnabled"):
        if params.get(name):
            raise not_emulated("glue", "StartJobRun", name)
    return {"JobRunId": glue_job_runs.start(ctx.account, ctx.region, job, params).id}


@operation("glue", "GetJobRun")
def get_job_run(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One run."""
    return {"JobRun": _find(_job(ctx, params["JobName"]), params["RunId"]).as_dict()}


@operation("glue", "GetJobRuns")
def get_job_runs(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A job's runs, newest first."""
    runs, token = page(_job(ctx, params["JobName"]).job_runs[::-1], "id", params, _RUNS_PER_PAGE)
    return {"JobRuns": [run.as_dict() for run in runs], "NextToken": token}


@operation("glue", "BatchStopJobRun")
def batch_stop_job_run(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Stop runs of one job; each that cannot be is an error of its own in the answer."""
    job = _job(ctx, params["JobName"])
    stopped, errors = [], []
    for run_id in params["JobRunIds"]:
        entry = {"JobName": job.name, "JobRunId": run_id}
        try:
            _stop(_find(job, run_id))
            stopped.append(entry)
        except AwsError as error:
            errors.append({**entry, "ErrorDetail": {"ErrorCode": error.code, "ErrorMessage": error.message}})
    return {"SuccessfulSubmissions": stopped, "Errors": errors}


def _stop(run: JobRun) -> None:
    if not run.is_live:
        raise AwsError("JobRunCannotBeStoppedException", f"Job run {run.id} is {run.state} already")
    run.stop()


def _job(ctx: Context, name: str) -> FakeJob:
    return glue_backends[ctx.account][ctx.region].get_job(name)


def _find(job: FakeJob, run_id: str) -> JobRun:
    for run in job.job_runs:
        if run.id == run_id:
            return run
    raise AwsError("EntityNotFoundException", f"Job run {run_id} of job {job.name} not found")


def _check_settings(params: dict[str, Any]) -> None:
    """What the run overrides must be as in a job's definition."""
    worker_types = get_service_model("glue").shape_for("WorkerType").enum
    if params.get("WorkerType", worker_types[0]) not in worker_types:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{params['WorkerType']}' at 'workerType' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(worker_types)}]",
        )
    if "MaxCapacity" in params and ("WorkerType" in params or "NumberOfWorkers" in params):
        raise AwsError(
            "InvalidInputException", "Please do not set Max Capacity if using Worker Type and Number of Workers."
        )
    if params.get("Timeout", 0) > _LONGEST_TIMEOUT:
        raise AwsError("InvalidInputException", f"Timeout {params['Timeout']} is more than {_LONGEST_TIMEOUT} minutes")
