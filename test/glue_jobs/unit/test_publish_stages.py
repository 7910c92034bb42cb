"""The job publish tries every stage, whatever becomes of the others."""

import json

import publish
import pytest
from trackman import aws
from trackman.errors import JobError

ARGUMENTS = {
    "--contracts": "s3://artifacts/contracts.json",
    "--lake": "s3://lake",
    "--raw-database": "raw",
    "--lake-database": "lake",
    "--marts": "s3://artifacts/marts.json",
    "--marts-database": "marts",
    "--serving-host": "127.0.0.1",
    "--serving-port": "5432",
    "--serving-database": "dataengineering",
    "--serving-secret": "loader",
    "--serving-ca-parameter": "/ca",
    "--JOB_RUN_ID": "jr_1",
    "--TempDir": "of Glue's own",
}


def test_stages_fail_each_alone(monkeypatch: pytest.MonkeyPatch, contract_values: dict) -> None:
    tried = []

    def stage_broken(_spark, contracts, arguments) -> None:
        tried.append(("broken", contracts[0].source, arguments.serving_port))
        raise ValueError("no such column")

    def stage_good(_spark, _contracts, _arguments) -> None:
        tried.append(("good",))

    monkeypatch.setattr(aws, "read_object", lambda uri: json.dumps([contract_values]).encode())
    monkeypatch.setattr(publish, "spark_session", lambda: None)
    monkeypatch.setattr(publish, "STAGES", (stage_broken, stage_good))
    with pytest.raises(JobError, match=r"^stage_broken: no such column$"):
        publish.main([word for pair in ARGUMENTS.items() for word in pair])
    assert tried == [("broken", "backend", 5432), ("good",)]
