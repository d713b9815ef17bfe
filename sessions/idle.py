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
    length: timedelta
    """From a reset of the clock to ``at``."""

    @property
    def extendable(self) -> bool:
        """Input and extensions move the idle clock; nothing moves the longest duration."""
        return self.reason == StopReason.IDLE

    def warning(self, usual: timedelta) -> timedelta:
        """How long before ``at`` to warn: the usual time, but never more than half of the clock,
        or a short one would warn from its start."""
        return min(usual, self.length / 2)


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
        at = max(started, last_activity) + idle_timeout
        clocks.append(StopClock(at, StopReason.IDLE, idle_timeout))
    if max_duration is not None:
        at = started + max_duration
        clocks.append(StopClock(at, StopReason.MAX_DURATION, max_duration))
    return min(clocks, key=lambda clock: clock.at, default=None)
