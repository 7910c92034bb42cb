"""Python shell jobs run on Python 3.9."""

import ast
from pathlib import Path

import pytest


@pytest.mark.parametrize("job", ["freshness", "migrate"])
def test_python_shell_jobs_are_python_39(job: str) -> None:
    source = (Path(__file__).parents[3] / "glue-jobs" / f"{job}.py").read_text()
    ast.parse(source, feature_version=(3, 9))
