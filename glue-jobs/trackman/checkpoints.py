"""The places between a job's steps, for tests to die at."""

from collections.abc import Callable

Checkpoint = Callable[[str], None]
"""Called with a name after each step that leaves something behind which the next run finds."""


def no_checkpoint(_name: str) -> None:
    """What a run does there."""
