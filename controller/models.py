"""The row that a reconcile locks."""

from __future__ import annotations

from django.db import models


class ReconcileLock(models.Model):
    """One row per session, locked while a worker reconciles it (see ``controller.locks``).

    The lock is not on the session's own row: a reconcile may take seconds, and the owner's
    next wish must be written meanwhile.
    """

    session_id = models.UUIDField(primary_key=True)
    next_try_at = models.DateTimeField(null=True, help_text="Not before, after faults.")
    faults = models.PositiveIntegerField(default=0, help_text="In a row.")

    def __str__(self) -> str:
        return str(self.session_id)
