"""Definitions of Glue jobs, crawlers, triggers and workflows: what the API refuses in them, and changing them.

moto creates, describes and deletes them; what they do when they run is in glue_jobs.py, glue_crawlers.py and
glue_workflows.py.
"""

from typing import Any

import moto.glue.models
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.glue.models import FakeJob, GlueBackend, glue_backends
from moto.glue.utils import Action, Predicate

from emulator import glue_classifiers, glue_security, iam_s3
from emulator.glue_roles import require_trust
from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

_COMMANDS = {"glueetl", "gluestreaming", "glueray", "pythonshell"}
_GLUE_VERSIONS = {"0.9", "1.0", "2.0", "3.0", "4.0", "5.0", "5.1"}
_PYTHON_SHELL_CAPACITIES = {0.0625, 1.0}  # DPU
_LONGEST_TIMEOUT = 7 * 24 * 60  # minutes
_START_TRIGGERS = {"SCHEDULED", "ON_DEMAND", "EVENT"}
_CRAWLERS_PER_TRIGGER = 2


@operation("glue", "CreateJob")
def create_job(ctx: Context, params: dict[str, Any]) -> Any:
    """Check a job's definition; moto keeps it."""
    if params["Name"] in _backend(ctx).jobs:
        raise AwsError("AlreadyExistsException", f"Job already exists: {params['Name']}")
    _check_job(ctx, params)
    return FALL_THROUGH


@operation("glue", "UpdateJob")
def update_job(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Replace a job's definition: what is left out goes back to its default."""
    job = _backend(ctx).get_job(params["JobName"])
    update = params["JobUpdate"]
    _check_job(ctx, update)
    for name in _JOB_SETTINGS:
        setattr(job, camelcase_to_underscores(name), update.get(name))
    job.execution_property = job.execution_property or {}
    job.default_arguments = job.default_arguments or {}
    job.last_modified_on = utcnow()
    return {"JobName": job.name}


# What JobUpdate may set, as far as moto keeps it.
_JOB_SETTINGS = (
    "AllocatedCapacity",
    "CodeGenConfigurationNodes",
    "Command",
    "Connections",
    "DefaultArguments",
    "Description",
    "ExecutionClass",
    "ExecutionProperty",
    "GlueVersion",
    "LogUri",
    "MaxCapacity",
    "MaxRetries",
    "NonOverridableArguments",
    "NotificationProperty",
    "NumberOfWorkers",
    "Role",
    "SecurityConfiguration",
    "SourceControlDetails",
    "Timeout",
    "WorkerType",
)


class Job(FakeJob):
    """moto gives every job an execution class; AWS only Spark jobs."""

    def as_dict(self) -> dict[str, Any]:
        description = super().as_dict()
        if self.command["Name"] != "glueetl":
            del description["ExecutionClass"]
        elif description["ExecutionClass"] is None:
            description["ExecutionClass"] = "STANDARD"
        return description


moto.glue.models.FakeJob = Job


@operation("glue", "CreateCrawler")
def create_crawler(ctx: Context, params: dict[str, Any]) -> Any:
    """Check a crawler's definition; moto keeps it."""
    if params["Name"] in _backend(ctx).crawlers:
        raise AwsError("AlreadyExistsException", f"Crawler {params['Name']} already exists")
    require_trust(ctx.account, params["Role"])
    _check_crawler(ctx, params)
    return FALL_THROUGH


@operation("glue", "UpdateCrawler")
def update_crawler(ctx: Context, params: dict[str, Any]) -> None:
    """Change what is given; a running crawler cannot be changed."""
    crawler = _backend(ctx).get_crawler(params["Name"])
    if crawler.as_dict()["State"] != "READY":
        # The API's reference says CrawlerRunningException; accounts show this.
        raise AwsError(
            "InvalidInputException",
            "Cannot update Crawler while running. Please stop crawl or wait until it completes to update.",
        )
    if "Role" in params:
        require_trust(ctx.account, params["Role"])
    _check_crawler(ctx, params)
    for name, value in params.items():
        setattr(crawler, camelcase_to_underscores(name), value)
    crawler.version += 1
    crawler.last_updated = utcnow()


@operation("glue", "CreateTrigger")
def create_trigger(ctx: Context, params: dict[str, Any]) -> Any:
    """Check a trigger's definition; moto keeps it."""
    backend = _backend(ctx)
    name, workflow = params["Name"], params.get("WorkflowName")
    if name in backend.triggers:
        raise AwsError("AlreadyExistsException", f"Trigger with name {name} already exists")
    if params["Type"] == "SCHEDULED" and not params.get("Schedule"):
        raise AwsError("InvalidInputException", f"Trigger {name} of type SCHEDULED needs a Schedule")
    if params["Type"] == "ON_DEMAND" and params.get("StartOnCreation"):
        raise AwsError("InvalidInputException", "StartOnCreation is not supported for ON_DEMAND triggers")
    if params["Type"] == "EVENT" and not workflow:
        raise AwsError("InvalidInputException", f"Trigger {name} of type EVENT must belong to a workflow")
    if workflow:
        _check_workflow(backend, workflow, params)
    _check_actions(backend, params["Actions"])
    return FALL_THROUGH


@operation("glue", "UpdateTrigger")
def update_trigger(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Change what is given."""
    trigger = _backend(ctx).get_trigger(params["Name"])
    update = params["TriggerUpdate"]
    if "Actions" in update:
        _check_actions(_backend(ctx), update["Actions"])
        trigger.actions = [Action(action) for action in update["Actions"]]
    if "Predicate" in update:
        trigger.predicate = Predicate(update["Predicate"])
    trigger.description = update.get("Description", trigger.description)
    trigger.schedule = update.get("Schedule", trigger.schedule)
    trigger.event_batching_condition = update.get("EventBatchingCondition", trigger.event_batching_condition)
    return {"Trigger": trigger.as_dict()}


@operation("glue", "CreateWorkflow")
def create_workflow(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse a name that is taken; moto does the rest."""
    if params["Name"] in _backend(ctx).workflows:
        raise AwsError("AlreadyExistsException", f"Workflow {params['Name']} already exists")
    return FALL_THROUGH


@operation("glue", "UpdateWorkflow")
def update_workflow(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Change what is given, to empty values too."""
    workflow = _backend(ctx).workflows.get(params["Name"])
    if workflow is None:
        raise AwsError("EntityNotFoundException", f"Workflow {params['Name']} not found")
    workflow.description = params.get("Description", workflow.description)
    workflow.default_run_properties = params.get("DefaultRunProperties", workflow.default_run_properties)
    workflow.max_concurrent_runs = params.get("MaxConcurrentRuns", workflow.max_concurrent_runs)
    workflow.last_modified_on = utcnow()
    return {"Name": workflow.name}


@operation("glue", "DeleteJob")
def delete_job(ctx: Context, params: dict[str, Any]) -> Any:
    """Delete a job with its tags, which moto keeps for the next of that name."""
    if params["JobName"] in _backend(ctx).jobs:
        _delete_tags(ctx, _backend(ctx).jobs[params["JobName"]].arn)
    return FALL_THROUGH


@operation("glue", "DeleteTrigger")
def delete_trigger(ctx: Context, params: dict[str, Any]) -> Any:
    """Delete a trigger with its tags, which moto keeps for the next of that name."""
    if params["Name"] in _backend(ctx).triggers:
        _delete_tags(ctx, _backend(ctx).triggers[params["Name"]].arn)
    return FALL_THROUGH


def _backend(ctx: Context) -> GlueBackend:
    return glue_backends[ctx.account][ctx.region]


def _delete_tags(ctx: Context, arn: str) -> None:
    _backend(ctx).tagger.delete_all_tags_for_resource(arn)


def _check_crawler(ctx: Context, crawler: dict[str, Any]) -> None:
    """Check what is given of a crawler's definition."""
    targets = crawler.get("Targets")
    if targets is not None and not any(targets.values()):
        raise AwsError("InvalidInputException", "Crawler targets cannot be empty")
    for target in (targets or {}).get("S3Targets", []):
        bucket = target["Path"].removeprefix("s3://").partition("/")[0]
        if not target["Path"].startswith("s3://") or iam_s3.find_bucket(bucket) is None:
            raise AwsError(
                "InvalidInputException",
                f"Unable to validate existence of s3 target {target['Path']} because: The specified bucket does not "
                "exist",
            )
    for name in crawler.get("Classifiers", []):
        glue_classifiers.find(ctx.account, ctx.region, name)
    glue_security.require(ctx.account, ctx.region, crawler.get("CrawlerSecurityConfiguration"))


def _check_job(ctx: Context, job: dict[str, Any]) -> None:
    require_trust(ctx.account, job["Role"])
    glue_security.require(ctx.account, ctx.region, job.get("SecurityConfiguration"))
    command = job["Command"].get("Name")
    if command not in _COMMANDS:
        raise AwsError("InvalidInputException", f"Command name {command} is none of {', '.join(sorted(_COMMANDS))}")
    if job.get("GlueVersion", "5.1") not in _GLUE_VERSIONS:
        raise AwsError("InvalidInputException", f"Glue version {job['GlueVersion']} is not supported")
    if job.get("Timeout", 0) > _LONGEST_TIMEOUT:
        raise AwsError("InvalidInputException", f"Timeout {job['Timeout']} is more than {_LONGEST_TIMEOUT} minutes")
    has_workers = "WorkerType" in job or "NumberOfWorkers" in job
    if has_workers and "MaxCapacity" in job:
        raise AwsError(
            "InvalidInputException", "Please do not set Max Capacity if using Worker Type and Number of Workers."
        )
    if command == "pythonshell":
        if has_workers:
            raise AwsError("InvalidInputException", "Worker Type is not supported for Job Command pythonshell")
        if job.get("MaxCapacity", 0.0625) not in _PYTHON_SHELL_CAPACITIES:
            raise AwsError(
                "InvalidInputException",
                f"Max Capacity of a pythonshell job is one of {sorted(_PYTHON_SHELL_CAPACITIES)}, not "
                f"{job['MaxCapacity']}",
            )


def _check_workflow(backend: GlueBackend, workflow: str, trigger: dict[str, Any]) -> None:
    if workflow not in backend.workflows:
        raise AwsError("EntityNotFoundException", f"Workflow {workflow} not found")
    start_triggers = [
        other.name
        for other in backend.triggers.values()
        if other.workflow_name == workflow and other.trigger_type in _START_TRIGGERS
    ]
    if trigger["Type"] in _START_TRIGGERS and start_triggers:
        raise AwsError("InvalidInputException", f"Workflow {workflow} has a start trigger already: {start_triggers[0]}")


def _check_actions(backend: GlueBackend, actions: list[dict[str, Any]]) -> None:
    for action in actions:
        if "JobName" in action and action["JobName"] not in backend.jobs:
            raise AwsError("EntityNotFoundException", f"Job {action['JobName']} not found")
        if "CrawlerName" in action and action["CrawlerName"] not in backend.crawlers:
            raise AwsError("EntityNotFoundException", f"Crawler {action['CrawlerName']} not found")
    if sum("CrawlerName" in action for action in actions) > _CRAWLERS_PER_TRIGGER:
        raise AwsError("InvalidInputException", f"A trigger starts at most {_CRAWLERS_PER_TRIGGER} crawlers")
