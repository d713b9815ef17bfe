"""Ask a worker to reconcile a session, by the task's name: this app does not know its code."""

from __future__ import annotations

from uuid import UUID

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)

RECONCILE = "controller.reconcile"


def enqueue_reconcile(session_id: UUID) -> None:
    """After the transaction commits, enqueue ``reconcile(session_id)``.

    A message that cannot be sent costs nothing but time: the controller's sweep finds
    ``generation != observed_generation``.
    """
    transaction.on_commit(lambda: _send(session_id))


def _send(session_id: UUID) -> None:
    try:
        current_app.send_task(RECONCILE, args=[str(session_id)], retry=False)
    except (OperationalError, OSError) as error:
        log.warning("enqueue_failed", session_id=str(session_id), error=str(error))
