"""The channel layer of the one-process installation."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.layers import InMemoryChannelLayer


class EmbeddedChannelLayer(InMemoryChannelLayer):
    """Channels' in-memory layer, made safe to send to from other threads.

    Its queues belong to the event loop of the sockets. Worker and controller threads send from
    loops of their own (``async_to_sync``), where putting into such a queue wakes nobody; so
    group sends hop to the loop that called :meth:`attach`. Before a server attached, nobody can
    be listening and sends are dropped.
    """

    _loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Name the event loop that consumers run on (None: none any more)."""
        self._loop = loop

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            await super().group_send(group, message)
        elif not loop.is_closed():
            # Not awaited: a sender must never wait for the sockets.
            asyncio.run_coroutine_threadsafe(super().group_send(group, message), loop)
