"""Reaching a running session: a unix socket on this machine, or a TCP port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CONNECT_TIMEOUT = 5.0
"""Seconds. The endpoint answered a moment ago, or there would be none."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a session's program listens, from the session's record."""

    kind: Literal["rfb", "http"]
    socket: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | None) -> Endpoint | None:
        """Read ``Session.endpoint``; None when there is nothing to connect to."""
        if not record or record.get("kind") not in ("rfb", "http"):
            return None
        if not record.get("socket") and not (record.get("host") and record.get("port")):
            return None
        return cls(
            kind=record["kind"],
            socket=record.get("socket") or "",
            host=record.get("host") or "",
            port=int(record.get("port") or 0),
        )


async def connect(endpoint: Endpoint) -> socket.socket:
    """A connected non-blocking socket; raise OSError (TimeoutError included) otherwise."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_TIMEOUT):
        if endpoint.socket:
            return await _connected(loop, socket.AF_UNIX, endpoint.socket)
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        problem: OSError | None = None
        for family, _, _, _, address in found:
            try:
                return await _connected(loop, family, address)
            except OSError as error:
                problem = error
        raise problem or OSError(f"{endpoint.host} has no address")


async def _connected(loop: asyncio.AbstractEventLoop, family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


@contextlib.asynccontextmanager
async def connection(endpoint: Endpoint) -> Any:
    """:func:`connect`, closed at the end."""
    sock = await connect(endpoint)
    try:
        yield sock
    finally:
        sock.close()
