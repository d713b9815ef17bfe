"""What Celery workers do."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from controller.reconcile import Result, reconcile
from sessions.queue import RECONCILE

AGAIN = 0.3
"""Seconds until the next try when another worker holds the session."""

TRIES = 5


@shared_task(name=RECONCILE, acks_late=True)
def reconcile_session(session_id: str, tries: int = TRIES) -> str:
    """Reconcile one session; returns the result's word for the worker's log.

    Whoever holds the session may have observed it just before the change that this message is
    about, so a busy session is tried again shortly. After some tries the sweep has it.
    """
    result = reconcile(UUID(session_id))
    if result is Result.BUSY and tries > 1:
        reconcile_session.apply_async(args=(session_id, tries - 1), countdown=AGAIN)
    return result.value
