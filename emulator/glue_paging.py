"""Pages of a list that may grow between two calls: the token names the last entry of the page before."""

from collections.abc import Sequence
from typing import Any

from emulator.overlay import AwsError


def page(entries: Sequence[Any], key: str, params: dict[str, Any], default_size: int) -> tuple[list[Any], str | None]:
    """The page that NextToken and MaxResults ask for, and the next token; `key` is an attribute unique in the list."""
    start = 0
    if token := params.get("NextToken"):
        keys = [getattr(entry, key) for entry in entries]
        if token not in keys:
            raise AwsError("InvalidInputException", f"NextToken {token} is none that was given out")
        start = keys.index(token) + 1
    end = start + params.get("MaxResults", default_size)
    return list(entries[start:end]), getattr(entries[end - 1], key) if end < len(entries) else None
