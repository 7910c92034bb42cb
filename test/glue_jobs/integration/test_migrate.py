"""The job migrate on a real server and real secrets."""

import json
from collections.abc import Iterator
from dataclasses import replace

import boto3
import migrate
import pg8000.exceptions
import pytest
from platform_under_test import Platform, Scenario


@pytest.fixture
def arguments(scenario: Scenario) -> Iterator[list[str]]:
    """The job's arguments, with secrets as Terraform leaves them: empty."""
    client = boto3.client("secretsmanager")
    master = {"username": scenario.serving.user, "password": scenario.serving.password}
    client.create_secret(Name=f"{scenario.name}/master", SecretString=json.dumps(master))
    for name in ("loader", "application", "pepper"):
        client.create_secret(Name=f"{scenario.name}/{name}")
    yield [
        "--host", scenario.serving.host,
        "--port", str(scenario.serving.port),
        "--database", scenario.serving.database,
        "--ca-parameter", "/test/serving/ca",
        "--master-secret", f"{scenario.name}/master",
        "--loader-secret", f"{scenario.name}/loader",
        "--application-secret", f"{scenario.name}/application",
        "--pepper-secret", f"{scenario.name}/pepper",
        "--JOB_NAME", "migrate",
    ]  # fmt: skip


def secret(scenario: Scenario, name: str) -> str:
    return boto3.client("secretsmanager").get_secret_value(SecretId=f"{scenario.name}/{name}")["SecretString"]


def log_in(scenario: Scenario, name: str) -> pg8000.native.Connection:
    login = json.loads(secret(scenario, name))
    return scenario.connect(replace(scenario.serving, user=login["username"], password=login["password"]))


def test_twice_is_once(scenario: Scenario, arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    migrate.main(arguments)
    secrets = {name: secret(scenario, name) for name in ("loader", "application", "pepper")}
    assert len(bytes.fromhex(secrets["pepper"])) == 32
    loader = log_in(scenario, "loader")
    loader.run("create table app.shots (id int)")
    loader.run("insert into app.shots values (1)")
    migrate.main(arguments)
    assert {name: secret(scenario, name) for name in secrets} == secrets
    assert log_in(scenario, "application").run("select * from app.shots") == [[1]]
    printed = capsys.readouterr().out
    for name in ("loader", "application"):
        assert json.loads(secrets[name])["password"] not in printed
    assert secrets["pepper"] not in printed


def test_password_of_a_run_that_died_is_given_to_its_role(scenario: Scenario, arguments: list[str]) -> None:
    migrate.main(arguments)
    login = {"username": "loader", "password": "written-before-the-death"}
    boto3.client("secretsmanager").put_secret_value(SecretId=f"{scenario.name}/loader", SecretString=json.dumps(login))
    with pytest.raises(pg8000.exceptions.DatabaseError, match="authentication failed"):
        log_in(scenario, "loader")
    migrate.main(arguments)
    log_in(scenario, "loader")


def test_rights_are_no_more_than_needed(scenario: Scenario, platform: Platform, arguments: list[str]) -> None:
    migrate.main(arguments)
    roles = scenario.on_serving(
        "select rolname::text, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles"
        " where rolname in ('loader', 'application') order by 1"
    )
    assert roles == [["application", *[False] * 5], ["loader", *[False] * 5]]
    loader = log_in(scenario, "loader")
    for statement in ("create schema mine", "create table public.mine (id int)", "create table trackman.mine (id int)"):
        with pytest.raises(pg8000.exceptions.DatabaseError, match="permission denied"):
            loader.run(statement)


def test_people_sign_in_by_iam_and_read_what_the_application_reads(scenario: Scenario, arguments: list[str]) -> None:
    migrate.main(arguments)
    loader = log_in(scenario, "loader")
    loader.run("create table app.shots (id int)")
    master = scenario.connect(scenario.serving)
    [[by_iam, reads, writes]] = master.run(
        "select pg_has_role('reader', 'rds_iam', 'member'), has_table_privilege('reader', 'app.shots', 'select'),"
        " has_table_privilege('reader', 'app.shots', 'insert')"
    )
    assert (by_iam, reads, writes) == (True, True, False)


def test_server_sees_no_password() -> None:
    statements = migrate.migration(
        "dataengineering", {"loader": {"password": "in the clear"}, "application": {"password": "x"}}
    )
    assert not any("in the clear" in statement for statement in statements)
