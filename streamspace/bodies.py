"""How much a request may carry to the portal."""

from __future__ import annotations

import json
from typing import Any

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes. Nothing is uploaded here; Django's own limit for forms is 2.5 MiB, the API's 1 MiB."""


class BoundedBodies:
    """Answer 413 to larger bodies than anybody sends for a reason.

    Django writes a body to a temporary file before any view, sign-in or limit of its own looks at
    it: without this, strangers fill the disk.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if _declared(scope) > LARGEST_BODY:
            await _refuse(send)
            return
        size = 0

        async def bounded() -> Any:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            # Django then lets go of what it has and answers nothing.
            return {"type": "http.disconnect"} if size > LARGEST_BODY else message

        await self.application(scope, bounded, send)
        if size > LARGEST_BODY:
            await _refuse(send)


def _declared(scope: dict[str, Any]) -> int:
    text = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
    # The server has refused what is no number; one of 20 digits is too large without counting.
    return int(text[:20]) if text.isdigit() else 0


async def _refuse(send: Any) -> None:
    body = json.dumps(
        {
            "error": "payload_too_large",
            "message": f"More than {LARGEST_BODY // 1024 // 1024} MiB are not taken here.",
            "details": {},
        }
    ).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
