"""When a session hibernates by itself. Pure.

Idle means no *input* from the user. Requests, polling and open tabs are not input, and a start,
a wake or an extension resets the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from .choices import StopReason


@dataclass(frozen=True, slots=True)
class StopClock:
    """The moment at which a running session hibernates by itself, and what for."""

    at: datetime
    reason: StopReason

    @property
    def extendable(self) -> bool:
        """Input and extensions move the idle clock; nothing moves the longest duration."""
        return self.reason == StopReason.IDLE


def stop_clock(
    *,
    started: datetime,
    last_activity: datetime,
    idle_timeout: timedelta | None,
    max_duration: timedelta | None,
) -> StopClock | None:
    """The earlier of the two deadlines, or None when there is neither.

    >>> from datetime import UTC
    >>> noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    >>> clock = stop_clock(started=noon, last_activity=noon, idle_timeout=timedelta(minutes=30),
    ...                    max_duration=timedelta(minutes=10))
    >>> clock.at.minute, clock.reason.value
    (10, 'max_duration')
    """
    clocks = []
    if idle_timeout is not None:
        clocks.append(StopClock(max(started, last_activity) + idle_timeout, StopReason.IDLE))
    if max_duration is not None:
        clocks.append(StopClock(started + max_duration, StopReason.MAX_DURATION))
    return min(clocks, key=lambda clock: clock.at, default=None)
