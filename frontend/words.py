"""Numbers and times as people read them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from streamspace.quantities import cpu, size

__all__ = ["ago", "cpu", "size", "span"]


def span(duration: timedelta) -> str:
    """A duration in its largest unit, two units when the first alone is coarse.

    >>> span(timedelta(seconds=40)), span(timedelta(minutes=24, seconds=50))
    ('40 s', '24 min')
    >>> span(timedelta(minutes=90)), span(timedelta(hours=2)), span(timedelta(days=3, hours=5))
    ('1 h 30 min', '2 h', '3 d 5 h')
    """
    seconds = max(0, int(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(hours, 24)
    return f"{days} d" + (f" {hours} h" if hours else "")


def ago(then: datetime, now: datetime) -> str:
    """
    >>> from datetime import UTC
    >>> noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    >>> ago(noon, noon + timedelta(minutes=3)), ago(noon, noon)
    ('3 min ago', 'just now')
    """
    passed = now - then
    return "just now" if passed < timedelta(seconds=10) else f"{span(passed)} ago"
