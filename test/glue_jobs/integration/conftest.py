"""The jobs' surroundings: the emulator with a source and a serving database, and a scenario for each test."""

from collections.abc import Iterator
from itertools import count

import pytest
from platform_under_test import Platform, Scenario
from pyspark.sql import SparkSession

_numbers = count(1)


@pytest.fixture(scope="session")
def platform(aws_port: int, toolchain: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform.start(aws_port, toolchain, tmp_path_factory.mktemp("emulator"))
    yield platform
    platform.stop()


@pytest.fixture
def scenario(platform: Platform, spark: SparkSession) -> Iterator[Scenario]:
    scenario = Scenario.create(platform, spark, f"s{next(_numbers)}")
    yield scenario
    scenario.close()
