"""The server that every role runs on: what it adds to Daphne, over a real socket."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import inspect
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import psutil
import pytest
from autobahn.websocket.protocol import WebSocketProtocol as AutobahnProtocol
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server as DaphneServer
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Connection as TcpConnection
from twisted.web.http import HTTPChannel, Request
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.sessions.stream.conftest import Reactor, wait_until

MIB = 1024 * 1024

pytestmark = pytest.mark.integration


async def _accept(receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})


def _rss() -> int:
    rss: int = psutil.Process().memory_info().rss
    return rss


def test_a_stalled_websocket_reader_stops_the_application(serve) -> None:
    sent = 0

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await _accept(receive, send)
        while True:
            await send({"type": "websocket.send", "bytes": bytes(64 * 1024)})
            sent += 64 * 1024

    with connect(f"ws://127.0.0.1:{serve(application)}/", max_size=None, max_queue=1):
        wait_until(lambda: sent > 0, "the first message")
        last = -1
        while last != sent:
            last = sent
            time.sleep(0.3)
        assert sent < 16 * MIB  # what the kernel and the client's buffers take


def test_a_stalled_http_reader_stops_the_application(serve) -> None:
    sent = 0

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while sent < 1024 * MIB:
            await send({"type": "http.response.body", "body": bytes(MIB), "more_body": True})
            sent += MIB

    with socket.create_connection(("127.0.0.1", serve(application))) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: sent > 0, "the first piece")
        last = -1
        while last != sent:
            last = sent
            time.sleep(0.3)
        assert sent < 16 * MIB


def test_what_the_application_does_not_take_is_not_read(serve) -> None:
    release = threading.Event()
    taken: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await _accept(receive, send)
        await asyncio.get_running_loop().run_in_executor(None, release.wait)
        while (message := await receive())["type"] == "websocket.receive":
            taken.append(len(message["bytes"]))

    sent = 0
    with connect(f"ws://127.0.0.1:{serve(application)}/") as client:

        def write() -> None:
            nonlocal sent
            for _ in range(512):
                client.send(bytes(64 * 1024))
                sent += 64 * 1024

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        wait_until(lambda: sent > 0, "the first message")
        last = -1
        while last != sent:
            last = sent
            time.sleep(0.3)
        assert sent < 20 * MIB
        release.set()
        writer.join(20)
        wait_until(lambda: sum(taken) == 32 * MIB, "everything to arrive after all")


def test_a_large_upload_reaches_the_application_in_pieces_while_it_arrives(serve) -> None:
    sizes: list[int] = []
    digest = hashlib.sha256()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            sizes.append(len(message["body"]))
            digest.update(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    port = serve(application)
    block = os.urandom(MIB)
    before = _rss()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    connection.request("POST", "/", (block for _ in range(200)), headers, encode_chunked=True)
    assert connection.getresponse().read() == b"done"
    connection.request("POST", "/", b"small")  # the connection is good for another request
    assert connection.getresponse().read() == b"done"
    connection.close()
    assert digest.digest() == hashlib.sha256(block * 200 + b"small").digest()
    assert max(sizes) <= MIB
    assert _rss() - before < 30 * MIB


def test_an_upload_nobody_wants_is_answered_before_it_ends(serve) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    with socket.create_connection(("127.0.0.1", serve(application)), timeout=5) as client:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n")
        answer = b""
        while piece := client.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"connection: close" in answer.lower()


def test_a_small_body_comes_whole(serve) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    connection = http.client.HTTPConnection("127.0.0.1", serve(application))
    for body in (b"", b"x" * 65536):
        connection.request("POST", "/", body)
        assert connection.getresponse().read() == body
    connection.close()


def test_a_message_above_the_limit_closes_with_1009_when_it_is_announced(serve) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await _accept(receive, send)
        scope["extensions"]["streamspace.transport"].limit_messages(1000)
        await send({"type": "websocket.send", "text": "ready"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    with connect(f"ws://127.0.0.1:{serve(application)}/") as client:
        assert client.recv() == "ready"
        client.send(bytes(1001))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_compression_is_never_negotiated(serve) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await _accept(receive, send)
        await send({"type": "websocket.send", "text": ""})

    with connect(f"ws://127.0.0.1:{serve(application)}/", compression="deflate") as client:
        assert client.response is not None
        assert "sec-websocket-extensions" not in client.response.headers
        assert client.recv() == ""  # and empty messages are messages


def test_a_peer_that_answers_no_ping_is_dropped(serve) -> None:
    codes: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await _accept(receive, send)
        codes.append((await receive())["code"])

    port = serve(application, ping_interval=1, ping_timeout=2)
    with (
        connect(f"ws://127.0.0.1:{port}/") as alive,
        socket.create_connection(("127.0.0.1", port)) as dead,
    ):
        dead.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        wait_until(lambda: codes, "the dead peer to be dropped")
        alive.ping().wait(5)
        assert codes == [1006]


def test_a_failing_application_ends_its_own_connection_only(serve) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/fine":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"fine"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("as tested")

    port = serve(application)
    broken = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    broken.request("GET", "/")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        broken.getresponse().read()
    broken.close()
    fine = http.client.HTTPConnection("127.0.0.1", port)
    fine.request("GET", "/fine")
    assert fine.getresponse().read() == b"fine"
    fine.close()


def test_closing_says_1001_and_cancels_what_hangs(reactor: Reactor) -> None:
    cancelled = threading.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await _accept(receive, send)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    server, port = reactor.serve(application, shutdown_grace=0.3)
    with connect(f"ws://127.0.0.1:{port}/") as client:
        started = time.monotonic()
        reactor.await_(server.close())
        assert time.monotonic() - started < 3
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert cancelled.is_set()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_sigterm_ends_the_process(tmp_path) -> None:
    program = textwrap.dedent(
        """
        import asyncio
        from streamspace.server import Server
        async def application(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    pass  # the worst application there is
        server = Server(application, "127.0.0.1", 0, shutdown_grace=0.3)
        server.ready_callable = lambda: print(server.listening_addresses[0][1], flush=True)
        server.run()
        """
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        port = int(child.stdout.readline())
        with connect(f"ws://127.0.0.1:{port}/") as client:
            child.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert child.wait(8) is not None
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _fingerprint(*things: Any) -> str:
    text = "".join(inspect.getsource(thing) for thing in things)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


PRIVATE_PARTS = {
    "daphne.server": (
        (
            DaphneServer.run,
            DaphneServer.create_application,
            DaphneServer.handle_reply,
            DaphneServer.kill_all_applications,
            DaphneServer.application_checker,
            DaphneServer.protocol_disconnected,
        ),
        "ec7571cefaf4942c",
    ),
    "daphne.http_protocol": ((WebRequest, HTTPFactory.buildProtocol), "6fe31d829a261a02"),
    "daphne.ws_protocol": ((WebSocketProtocol,), "5a4cfd647234cdbd"),
    "autobahn": (
        (
            AutobahnProtocol.sendCloseFrame,
            AutobahnProtocol._sendAutoPing,
            AutobahnProtocol.processControlFrame,
            AutobahnProtocol.dropConnection,
            AutobahnProtocol.sendClose,
        ),
        "a5622086f17085d3",
    ),
    "twisted": (
        (
            FileDescriptor.write,
            FileDescriptor.doWrite,
            FileDescriptor.registerProducer,
            TcpConnection.writeSomeData,
            Request.gotLength,
            Request.handleContentChunk,
            Request.requestReceived,
            Request.registerProducer,
            Request.finish,
            HTTPChannel.allHeadersReceived,
            HTTPChannel.allContentReceived,
            HTTPChannel.rawDataReceived,
            HTTPChannel.requestDone,
            HTTPChannel.pauseProducing,
            HTTPChannel.resumeProducing,
        ),
        "f68550540207da81",
    ),
}


@pytest.mark.parametrize("library", PRIVATE_PARTS)
def test_the_private_parts_relied_on_are_those_that_were_read(library: str) -> None:
    """When this fails after an upgrade: compare streamspace/server.py with the new source, run
    the other tests of this module, and note the new fingerprint here."""
    parts, known = PRIVATE_PARTS[library]
    assert _fingerprint(*parts) == known
