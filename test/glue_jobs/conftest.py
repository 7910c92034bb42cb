"""One Spark session for all tests of the jobs, started as a Glue job's is: jars, catalog and AWS by its environment."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contracts import FILES_CONTRACT, LOG_CONTRACT
from pyspark.sql import SparkSession
from spark_under_test import environment, free_port
from trackman.session import spark_session

REPOSITORY = Path(__file__).parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("crash schedules")
    group.addoption("--schedules", type=int, default=20, help="how many schedules of faults are run")
    group.addoption("--seed", type=int, default=1, help="the first one's seed; the others have those that follow it")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        first, count = (metafunc.config.getoption(name) for name in ("seed", "schedules"))
        metafunc.parametrize("seed", range(first, first + count))


@pytest.fixture(scope="session")
def contract_values() -> dict[str, Any]:
    """A source's contract as JSON has it."""
    return LOG_CONTRACT


@pytest.fixture(scope="session")
def files_contract_values() -> dict[str, Any]:
    """A feed's contract as JSON has it."""
    return FILES_CONTRACT


@pytest.fixture(scope="session")
def toolchain() -> dict[str, str]:
    return json.loads((REPOSITORY / ".local" / "toolchain.json").read_text())


@pytest.fixture(scope="session")
def aws_port(toolchain: dict[str, str]) -> Iterator[int]:
    """The port at which the tests' AWS will be, if some test starts it: Spark takes its environment only once."""
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(port, toolchain).items():
            patch.setitem(os.environ, name, value)
        yield port


@pytest.fixture(scope="session")
def spark(aws_port: int) -> Iterator[SparkSession]:
    session = spark_session()
    session.sparkContext.setLogLevel("OFF")  # tests make tasks fail on purpose
    yield session
    session.stop()
