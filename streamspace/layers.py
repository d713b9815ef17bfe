"""The channel layer of the one-process installation."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from channels.layers import InMemoryChannelLayer


class EmbeddedChannelLayer(InMemoryChannelLayer):
    """Channels' in-memory layer, made safe to send to from other threads.

    Its queues belong to the event loop of the sockets. Worker and controller threads send from
    loops of their own (``async_to_sync``), where putting into such a queue wakes nobody; so
    group sends hop to the loop that called :meth:`attach`. Before a server attached, nobody can
    be listening and sends are dropped.
    """

    def __init__(self, **kwargs: Any) -> None:
        own = {
            # Messages that may wait for one socket; by default what comes after a hundred is
            # dropped, and a hundred sessions can change at once.
            "capacity": 10_000,
            # Seconds after which a group forgets a member, a day by default: a tab that stays
            # open longer would hear nothing any more. Members leave when their socket closes.
            "group_expiry": 10 * 365 * 86400,
        }
        super().__init__(**own | kwargs)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sending: set[asyncio.Future[None]] = set()  # the event loop holds them weakly

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Name the event loop that consumers run on (None: none any more)."""
        self._loop = loop

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            await super().group_send(group, message)
        else:
            # Not awaited: a sender must never wait for the sockets.
            with contextlib.suppress(RuntimeError):  # closed: the server is ending
                loop.call_soon_threadsafe(self._send_here, group, message)

    def _send_here(self, group: str, message: dict[str, Any]) -> None:
        task = asyncio.ensure_future(super().group_send(group, message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
