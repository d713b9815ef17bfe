"""Ask a worker to reconcile a session, by the task's name: this app does not know its code."""

from __future__ import annotations

import time
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
    transaction.on_commit(lambda: _broker.send(session_id))


class _Broker:
    """What this process knows of the broker."""

    PAUSE = 2.0
    """Seconds without a try after one that failed. A stalled broker takes seconds to fail, and a
    sweep has hundreds of messages: it must not stand still for each."""

    def __init__(self) -> None:
        self._away_until = 0.0

    def send(self, session_id: UUID) -> None:
        if time.monotonic() < self._away_until:
            return
        try:
            current_app.send_task(RECONCILE, args=[str(session_id)], retry=False)
        except (OperationalError, OSError) as error:
            self._away_until = time.monotonic() + self.PAUSE
            log.warning("enqueue_failed", session_id=str(session_id), error=str(error))


_broker = _Broker()
