"""What Celery workers do."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from controller.reconcile import reconcile
from sessions.queue import RECONCILE


@shared_task(name=RECONCILE, acks_late=True)
def reconcile_session(session_id: str) -> str:
    """Reconcile one session; returns the result's word for the worker's log."""
    return reconcile(UUID(session_id)).value
