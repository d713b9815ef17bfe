"""Tell those who watch that a session changed.

The message is "this session, this version", never its content: who receives it loads what they
may see. Delivery is best effort; a client that missed one catches up by versions.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction

from .models import Session

log = structlog.get_logger(__name__)

STAFF_GROUP = "sessions.staff"


def user_group(user_id: int) -> str:
    """Channel-layer group of one user's status sockets."""
    return f"sessions.user.{user_id}"


def announce(session: Session, *, also: tuple[int, ...] = ()) -> None:
    """After the transaction commits, notify the owner, those it is shared with, staff, and the
    session's open streams. ``also``: ids of users who just lost their share."""
    transaction.on_commit(lambda: _send(session, also))


def _send(session: Session, also: tuple[int, ...]) -> None:
    message = {
        "type": "session.changed",
        "id": str(session.id),
        "version": session.version,
        "owner": session.owner_id,
    }
    try:
        shared = session.shares.values_list("user_id", flat=True)
        users = {session.owner_id, *shared, *also}
        groups = [session.group_name, STAFF_GROUP, *(user_group(user) for user in users)]
        async_to_sync(_send_to)(groups, message)
    except _away() as error:
        # Redis is away, or the database went after the commit. What was asked for is written, so
        # the request succeeds; pages catch up when their socket reconnects.
        log.warning("announce_failed", session=session.name, error=str(error))


@cache
def _away() -> tuple[type[Exception], ...]:
    """What sending raises when what carries it is away."""
    if settings.STREAMSPACE.embedded:
        # Importing the Redis client takes as long as a tenth of the start.
        return (OSError, DatabaseError)
    from redis.exceptions import RedisError

    return (OSError, DatabaseError, RedisError)


async def _send_to(groups: list[str], message: dict[str, Any]) -> None:
    # One event loop for all of them: the Redis layer connects anew in each.
    layer = get_channel_layer()
    if layer is not None:
        for group in groups:
            await layer.group_send(group, message)
