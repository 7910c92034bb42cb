"""A contract that says nothing beyond what it has to, as JSON has it."""

from typing import Any

LOG_CONTRACT: dict[str, Any] = {
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
    "retention": {"changeDays": 30, "quarantineDays": 60},
    "include": ["public.*"],
    "exclude": [],
    "tables": {},
    "serving": {"include": ["public.*"], "exclude": ["public.internal_*"]},
}
