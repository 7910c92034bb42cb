"""Why a query failed, in Athena's words: StateChangeReason and the category of AthenaError."""

import re
from collections.abc import Iterator
from typing import Any

from emulator.athena_sql import CATALOG

SYSTEM, USER = 1, 2

_IAM_REFUSAL = re.compile(
    r"User: \S+ is not authorized to perform: (\w+):.*? action|User: \S+ is not authorized .*?policy"
)
_S3_FORBIDDEN = re.compile(r"\(Service: S3, Status Code: 403")
_S3_PATH = re.compile(r"s3://\S+?(?=:? |:?$)")


class Failure(Exception):
    """A query failed for this reason; `category` is SYSTEM or USER."""

    def __init__(self, reason: str, category: int = USER) -> None:
        super().__init__(reason)
        self.reason = reason
        self.category = category


def of_trino(error: dict[str, Any], catalog: str) -> Failure:
    """Athena's failure for Trino's QueryError of a query that ran in `catalog`."""
    messages = [error["message"], *_causes(error.get("failureInfo"))]
    if refusal := next(filter(None, map(_IAM_REFUSAL.search, messages)), None):
        return permission_denied(refusal[0])
    if any(map(_S3_FORBIDDEN.search, messages)):
        # The answer to a HEAD request has no body, so S3's own sentence is lost, on AWS too.
        path = next(filter(None, map(_S3_PATH.search, messages)), None)
        return Failure(f"PERMISSION_DENIED: Permission denied on S3 path: {path[0] if path else 'unknown'}")
    message = error["message"].replace(catalog, CATALOG)
    if error["errorName"] == "COLUMN_NOT_FOUND":
        message += " or requester is not authorized to access requested resources"
    return Failure(f"{error['errorName']}: {message}", USER if error["errorType"] == "USER_ERROR" else SYSTEM)


def permission_denied(sentence: str) -> Failure:
    """A Glue or S3 call of the query was refused; `sentence` is what AWS said."""
    if ": s3:" in sentence:
        return Failure(f"PERMISSION_DENIED: {sentence}")
    return Failure(f"Insufficient permissions to execute the query. {sentence}")


def _causes(failure: dict[str, Any] | None) -> Iterator[str]:
    """The messages of an exception and of its causes, outermost first."""
    while failure:
        yield failure.get("message") or ""
        failure = failure.get("cause")
