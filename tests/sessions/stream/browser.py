"""What a browser does to a session's origin, and what a VNC client says over its WebSocket."""

from __future__ import annotations

import http.client
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin


def close_code(websocket: ClientConnection, seconds: float = 5) -> int | None:
    """Read until the server closes, and return its code; None if it dropped the connection."""
    deadline = time.monotonic() + seconds
    try:
        while True:
            websocket.recv(timeout=max(0.0, deadline - time.monotonic()))
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((v for k, v in self.headers if k.lower() == name), None)

    def all(self, name: str) -> list[str]:
        return [v for k, v in self.headers if k.lower() == name]


class Browser:
    """One origin, one cookie jar, no opinions."""

    def __init__(self, port: int, name: str) -> None:
        self.port = port
        self.host = f"{name}.localhost:{port}"
        self.origin = f"http://{self.host}"
        self.portal = f"http://localhost:{port}"
        self.cookies = ""

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        fields = {"Host": self.host}
        if self.cookies:
            fields["Cookie"] = self.cookies
        if method not in ("GET", "HEAD", "OPTIONS"):
            fields["Origin"] = self.origin
        try:
            connection.request(method, path, body, {**fields, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", path, headers=fields)

    def enter(self, code: str, origin: str | None = None) -> Answer:
        """Post an entry code as the portal's page does, and keep the cookie."""
        answer = self.request(
            "POST",
            "/_streamspace/enter",
            urlencode({"code": code}),
            {
                "Origin": origin or self.portal,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        if cookie := answer.header("set-cookie"):
            self.cookies = cookie.split(";")[0]
        return answer

    def socket(self, path: str, origin: str | None = "", **options: Any) -> ClientConnection:
        """Open a WebSocket; ``origin`` None sends none."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        headers = {"Cookie": self.cookies} if self.cookies else {}
        return connect(
            f"ws://{self.host}{path}",
            sock=sock,
            origin=None if origin is None else Origin(origin or self.origin),
            additional_headers=headers,
            compression=options.pop("compression", None),
            max_size=None,
            proxy=None,
            **options,
        )

    @contextmanager
    def rfb(self) -> Iterator[RfbClient]:
        with self.socket("/_streamspace/rfb", subprotocols=["binary"]) as websocket:
            yield RfbClient(websocket)


class RfbClient:
    """A VNC client that knows Raw, and remembers clipboard text."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self._data = b""
        self.texts: list[str] = []
        self.name = ""
        self.size = (0, 0)

    def send(self, data: bytes) -> None:
        self.websocket.send(data)

    def read(self, count: int) -> bytes:
        while len(self._data) < count:
            piece = self.websocket.recv(timeout=10)
            assert isinstance(piece, bytes)
            self._data += piece
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def handshake(self) -> None:
        assert self.read(12) == b"RFB 003.008\n"
        self.send(b"RFB 003.008\n")
        types = self.read(self.read(1)[0])
        assert 1 in types
        self.send(b"\x01")
        assert self.read(4) == bytes(4)
        self.send(b"\x00")
        width, height = struct.unpack(">HH", self.read(4))
        self.size = (width, height)
        self.read(16)
        self.name = self.read(struct.unpack(">I", self.read(4))[0]).decode()
        self.send(struct.pack(">BxHii", 2, 2, 0, -223))

    def key(self, symbol: int) -> None:
        for down in (1, 0):
            self.send(struct.pack(">BBxxI", 4, down, symbol))

    def pointer(self, x: int, y: int, buttons: int = 0) -> None:
        self.send(struct.pack(">BBHH", 5, buttons, x, y))

    def paste(self, text: str) -> None:
        data = text.encode("latin-1")
        self.send(struct.pack(">BxxxI", 6, len(data)) + data)

    def frame(self) -> bytes:
        """Ask for the upper left corner and wait for it: all that was sent before was handled."""
        self.send(struct.pack(">BBHHHH", 3, 0, 0, 0, 8, 8))
        while (pixels := self.message()) is None:
            pass
        return pixels

    def message(self) -> bytes | None:
        """Read one server message; the pixels if it was an update."""
        kind = self.read(1)[0]
        if kind == 0:
            (count,) = struct.unpack(">xH", self.read(3))
            pixels = b""
            for _ in range(count):
                _, _, width, height, encoding = struct.unpack(">HHHHi", self.read(12))
                if encoding == 0:
                    pixels += self.read(width * height * 4)
            return pixels
        if kind == 3:
            (length,) = struct.unpack(">xxxI", self.read(7))
            self.texts.append(self.read(length).decode("latin-1"))
        elif kind == 1:
            (count,) = struct.unpack(">xHH", self.read(5))[1:]
            self.read(6 * count)
        else:
            assert kind == 2, kind
        return None
