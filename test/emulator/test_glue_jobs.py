"""Glue job runs: processes with AWS's states, arguments, limits, rights and logs."""

import json
import textwrap
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from glue_support import GlueJobs, wait_for, zip_of
from roles import allow

from emulator.glue_job_errors import LastException


@pytest.fixture(scope="module")
def jobs(emulator) -> GlueJobs:
    return GlueJobs(emulator)


def refusal(call, **parameters) -> tuple[str, str]:
    """Code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_successful_run(jobs):
    job = jobs.create("print('to stdout')\nimport sys\nprint('to stderr', file=sys.stderr)")
    run = jobs.run(job)
    assert run["JobRunState"] == "SUCCEEDED"
    assert run["JobName"] == job
    assert run["Attempt"] == 0
    assert run["Timeout"] == 2880
    assert run["StartedOn"] <= run["CompletedOn"]
    assert "ErrorMessage" not in run
    assert run["LogGroupName"] == "/aws-glue/python-jobs"
    assert jobs.log(run, "output") == ["to stdout"]
    assert jobs.log(run, "error") == ["to stderr"]


def test_arguments_have_aws_precedence(jobs):
    job = jobs.create(
        "import sys; print(*sys.argv[1:])",
        DefaultArguments={"--default": "of the job", "--both": "of the job", "--fixed": "of the job", "--switch": ""},
        NonOverridableArguments={"--fixed": "not to be changed"},
    )
    run = jobs.run(job, Arguments={"--both": "of the run", "--fixed": "of the run"})
    expected = "--default of the job --both of the run --fixed not to be changed --switch"
    assert jobs.log(run) == [f"{expected} --JOB_NAME {job} --JOB_RUN_ID {run['Id']}"]
    assert run["Arguments"] == {"--both": "of the run", "--fixed": "of the run"}


def test_logs_arrive_while_the_job_runs(jobs):
    job = jobs.create("import time; print('begun'); time.sleep(600)")
    run = jobs.await_state(job, jobs.start(job), "RUNNING")
    wait_for(lambda: jobs.log(run), lambda lines: lines == ["begun"])
    assert jobs.get(job, run["Id"])["JobRunState"] == "RUNNING"
    jobs.glue.batch_stop_job_run(JobName=job, JobRunIds=[run["Id"]])
    assert jobs.finish(job, run["Id"])["JobRunState"] == "STOPPED"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("raise ValueError('no such club: 9-wood')", "ValueError: no such club: 9-wood"),
        ("class Refused(Exception): pass\nraise Refused", "Refused"),
        ("import json\njson.loads('{')", "JSONDecodeError: Expecting property name enclosed in double quotes: line 1"),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('x') from error", "KeyError: 'x'"),
        ("import sys; sys.exit(3)", "Command failed with exit code 3"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    ],
)
def test_failed_run_says_why(jobs, script, message):
    run = jobs.run(jobs.create(script))
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith(message)


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ("WARN Something: at work", None),
        (
            """
            Traceback (most recent call last):
              File "job.py", line 1, in <module>
            pyspark.errors.exceptions.captured.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] shots
            26/11/24 INFO ShutdownHookManager: Deleting directory
            """,
            "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] shots",
        ),
        (
            """
            Traceback (most recent call last):
              File "job.py", line 1, in <module>
                spark.sql(statement)
            py4j.protocol.Py4JJavaError: An error occurred while calling o46.sql.
            : org.apache.iceberg.exceptions.ValidationException: Cannot commit
            \tat org.apache.iceberg.Commit.commit(Commit.java:1)
            """,
            "Py4JJavaError: An error occurred while calling o46.sql. "
            "org.apache.iceberg.exceptions.ValidationException: Cannot commit",
        ),
    ],
)
def test_reason_is_read_from_the_last_traceback(stderr, message):
    last_exception = LastException()
    for line in textwrap.dedent(stderr).splitlines():
        last_exception.see(line)
    assert last_exception.message == message


def test_long_lines_are_logged_in_pieces(jobs):
    run = jobs.run(jobs.create("print('x' * 150_000)\nprint()\nprint('end')"))
    assert [len(line) for line in jobs.log(run)] == [60_000, 60_000, 30_000, 3]


def test_missing_script_fails_the_run(jobs):
    job = jobs.create("")
    jobs.s3.delete_object(Bucket=jobs.bucket, Key=f"scripts/{job}.py")
    run = jobs.run(job)
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith(
        f"LAUNCH ERROR | Error downloading from S3 for bucket: {jobs.bucket}, key: scripts/{job}.py. "
        "The specified key does not exist. (Service: Amazon S3; Status Code: 404; Error Code: NoSuchKey)"
    )


def test_script_that_the_role_may_not_read(jobs):
    role = jobs.new_role(allow("logs:*"))
    run = jobs.run(jobs.create("print(1)", Role=role.name))
    assert run["JobRunState"] == "FAILED"
    assert "Error Code: AccessDenied" in run["ErrorMessage"]
    assert (
        f"assumed-role/{role.name}/GlueJobRunnerSession is not authorized to perform: s3:GetObject"
        in (run["ErrorMessage"])
    )


def test_job_acts_as_its_role(jobs):
    script = """
        import boto3
        from botocore.exceptions import ClientError
        print(boto3.client("sts").get_caller_identity()["Arn"])
        try:
            boto3.client("secretsmanager").get_secret_value(SecretId="anything")
        except ClientError as error:
            print(error.response["Error"]["Code"])
        """
    run = jobs.run(jobs.create(textwrap.dedent(script)))
    assert jobs.log(run) == [
        f"arn:aws:sts::{ACCOUNT}:assumed-role/{jobs.role.name}/GlueJobRunnerSession",
        "AccessDeniedException",
    ]


def test_role_without_rights_to_logs_runs_unheard(jobs):
    role = jobs.new_role(allow("s3:GetObject"))
    run = jobs.run(jobs.create("print('lost')", Role=role.name))
    assert run["JobRunState"] == "SUCCEEDED"
    assert jobs.log(run) == []
    assert f"what is written to the log /aws-glue/python-jobs/output {run['Id']} is lost" in (
        (jobs.emulator.data_dir / "emulator.log").read_text()
    )


def test_job_sees_nothing_of_the_emulators_environment(jobs):
    run = jobs.run(jobs.create("import os; print(*sorted(os.environ))"))
    names = set(jobs.log(run)[0].split())
    assert names == {
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "HOME",
        "LC_CTYPE",  # set by Python itself
        "PATH",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "TMPDIR",
    }


def test_run_has_its_own_directory_which_is_kept_when_it_failed(jobs):
    runs = jobs.emulator.data_dir / "glue-jobs"
    good = jobs.run(jobs.create("import os; open('result', 'w').write('x'); print(os.getcwd())"))
    assert jobs.log(good) == [str(runs / good["Id"])]
    wait_for(lambda: (runs / good["Id"]).exists(), lambda exists: not exists)

    bad = jobs.run(jobs.create("open('result', 'w').write('partial'); raise ValueError('half-way')"))
    assert (runs / bad["Id"] / "result").read_text() == "partial"


def test_declared_libraries_are_importable(jobs):
    archive = jobs.upload("libraries/golf.zip", zip_of({"golf/__init__.py": "clubs = 14"}))
    module = jobs.upload("libraries/holes.py", "count = 18")
    job = jobs.create(
        "import golf, holes; print(golf.clubs, holes.count)",
        DefaultArguments={"--extra-py-files": f"{archive},{module}"},
    )
    assert jobs.log(jobs.run(job)) == ["14 18"]


def test_python_shell_refuses_syntax_after_3_9(jobs):
    run = jobs.run(jobs.create("match 1:\n    case 1: print('3.10')"))
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith(
        "LAUNCH ERROR | SyntaxError: Pattern matching is only supported in Python 3.10"
    )
    assert run["ErrorMessage"].endswith("line 2; Python 3.9)")

    archive = jobs.upload("libraries/new.zip", zip_of({"new.py": "try:\n    pass\nexcept* ValueError:\n    pass\n"}))
    run = jobs.run(jobs.create("import new", DefaultArguments={"--extra-py-files": archive}))
    assert run["ErrorMessage"].startswith("LAUNCH ERROR | SyntaxError")
    assert "new.zip/new.py" in run["ErrorMessage"]


def test_concurrent_runs_are_limited(jobs):
    job = jobs.create("import time; time.sleep(600)", ExecutionProperty={"MaxConcurrentRuns": 2})
    runs = [jobs.start(job), jobs.start(job)]
    assert refusal(jobs.glue.start_job_run, JobName=job) == (
        "ConcurrentRunsExceededException",
        f"Concurrent runs exceeded for {job}",
    )
    jobs.glue.batch_stop_job_run(JobName=job, JobRunIds=runs[:1])
    jobs.finish(job, runs[0])
    runs[0] = jobs.start(job)
    answer = jobs.glue.batch_stop_job_run(JobName=job, JobRunIds=[*runs, "jr_unknown"])
    assert [each["JobRunId"] for each in answer["SuccessfulSubmissions"]] == runs
    assert [(each["JobRunId"], each["ErrorDetail"]["ErrorCode"]) for each in answer["Errors"]] == [
        ("jr_unknown", "EntityNotFoundException")
    ]
    assert {jobs.finish(job, run)["JobRunState"] for run in runs} == {"STOPPED"}


def test_stopped_job_takes_its_children_along(jobs):
    script = """
        import subprocess, time
        child = subprocess.Popen(["sleep", "600"])
        print(child.pid)
        time.sleep(600)
        """
    job = jobs.create(textwrap.dedent(script))
    run = jobs.await_state(job, jobs.start(job), "RUNNING")
    (child,) = wait_for(lambda: jobs.log(run), bool)
    jobs.glue.batch_stop_job_run(JobName=job, JobRunIds=[run["Id"]])
    assert jobs.finish(job, run["Id"])["JobRunState"] == "STOPPED"
    wait_for(lambda: Path(f"/proc/{child}").exists(), lambda exists: not exists)


def test_failed_run_is_tried_again(jobs):
    job = jobs.create("raise ValueError('again')", MaxRetries=2)
    first = jobs.start(job)
    runs = wait_for(
        lambda: jobs.glue.get_job_runs(JobName=job)["JobRuns"],
        lambda runs: len(runs) == 3 and all(run["JobRunState"] == "FAILED" for run in runs),
    )
    assert [(run["Id"], run["Attempt"], run.get("PreviousRunId")) for run in reversed(runs)] == [
        (first, 0, None),
        (f"{first}_attempt_1", 1, first),
        (f"{first}_attempt_2", 2, f"{first}_attempt_1"),
    ]


def test_runs_are_listed_newest_first_and_in_pages(jobs):
    job = jobs.create("pass", ExecutionProperty={"MaxConcurrentRuns": 5})
    started = [jobs.start(job) for _ in range(5)]
    first = jobs.glue.get_job_runs(JobName=job, MaxResults=3)
    rest = jobs.glue.get_job_runs(JobName=job, MaxResults=3, NextToken=first["NextToken"])
    assert [run["Id"] for run in first["JobRuns"] + rest["JobRuns"]] == started[::-1]
    assert "NextToken" not in rest


def test_timeout_ends_the_run_and_is_not_tried_again(tmp_path, toolchain):
    emulator = Emulator.start(tmp_path / "data", toolchain, "--minute-seconds", "0.5")
    jobs = GlueJobs(emulator)
    job = jobs.create("import time; time.sleep(600)", Timeout=480, MaxRetries=1)
    run = jobs.run(job, Timeout=2)
    assert (run["JobRunState"], run["Timeout"]) == ("TIMEOUT", 2)
    assert run["ExecutionTime"] >= 1
    assert len(jobs.glue.get_job_runs(JobName=job)["JobRuns"]) == 1
    assert emulator.stop() == 0


def test_what_aws_refuses(jobs):
    glue = jobs.glue
    assert refusal(glue.start_job_run, JobName="nobody") == (
        "EntityNotFoundException",
        "Failed to start job run due to missing metadata.",
    )
    job = jobs.create("pass")
    assert refusal(glue.get_job_run, JobName=job, RunId="jr_0")[0] == "EntityNotFoundException"
    code, message = refusal(glue.start_job_run, JobName=job, WorkerType="G.3X")
    assert code == "ValidationException"
    assert "Value 'G.3X' at 'workerType'" in message
    code, message = refusal(glue.start_job_run, JobName=job, Timeout=10081)
    assert code == "InvalidInputException"
    assert "10081" in message
    code, message = refusal(glue.start_job_run, JobName=job, MaxCapacity=2.0, NumberOfWorkers=2)
    assert (code, message) == (
        "InvalidInputException",
        "Please do not set Max Capacity if using Worker Type and Number of Workers.",
    )


def test_role_that_glue_may_not_assume(jobs):
    role = jobs.new_role(allow("*"))
    job = jobs.create("pass", Role=role.name)
    distrust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    jobs.emulator.client("iam").update_assume_role_policy(RoleName=role.name, PolicyDocument=json.dumps(distrust))
    assert refusal(jobs.glue.start_job_run, JobName=job) == (
        "InvalidInputException",
        f"Role {role.arn} should be given assume role permissions for Glue Service.",
    )


def test_what_is_not_emulated_is_refused(jobs):
    job = jobs.create("pass", command="glueetl", GlueVersion="5.0")
    code, message = refusal(jobs.glue.start_job_run, JobName=job)
    assert code == "NotImplementedByEmulator"
    assert "5.0" in message
    code, message = refusal(jobs.glue.start_job_run, JobName=jobs.create("pass"), JobRunQueuingEnabled=True)
    assert code == "NotImplementedByEmulator"
    assert "JobRunQueuingEnabled" in message
    run = jobs.run(jobs.create("pass"), Arguments={"--extra-jars": "s3://lake/driver.jar"})
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "LAUNCH ERROR | the emulator has no --extra-jars")


def test_state_changes_are_events(jobs):
    events, sqs = jobs.emulator.client("events"), jobs.emulator.client("sqs")
    queue = sqs.create_queue(QueueName="job-states")["QueueUrl"]
    pattern = {"source": ["aws.glue"], "detail-type": ["Glue Job State Change"], "detail": {"state": ["FAILED"]}}
    events.put_rule(Name="failed-jobs", EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:job-states"
    events.put_targets(Rule="failed-jobs", Targets=[{"Id": "queue", "Arn": arn}])
    jobs.run(jobs.create("pass"))
    failed = jobs.run(jobs.create("raise ValueError('told')"))
    messages = wait_for(lambda: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"), bool)
    (event,) = [json.loads(message["Body"]) for message in messages]
    assert event["detail"] == {
        "jobName": failed["JobName"],
        "severity": "ERROR",
        "state": "FAILED",
        "jobRunId": failed["Id"],
        "message": f"JobName:{failed['JobName']} and JobRunId:{failed['Id']} failed to execute with exception "
        "ValueError: told",
    }
    events.remove_targets(Rule="failed-jobs", Ids=["queue"])


ICEBERG = (
    "spark.sql.extensions=org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
    " --conf spark.sql.catalog.glue_catalog=org.apache.iceberg.spark.SparkCatalog"
    " --conf spark.sql.catalog.glue_catalog.catalog-impl=org.apache.iceberg.aws.glue.GlueCatalog"
    " --conf spark.sql.catalog.glue_catalog.io-impl=org.apache.iceberg.aws.s3.S3FileIO"
    " --conf spark.sql.catalog.glue_catalog.warehouse={warehouse}"
)

SPARK_SCRIPT = """
    import argparse

    import numpy
    import tee_times  # from the zip of wheels
    from pyspark.sql import SparkSession

    parser = argparse.ArgumentParser()
    parser.add_argument("--shots", type=int)
    options, _ = parser.parse_known_args()
    spark = SparkSession.builder.getOrCreate()
    spark.range(options.shots).selectExpr("id", "cast(id as string) as club").writeTo(
        "glue_catalog.spark_lake.shots"
    ).using("iceberg").create()
    spark.sql(
        "merge into glue_catalog.spark_lake.shots t using (select 1L as id, 'putter' as club) c on t.id = c.id "
        "when matched then update set club = c.club"
    )
    doubled = spark.table("glue_catalog.spark_lake.shots").mapInPandas(lambda frames: frames, "id long, club string")
    print(doubled.filter("club = 'putter'").count(), doubled.count(), tee_times.first, spark.version)
    """


def test_spark_job_writes_iceberg_tables_through_glue(jobs):
    jobs.glue.create_database(DatabaseInput={"Name": "spark_lake"})
    wheel = zip_of({"tee_times.py": "first = '07:10'", "tee_times-1.0.dist-info/METADATA": "Name: tee_times"})
    wheels = jobs.upload("test.gluewheels.zip", zip_of({"tee_times-1.0-py3-none-any.whl": wheel}))
    job = jobs.create(
        textwrap.dedent(SPARK_SCRIPT),
        command="glueetl",
        DefaultArguments={
            "--additional-python-modules": wheels,
            "--python-modules-installer-option": "--no-index",
            "--datalake-formats": "iceberg",
            "--conf": ICEBERG.format(warehouse=f"s3://{jobs.bucket}/warehouse"),
        },
    )
    run = jobs.run(job, Arguments={"--shots": "1000"})
    assert run["JobRunState"] == "SUCCEEDED", jobs.log(run, "error")
    assert (run["GlueVersion"], run["WorkerType"], run["Timeout"]) == ("5.1", "G.1X", 480)
    assert run["LogGroupName"] == "/aws-glue/jobs"
    assert jobs.log(run)[-1] == "1 1000 07:10 3.5.6"
    table = jobs.glue.get_table(DatabaseName="spark_lake", Name="shots")["Table"]
    assert table["Parameters"]["table_type"] == "ICEBERG"
    assert table["Parameters"]["metadata_location"].startswith(f"s3://{jobs.bucket}/warehouse/spark_lake.db/shots/")


def test_stopped_spark_job_leaves_no_process(jobs):
    script = """
        import os, time
        from pyspark.sql import SparkSession
        spark = SparkSession.builder.getOrCreate()
        def sleep(frames):
            print(os.getpid(), file=open("worker", "w"))
            time.sleep(600)
            yield from frames
        spark.range(1).mapInPandas(sleep, "id long").collect()
        """
    job = jobs.create(textwrap.dedent(script), command="glueetl")
    run = jobs.await_state(job, jobs.start(job), "RUNNING")
    worker = jobs.emulator.data_dir / "glue-jobs" / run["Id"] / "worker"
    wait_for(worker.exists, bool)
    jobs.glue.batch_stop_job_run(JobName=job, JobRunIds=[run["Id"]])
    assert jobs.finish(job, run["Id"])["JobRunState"] == "STOPPED"
    wait_for(lambda: _processes_of(run["Id"]), lambda processes: processes == [])


def _processes_of(run_id: str) -> list[str]:
    """The command lines of the processes that were started with the environment of a run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if run_id.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended meanwhile, or somebody else's
    return found
