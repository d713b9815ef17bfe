"""Daphne's two kinds of connection with flow control: what :mod:`streamspace.server` adds to each.

Reading is paused while the application has not taken what arrived; writing tells the application
when there is room again. See :mod:`streamspace.server` for what this promises and relies on.
"""

from __future__ import annotations

# daphne.server installs Twisted's asyncio reactor and must come before anything that imports one.
import daphne.server  # noqa: F401  # isort:skip

import asyncio
import contextlib
import socket
import time
from io import BytesIO
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.interfaces import IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer

Message = dict[str, Any]

_WEBSOCKET_REPLIES = frozenset({"websocket.send", "websocket.close"})

SMALL_BODY = 64 * 1024
"""Bytes. Request bodies up to this size are complete when the application starts."""

_INBOX_HIGH = 256 * 1024
"""Bytes waiting for the application above which its connection is not read any more."""

_UNSENT = 128 * 1024
"""Bytes the kernel holds unsent before the socket counts as full. Its own choice, megabytes on a
slow link, is seconds of stale picture, and pings queue behind it."""

_HASTE = 4
"""Messages in a row that an application may send without the event loop running."""

_WRITE_BUFFER = 128 * 1024
"""Bytes that wait for the kernel before ``send`` waits: two pieces of what streams read at once,
so that one is ready when the other has gone."""


@implementer(IPushProducer)
class Transport:
    """One connection's flow control, as its application sees it."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._writable = asyncio.Event()
        self._writable.set()
        self._hasty = 0
        self.reading = True
        self.inbox: _Inbox = _Inbox(self)

    async def drain(self) -> None:
        """Return once the write buffer has room, or the connection is gone."""
        await self._writable.wait()

    async def sent(self) -> None:
        """Wait if the buffer is full, and now and then let others run if it never is: a source
        and a reader that are both faster than we are would keep the event loop to themselves."""
        if not self._writable.is_set():
            self._hasty = 0
            await self._writable.wait()
        elif self._hasty < _HASTE:
            self._hasty += 1
        else:
            self._hasty = 0
            await asyncio.sleep(0)

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


class WebSocketConnection(WebSocketProtocol):
    """Daphne's WebSocket protocol with a :class:`Transport`."""

    flow: Transport
    autoPingTimeoutCall: Any  # noqa: N815 (its name is that)
    autoPingPending: bytes | None  # noqa: N815

    def onConnect(self, request: Any) -> Any:  # noqa: N802
        self.flow = Transport(self)
        # The HTTP channel that the connection began as still is the transport's producer.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.flow, True)
        self.transport.bufferSize = _WRITE_BUFFER
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
        # Without Autobahn's sendMessage: its size limit is for what comes in, empty messages are
        # messages, and it copies each one.
        data = message.get("bytes")
        if data is not None:
            self._write(_frame_header(2, len(data)) + data)
        else:
            data = message["text"].encode()
            self._write(_frame_header(1, len(data)) + data)

    def _write(self, frame: bytes) -> None:
        """Hand to the kernel at once what it takes, and the rest to Twisted.

        Twisted alone waits for the event loop to come round for every frame, which costs half of
        a stream's processor time and a quarter of its latency.
        """
        transport = self.transport
        if (
            isinstance(transport, Connection)
            and transport.connected
            and not (transport.disconnecting or transport.dataBuffer or transport._tempDataBuffer)
        ):
            sent = transport.writeSomeData(frame)
            if sent == len(frame):
                return
            if isinstance(sent, int) and sent > 0:  # otherwise Twisted meets the error itself
                frame = frame[sent:]
        transport.write(frame)

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


def _frame_header(opcode: int, size: int) -> bytes:
    """The header of a whole, unmasked message (RFC 6455, 5.2)."""
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")


class RequestConnection(WebRequest):
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


class RequestFactory(HTTPFactory):
    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = RequestConnection
        return protocol


class WebSocketProtocolFactory(WebSocketFactory):
    protocol = WebSocketConnection


def _tune(transport: Any) -> None:
    """Keep the kernel's queue short and let it notice dead peers; unix sockets know neither."""
    if hasattr(transport, "setTcpKeepAlive"):
        transport.setTcpKeepAlive(True)
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    low_water = getattr(socket, "TCP_NOTSENT_LOWAT", 25)  # Python names it since 3.12
    if isinstance(handle, socket.socket) and handle.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):  # a kernel without it is only less quick
            handle.setsockopt(socket.IPPROTO_TCP, low_water, _UNSENT)
