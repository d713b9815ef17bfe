"""The viewer's status socket: what becomes of the session, and the viewer's few requests.

Server → viewer: ``{"type": "state", "session": {…}, "now": …}`` on connecting and after each
change (``now``: the server's clock, for deadlines);
``{"type": "notice", "notice": code, "message": …}``; ``{"type": "error", "error": code, "message":
…, "details": …}`` as the answer to a request that was refused.

Viewer → server: ``{"type": "input"}`` (a key or the pointer was used in a web application),
``{"type": "extend" | "wake" | "hibernate"}`` (the services say who may).

It stays open while the session is hibernated, so that the page can offer to wake it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.core.serializers.json import DjangoJSONEncoder

from sessions import services
from streamspace.accounts.models import User
from streamspace.errors import UserError

from . import metrics
from .access import ActivityRecorder, Admission, Watch
from .codes import Close
from .proxy import viewer_reports
from .tasks import first_result
from .wire import Receive, Scope, Send, accept, close

log = structlog.get_logger(__name__)

_MAX_MESSAGE = 4096
_REPORT_SECONDS = 45
_REQUESTS: dict[str, Callable[..., Any]] = {
    "extend": services.extend,
    "wake": services.wake,
    "hibernate": services.hibernate,
}


async def status_socket(scope: Scope, receive: Receive, send: Send, admission: Admission) -> None:
    """Serve a WebSocket whose origin and admission were checked."""
    await accept(scope, send, None)
    scope["extensions"]["streamspace.transport"].limit_messages(_MAX_MESSAGE)
    gauge = metrics.CONNECTIONS.labels("status")
    gauge.inc()
    try:
        async with Watch(admission, notices=True) as watch:
            status = _Status(receive, send, admission)
            code = await first_result(
                status.listen(), status.tell(watch), status.pass_notices(watch), status.report()
            )
        if code is not None:
            await close(send, code)
    finally:
        gauge.dec()


class _Status:
    def __init__(self, receive: Receive, send: Send, admission: Admission) -> None:
        self._receive = receive
        self._send_raw = send
        self._admission = admission
        self._activity = ActivityRecorder(admission.session_id)

    async def _send(self, message: dict[str, Any]) -> None:
        text = json.dumps(message, cls=DjangoJSONEncoder)
        await self._send_raw({"type": "websocket.send", "text": text})

    async def tell(self, watch: Watch) -> Close | None:
        """Send the state whenever it is another one."""
        last: dict[str, Any] | None = None
        async for now in watch.changes():
            if isinstance(now, Close):
                return now
            self._admission = now
            if now.state != last:
                last = now.state
                await self._send({"type": "state", "session": now.state, "now": datetime.now(UTC)})
        return Close.GOING_AWAY

    async def pass_notices(self, watch: Watch) -> Close | None:
        while True:
            await self._send({"type": "notice", **await watch.notices.get()})

    async def report(self) -> Close | None:
        """While this socket is open, input is reported here, and nothing else counts as input."""
        while True:
            if self._admission.kind == "http" and not self._admission.view_only:
                await viewer_reports(self._admission)
            await asyncio.sleep(_REPORT_SECONDS)

    async def listen(self) -> Close | None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return None
            try:
                request = json.loads(message.get("text") or "")
                kind = request["type"]
            except (ValueError, KeyError, TypeError, RecursionError):
                await self._refuse("invalid_request", "That is not understood.")
                continue
            await self._handle(kind)

    async def _handle(self, kind: Any) -> None:
        if kind == "input":
            if not self._admission.view_only:
                self._activity.note()
            return
        service = _REQUESTS.get(kind) if isinstance(kind, str) else None
        if service is None:
            await self._refuse("invalid_request", "That is not understood.")
        elif self._admission.view_only:
            await self._refuse("permission_denied", "You may only watch this session.")
        else:
            try:
                await database_sync_to_async(self._perform)(service)
            except UserError as error:
                await self._refuse(error.code, error.message, error.details)

    def _perform(self, service: Callable[..., Any]) -> None:
        actor = User.objects.get(pk=self._admission.user_id)
        service(self._admission.session_id, actor=actor)

    async def _refuse(self, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        await self._send(
            {"type": "error", "error": code, "message": message, "details": details or {}}
        )
