"""Which handshakes reach the portal's WebSockets."""

from __future__ import annotations

from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from streamspace.origins import PortalOriginValidator


async def accepting(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def accepted(host: str, origin: str | None) -> bool:
    headers = [(b"host", host.encode()), *([(b"origin", origin.encode())] if origin else [])]
    socket = WebsocketCommunicator(PortalOriginValidator(accepting), "/ws/sessions", headers)
    answer, _ = await socket.connect()
    return answer


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
async def test_the_portals_own_pages_and_programs_connect(host: str) -> None:
    assert await accepted(host, f"http://{host}")
    assert await accepted(host, None)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://localhost:8000",
        "http://localhost:8001",
        "http://jo-terminal-01234567.localhost:8000",
        "http://localhost:8000.evil.example",
    ],
)
async def test_pages_of_other_origins_do_not(origin: str) -> None:
    assert not await accepted("localhost:8000", origin)


@pytest.mark.parametrize("host", ["evil.example:8000", "localhost.evil.example", ""])
async def test_a_name_that_was_made_to_lead_here_does_not(host: str) -> None:
    assert not await accepted(host, f"http://{host}")
    assert not await accepted(host, None)
