"""The server around moto: accounts, refusals, administration, request log, start and stop."""

import io
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import REGION, REPOSITORY, Emulator


def refusal(call, **parameters) -> tuple[str, str, int, int]:
    """Code, message, HTTP status and retries of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    metadata = response["ResponseMetadata"]
    return (
        response["Error"]["Code"],
        response["Error"]["Message"],
        metadata["HTTPStatusCode"],
        metadata["RetryAttempts"],
    )


def test_account_is_the_admin_keys(client):
    assert client("sts", account="111111111111").get_caller_identity()["Account"] == "111111111111"
    assert client("sts", account="222222222222").get_caller_identity()["Account"] == "222222222222"


def test_accounts_are_kept_apart(client):
    for account in ("333333333333", "444444444444"):
        client("glue", account=account).create_database(DatabaseInput={"Name": "same", "Description": account})
    for account in ("333333333333", "444444444444"):
        assert client("glue", account=account).get_database(Name="same")["Database"]["Description"] == account
    assert client("glue", account="333333333333", region="eu-west-1").get_databases()["DatabaseList"] == []


def test_role_session_belongs_to_the_roles_account(client, emulator):
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    role = client("iam", account="222222222222").create_role(
        RoleName="visitor", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]
    session = client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="tester")["Credentials"]
    visitor = boto3.client(
        "sts",
        endpoint_url=emulator.endpoint,
        region_name=REGION,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    identity = visitor.get_caller_identity()
    assert identity["Account"] == "222222222222"
    assert identity["Arn"] == "arn:aws:sts::222222222222:assumed-role/visitor/tester"


@pytest.mark.parametrize(
    ("service", "operation"), [("s3", "list_buckets"), ("glue", "get_databases"), ("rds", "describe_db_instances")]
)
def test_unknown_access_key_is_refused(emulator, service, operation):
    stranger = boto3.client(
        service,
        endpoint_url=emulator.endpoint,
        region_name=REGION,
        aws_access_key_id="ASIASOMEBODYELSE0000",
        aws_secret_access_key="any",
    )
    code, message, status, _ = refusal(getattr(stranger, operation))
    assert (code, status) == ("InvalidClientTokenId", 403)
    assert "ASIASOMEBODYELSE0000" in message


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "named"),
    [
        ("glue", "list_blueprints", {}, "glue:ListBlueprints"),
        ("rds", "describe_integrations", {}, "rds:DescribeIntegrations"),
        ("apprunner", "list_services", {}, "apprunner"),
    ],
)
def test_missing_operation_is_named_and_not_retried(client, service, operation, parameters, named):
    code, message, status, retries = refusal(getattr(client(service), operation), **parameters)
    assert (code, status, retries) == ("NotImplementedByEmulator", 400, 0)
    assert named in message


def test_large_objects_survive(client):
    content = bytes(range(256)) * 400_000  # 102 MB
    s3 = client("s3")
    s3.create_bucket(Bucket="large-objects", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="large-objects", Key="whole", Body=content)
    s3.upload_fileobj(io.BytesIO(content), "large-objects", "in parts")
    for key in ("whole", "in parts"):
        assert s3.get_object(Bucket="large-objects", Key=key)["Body"].read() == content


def test_requests_are_logged(client, emulator):
    client("glue").get_databases()
    entry = [entry for entry in emulator.requests() if entry["action"] == "glue:GetDatabases"][-1]
    assert entry["status"] == 200
    assert {"time", "principal", "action", "resource", "decision", "status", "ms"} <= set(entry)


def administer(emulator: Emulator, path: str, body: str | None = None) -> tuple[int, dict]:
    request = urllib.request.Request(emulator.endpoint + path, data=body.encode() if body is not None else None)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_schedules_are_switched(emulator):
    assert administer(emulator, "/_emulator/schedules") == (200, {"enabled": False})
    assert administer(emulator, "/_emulator/schedules", '{"enabled": true}') == (200, {"enabled": True})
    assert administer(emulator, "/_emulator/schedules") == (200, {"enabled": True})
    assert administer(emulator, "/_emulator/schedules", '{"enabled": false}') == (200, {"enabled": False})


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        ("/_emulator/schedules", '{"enabled": "yes"}', 400, '"yes"'),
        ("/_emulator/schedules", "on", 400, "on"),
        ("/_emulator/faults", '{"requests": "s3"}', 400, "a list of faults"),
        ("/_emulator/faults", '[{"requests": "s3", "times": "2", "status": 503, "code": "SlowDown"}]', 400, '"2"'),
        ("/_emulator/faults", '[{"requests": "s3 (", "times": 1, "status": 503, "code": "SlowDown"}]', 400, "s3 ("),
        ("/_emulator/faults", '[{"requests": "s3", "times": 1}]', 400, "status"),
        ("/_emulator/nothing", None, 404, "/_emulator/nothing"),
    ],
)
def test_wrong_administration_is_refused(emulator, path, body, status, named):
    answer = administer(emulator, path, body)
    assert answer[0] == status
    assert named in answer[1]["error"]


def test_requests_fail_as_ordered_and_then_no_more(client, emulator):
    s3 = client("s3", config=Config(retries={"total_max_attempts": 1}))
    s3.create_bucket(Bucket="faulty", CreateBucketConfiguration={"LocationConstraint": REGION})

    def order(requests: str, times: int, **more: object) -> None:
        fault = {"requests": requests, "times": times, "status": 503, "code": "SlowDown", **more}
        assert administer(emulator, "/_emulator/faults", json.dumps([fault]))[0] == 200

    order("s3 PUT /faulty/key", 2)
    for _ in range(2):
        with pytest.raises(ClientError, match="SlowDown"):
            s3.put_object(Bucket="faulty", Key="key", Body=b"x" * 100_000)
    assert "Contents" not in s3.list_objects_v2(Bucket="faulty")
    s3.put_object(Bucket="faulty", Key="key", Body=b"whole")
    assert administer(emulator, "/_emulator/faults") == (200, [])

    order("s3 DELETE", 1, executed=True)
    with pytest.raises(ClientError, match="SlowDown"):
        s3.delete_object(Bucket="faulty", Key="key")
    assert "Contents" not in s3.list_objects_v2(Bucket="faulty")

    order("glue CreateDatabase /", 1, status=400, code="ThrottlingException")
    glue = client("glue", config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError, match="ThrottlingException"):
        glue.create_database(DatabaseInput={"Name": "faulty"})
    glue.create_database(DatabaseInput={"Name": "faulty"})


@contextmanager
def connected(emulator: Emulator, *request: str) -> Iterator[socket.socket]:
    """A connection on which the lines of a request's head were sent."""
    host, port = emulator.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall("\r\n".join([*request, f"Host: {host}:{port}", "", ""]).encode())
        yield connection


def test_an_answer_arrives_in_one_piece(emulator):
    for _ in range(50):  # two pieces are sometimes received together
        with connected(emulator, "GET /_emulator/schedules HTTP/1.1") as connection:
            piece = connection.recv(1 << 16)
        assert piece.startswith(b"HTTP/1.1 200 OK")
        assert piece.endswith(b'\r\n\r\n{"enabled": false}')


def test_who_asks_before_sending_a_body_is_told_to_go_on(emulator):
    body = b'{"enabled": false}'
    head = ["POST /_emulator/schedules HTTP/1.1", "Expect: 100-continue", f"Content-Length: {len(body)}"]
    with connected(emulator, *head) as connection:
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        assert connection.recv(1 << 16).endswith(b"\r\n\r\n" + body)


def run_emulator(*arguments: str | Path) -> subprocess.CompletedProcess:
    """An emulator that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "emulator", *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_data_directory_is_not_shared(emulator, toolchain):
    second = run_emulator("--data-dir", emulator.data_dir, "--toolchain", toolchain)
    assert second.returncode == 1
    assert f"another emulator runs on {emulator.data_dir}" in second.stderr


def test_somebody_elses_directory_is_left_alone(tmp_path, toolchain):
    (tmp_path / "thesis.txt").write_text("years of work")
    result = run_emulator("--data-dir", tmp_path, "--toolchain", toolchain)
    assert result.returncode == 1
    assert f"{tmp_path} holds files of somebody else" in result.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_missing_toolchain_is_named(tmp_path):
    result = run_emulator("--data-dir", tmp_path / "data", "--toolchain", tmp_path / "none.json")
    assert result.returncode == 1
    assert f"toolchain file {tmp_path / 'none.json'} does not exist" in result.stderr


def test_taken_port_is_replaced_by_a_free_one(tmp_path, toolchain):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        second = Emulator.start(tmp_path / "data", toolchain, "--port", str(port))
        assert second.endpoint != f"http://127.0.0.1:{port}"
        assert second.client("sts").get_caller_identity()["Account"] == "111111111111"
        assert second.stop() == 0


def test_only_loopback_listens(emulator):
    port = int(emulator.endpoint.rsplit(":", 1)[1])
    # 127.0.0.2 is this machine too, but not the address that the emulator may listen on.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_with_success(tmp_path, toolchain, number):
    emulator = Emulator.start(tmp_path / "data", toolchain)
    emulator.process.send_signal(number)
    assert emulator.process.wait(timeout=10) == 0


def test_lifeline_ends_it(tmp_path, toolchain):
    emulator = Emulator.start(tmp_path / "data", toolchain)
    emulator.process.stdin.close()
    assert emulator.process.wait(timeout=10) == 0


def test_keep_cuts_the_lifeline(tmp_path, toolchain):
    emulator = Emulator.start(tmp_path / "data", toolchain)
    emulator.process.stdin.write("keep\n")
    emulator.process.stdin.close()
    client = boto3.client(
        "sts",
        endpoint_url=emulator.endpoint,
        region_name=REGION,
        aws_access_key_id="AKIAADMN111111111111",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 1}),
    )
    for _ in range(20):
        assert client.get_caller_identity()["Account"] == "111111111111"
    assert emulator.process.poll() is None
    assert emulator.stop() == 0
