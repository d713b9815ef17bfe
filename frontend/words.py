"""Numbers and times as people read them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta


def cpu(millicores: int) -> str:
    """
    >>> cpu(1500), cpu(1000), cpu(250)
    ('1.5 CPU', '1 CPU', '0.25 CPU')
    """
    return f"{millicores / 1000:.3f}".rstrip("0").rstrip(".") + " CPU"


def size(mib: int) -> str:
    """
    >>> size(512), size(2048), size(2560), size(3 * 1024 * 1024)
    ('512 MiB', '2 GiB', '2.5 GiB', '3 TiB')
    """
    value, unit = float(mib), "MiB"
    for larger in ("GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.2f}".rstrip("0").rstrip(".") + f" {unit}"


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
