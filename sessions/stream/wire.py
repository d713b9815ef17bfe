"""The few words of ASGI that the stream's endpoints share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from .codes import REASONS, Close

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Disconnected(Exception):
    """The browser left before its request was complete."""


class TooLarge(Exception):
    """A request body is longer than it may be."""


def header(scope: Scope, name: str) -> str:
    """The first header of that (lower-case) name, or an empty string."""
    wanted = name.encode()
    return next((v.decode("latin-1") for k, v in scope["headers"] if k == wanted), "")


def headers(scope: Scope, name: str) -> list[str]:
    """All headers of that (lower-case) name."""
    wanted = name.encode()
    return [v.decode("latin-1") for k, v in scope["headers"] if k == wanted]


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole request body; raise TooLarge or Disconnected."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise TooLarge
        if not message.get("more_body"):
            return b"".join(parts)


async def respond(
    send: Send,
    status: int,
    body: bytes = b"",
    content_type: str = "text/html; charset=utf-8",
    extra: Iterable[tuple[str, str]] = (),
) -> None:
    """A complete answer; nothing of ours is cached unless ``extra`` says so."""
    fields = {
        "content-length": str(len(body)),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    if body:
        fields["content-type"] = content_type
    pairs = [(k, v) for k, v in fields.items() if k not in {name for name, _ in extra}]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in [*pairs, *extra]],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def respond_error(
    send: Send, status: int, code: str, message: str, details: Mapping[str, Any] | None = None
) -> None:
    """``{error, message, details}`` for programs."""
    body = json.dumps({"error": code, "message": message, "details": dict(details or {})})
    await respond(send, status, body.encode(), "application/json")


async def accept(scope: Scope, send: Send, subprotocol: str | None) -> None:
    """Accept a WebSocket, with ``subprotocol`` if the browser offered it."""
    offered = subprotocol if subprotocol in scope.get("subprotocols", ()) else None
    await send({"type": "websocket.accept", "subprotocol": offered})


async def close(send: Send, code: Close) -> None:
    await send({"type": "websocket.close", "code": int(code), "reason": REASONS[code]})


async def refuse(receive: Receive, send: Send) -> None:
    """Turn a WebSocket handshake down (403), so that a foreign page learns nothing."""
    await send({"type": "websocket.close", "code": 4403})


async def expect_connect(receive: Receive) -> bool:
    """Take the opening message; False when the browser is gone already."""
    message = await receive()
    return bool(message["type"] == "websocket.connect")


async def until_disconnected(receive: Receive) -> None:
    """Return when the browser of a plain HTTP request is gone."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
