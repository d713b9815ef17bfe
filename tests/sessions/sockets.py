"""Clients of the status WebSocket, through the same middleware as in the product."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from streamspace.accounts.models import User

QUIET = 0.3
"""Seconds without a message that show that none comes; changes are sent after 0.05."""


def sign_in(user: User) -> dict[str, str]:
    """The cookie of a signed-in browser."""
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return {"cookie": f"{settings.SESSION_COOKIE_NAME}={store.session_key}"}


class Socket(WebsocketCommunicator):
    """One client of ``/ws/sessions``, through the same middleware as in the product."""

    def __init__(self, headers: dict[str, str], query: str = "") -> None:
        from streamspace.asgi import portal_application

        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        path = f"/ws/sessions{'?' if query else ''}{query}"
        super().__init__(portal_application, path, [(b"host", b"localhost:8000"), *pairs])

    async def next(self) -> dict[str, Any]:
        return json.loads(await self.receive_from(5))

    async def closed(self) -> int:
        """The code that the server closes with."""
        while True:
            message = await self.receive_output(5)
            if message["type"] == "websocket.close":
                return message["code"]

    async def quiet(self) -> bool:
        return await self.receive_nothing(QUIET, 0.02)


Connect = Callable[..., Awaitable[Socket]]


@database_sync_to_async
def do(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What other threads of the portal do meanwhile."""
    return function(*arguments, **options)


async def do_in_a_loop_of_its_own(function: Callable[[], object]) -> None:
    """What a worker does: in a thread that is not one of the portal's."""

    def work() -> None:
        try:
            function()
        finally:
            connection.close()

    await asyncio.to_thread(work)


def ids(snapshot: dict[str, Any]) -> set[str]:
    return {session["id"] for session in snapshot["sessions"]}


async def resume(socket: Socket, known: Any) -> None:
    await socket.send_json_to({"type": "resume", "known": known})
