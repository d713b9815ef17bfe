"""One reconcile per session at a time, whatever the number of workers.

PostgreSQL: a row of its own, ``SELECT … FOR UPDATE SKIP LOCKED``, inside the reconcile's
transaction; it is released when the transaction or the connection ends. SQLite has one writer
and no row locks, and holding its write lock while processes start would stop every page, so
there the lock is ``flock`` on a file, released when the descriptor or the process ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from .models import ReconcileLock


@contextmanager
def session_lock(session_id: UUID) -> Iterator[bool]:
    """Yield whether the lock was free and is now held. Never waits."""
    if connection.features.has_select_for_update_skip_locked:
        with _row_lock(session_id) as held:
            yield held
    else:
        with _file_lock(f"session-{session_id.hex}") as held:
            yield held


@contextmanager
def _row_lock(session_id: UUID) -> Iterator[bool]:
    ReconcileLock.objects.get_or_create(session_id=session_id)
    with transaction.atomic():
        rows = ReconcileLock.objects.select_for_update(skip_locked=True)
        yield rows.filter(session_id=session_id).exists()


@contextmanager
def _file_lock(name: str) -> Iterator[bool]:
    folder = settings.STREAMSPACE.data_dir / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def forget(session_id: UUID) -> None:
    """Drop what the lock of a session that is over left behind."""
    ReconcileLock.objects.filter(session_id=session_id).delete()
    path = settings.STREAMSPACE.data_dir / "locks" / f"session-{session_id.hex}"
    path.unlink(missing_ok=True)
