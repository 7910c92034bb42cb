"""Schedule expressions of AWS: `cron(minutes hours day-of-month month day-of-week year)`, in UTC.

In each field: `*`, `?`, numbers, names of months and days, ranges `a-b`, steps `/n`, lists `a,b`. Days of the week
count from Sunday = 1. `L`, `W` and `#` are not understood here and refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


def _numbered(*names: str) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, 1)}


_MONTHS = _numbered("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = _numbered("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

_EXPRESSION = re.compile(r"cron\(([^()]*)\)")
_PART = re.compile(r"(?P<first>[*?]|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>[1-9]\d*))?")


class ScheduleError(ValueError):
    """The expression is no schedule; the message names it and says why."""


@dataclass(frozen=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: Mapping[str, int]


_MINUTES = _Field("minutes", 0, 59, {})
_HOURS = _Field("hours", 0, 23, {})
_DAYS_OF_MONTH = _Field("day-of-month", 1, 31, {})
_MONTHS_OF_YEAR = _Field("month", 1, 12, _MONTHS)
_DAYS_OF_WEEK = _Field("day-of-week", 1, 7, _DAYS)
_YEARS = _Field("year", 1970, 2199, {})
_FIELDS = (_MINUTES, _HOURS, _DAYS_OF_MONTH, _MONTHS_OF_YEAR, _DAYS_OF_WEEK, _YEARS)


@dataclass(frozen=True)
class Cron:
    """A schedule: the values of each field at which it is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: frozenset[int]
    months: frozenset[int]
    days_of_week: frozenset[int]
    years: frozenset[int]

    @classmethod
    def parse(cls, expression: str) -> "Cron":
        """Read an expression; raises ScheduleError."""
        match = _EXPRESSION.fullmatch(expression.strip())
        words = match[1].split() if match else []
        if len(words) != len(_FIELDS):
            raise ScheduleError(f"{expression!r} is not cron(…) with {len(_FIELDS)} fields")
        # AWS wants one of the two days left open, with a question mark.
        if (words[2] == "?") == (words[4] == "?"):
            raise ScheduleError(f"{expression!r}: exactly one of day-of-month and day-of-week must be ?")
        return cls(*(_values(word, field, expression) for word, field in zip(words, _FIELDS, strict=True)))

    def is_due(self, time: datetime) -> bool:
        """Whether it fires in the minute of a time (UTC)."""
        return (
            time.minute in self.minutes
            and time.hour in self.hours
            and time.day in self.days_of_month
            and time.month in self.months
            and time.isoweekday() % 7 + 1 in self.days_of_week
            and time.year in self.years
        )


def _values(word: str, field: _Field, expression: str) -> frozenset[int]:
    return frozenset(value for part in word.upper().split(",") for value in _range(part, field, expression))


def _range(part: str, field: _Field, expression: str) -> range:
    match = _PART.fullmatch(part)
    if match is None:
        raise ScheduleError(f"{expression!r}: {part!r} as {field.name} is not understood")
    first, last, step = match["first"], match["last"], match["step"]
    if first in ("*", "?"):
        lowest, highest = field.lowest, field.highest
    else:
        lowest = _number(first, field, expression)
        # A step without a range goes on to the field's end: 10/15 is 10, 25, 40, 55.
        highest = _number(last, field, expression) if last else field.highest if step else lowest
    return range(lowest, highest + 1, int(step or 1))


def _number(word: str, field: _Field, expression: str) -> int:
    number = field.names.get(word) or (int(word) if word.isdigit() else None)
    if number is None or not field.lowest <= number <= field.highest:
        raise ScheduleError(
            f"{expression!r}: {word!r} as {field.name} is not between {field.lowest} and {field.highest}"
        )
    return number
