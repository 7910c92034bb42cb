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
