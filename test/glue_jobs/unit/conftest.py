"""What the unit tests share."""

from typing import Any

import pytest


@pytest.fixture(scope="session")
def contract_values() -> dict[str, Any]:
    """A source's contract as JSON has it."""
    return {
        "source": "backend",
        "mode": "log",
        "connection": {
            "glueConnection": "backend",
            "urlParameter": "/test/backend/url",
            "caParameter": "/test/backend/ca",
            "secret": "test/backend",
        },
        "catalogDatabase": "backend",
        "publication": "trackman",
        "slot": "trackman",
        "pepperSecret": "test/pepper",
        "walBytesPerStep": 1 << 30,
        "inlineSnapshotBytes": 1 << 30,
        "rejectLimit": 3,
        "include": ["public.*"],
        "exclude": [],
        "tables": {},
        "serving": {"include": ["public.*"], "exclude": ["public.internal_*"]},
    }


@pytest.fixture(scope="session")
def files_contract_values() -> dict[str, Any]:
    """A feed's contract as JSON has it."""
    return {
        "source": "telemetry",
        "mode": "files",
        "prefix": "telemetry/",
        "table": "readings",
        "columns": {
            "bay": {"type": "int", "nullable": False},
            "name": {"type": "string", "pii": "hash"},
            "phone": {"type": "string", "pii": "drop"},
        },
        "badRowShare": 0,
        "maxFileBytes": 1 << 20,
        "bytesPerCommit": 1 << 20,
        "serving": False,
        "pepperSecret": "test/pepper",
    }
