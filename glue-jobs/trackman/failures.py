"""What one table can fail by while the others go on, and how a report says it."""

import re

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from trackman.errors import JobError, TableError

FAILURES = (JobError, Py4JJavaError, PySparkException)
"""Anything else ends the run."""


_LOST_RACES = ("CommitFailedException", "ValidationException")


def is_lost_race(error: Py4JJavaError) -> bool:
    """Whether a commit to an Iceberg table failed because somebody else's came before."""
    cause = error.java_exception
    while cause is not None:
        if cause.getClass().getSimpleName() in _LOST_RACES:
            return True
        cause = cause.getCause()
    return False


def reason_of(error: Exception) -> str:
    """One line that says what went wrong, out of what Java and Python workers wrap around it."""
    if isinstance(error, Py4JJavaError):
        return error.java_exception.toString().splitlines()[0]
    lines = [line for line in str(error).splitlines() if line.strip()]  # Spark begins some messages with empty ones
    own = [line.split(": ", 1)[1] for line in lines if line.startswith(f"{TableError.__module__}.")]
    # What a Python worker raised stands below its stack.
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    if own:
        return own[-1]
    return raised[-1] if raised else (lines or [type(error).__name__])[0]
