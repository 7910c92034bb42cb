"""Workflows: runs set off by triggers, the conditional ones among them, over real job runs and crawls."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError
from glue_support import GlueJobs, wait_for

SUCCEED, FAIL = "pass", "raise ValueError('on purpose')"
SLEEP = "import time; time.sleep(600)"


class Workflows:
    """Makes workflows and looks at their runs."""

    def __init__(self, jobs: GlueJobs) -> None:
        self.jobs = jobs
        self.glue = jobs.glue

    def create(self, **definition: Any) -> str:
        name = f"workflow-{uuid.uuid4().hex[:8]}"
        self.glue.create_workflow(Name=name, **definition)
        return name

    def trigger(self, workflow: str | None, actions: Sequence[dict[str, Any]], **definition: Any) -> str:
        """A trigger of a workflow, of none if that is None; on demand unless the definition has conditions."""
        name = f"trigger-{uuid.uuid4().hex[:8]}"
        of_workflow = {"WorkflowName": workflow} if workflow else {}
        self.glue.create_trigger(Name=name, Actions=actions, **{"Type": "ON_DEMAND", **of_workflow, **definition})
        return name

    def condition(
        self, workflow: str | None, actions: Sequence[dict[str, Any]], *conditions: dict[str, Any], logical: str = "AND"
    ) -> str:
        """A conditional trigger, activated."""
        predicate = {
            "Logical": logical,
            "Conditions": [{"LogicalOperator": "EQUALS", **condition} for condition in conditions],
        }
        return self.trigger(workflow, actions, Type="CONDITIONAL", StartOnCreation=True, Predicate=predicate)

    def get(self, workflow: str, run_id: str) -> dict[str, Any]:
        return self.glue.get_workflow_run(Name=workflow, RunId=run_id, IncludeGraph=True)["Run"]

    def finish(self, workflow: str, run_id: str) -> dict[str, Any]:
        """Wait for the end of a run."""
        return wait_for(lambda: self.get(workflow, run_id), lambda run: run["Status"] not in ("RUNNING", "STOPPING"))

    def run(self, workflow: str, **request: Any) -> dict[str, Any]:
        """Start a run and wait for its end."""
        return self.finish(workflow, self.glue.start_workflow_run(Name=workflow, **request)["RunId"])


@pytest.fixture(scope="module")
def workflows(emulator) -> Workflows:
    return Workflows(GlueJobs(emulator))


@pytest.fixture
def jobs(workflows) -> GlueJobs:
    return workflows.jobs


def job(name: str) -> dict[str, str]:
    """The action that starts a job."""
    return {"JobName": name}


def ended(name: str, state: str) -> dict[str, str]:
    """The condition that a job ended so."""
    return {"JobName": name, "State": state}


def job_states(run: dict[str, Any]) -> dict[str, list[str]]:
    """The states of the runs of each job in a workflow run's graph."""
    return {
        node["Name"]: [each["JobRunState"] for each in node["JobDetails"]["JobRuns"]]
        for node in run["Graph"]["Nodes"]
        if node["Type"] == "JOB"
    }


def statistics(run: dict[str, Any]) -> dict[str, int]:
    """What is not zero of a workflow run's statistics."""
    return {name.removesuffix("Actions"): count for name, count in run["Statistics"].items() if count}


def refusal(call, **parameters) -> tuple[str, str]:
    """Code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_jobs_run_one_after_the_other(workflows, jobs):
    first = jobs.create("import sys; print(*sys.argv[1:])", DefaultArguments={"--size": "of the job"})
    second = jobs.create(SUCCEED)
    workflow = workflows.create(DefaultRunProperties={"environment": "dev", "reason": "schedule"})
    start = workflows.trigger(workflow, [{"JobName": first, "Arguments": {"--size": "of the trigger"}}])
    then = workflows.condition(workflow, [job(second)], ended(first, "SUCCEEDED"))

    run = workflows.run(workflow, RunProperties={"reason": "by hand"})
    assert run["Status"] == "COMPLETED"
    assert run["WorkflowRunProperties"] == {"environment": "dev", "reason": "by hand"}
    assert statistics(run) == {"Total": 2, "Succeeded": 2}
    assert job_states(run) == {first: ["SUCCEEDED"], second: ["SUCCEEDED"]}

    nodes = {node["UniqueId"]: node for node in run["Graph"]["Nodes"]}
    edges = [(nodes[edge["SourceId"]]["Name"], nodes[edge["DestinationId"]]["Name"]) for edge in run["Graph"]["Edges"]]
    assert sorted(edges) == sorted([(start, first), (first, then), (then, second)])
    (first_run,) = next(node for node in nodes.values() if node["Name"] == first)["JobDetails"]["JobRuns"]
    assert first_run["TriggerName"] == start
    assert jobs.log(first_run) == [
        f"--size of the trigger --WORKFLOW_NAME {workflow} --WORKFLOW_RUN_ID {run['WorkflowRunId']} "
        f"--JOB_NAME {first} --JOB_RUN_ID {first_run['Id']}"
    ]


@pytest.mark.parametrize(
    ("logical", "scripts", "fires"),
    [("AND", (SUCCEED, SUCCEED), True), ("AND", (SUCCEED, FAIL), False), ("ANY", (FAIL, SUCCEED), True)],
)
def test_conditions_are_combined(workflows, jobs, logical, scripts, fires):
    first, second = (jobs.create(script) for script in scripts)
    third = jobs.create(SUCCEED)
    workflow = workflows.create()
    workflows.trigger(workflow, [job(first), job(second)])
    conditions = [ended(first, "SUCCEEDED"), ended(second, "SUCCEEDED")]
    workflows.condition(workflow, [job(third)], *conditions, logical=logical)
    run = workflows.run(workflow)
    assert run["Status"] == "COMPLETED"
    assert job_states(run)[third] == (["SUCCEEDED"] if fires else [])


def test_failure_has_its_own_way(workflows, jobs):
    failing, on_success, on_failure = jobs.create(FAIL), jobs.create(SUCCEED), jobs.create(SUCCEED)
    workflow = workflows.create()
    workflows.trigger(workflow, [job(failing)])
    workflows.condition(workflow, [job(on_success)], ended(failing, "SUCCEEDED"))
    workflows.condition(workflow, [job(on_failure)], ended(failing, "FAILED"))
    run = workflows.run(workflow)
    assert run["Status"] == "COMPLETED"
    assert job_states(run) == {failing: ["FAILED"], on_success: [], on_failure: ["SUCCEEDED"]}
    assert statistics(run) == {"Total": 2, "Succeeded": 1, "Failed": 1}


def test_conditions_look_at_the_last_retry(workflows, jobs):
    script = "import sys\nif '_attempt_1' not in sys.argv[-1]: raise ValueError('first time')"
    flaky, on_success, on_failure = jobs.create(script, MaxRetries=1), jobs.create(SUCCEED), jobs.create(SUCCEED)
    workflow = workflows.create()
    workflows.trigger(workflow, [job(flaky)])
    workflows.condition(workflow, [job(on_success)], ended(flaky, "SUCCEEDED"))
    workflows.condition(workflow, [job(on_failure)], ended(flaky, "FAILED"))
    run = workflows.run(workflow)
    assert job_states(run) == {flaky: ["FAILED", "SUCCEEDED"], on_success: ["SUCCEEDED"], on_failure: []}
    assert statistics(run) == {"Total": 2, "Succeeded": 2}


def test_only_the_runs_own_jobs_fire_its_triggers(workflows, jobs):
    held, other, never = jobs.create(SLEEP), jobs.create(SUCCEED), jobs.create(SUCCEED)
    workflow = workflows.create()
    workflows.trigger(workflow, [job(held)])
    workflows.condition(workflow, [job(never)], ended(other, "SUCCEEDED"))
    run_id = workflows.glue.start_workflow_run(Name=workflow)["RunId"]
    assert jobs.run(other)["JobRunState"] == "SUCCEEDED"
    (held_run,) = jobs.glue.get_job_runs(JobName=held)["JobRuns"]
    jobs.glue.batch_stop_job_run(JobName=held, JobRunIds=[held_run["Id"]])
    run = workflows.finish(workflow, run_id)
    assert run["Status"] == "COMPLETED"
    assert job_states(run) == {held: ["STOPPED"], other: [], never: []}


def test_deactivated_trigger_does_not_fire(workflows, jobs):
    first, second = jobs.create(SUCCEED), jobs.create(SUCCEED)
    workflow = workflows.create()
    workflows.trigger(workflow, [job(first)])
    then = workflows.condition(workflow, [job(second)], ended(first, "SUCCEEDED"))
    workflows.glue.stop_trigger(Name=then)
    assert job_states(workflows.run(workflow))[second] == []
    workflows.glue.start_trigger(Name=then)
    assert job_states(workflows.run(workflow))[second] == ["SUCCEEDED"]


def test_crawlers_are_parts_of_runs(workflows, jobs):
    glue = workflows.glue
    crawler, unemulated = f"crawler-{uuid.uuid4().hex[:8]}", f"crawler-{uuid.uuid4().hex[:8]}"
    targets = {"JdbcTargets": [{"ConnectionName": "missing", "Path": "a/b/%"}]}
    glue.create_crawler(Name=crawler, Role=jobs.role.name, DatabaseName="raw", Targets=targets)
    other_targets = {"DynamoDBTargets": [{"Path": "shots"}]}
    glue.create_crawler(Name=unemulated, Role=jobs.role.name, DatabaseName="raw", Targets=other_targets)
    after = jobs.create(SUCCEED)
    workflow = workflows.create()
    workflows.trigger(workflow, [{"CrawlerName": crawler}, {"CrawlerName": unemulated}])
    workflows.condition(workflow, [job(after)], {"CrawlerName": crawler, "CrawlState": "FAILED"})
    run = workflows.run(workflow)
    crawls = {
        node["Name"]: [(crawl["State"], crawl["ErrorMessage"]) for crawl in node["CrawlerDetails"]["Crawls"]]
        for node in run["Graph"]["Nodes"]
        if node["Type"] == "CRAWLER"
    }
    ((failed, reason),) = crawls[crawler]
    assert failed == "FAILED"
    assert "Connection missing not found" in reason
    ((errored, reason),) = crawls[unemulated]
    assert errored == "ERROR"
    assert "DynamoDBTargets" in reason
    assert job_states(run) == {after: ["SUCCEEDED"]}
    assert statistics(run) == {"Total": 3, "Succeeded": 1, "Failed": 1, "Errored": 1}


def test_runs_of_a_workflow_are_limited(workflows, jobs):
    workflow = workflows.create(MaxConcurrentRuns=1)
    workflows.trigger(workflow, [job(jobs.create(SLEEP))])
    run_id = workflows.glue.start_workflow_run(Name=workflow)["RunId"]
    assert refusal(workflows.glue.start_workflow_run, Name=workflow) == (
        "ConcurrentRunsExceededException",
        f"Concurrent runs exceeded for workflow: {workflow}.",
    )
    workflows.glue.stop_workflow_run(Name=workflow, RunId=run_id)
    run = workflows.finish(workflow, run_id)
    assert run["Status"] == "STOPPED"
    assert list(job_states(run).values()) == [["STOPPED"]]
    assert refusal(workflows.glue.stop_workflow_run, Name=workflow, RunId=run_id)[0] == "IllegalWorkflowStateException"


def test_job_that_has_too_many_runs_fails_in_the_workflow(workflows, jobs):
    busy = jobs.create(SLEEP)
    standalone = jobs.start(busy)
    workflow = workflows.create()
    workflows.trigger(workflow, [job(busy)])
    run = workflows.run(workflow)
    (node,) = (node for node in run["Graph"]["Nodes"] if node["Type"] == "JOB")
    (failed,) = node["JobDetails"]["JobRuns"]
    assert (failed["JobRunState"], failed["ErrorMessage"]) == ("FAILED", "Max concurrent runs exceeded")
    assert statistics(run) == {"Total": 1, "Failed": 1}
    jobs.glue.batch_stop_job_run(JobName=busy, JobRunIds=[standalone])


def test_stopped_run_fires_nothing_more(workflows, jobs):
    first, second = jobs.create(SLEEP), jobs.create(SUCCEED)
    workflow = workflows.create()
    workflows.trigger(workflow, [job(first)])
    workflows.condition(workflow, [job(second)], ended(first, "STOPPED"))
    run_id = workflows.glue.start_workflow_run(Name=workflow)["RunId"]
    workflows.glue.stop_workflow_run(Name=workflow, RunId=run_id)
    run = workflows.finish(workflow, run_id)
    assert run["Status"] == "STOPPED"
    assert job_states(run) == {first: ["STOPPED"], second: []}


def test_triggers_outside_of_workflows_make_chains(workflows, jobs):
    first, second = jobs.create(SUCCEED), jobs.create(SUCCEED)
    start = workflows.trigger(None, [job(first)])
    workflows.condition(None, [job(second)], ended(first, "SUCCEEDED"))
    jobs.run(first)  # by hand: sets nothing off
    workflows.glue.start_trigger(Name=start)
    (run,) = wait_for(lambda: jobs.glue.get_job_runs(JobName=second)["JobRuns"], bool)
    assert jobs.finish(second, run["Id"])["JobRunState"] == "SUCCEEDED"
    assert len(jobs.glue.get_job_runs(JobName=second)["JobRuns"]) == 1
    assert workflows.glue.get_trigger(Name=start)["Trigger"]["State"] == "CREATED"


def test_runs_and_their_properties_are_described(workflows, jobs):
    workflow = workflows.create()
    trigger = workflows.trigger(workflow, [job(jobs.create(SUCCEED))])
    first = workflows.run(workflow)
    workflows.glue.put_workflow_run_properties(Name=workflow, RunId=first["WorkflowRunId"], RunProperties={"rows": "3"})
    properties = workflows.glue.get_workflow_run_properties(Name=workflow, RunId=first["WorkflowRunId"])
    assert properties["RunProperties"] == {"rows": "3"}
    workflows.glue.start_trigger(Name=trigger)
    runs = workflows.glue.get_workflow_runs(Name=workflow)["Runs"]
    assert [run["WorkflowRunId"] for run in runs][1] == runs[0]["PreviousRunId"] == first["WorkflowRunId"]
    last = workflows.finish(workflow, runs[0]["WorkflowRunId"])

    description = workflows.glue.get_workflow(Name=workflow)["Workflow"]
    assert description["LastRun"]["WorkflowRunId"] == last["WorkflowRunId"]
    assert description["LastRun"]["Statistics"]["SucceededActions"] == 1
    assert "Graph" not in description
    graph = workflows.glue.get_workflow(Name=workflow, IncludeGraph=True)["Workflow"]["Graph"]
    assert [(node["Type"]) for node in graph["Nodes"]] == ["TRIGGER", "JOB"]


def test_what_aws_refuses(workflows):
    glue = workflows.glue
    assert refusal(glue.start_workflow_run, Name="nobodys")[0] == "EntityNotFoundException"
    workflow = workflows.create()
    assert refusal(glue.get_workflow_run, Name=workflow, RunId="wr_0")[0] == "EntityNotFoundException"
