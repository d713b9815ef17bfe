"""Withhold the session's clipboard from a connection that may not read it.

A VNC server sends clipboard text to everyone connected. Where a connection may only watch, or the
template's policy keeps text inside, :class:`ServerFilter` follows the server's half of RFB and
leaves the text out. To do so it must know the length of everything else, so such a connection is
only offered :data:`FOLLOWED`: encodings whose length is plain to see (ZRLE instead of Tight; a
little more traffic), at 32 bits per pixel. All other connections are not parsed at all.

Not withheld: that text was cut (a cursor may show it), and text that is visible on the screen.
"""

from __future__ import annotations

from collections.abc import Callable

from .rfb import FENCE, VERSION, XVP, ProtocolError

RAW, COPY_RECT, ZRLE = 0, 1, 16
DESKTOP_SIZE, LAST_RECT, CURSOR = -223, -224, -239
QEMU_KEYS, QEMU_LED = -258, -261
DESKTOP_NAME, EXTENDED_DESKTOP_SIZE = -307, -308
EXTENDED_CLIPBOARD = 0xC0A1E5CE - (1 << 32)

FOLLOWED = frozenset(
    {
        *(RAW, COPY_RECT, ZRLE, DESKTOP_SIZE, LAST_RECT, CURSOR, QEMU_KEYS, QEMU_LED),
        *(DESKTOP_NAME, EXTENDED_DESKTOP_SIZE),
        -309,  # xvp
        -312,  # fence
        -313,  # continuous updates
        *range(-32, -22),  # quality levels
        *range(-256, -246),  # compression levels
    }
)
"""Encodings that this module can follow; what the server may be offered."""

_CAPS, _REQUEST = 1 << 24, 1 << 25
_ACTIONS = 0xFF000000
_UNTIL_LAST_RECT = 0xFFFF

_Step = Callable[[bytes, int, int], int]


class ServerFilter:
    """One connection's server → client direction, without clipboard text.

    ``replies``: pass on what the extended clipboard needs for text *to* the session (what the
    server can take, and its requests). Memory is bounded by the longest header.
    """

    def __init__(self, *, replies: bool) -> None:
        self._replies = replies
        self._step: _Step = self._version
        self._held = b""
        self._passing = 0
        self._skipping = 0
        self._rects = 0
        self.withheld = 0
        """Clipboard messages left out."""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece and return what goes on; raise ProtocolError for the unknown."""
        out: list[bytes] = []
        buffer = self._held + data if self._held else data
        at, end = 0, len(buffer)
        while at < end:
            if self._passing:
                taken = min(self._passing, end - at)
                self._passing -= taken
                out.append(buffer[at : at + taken])
            elif self._skipping:
                taken = min(self._skipping, end - at)
                self._skipping -= taken
            else:
                # A step looks only at headers; it says how much to pass or to skip from here on.
                if not self._step(buffer, at, end):
                    break
                continue
            at += taken
        self._held = buffer[at:]
        return b"".join(out)

    def _pass(self, count: int, then: _Step) -> int:
        self._passing = count
        self._step = then
        return 1

    def _skip(self, count: int) -> int:
        self._skipping = count
        self.withheld += 1
        return 1

    # --- The greeting

    def _version(self, buffer: bytes, at: int, end: int) -> int:
        if end - at < 12:
            return 0
        if not VERSION <= buffer[at : at + 12] < b"RFB 004":
            raise ProtocolError("The session's server does not speak RFB 3.8.")
        return self._pass(12, self._security)

    def _security(self, buffer: bytes, at: int, end: int) -> int:
        if buffer[at] == 0:
            raise ProtocolError("The session's server refused the connection.")
        return self._pass(1 + buffer[at], self._result)

    def _result(self, buffer: bytes, at: int, end: int) -> int:
        if end - at < 4:
            return 0
        if buffer[at : at + 4] != b"\0\0\0\0":
            raise ProtocolError("The session's server refused the connection.")
        return self._pass(4, self._init)

    def _init(self, buffer: bytes, at: int, end: int) -> int:
        if end - at < 24:
            return 0
        if buffer[at + 4] != 32:
            raise ProtocolError("Only 32 bits per pixel can be followed.")
        return self._pass(24 + _u32(buffer, at + 20), self._message)

    # --- Messages

    def _message(self, buffer: bytes, at: int, end: int) -> int:
        kind = buffer[at]
        if kind == 0:
            if end - at < 4:
                return 0
            self._rects = _u16(buffer, at + 2)
            return self._pass(4, self._rect if self._rects else self._message)
        if kind == 3:
            return self._cut_text(buffer, at, end)
        if kind == 1:
            size = 6 + 6 * _u16(buffer, at + 4) if end - at >= 6 else 0
        elif kind == FENCE:
            size = 9 + buffer[at + 8] if end - at >= 9 else 0
        else:
            size = {2: 1, 150: 1, XVP: 4}.get(kind, -1)
        if size < 0:
            raise ProtocolError(f"Unknown server message {kind}.")
        return self._pass(size, self._message) if size else 0

    def _cut_text(self, buffer: bytes, at: int, end: int) -> int:
        if end - at < 8:
            return 0
        length = int.from_bytes(buffer[at + 4 : at + 8], "big", signed=True)
        if length >= 0:
            return self._skip(8 + length)
        if end - at < 12:
            return 0
        if self._replies and _u32(buffer, at + 8) & _ACTIONS in (_CAPS, _REQUEST):
            return self._pass(8 - length, self._message)
        return self._skip(8 - length)

    def _rect(self, buffer: bytes, at: int, end: int) -> int:
        if end - at < 12:
            return 0
        encoding = int.from_bytes(buffer[at + 8 : at + 12], "big", signed=True)
        size = self._rect_size(encoding, buffer, at, end)
        if size is None:
            return 0
        if encoding == LAST_RECT:
            self._rects = 0
        elif self._rects != _UNTIL_LAST_RECT:
            self._rects -= 1
        return self._pass(12 + size, self._rect if self._rects else self._message)

    @staticmethod
    def _rect_size(encoding: int, buffer: bytes, at: int, end: int) -> int | None:
        """Bytes after the rectangle's header; None while its length has not arrived."""
        width, height = _u16(buffer, at + 4), _u16(buffer, at + 6)
        if encoding in (DESKTOP_SIZE, LAST_RECT, QEMU_KEYS):
            return 0
        if encoding == RAW:
            return width * height * 4
        if encoding == COPY_RECT:
            return 4
        if encoding == CURSOR:
            return width * height * 4 + (width + 7) // 8 * height
        if encoding == QEMU_LED:
            return 1
        if encoding not in (ZRLE, DESKTOP_NAME, EXTENDED_DESKTOP_SIZE):
            raise ProtocolError(f"Unknown encoding {encoding}.")
        if end - at < 16:
            return None
        if encoding == EXTENDED_DESKTOP_SIZE:
            return 4 + 16 * buffer[at + 12]
        return 4 + _u32(buffer, at + 12)


def _u16(buffer: bytes, at: int) -> int:
    return int.from_bytes(buffer[at : at + 2], "big")


def _u32(buffer: bytes, at: int) -> int:
    return int.from_bytes(buffer[at : at + 4], "big")
