"""What is said of a failure is never nothing."""

import pytest
from trackman.errors import TableError
from trackman.failures import reason_of


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TableError("shots: no key\nand more"), "shots: no key"),
        (TableError("\n\n[CAST_INVALID_INPUT] no number"), "[CAST_INVALID_INPUT] no number"),
        (TableError(""), "TableError"),
        (TableError("\n  thrown from the worker\nTraceback (most recent\nValueError: no\n"), "ValueError: no"),
        (TableError("Traceback\ntrackman.errors.TableError: shots.carry: NaN\n"), "shots.carry: NaN"),
    ],
)
def test_one_line_of_what_went_wrong(error: TableError, said: str) -> None:
    assert reason_of(error) == said
