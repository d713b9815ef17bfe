"""The idle clock's inbox.

One clock, one writer, one reader: input is recorded in the cache, many times a minute and
cheaply; the controller collects it in batches (:func:`collect`) into ``last_activity_at``, and
decides about idleness only after collecting.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core.cache import cache
from django.db.models import F
from django.db.models.functions import Greatest

from .models import Session
from .publish import announce

_KEEP = 24 * 3600
"""Seconds that a recorded input waits to be collected."""

PRECISION = timedelta(seconds=15)
"""Newer input than this is not worth a write; idle timeouts are minutes."""


def _key(session_id: UUID) -> str:
    return f"activity:{session_id.hex}"


def record(session_id: UUID, now: datetime) -> None:
    """Note that the user gave input at ``now``. Thread-safe; callers throttle."""
    cache.set(_key(session_id), now.timestamp(), _KEEP)


def collect(sessions: Iterable[Session]) -> int:
    """Move recorded input into the records, and into the given objects; return how many moved.

    Input that came after the cache lost its data is all that is ever lost, and the clock then
    stands at the last collected input.
    """
    by_key = {_key(session.id): session for session in sessions}
    moved = 0
    for key, stamp in cache.get_many(by_key).items():
        session = by_key[key]
        at = datetime.fromtimestamp(stamp, tz=UTC)
        if at - session.last_activity_at < PRECISION:
            continue
        # Greatest: a wake or an extension may have set the clock further meanwhile.
        Session.objects.filter(pk=session.pk).update(
            last_activity_at=Greatest(F("last_activity_at"), at), version=F("version") + 1
        )
        session.last_activity_at = at
        session.version += 1
        announce(session)
        moved += 1
    return moved
