"""The RFB bridge: one browser's WebSocket to one session's VNC server.

A plain ASGI callable, not a Channels consumer: half the latency. Bytes go both ways in pieces of up
to :data:`CHUNK`; each direction waits for its receiver, so a slow browser slows the VNC server's
updates down instead of filling memory (VNC servers then send fewer, newer pictures).

What the client says passes :class:`~.rfb.ClientFilter`. What the server says is passed unread,
except where clipboard text must be withheld (:mod:`.rfb_server`).

A paste that is refused or too large is reported on the viewer's status socket, because the RFB
socket carries RFB only. Why the socket was closed is told by :class:`~.codes.Close`.
"""

from __future__ import annotations

import asyncio
import time
from socket import socket
from typing import Any

import structlog
from django.conf import settings

from . import metrics
from .access import ActivityRecorder, Admission, Watch, notify
from .backend import connect
from .codes import Close
from .rfb import ClientFilter, ProtocolError, Seen
from .rfb_server import EXTENDED_CLIPBOARD, FOLLOWED, ServerFilter
from .tasks import first_result
from .wire import Receive, Scope, Send, accept, close

log = structlog.get_logger(__name__)

CHUNK = 64 * 1024
"""Bytes. Larger frames carry about twice as much per second as 16 KiB."""

_SLACK = 64 * 1024


def paste_limit() -> int:
    """Bytes of the largest clipboard text carried."""
    limit: int = settings.STREAMSPACE.paste_limit
    return limit * 1024


def filters(admission: Admission) -> tuple[ClientFilter, ServerFilter | None]:
    """The filters for a connection's two directions."""
    withhold = admission.view_only or not admission.clipboard.outbound
    replies = admission.clipboard.inbound and not admission.view_only
    offered = (FOLLOWED | {EXTENDED_CLIPBOARD}) if replies else FOLLOWED
    client = ClientFilter(
        view_only=admission.view_only,
        clipboard=admission.clipboard,
        paste_limit=paste_limit(),
        encodings=offered if withhold else None,
    )
    return client, ServerFilter(replies=replies) if withhold else None


async def rfb_bridge(scope: Scope, receive: Receive, send: Send, admission: Admission) -> None:
    """Carry a WebSocket whose origin and admission were checked, until either side ends it."""
    await accept(scope, send, "binary")
    # noVNC sends pastes in pieces of 10 KiB; a client that sends one whole may, up to the limit.
    scope["extensions"]["streamspace.transport"].limit_messages(paste_limit() + _SLACK)
    if not admission.running or admission.endpoint is None:
        await close(send, Close.NOT_RUNNING)
        return
    async with Watch(admission) as watch:
        try:
            sock = await connect(admission.endpoint)
        except OSError as error:
            log.info("stream_backend_lost", session=admission.session, error=str(error))
            await close(send, Close.BACKEND_LOST)
            return
        bridge = _Bridge(receive, send, admission, sock)
        try:
            await bridge.run(watch)
        finally:
            sock.close()


class _Bridge:
    def __init__(self, receive: Receive, send: Send, admission: Admission, sock: socket) -> None:
        self._receive = receive
        self._send = send
        self._admission = admission
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._client, self._server = filters(admission)
        self._activity = ActivityRecorder(admission.session_id)
        self._next_notice = 0.0
        self._up_bytes = self._down_bytes = 0

    async def run(self, watch: Watch) -> None:
        started = time.monotonic()
        names = {"session": self._admission.session, "user": self._admission.user}
        log.info("stream_opened", kind="rfb", role=self._admission.role, **names)
        gauge = metrics.CONNECTIONS.labels("rfb")
        gauge.inc()
        code: Close | None = Close.GOING_AWAY
        try:
            code = await first_result(self._up(), self._down(), watch.ended())
            if code is not None:
                await close(self._send, code)
        finally:
            gauge.dec()
            log.info(
                "stream_closed",
                kind="rfb",
                code=int(code) if code else None,
                seconds=round(time.monotonic() - started, 1),
                bytes_to_browser=self._down_bytes,
                bytes_to_session=self._up_bytes,
                **names,
            )

    async def _up(self) -> Close | None:
        """Browser → VNC server; None when the browser left."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return None
            data = message.get("bytes")
            if data is None:
                return Close.PROTOCOL
            try:
                seen = self._client.feed(data)
            except ProtocolError as error:
                log.info("stream_protocol", session=self._admission.session, error=str(error))
                return Close.PROTOCOL
            self._up_bytes += len(data)
            metrics.to_session.inc(len(data))
            if seen.input:
                self._activity.note()
            if seen.pastes_refused or seen.pastes_too_large:
                await self._tell(seen)
            if seen.forward:
                try:
                    await self._loop.sock_sendall(self._sock, seen.forward)
                except OSError:
                    return Close.BACKEND_LOST

    async def _down(self) -> Close:
        """VNC server → browser."""
        receive, sock, send, server = self._loop.sock_recv, self._sock, self._send, self._server
        while True:
            try:
                data = await receive(sock, CHUNK)
            except OSError:
                return Close.BACKEND_LOST
            if not data:
                return Close.BACKEND_LOST
            if server is not None:
                try:
                    data = server.feed(data)
                except ProtocolError as error:
                    log.warning("stream_backend", session=self._admission.session, error=str(error))
                    return Close.BACKEND_LOST
            if data:
                self._down_bytes += len(data)
                metrics.to_browser.inc(len(data))
                await send({"type": "websocket.send", "bytes": data})

    async def _tell(self, seen: Seen) -> None:
        now = time.monotonic()
        if now < self._next_notice:
            return
        self._next_notice = now + 1
        if seen.pastes_too_large:
            notice: dict[str, Any] = {
                "notice": "paste_too_large",
                "limit": paste_limit(),
                "message": f"The text is longer than {settings.STREAMSPACE.paste_limit} KiB and "
                "was not pasted.",
            }
        else:
            notice = {
                "notice": "paste_refused",
                "message": "This session does not take text from your clipboard.",
            }
        await notify(self._admission, notice)
