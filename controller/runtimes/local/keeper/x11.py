"""As much of an X11 client as the keeper needs: paint the root window, see the first window.

Spoken by hand because the tools for it (xsetroot, xprop) come in packages that nothing else here
needs, and a library would cost the keeper more to load than all its work.

Source: X Window System Protocol, X Version 11, Release 7.7, appendix B (encodings); the
client list is ``_NET_CLIENT_LIST`` of the Extended Window Manager Hints 1.5.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

COOKIE_NAME = b"MIT-MAGIC-COOKIE-1"
_SOCKETS = "/tmp/.X11-unix"  # noqa: S108 - where X servers listen, by convention
_FAMILY_WILD = 0xFFFF

_CHANGE_WINDOW_ATTRIBUTES, _INTERN_ATOM, _GET_PROPERTY = 2, 16, 20
_CREATE_PIXMAP, _CREATE_GC, _CLEAR_AREA, _PUT_IMAGE = 53, 55, 61, 72
_BACKGROUND_PIXMAP, _EVENT_MASK, _PROPERTY_CHANGES = 1 << 0, 1 << 11, 1 << 22
_REPLY, _PROPERTY_NOTIFY = 1, 28
_GRADIENT_ROWS = 1440
_TILE_COLUMNS = 4
_DITHER = (0.0, 0.5, 0.75, 0.25)

Colour = tuple[int, int, int]


def write_authority(path: Path) -> bytes:
    """Create the Xauthority file of one display, whatever its number; returns the cookie."""
    cookie = os.urandom(16)
    entry = struct.pack(">HHH", _FAMILY_WILD, 0, 0)
    for value in (COOKIE_NAME, cookie):
        entry += struct.pack(">H", len(value)) + value
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(entry)
    return cookie


class Display:
    """A connection to a local display. Raises OSError when the server refuses or is gone."""

    def __init__(self, number: int, cookie: bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(3)
        self._buffer = b""
        try:
            self.socket.connect(f"{_SOCKETS}/X{number}")
            self._set_up(cookie)
        except BaseException:
            self.socket.close()
            raise
        self._client_list = 0
        self.has_manager = False
        """Whether a window manager keeps its list of windows."""
        self.has_window = False
        """Whether there is any window on the list."""

    def paint(self, top: Colour, bottom: Colour) -> None:
        """Give the root window a vertical gradient; it outlives this connection."""
        pixmap, context = self._base, self._base + 1
        size = (_TILE_COLUMNS, _GRADIENT_ROWS)
        tile = _gradient(top, bottom)
        requests = [
            struct.pack(
                "<BBHIIHH", _CREATE_PIXMAP, self._depth, 4, pixmap, self._root, *size
            ),
            struct.pack("<BBHIII", _CREATE_GC, 0, 4, context, pixmap, 0),
            struct.pack(
                "<BBHIIHHhhBBH", _PUT_IMAGE, 2, 6 + len(tile) // 4, pixmap, context, *size,
                0, 0, 0, self._depth, 0,
            ) + tile,
            struct.pack(
                "<BBHIII", _CHANGE_WINDOW_ATTRIBUTES, 0, 4, self._root, _BACKGROUND_PIXMAP, pixmap
            ),
            struct.pack("<BBHIhhHH", _CLEAR_AREA, 0, 4, self._root, 0, 0, 0, 0),
        ]  # fmt: skip
        self.socket.sendall(b"".join(requests))

    def watch_windows(self) -> None:
        """Begin to look for windows; from here on call :meth:`update` when readable."""
        name = b"_NET_CLIENT_LIST"
        self.socket.sendall(
            struct.pack("<BBHHH", _INTERN_ATOM, 0, 2 + len(name) // 4, len(name), 0) + name
        )
        reply = self._take(32)
        while reply[0] != _REPLY:
            reply = self._take(32)
        (self._client_list,) = struct.unpack_from("<I", reply, 8)
        self.socket.sendall(
            struct.pack(
                "<BBHIII", _CHANGE_WINDOW_ATTRIBUTES, 0, 4, self._root, _EVENT_MASK,
                _PROPERTY_CHANGES,
            )
        )  # fmt: skip
        self._ask()
        self.socket.setblocking(False)

    def update(self) -> None:
        """Read what has arrived. Never waits; OSError when the server is gone."""
        while True:
            try:
                chunk = self.socket.recv(4096)
            except BlockingIOError:
                return
            if not chunk:
                raise ConnectionResetError("the display closed the connection")
            self._buffer += chunk
            while self._read_message():
                pass

    def _read_message(self) -> bool:
        """Take one event or reply out of the buffer; False when none is complete."""
        if len(self._buffer) < 32:
            return False
        message, size = self._buffer[:32], 32
        if message[0] == _REPLY:  # to GetProperty, as nothing else is asked from here on
            extra, kind, _, count = struct.unpack_from("<IIII", message, 4)
            size += extra * 4
            if len(self._buffer) < size:
                return False
            self.has_manager, self.has_window = kind != 0, count > 0
        elif message[0] == _PROPERTY_NOTIFY:
            (atom,) = struct.unpack_from("<I", message, 8)
            if atom == self._client_list:
                self._ask()
        self._buffer = self._buffer[size:]
        return True

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _ask(self) -> None:
        self.socket.sendall(
            struct.pack("<BBHIIIII", _GET_PROPERTY, 0, 6, self._root, self._client_list, 0, 0, 64)
        )

    def _set_up(self, cookie: bytes) -> None:
        hello = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(COOKIE_NAME), len(cookie))
        self.socket.sendall(hello + COOKIE_NAME.ljust(20, b"\0") + cookie)
        status, _, _, length = struct.unpack("<BxHHH", self._take(8))
        answer = self._take(length * 4)
        if status != 1:
            raise ConnectionRefusedError("the display refused the connection")
        self._base, _, _, vendor, _, _, formats = struct.unpack_from("<4xIIIHHBB", answer)
        screen = 32 + (vendor + 3) // 4 * 4 + formats * 8
        (self._root,) = struct.unpack_from("<I", answer, screen)
        (self._depth,) = struct.unpack_from("<B", answer, screen + 38)

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            chunk = self.socket.recv(4096)
            if not chunk:
                raise ConnectionResetError("the display closed the connection")
            self._buffer += chunk
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken


def _gradient(top: Colour, bottom: Colour) -> bytes:
    """A tile of 32-bit pixels, blue first; dithered, as 8 bits would show bands."""
    pixels = bytearray()
    for row in range(_GRADIENT_ROWS):
        share = row / (_GRADIENT_ROWS - 1)
        red, green, blue = (a + (b - a) * share for a, b in zip(top, bottom, strict=True))
        for column in range(_TILE_COLUMNS):
            nudge = _DITHER[(column + row) % 4]
            pixels += bytes((int(blue + nudge), int(green + nudge), int(red + nudge), 0))
    return bytes(pixels)
