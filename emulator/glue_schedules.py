"""What crawlers and triggers have in common: a schedule."""

from datetime import datetime

from emulator.cron import Cron, ScheduleError
from emulator.overlay import AwsError


class Scheduled:
    """Has a schedule, or None, in `schedule`; refuses an expression that is none whenever it is set."""

    _expression: str | None = None
    _cron: Cron | None = None

    @property
    def schedule(self) -> str | None:
        return self._expression

    @schedule.setter
    def schedule(self, expression: str | None) -> None:
        try:
            self._cron = Cron.parse(expression) if expression else None
        except ScheduleError as error:
            raise AwsError("InvalidInputException", f"Invalid schedule: {error}") from error
        self._expression = expression

    def is_due(self, now: datetime) -> bool:
        """Whether the schedule names the minute of a time (UTC)."""
        return self._cron is not None and self._cron.is_due(now)
