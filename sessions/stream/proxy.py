"""The HTTP and WebSocket proxy for sessions whose program is a web application.

Bodies are streamed both ways and never held whole; each side waits for the other. Every request
makes its own connection to the program: on one machine that costs a tenth of a millisecond, and a
kept one that the program closed meanwhile would fail a request that must not be sent twice.

**What counts as input.** Idle means no *input*: the viewer's page reports keys and pointer on the
status socket. Requests do not count: applications poll. But unknown is not idle: while no viewer of
this user reports (the application was opened in a tab of its own), an unsafe request or a
WebSocket message from the browser is taken for input, heartbeats or not.

**Who may only watch** reads: safe methods pass, others are refused, and what their browser says on
a WebSocket is dropped. Not promised: that an application changes nothing when it is only read.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import cache
from yarl import URL

from . import metrics, origins, pages, proxy_headers, tickets
from .access import ActivityRecorder, Admission, Watch
from .backend import CONNECT_TIMEOUT, Endpoint
from .codes import Close
from .tasks import first_result
from .wire import Message, Receive, Scope, Send, close, respond_error, until_disconnected

log = structlog.get_logger(__name__)

CHUNK = 64 * 1024
ANSWER_TIMEOUT = 60.0
"""Seconds without any sign of an answer after which the program counts as silent."""
HANDSHAKE_TIMEOUT = 10.0
"""The same for a WebSocket; shorter than the 20 s that the server waits for us."""
MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of the largest WebSocket message from the program."""
_WATCH_AFTER = 5.0
"""Seconds after which a response (a download, an event stream) is watched for lost rights."""
_REPORTER_KEEP = 90
"""Seconds for which a viewer's word that it reports input is good."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def secret_cookies() -> frozenset[str]:
    """Names of cookies that are no business of a session's program."""
    return frozenset(
        {tickets.cookie_name(), settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
    )


# --- Hints of input


def _reporter_key(admission: Admission) -> str:
    return f"stream-reporter:{admission.session_id.hex}:{admission.user_id}"


async def viewer_reports(admission: Admission) -> None:
    """A viewer of this user is open and reports input; to be repeated every minute."""
    with contextlib.suppress(OSError):  # then hints count, and the session stays up longer
        await sync_to_async(cache.set, thread_sensitive=False)(
            _reporter_key(admission), 1, _REPORTER_KEEP
        )


class Hints:
    """Activity of a web application that may or may not be input."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._activity = ActivityRecorder(admission.session_id)
        self._next = 0.0
        self._task: asyncio.Task[None] | None = None

    def note(self) -> None:
        now = time.monotonic()
        if now >= self._next and not self._admission.view_only:
            self._next = now + 10
            self._task = asyncio.create_task(self._weigh())

    async def _weigh(self) -> None:
        reports = None
        with contextlib.suppress(OSError):
            reports = await sync_to_async(cache.get, thread_sensitive=False)(
                _reporter_key(self._admission)
            )
        if reports is None:
            self._activity.note()


# --- Both kinds


def _client(endpoint: Endpoint) -> aiohttp.ClientSession:
    connector = (
        aiohttp.UnixConnector(endpoint.socket, force_close=True)
        if endpoint.socket
        else aiohttp.TCPConnector(force_close=True)
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT),
        read_bufsize=CHUNK,
        max_line_size=64 * 1024,
        max_field_size=64 * 1024,
    )


def _url(scope: Scope, endpoint: Endpoint, scheme: str) -> URL:
    """The target, with path and query exactly as the browser wrote them."""
    # A unix socket's host name is never looked up; Host is set to the session's own either way.
    host = endpoint.host if not endpoint.socket else "localhost"
    host = f"[{host}]" if ":" in host else host
    port = f":{endpoint.port}" if not endpoint.socket else ""
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    return URL(f"{scheme}://{host}{port}{path}", encoded=True)


def _request_headers(scope: Scope, admission: Admission) -> list[tuple[str, str]]:
    client = scope.get("client")
    return proxy_headers.to_session(
        [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]],
        host=origins.session_host(admission.session),
        scheme="https" if origins.secure() else "http",
        client=str(client[0]) if client else "127.0.0.1",
        secret_cookies=secret_cookies(),
    )


def _response_headers(
    raw: tuple[tuple[bytes, bytes], ...], admission: Admission, endpoint: Endpoint
) -> list[tuple[bytes, bytes]]:
    own = {f"{endpoint.host}:{endpoint.port}"} if endpoint.port else {"localhost", "127.0.0.1"}
    headers = proxy_headers.to_browser(
        [(k.decode("latin-1"), v.decode("latin-1")) for k, v in raw],
        origin=origins.session_origin(admission.session),
        backends=frozenset(own),
        secret_cookies=secret_cookies(),
    )
    return [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers]


# --- HTTP


async def proxy_http(scope: Scope, receive: Receive, send: Send, admission: Admission) -> None:
    """Carry one request whose admission (and, if unsafe, origin) was checked."""
    endpoint = admission.endpoint
    if endpoint is None or not admission.running:
        await pages.not_running(send)
        return
    if scope["method"] not in SAFE_METHODS:
        if admission.view_only:
            await respond_error(send, 403, "permission_denied", "You may only watch this session.")
            return
        Hints(admission).note()
    exchange = _Exchange(scope, receive, send, admission, endpoint)
    try:
        async with _client(endpoint) as client:
            await exchange.run(client)
    except TimeoutError:
        await exchange.fail(pages.silent)
    except (aiohttp.ClientError, OSError) as error:
        log.info("stream_backend_lost", session=admission.session, error=type(error).__name__)
        await exchange.fail(pages.unreachable)


class _Exchange:
    """One request and its response."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, admission: Admission, endpoint: Endpoint
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._admission = admission
        self._endpoint = endpoint
        self._started = False
        self._deadline: asyncio.Timeout | None = None
        self._uploaded = asyncio.Event()

    async def fail(self, page: Any) -> None:
        if self._started:
            # Cut off: what ends well would be taken for complete.
            self._scope["extensions"]["streamspace.transport"].abort()
        else:
            await page(self._send)

    async def run(self, client: aiohttp.ClientSession) -> None:
        first = await self._receive()
        if first["type"] == "http.disconnect":
            return
        body = self._body(first) if first.get("body") or first.get("more_body") else None
        if body is None:
            self._uploaded.set()
        headers = _request_headers(self._scope, self._admission)
        async with asyncio.timeout(ANSWER_TIMEOUT) as self._deadline:
            response = await client.request(
                self._scope["method"],
                _url(self._scope, self._endpoint, "http"),
                headers=headers,
                data=body,
                allow_redirects=False,
            )
        async with response:
            await first_result(self._answer(response), self._left(), self._revoked())

    async def _body(self, first: Message) -> AsyncIterator[bytes]:
        message = first
        try:
            while True:
                data = message.get("body", b"")
                if data:
                    metrics.to_session.inc(len(data))
                    yield data
                self._alive()
                if not message.get("more_body"):
                    return
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionResetError("the browser left")
        finally:
            self._uploaded.set()

    def _alive(self) -> None:
        """A long upload is not silence."""
        if self._deadline is not None:
            with contextlib.suppress(RuntimeError):  # answered before the upload was complete
                loop = asyncio.get_running_loop()
                self._deadline.reschedule(loop.time() + ANSWER_TIMEOUT)

    async def _answer(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 101:
            # Nobody asked for another protocol; what follows would be taken for the next answer.
            await self.fail(pages.unreachable)
            return
        headers = _response_headers(response.raw_headers, self._admission, self._endpoint)
        self._started = True
        await self._send(
            {"type": "http.response.start", "status": response.status, "headers": headers}
        )
        async for data in response.content.iter_any():
            metrics.to_browser.inc(len(data))
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _left(self) -> None:
        await self._uploaded.wait()  # until then the upload is what receives
        await until_disconnected(self._receive)

    async def _revoked(self) -> None:
        await asyncio.sleep(_WATCH_AFTER)
        async with Watch(self._admission) as watch:
            await watch.ended()
        await self.fail(pages.unreachable)


# --- WebSocket


async def proxy_websocket(scope: Scope, receive: Receive, send: Send, admission: Admission) -> None:
    """Carry a WebSocket whose origin and admission were checked, with the subprotocol that the
    program chooses. A program that refuses or is away makes the handshake fail."""
    endpoint = admission.endpoint
    if endpoint is None or not admission.running:
        await close(send, Close.NOT_RUNNING)
        return
    dropped = {"origin", "content-length"}
    headers = [
        (k, v)
        for k, v in _request_headers(scope, admission)
        if k.lower() not in dropped and not k.lower().startswith("sec-websocket-")
    ]
    async with _client(endpoint) as client:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                backend = await client.ws_connect(
                    _url(scope, endpoint, "ws"),
                    protocols=scope.get("subprotocols") or (),
                    headers=headers,
                    origin=origins.session_origin(admission.session),
                    max_msg_size=MAX_MESSAGE,
                    autoclose=False,
                )
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            log.info("stream_backend_lost", session=admission.session, error=type(error).__name__)
            await close(send, Close.BACKEND_LOST)
            return
        await send({"type": "websocket.accept", "subprotocol": backend.protocol})
        await _carry(receive, send, backend, admission)


async def _carry(
    receive: Receive, send: Send, backend: aiohttp.ClientWebSocketResponse, admission: Admission
) -> None:
    names = {"session": admission.session, "user": admission.user}
    started = time.monotonic()
    log.info("stream_opened", kind="websocket", role=admission.role, **names)
    gauge = metrics.CONNECTIONS.labels("websocket")
    gauge.inc()
    code: int | None = Close.GOING_AWAY
    try:
        async with Watch(admission) as watch:
            code = await first_result(
                _to_session(receive, backend, admission),
                _to_browser(send, backend),
                _ended(watch),
            )
        if code is not None:
            await send({"type": "websocket.close", "code": int(code)})
    finally:
        gauge.dec()
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await backend.close()
        log.info(
            "stream_closed",
            kind="websocket",
            code=code,
            seconds=round(time.monotonic() - started, 1),
            **names,
        )


async def _ended(watch: Watch) -> int | None:
    return await watch.ended()


async def _to_session(
    receive: Receive, backend: aiohttp.ClientWebSocketResponse, admission: Admission
) -> int | None:
    hints = Hints(admission)
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return None
        if admission.view_only:
            continue
        data, text = message.get("bytes"), message.get("text")
        metrics.to_session.inc(len(data or text or ""))
        hints.note()
        try:
            if data is not None:
                await backend.send_bytes(data)
            elif text is not None:
                await backend.send_str(text)
        except (aiohttp.ClientError, OSError):
            return Close.BACKEND_LOST


async def _to_browser(send: Send, backend: aiohttp.ClientWebSocketResponse) -> int | None:
    while True:
        message = await backend.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            metrics.to_browser.inc(len(message.data))
            await send({"type": "websocket.send", "bytes": message.data})
        elif message.type is aiohttp.WSMsgType.TEXT:
            metrics.to_browser.inc(len(message.data))
            await send({"type": "websocket.send", "text": message.data})
        elif message.type is aiohttp.WSMsgType.CLOSE:
            # 1005 and 1006 say that no code came, and cannot be sent.
            return message.data if message.data in _SENDABLE else Close.BACKEND_LOST
        elif message.type in (
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.CLOSING,
            aiohttp.WSMsgType.ERROR,
        ):
            return Close.BACKEND_LOST


_SENDABLE = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, *range(3000, 5000)})
