"""What one table can fail by while the others go on, and how a report says it."""

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from trackman.errors import JobError, TableError

FAILURES = (JobError, Py4JJavaError, PySparkException)
"""Anything else ends the run."""


def reason_of(error: Exception) -> str:
    """One line that says what went wrong, out of what Java and Python workers wrap around it."""
    if isinstance(error, Py4JJavaError):
        return error.java_exception.toString().splitlines()[0]
    own = [line.split(": ", 1)[1] for line in str(error).splitlines() if line.startswith(f"{TableError.__module__}.")]
    # Spark begins some messages with empty lines.
    said = [line for line in str(error).splitlines() if line.strip()]
    return own[-1] if own else (said or [type(error).__name__])[0]
