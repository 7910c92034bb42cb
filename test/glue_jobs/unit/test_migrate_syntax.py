"""The job migrate runs on Python 3.9."""

import ast
from pathlib import Path


def test_migrate_is_python_39() -> None:
    source = (Path(__file__).parents[3] / "glue-jobs" / "migrate.py").read_text()
    ast.parse(source, feature_version=(3, 9))
