"""Contracts that say nothing beyond what they have to, as JSON has them."""

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

_OF_LOGS = ("publication", "slot", "walBytesPerStep")
WATERMARK_CONTRACT: dict[str, Any] = {
    **{name: value for name, value in LOG_CONTRACT.items() if name not in _OF_LOGS},
    "mode": "watermark",
    "watermark": {"column": "updated_at", "setBy": "trigger"},
    "marginSeconds": 0,
    "reconcileHours": 24,
}

FILES_CONTRACT: dict[str, Any] = {
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
