"""Bodies that are larger than anything the portal is sent for a reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from streamspace.bodies import LARGEST_BODY, BoundedBodies

PIECE = bytes(64 * 1024)


class Reader:
    """An application that reads its request to the end, as Django does before anything else."""

    def __init__(self) -> None:
        self.taken = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.taken += len(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def status_of(reader: Reader, pieces: Iterable[bytes], length: str | None) -> int:
    waiting = iter(pieces)

    async def receive() -> dict[str, Any]:
        piece = next(waiting, b"")
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [] if length is None else [(b"content-length", length.encode())]
    await BoundedBodies(reader)({"type": "http", "headers": headers}, receive, send)
    return int(next(m["status"] for m in sent if m["type"] == "http.response.start"))


@pytest.mark.parametrize("length", [str(LARGEST_BODY + 1), "1" * 5000])
async def test_what_is_announced_as_too_large_is_not_read(length: str) -> None:
    reader = Reader()
    assert await status_of(reader, [PIECE], length) == 413
    assert reader.taken == 0


async def test_what_turns_out_too_large_is_read_no_further() -> None:
    reader = Reader()
    endless = (PIECE for _ in iter(int, 1))
    assert await status_of(reader, endless, None) == 413
    assert reader.taken <= LARGEST_BODY


async def test_what_is_of_a_sensible_size_arrives_whole() -> None:
    reader = Reader()
    count = LARGEST_BODY // len(PIECE)
    assert await status_of(reader, [PIECE] * count, str(LARGEST_BODY)) == 200
    assert reader.taken == LARGEST_BODY
