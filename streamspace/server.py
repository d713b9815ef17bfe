"""Daphne, made fit to carry streams.

What is added to :class:`daphne.server.Server`:

- **Back-pressure, both ways.** ``await send(...)`` of a WebSocket message or a piece of a response
  body returns only when the connection's write buffer has room again (Daphne's returns at once and
  a stalled browser grows the process without bound). Reading from a connection pauses while its
  application has not taken what arrived before.
- **Request bodies are streamed.** Daphne spools a whole body to disk and then queues it in memory;
  here a body above 64 KiB reaches the application while it arrives.
- **Limits.** WebSocket messages above ``max_message_bytes`` close the connection with 1009 as soon
  as their length is announced; per-message compression is never negotiated; a peer that answers
  no ping is dropped after at most ``PING_INTERVAL + PING_TIMEOUT`` and a few seconds.
- **Shutdown in bounded time.** On SIGTERM nothing new is accepted, WebSockets close with 1001,
  and what has not ended after ``shutdown_grace`` is cancelled.

Applications find a :class:`~streamspace.connections.Transport` in their scope, as
``scope["extensions"]["streamspace.transport"]``.

What this relies on, beyond what Daphne and Twisted document, is replaced or called here only:
``Server.run/create_application/handle_reply/kill_all_applications/connections``, the protocols'
``onConnect/onMessage/check_timeouts/handle_exception/process``, Autobahn's ``sendCloseFrame`` and
ping timer, Twisted's write buffer, its ``gotLength/handleContentChunk/requestReceived`` and its
producers (most of it in :mod:`streamspace.connections`).
``tests/sessions/stream/test_server.py`` fails when an upgrade changes one of them.

Not promised: HTTP/2, and that an idle HTTP connection outlives Twisted's timeout.
"""

from __future__ import annotations

# daphne.server installs Twisted's asyncio reactor and must come before anything that imports one.
from daphne.server import Server as DaphneServer  # isort:skip

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, cast

import structlog
from daphne.endpoints import build_endpoint_description_strings
from twisted.internet import defer, reactor
from twisted.internet.endpoints import serverFromString
from twisted.logger import globalLogBeginner

from streamspace.connections import (
    SMALL_BODY,
    Message,
    RequestFactory,
    Transport,
    WebSocketConnection,
    WebSocketProtocolFactory,
)

log = structlog.get_logger(__name__)

Application = Callable[..., Awaitable[None]]

PING_INTERVAL = 20
"""Seconds of silence after which a WebSocket peer is pinged. Proxies drop silent connections
after 60 s and less (neko-rooms#78)."""

PING_TIMEOUT = 15
"""Seconds that a pong may take; Autobahn rounds them down to whole ones. Less than the interval:
Daphne forgets an unanswered ping's timer when it sends the next."""


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
        self.http_factory = RequestFactory(self)
        self.ws_factory = WebSocketProtocolFactory(self, server=self.server_name)
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
        if message.get("type") in _PAYLOADS:
            await protocol.flow.sent()

    def kill_all_applications(self) -> Any:
        """End every connection; the returned Deferred fires when all have, or time is up."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self.close()))

    async def close(self) -> None:
        """Accept nothing more, close WebSockets with 1001, and end what is left after the grace."""
        self._closing = True
        for port in self._ports:
            port.stopListening()
        for protocol in list(self.connections):
            if isinstance(protocol, WebSocketConnection):
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
