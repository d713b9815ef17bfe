"""Status sockets that are closed after the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from channels.db import database_sync_to_async
from channels.layers import channel_layers, get_channel_layer

from streamspace.accounts.models import User
from tests.sessions.sockets import Connect, Socket, sign_in


@pytest.fixture
def fresh_layer() -> Iterator[None]:
    """A channel layer of the test's own: its queues belong to the test's event loop."""
    channel_layers.backends.clear()
    yield
    channel_layers.backends.clear()


@pytest.fixture
async def connect(fresh_layer: None) -> AsyncIterator[Connect]:
    opened: list[Socket] = []

    async def connect(user: User, query: str = "", **headers: str) -> Socket:
        layer = get_channel_layer()
        if hasattr(layer, "attach"):
            layer.attach(asyncio.get_running_loop())
        cookie = await database_sync_to_async(sign_in)(user)
        socket = Socket({**cookie, **headers}, query)
        accepted, _ = await socket.connect(5)
        assert accepted
        opened.append(socket)
        return socket

    yield connect
    for socket in opened:
        await socket.disconnect(timeout=5)
