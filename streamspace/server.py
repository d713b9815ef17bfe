"""Daphne, made fit to carry streams.

What is added to :class:`daphne.server.Server`:

- **Back-pressure, both ways.** ``await send(...)`` of a WebSocket message or a piece of a response
  body returns only when the connection's write buffer has room again (Daphne's returns at once and
  a stalled browser grows the process without bound). Reading from a connection pauses while its
  application has not taken what arrived before.
- **Request bodies are streamed.** Daphne spools a whole body to disk and then queues it in memory;
  here a body above :data:`SMALL_BODY` reaches the application while it arrives.
- **Limits.** WebSocket messages above ``max_message_bytes`` close the connection with 1009 as soon
  as their length is announced; per-message compression is never negotiated; a peer that answers
  no ping is dropped after at most ``PING_INTERVAL + PING_TIMEOUT`` and a few seconds.
- **Shutdown in bounded time.** On SIGTERM nothing new is accepted, WebSockets close with 1001,
  and what has not ended after ``shutdown_grace`` is cancelled.

Applications find a :class:`Transport` in ``scope["extensions"]["streamspace.transport"]``.

What this relies on, beyond what Daphne and Twisted document, is replaced or called here only:
``Server.run/create_application/handle_reply/kill_all_applications/connections``, the protocols'
``onConnect/onMessage/check_timeouts/handle_exception/process``, Autobahn's ``sendFrame`` and ping
timer, Twisted's ``gotLength/handleContentChunk/requestReceived`` and its producers.
``tests/sessions/stream/test_server.py`` fails when an upgrade changes one of them.

Not promised: HTTP/2, and that an idle HTTP connection outlives Twisted's timeout.
"""

from __future__ import annotations

# daphne.server installs Twisted's asyncio reactor and must come before anything that imports one.
from daphne.server import Server as DaphneServer  # isort:skip

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, partial
from io import BytesIO
from typing import Any, cast

import structlog
from daphne.endpoints import build_endpoint_description_strings
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import defer, reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IPushProducer
from twisted.logger import globalLogBeginner
from zope.interface import implementer

log = structlog.get_logger(__name__)

Message = dict[str, Any]
Application = Callable[..., Awaitable[None]]

SMALL_BODY = 64 * 1024
"""Bytes. Request bodies up to this size are complete when the application starts."""

PING_INTERVAL = 20
"""Seconds of silence after which a WebSocket peer is pinged. Proxies drop silent connections
after 60 s and less (neko-rooms#78)."""

PING_TIMEOUT = 15
"""Seconds that a pong may take. Less than the interval: Daphne forgets an unanswered ping's timer
when it sends the next."""

_INBOX_HIGH = 256 * 1024
"""Bytes waiting for the application above which its connection is not read any more."""

_UNSENT = 64 * 1024
"""Bytes the kernel holds unsent before the socket counts as full. Its own choice, megabytes on a
slow link, is seconds of stale picture, and pings queue behind it."""


@implementer(IPushProducer)
class Transport:
    """One connection's flow control, as its application sees it."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._writable = asyncio.Event()
        self._writable.set()
        self.reading = True
        self.inbox: _Inbox = _Inbox(self)

    async def drain(self) -> None:
        """Return once the write buffer has room, or the connection is gone."""
        await self._writable.wait()

    @property
    def stalled(self) -> bool:
        """Whether :meth:`drain` would wait."""
        return not self._writable.is_set()

    def limit_messages(self, size: int) -> None:
        """Lower the size in bytes of the largest incoming WebSocket message of this connection."""
        self._protocol.maxMessagePayloadSize = self._protocol.maxFramePayloadSize = size

    def abort(self) -> None:
        """Drop the connection so that the peer can tell that the answer is incomplete."""
        self._protocol.abort()

    def pause_reading(self) -> None:
        if self.reading:
            self.reading = False
            self._protocol.pause_reading()

    def resume_reading(self) -> None:
        if not self.reading:
            self.reading = True
            self._protocol.resume_reading()

    # Twisted calls these; the names are those of IPushProducer.

    def pauseProducing(self) -> None:  # noqa: N802
        self._writable.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._writable.set()

    def stopProducing(self) -> None:  # noqa: N802
        self._writable.set()


class _Inbox(asyncio.Queue[Message]):
    """What a connection's application has still to receive; stops the reading when it is much."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport
        self._bytes = 0

    @staticmethod
    def _size(item: Message) -> int:
        return len(item.get("bytes") or item.get("text") or item.get("body") or b"")

    def _put(self, item: Message) -> None:
        super()._put(item)
        self._bytes += self._size(item)
        if self._bytes > _INBOX_HIGH:
            self._transport.pause_reading()

    def _get(self) -> Message:
        item = super()._get()
        self._bytes -= self._size(item)
        if self._bytes <= _INBOX_HIGH // 2:
            self._transport.resume_reading()
        return item


class _WebSocket(WebSocketProtocol):
    """Daphne's WebSocket protocol with a :class:`Transport`."""

    flow: Transport
    autoPingTimeoutCall: Any  # noqa: N815 (its name is that)
    autoPingPending: bytes | None  # noqa: N815

    def onConnect(self, request: Any) -> Any:  # noqa: N802
        self.flow = Transport(self)
        # The HTTP channel that the connection began as still is the transport's producer.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.flow, True)
        _tune(self.transport)
        return super().onConnect(request)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        if hasattr(self, "flow"):
            self.flow.stopProducing()
        if hasattr(self, "server"):  # otherwise the handshake never got as far as onConnect
            super().onClose(wasClean, code, reason)

    def handle_reply(self, message: Message) -> None:
        kind = message.get("type")
        if self.state == self.STATE_CONNECTING or kind not in _WEBSOCKET_REPLIES:
            super().handle_reply(message)
            return
        if kind == "websocket.close":
            self.say_goodbye(message.get("code") or 1000, message.get("reason") or "")
            return
        if self.state != self.STATE_OPEN:
            return  # closing: nobody will read it
        # Without Autobahn's sendMessage: its size limit is for what comes in, and empty messages
        # are messages.
        data = message.get("bytes")
        if data is not None:
            self.sendFrame(opcode=2, payload=data)
        else:
            self.sendFrame(opcode=1, payload=message["text"].encode())

    def say_goodbye(self, code: int, reason: str = "") -> None:
        """Start the closing handshake. Autobahn's sendClose refuses 1001 and 1011, which are for
        servers to say."""
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:123], isReply=False)

    def handle_exception(self, exception: BaseException) -> None:
        if self.state == self.STATE_CONNECTING:
            super().handle_exception(exception)
        else:
            self.say_goodbye(1011)

    def check_timeouts(self) -> None:
        if not self.flow.reading:
            # Pongs wait unread behind what the application has not taken: no ping can prove death.
            self.last_ping = time.time()
        super().check_timeouts()

    def pause_reading(self) -> None:
        if self.autoPingTimeoutCall is not None:
            self.autoPingTimeoutCall.cancel()
            self.autoPingTimeoutCall = self.autoPingPending = None
        self.transport.pauseProducing()

    def resume_reading(self) -> None:
        if self.state != self.STATE_CLOSED and not self.transport.disconnecting:
            self.transport.resumeProducing()

    def abort(self) -> None:
        self.dropConnection(abort=True)


class _Request(WebRequest):
    """Daphne's HTTP request with a :class:`Transport` and a streamed body."""

    flow: Transport
    _streamed = False
    _complete = False

    def __init__(self, channel: Any, queued: Any = False) -> None:
        # Twisted would parse forms, whole and in memory, for nobody.
        super().__init__(channel, queued, parsePOSTFormSubmission=False)
        self.flow = Transport(self)

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        """All headers have arrived; ``length`` of the body, None when it comes in chunks."""
        if length is not None and length <= SMALL_BODY:
            super().gotLength(length)
            return
        self.content = BytesIO()
        self._streamed = True
        if self.requestHeaders.hasHeader(b"Upgrade"):
            self.channel._respondToBadRequestAndDisconnect()
            return
        self.method, self.uri = self.channel._command, self.channel._path
        self.clientproto = self.channel._version
        self.path = self.uri.split(b"?", 1)[0]
        self.args: dict[bytes, list[bytes]] = {}
        self.process()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        if not self._streamed:
            super().handleContentChunk(data)
        elif self.application_queue is not None and not self.finished:
            self._offer({"type": "http.request", "body": data, "more_body": True})

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        self._complete = True
        if not self._streamed:
            super().requestReceived(command, path, version)
        elif self.application_queue is not None and not self.finished:
            self._offer({"type": "http.request", "body": b"", "more_body": False})

    def _offer(self, message: Message) -> None:
        self.application_queue.put_nowait(message)

    def process(self) -> None:
        self.registerProducer(self.flow, True)
        super().process()
        if self._streamed and self.application_queue is not None:
            # Daphne found an empty body and said so; the real one follows.
            with contextlib.suppress(asyncio.QueueEmpty):
                self.application_queue.get_nowait()

    def handle_reply(self, message: Message) -> None:
        kind = message.get("type")
        if kind == "http.response.start" and self._streamed and not self._complete:
            # What is left of the body is not read, so the connection cannot be used again.
            self.channel.persistent = 0
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        super().handle_reply(message)

    def finish(self) -> None:
        if self.producer is not None:
            self.unregisterProducer()
        self.flow.stopProducing()
        super().finish()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self.flow.stopProducing()
        super().connectionLost(reason)

    def handle_exception(self, exception: BaseException) -> None:
        if self._response_started:
            self.abort()
        else:
            super().handle_exception(exception)

    def pause_reading(self) -> None:
        if self._streamed and not self._complete:
            self.channel._networkProducer.pauseProducing()

    def resume_reading(self) -> None:
        if self._streamed and not self._complete and not self.finished and not self._disconnected:
            self.channel._networkProducer.resumeProducing()

    def abort(self) -> None:
        if not self.finished and not self._disconnected:
            self.channel.forceAbortClient()


class _HTTPFactory(HTTPFactory):
    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = _Request
        return protocol


class _WebSocketFactory(WebSocketFactory):
    protocol = _WebSocket


def _tune(transport: Any) -> None:
    """Keep the kernel's queue short and let it notice dead peers; unix sockets know neither."""
    if hasattr(transport, "setTcpKeepAlive"):
        transport.setTcpKeepAlive(True)
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    low_water = getattr(socket, "TCP_NOTSENT_LOWAT", 25)  # Python names it since 3.12
    if isinstance(handle, socket.socket) and handle.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):  # a kernel without it is only less quick
            handle.setsockopt(socket.IPPROTO_TCP, low_water, _UNSENT)


class Server(DaphneServer):
    """Serve ``application`` on ``host:port`` (and further Twisted ``endpoints``) until SIGTERM.

    ``max_message_bytes`` bounds incoming WebSocket messages, ``shutdown_grace`` the seconds that
    connections get to end. ``ready`` is called in the server's thread once it listens.
    Further keyword arguments are Daphne's.
    """

    def __init__(
        self,
        application: Application,
        host: str = "127.0.0.1",
        port: int | None = 8000,
        *,
        endpoints: Sequence[str] = (),
        max_message_bytes: int = 16 * 1024 * 1024,
        shutdown_grace: float = 3.0,
        ready: Callable[[], None] | None = None,
        **daphne: Any,
    ) -> None:
        own = build_endpoint_description_strings(host=host, port=port) if port is not None else []
        options: dict[str, Any] = {
            "ping_interval": PING_INTERVAL,
            "ping_timeout": PING_TIMEOUT,
            # A desktop may stay open for longer than Daphne's day.
            "websocket_timeout": -1,
            "server_name": "streamspace",
            "verbosity": 0,
        }
        super().__init__(
            application,
            endpoints=[*own, *endpoints],
            request_buffer_size=SMALL_BODY + 1,  # small bodies in one message
            websocket_max_message_size=max_message_bytes,
            websocket_max_frame_size=max_message_bytes,
            ready_callable=ready,
            **{**options, **daphne},
        )
        self.shutdown_grace = shutdown_grace
        self.failure: BaseException | None = None
        """Why an endpoint could not be listened on, when :meth:`run` returned for that."""
        self._ports: list[Any] = []
        self._closing = False

    def run(self) -> None:
        """Serve until the process is told to stop, or :meth:`stop` is called."""
        self.start()
        if not self.abort_start:
            if self.ready_callable:
                self.ready_callable()
            _reactor().run(installSignalHandlers=self.signal_handlers)

    def start(self) -> None:
        """Listen, on a reactor that someone else runs. :meth:`run` is this and the reactor."""
        self.connections: dict[Any, dict[str, Any]] = {}
        self.http_factory = _HTTPFactory(self)
        self.ws_factory = _WebSocketFactory(self, server=self.server_name)
        self.ws_factory.setProtocolOptions(
            autoPingTimeout=self.ping_timeout,
            allowNullOrigin=True,  # every application checks Origin itself
            openHandshakeTimeout=self.websocket_handshake_timeout,
            maxMessagePayloadSize=self.websocket_max_message_size,
            maxFramePayloadSize=self.websocket_max_frame_size,
            failByDrop=False,  # say 1009 instead of a silent end
            perMessageCompressionAccept=lambda offers: None,
        )
        _observe_twisted()
        clock = _reactor()
        asyncio.set_event_loop(clock._asyncioEventloop)
        clock.callLater(1, self.application_checker)
        clock.callLater(2, self.timeout_checker)
        for description in self.endpoints:
            listener = serverFromString(clock, str(description)).listen(self.http_factory)
            listener.addCallback(self.listen_success)
            listener.addErrback(self.listen_error)
            self.listeners.append(listener)
        clock.addSystemEventTrigger("before", "shutdown", self.kill_all_applications)

    def listen_success(self, port: Any) -> None:
        self._ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        self.failure = failure.value
        super().listen_error(failure)

    def protocol_disconnected(self, protocol: Any) -> None:
        if protocol in self.connections:  # a rejected handshake reports its end twice
            super().protocol_disconnected(protocol)

    def create_application(self, protocol: Any, scope: Message) -> Any:
        """Start the application for one connection; return the queue of what it receives."""
        flow: Transport = protocol.flow
        scope.setdefault("asgi", {"version": "3.0"})
        scope.setdefault("extensions", {})["streamspace.transport"] = flow
        if self._closing or protocol not in self.connections:
            return None
        instance = self.application(
            scope=scope,
            receive=flow.inbox.get,
            send=partial(self.handle_reply, protocol),
        )
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(instance)
        return flow.inbox

    async def handle_reply(self, protocol: Any, message: Message) -> None:
        """An application's ``send``: hand over, then wait until there is room for more."""
        if "disconnected" in self.connections.get(protocol, {"disconnected": 0}):
            # Nobody hears it. Without a pause an application that only sends would never let the
            # event loop go to tell it so.
            await asyncio.sleep(0.01)
            return
        await super().handle_reply(protocol, message)
        if protocol.flow.stalled and message.get("type") in _PAYLOADS:
            await protocol.flow.drain()

    def kill_all_applications(self) -> Any:
        """End every connection; the returned Deferred fires when all have, or time is up."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self.close()))

    async def close(self) -> None:
        """Accept nothing more, close WebSockets with 1001, and end what is left after the grace."""
        self._closing = True
        for port in self._ports:
            port.stopListening()
        for protocol in list(self.connections):
            if isinstance(protocol, _WebSocket):
                if protocol.state == protocol.STATE_CONNECTING:
                    protocol.serverReject()
                else:
                    protocol.say_goodbye(1001)
        if running := self._unfinished():
            await asyncio.wait(running, timeout=self.shutdown_grace)
        left = self._unfinished()
        for task in left:
            task.cancel()
        if left:
            log.info("connections_cut", count=len(left))
            await asyncio.wait(left, timeout=2)
        for protocol in list(self.connections):
            with contextlib.suppress(AttributeError):  # gone between the lines
                protocol.abort()

    def _unfinished(self) -> list[asyncio.Task[None]]:
        tasks = (c.get("application_instance") for c in self.connections.values())
        return [cast("asyncio.Task[None]", t) for t in tasks if t is not None and not t.done()]


_PAYLOADS = frozenset({"websocket.send", "http.response.body"})
_WEBSOCKET_REPLIES = frozenset({"websocket.send", "websocket.close"})


@cache
def _observe_twisted() -> None:
    """Of Twisted's own log, keep the faults. Once per process."""

    def observe(event: Mapping[str, Any]) -> None:
        failure = event.get("log_failure")
        if failure is not None:
            log.error("server_fault", error=failure.getTraceback())

    globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False, discardBuffer=True)


def _reactor() -> Any:
    return reactor
