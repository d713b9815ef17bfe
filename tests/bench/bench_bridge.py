"""The RFB bridge against websockify and no bridge at all, in one run.

Three processes: a source (what a VNC server does to a socket), the bridge under test, and this one
as the browser. Ours is the whole path: Daphne, the session's origin, cookie, database, filters.

    python -m tests.bench.bench_bridge
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from tests.bench.table import Row, render

WRITE = 16 * 1024
SECONDS = 1.0
ROUNDS = 5
ECHOES = 3000
STALL = 4.0
MIB = 1024 * 1024

GREETING = b"RFB 003.008\n\x01\x01"
POINTER = b"\x05\x00\x00\x10\x00\x10"


# --- The source: two unix sockets, one that writes as fast as it can, one that echoes


def source(folder: str) -> None:
    def serve(path: str, handle: Callable[[socket.socket], None]) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=run, args=(handle, connection), daemon=True).start()

    def run(handle: Callable[[socket.socket], None], connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            handle(connection)

    def blast(connection: socket.socket) -> None:
        block = bytes(WRITE)
        while True:
            connection.sendall(block)

    def echo(connection: socket.socket) -> None:
        while data := connection.recv(WRITE):
            connection.sendall(data)

    threading.Thread(target=serve, args=(f"{folder}/blast", blast), daemon=True).start()
    serve(f"{folder}/echo", echo)


# --- Our bridge, as it is in production but for its size


def bridge(folder: str, port: int) -> None:
    from streamspace.server import Server  # first: it chooses Twisted's reactor  # isort:skip
    import django

    django.setup()
    from channels.layers import get_channel_layer
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from django.utils import timezone

    from sessions.models import Session
    from sessions.stream import tickets
    from sessions.stream.asgi import stream_application
    from streamspace.accounts.models import User
    from templates_app.models import Template, TemplateRevision

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("bench", password="bench")
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    template = Template.objects.create(name="bench", display_name="Bench")
    spec = {"appType": "desktop"}
    revision = TemplateRevision.objects.create(
        template=template, template_name="bench", number=1, content_hash="0", spec=spec
    )
    for name in ("blast", "echo"):
        session = Session.objects.create(
            name=name,
            display_name=name,
            owner=user,
            template=template,
            revision=revision,
            cpu_millicores=1,
            memory_mib=1,
            start_requested_at=timezone.now(),
            last_activity_at=timezone.now(),
            phase="Running",
            endpoint={"kind": "rfb", "socket": f"{folder}/{name}", "host": "", "port": 0},
        )
        entry = tickets.Entry(session.id.hex, user.pk, str(store.session_key))
        cookie = f"{tickets.cookie_name()}={tickets.make_cookie(entry, name)}"
        Path(folder, f"{name}.cookie").write_text(cookie)

    def ready() -> None:
        import asyncio

        layer = get_channel_layer()
        if hasattr(layer, "attach"):
            layer.attach(asyncio.get_event_loop())

    Server(stream_application, "127.0.0.1", port, ready=ready).run()


# --- The browser


@dataclass
class Peer:
    """A connection through which the source's bytes come, framed or not."""

    sock: socket.socket
    framed: bool

    def send(self, data: bytes) -> None:
        if self.framed:
            data = bytes([0x82, 0x80 | len(data)]) + bytes(4) + data  # masked with zeros
        self.sock.sendall(data)

    def read(self, count: int) -> None:
        missing = count + (2 if self.framed else 0)  # one frame: headers of short frames are 2
        while missing:
            missing -= len(self.sock.recv(missing))


def direct(folder: str, name: str) -> Peer:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f"{folder}/{name}")
    return Peer(sock, framed=False)


def upgraded(port: int, host: str, path: str, headers: str) -> Peer:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: binary\r\n{headers}\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = sock.recv(1)
        if not data:
            raise RuntimeError(answer.decode())
        answer += data
    if b" 101 " not in answer:
        raise RuntimeError(answer.decode())
    return Peer(sock, framed=True)


def throughput(paths: Mapping[str, Callable[[str], Peer]]) -> dict[str, float]:
    """Median MB/s of several rounds; each round measures every path, so that whatever else the
    machine does hits all of them."""
    figures: dict[str, list[float]] = {name: [] for name in paths}
    buffer = bytearray(MIB)
    for _ in range(ROUNDS):
        for name, connect in paths.items():
            peer = connect("blast")
            with peer.sock:
                peer.sock.recv(1)
                total, started = 0, time.perf_counter()
                while (elapsed := time.perf_counter() - started) < SECONDS:
                    total += peer.sock.recv_into(buffer)
                figures[name].append(total / elapsed / 1e6)
    return {name: statistics.median(values) for name, values in figures.items()}


def echo(connect: Callable[[str], Peer]) -> tuple[float, float]:
    """Median and 99th percentile of a pointer event's way to the source and back, in µs."""
    peer = connect("echo")
    with peer.sock:
        peer.send(GREETING)
        peer.read(len(GREETING))
        times = []
        for number in range(ECHOES + 200):
            started = time.perf_counter()
            peer.send(POINTER)
            peer.read(len(POINTER))
            if number >= 200:
                times.append((time.perf_counter() - started) * 1e6)
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100]


def stalled_growth(connect: Callable[[str], Peer], pid: int) -> float:
    """MB that the server grows by while a browser does not read and the source writes on."""
    server = psutil.Process(pid)

    def rss() -> int:
        return sum(p.memory_info().rss for p in [server, *server.children(recursive=True)])

    before = rss()
    peer = connect("blast")
    with peer.sock:
        deadline = time.monotonic() + STALL
        most = before
        while time.monotonic() < deadline:
            time.sleep(0.05)
            most = max(most, rss())
    return (most - before) / 1e6


# --- The run


@contextlib.contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        # websockify tells of every connection.
        stderr=subprocess.DEVNULL if arguments[0] == "websockify" else None,
    )
    try:
        yield child
    finally:
        child.terminate()
        child.wait(10)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


def listening(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def run() -> list[Row]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ss-bench-"))
        stack.enter_context(process("tests.bench.bench_bridge", "source", folder))
        until(lambda: os.path.exists(f"{folder}/echo"), "the source")
        ours_port = free_port()
        settings = {
            "DJANGO_SETTINGS_MODULE": "streamspace.settings",
            "STREAMSPACE_DATA_DIR": f"{folder}/data",
            "STREAMSPACE_PORT": str(ours_port),
            "STREAMSPACE_LOG_LEVEL": "WARNING",
        }
        ours = stack.enter_context(
            process("tests.bench.bench_bridge", "bridge", folder, str(ours_port), **settings)
        )
        theirs = {
            name: (
                port := free_port(),
                stack.enter_context(
                    process("websockify", f"--unix-target={folder}/{name}", f"127.0.0.1:{port}")
                ),
            )
            for name in ("blast", "echo")
        }
        until(lambda: listening(ours_port), "the bridge")
        for port, _ in theirs.values():
            until(partial(listening, port), "websockify")

        def through_ours(name: str) -> Peer:
            host = f"{name}.localhost:{ours_port}"
            cookie = Path(folder, f"{name}.cookie").read_text()
            extra = f"Origin: http://{host}\r\nCookie: {cookie}\r\n"
            return upgraded(ours_port, host, "/_streamspace/rfb", extra)

        def through_theirs(name: str) -> Peer:
            return upgraded(theirs[name][0], "127.0.0.1", "/", "")

        paths: dict[str, Callable[[str], Peer]] = {
            "direct": lambda name: direct(folder, name),
            "websockify": through_theirs,
            "bridge": through_ours,
        }
        speed = throughput(paths)
        delay = {name: echo(connect) for name, connect in paths.items()}
        growth = {
            "websockify": stalled_growth(through_theirs, theirs["blast"][1].pid),
            "bridge": stalled_growth(through_ours, ours.pid),
        }
    return rows(speed, delay, growth)


def rows(
    speed: dict[str, float], delay: dict[str, tuple[float, float]], growth: dict[str, float]
) -> list[Row]:
    half = speed["websockify"] / 2
    added = delay["bridge"][0] - delay["direct"][0]
    how = f"16 KiB writes, median of {ROUNDS} rounds"
    out: list[Row] = []
    for name, figure in speed.items():
        ours = name == "bridge"
        out.append(
            Row(
                f"stream throughput, {name}",
                figure,
                "MB/s",
                f">= {half:.0f}" if ours else "",
                figure >= half if ours else None,
                "half of websockify in the same run" if ours else how,
            )
        )
    for name, (p50, p99) in delay.items():
        out.append(Row(f"stream echo p50, {name}", p50, "µs", note=f"{ECHOES} pointer events"))
        out.append(Row(f"stream echo p99, {name}", p99, "µs"))
    out.append(
        Row("stream echo p50, added by bridge", added, "µs", "< 1000", added < 1000, "over direct")
    )
    for name, figure in growth.items():
        ours = name == "bridge"
        out.append(
            Row(
                f"stream memory, stalled reader, {name}",
                figure,
                "MB",
                "< 20" if ours else "",
                figure < 20 if ours else None,
                f"growth in {STALL:.0f} s of a source writing at full speed",
            )
        )
    return out


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["source", folder]:
            source(folder)
        case ["bridge", folder, port]:
            bridge(folder, int(port))
        case _:
            print(render(run()))
