"""What a browser may say to a VNC server: a streaming filter of RFB client messages.

Pure protocol, no I/O. :class:`ClientFilter` follows the client's half of RFB 3.8 (RFC 6143 and the
community's registry of extensions, https://github.com/rfbproto/rfbproto) byte for byte, whatever
pieces it comes in, and passes on what the connection's rights allow. What it does not know it
refuses: a message whose length is unknown would let everything after it through unseen.

For that, filter and server must agree on every length:

- only version 3.8 and security type None (the bridge authenticates, the socket is private);
- encodings that change the shape of client messages are not offered to the server: *extended mouse
  buttons* makes pointer events one byte longer once the server has agreed to it, in its half of the
  conversation;
- the *shared* flag is always set: nobody who enters disconnects another.

Memory is bounded: at most one message header (or the list of encodings) is kept, pastes are passed
or skipped as they come.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

VERSION = b"RFB 003.008\n"

SET_PIXEL_FORMAT = 0
SET_ENCODINGS = 2
UPDATE_REQUEST = 3
KEY_EVENT = 4
POINTER_EVENT = 5
CUT_TEXT = 6
CONTINUOUS_UPDATES = 150
FENCE = 248
XVP = 250
SET_DESKTOP_SIZE = 251
QEMU = 255

_FIXED = {
    SET_PIXEL_FORMAT: 20,
    UPDATE_REQUEST: 10,
    KEY_EVENT: 8,
    POINTER_EVENT: 6,
    CONTINUOUS_UPDATES: 10,
    XVP: 4,
    QEMU: 12,
}
"""Bytes of the messages that always have the same length, type byte included."""

_INPUT = frozenset({KEY_EVENT, POINTER_EVENT, CUT_TEXT, XVP, SET_DESKTOP_SIZE, QEMU})
"""Messages that act on the session. A view-only connection sends none of them."""

_ACTIVITY = frozenset({KEY_EVENT, POINTER_EVENT, QEMU})

EXTENDED_MOUSE_BUTTONS = -316
MAX_ENCODINGS = 256
"""Clients offer some thirty."""
MAX_FENCE = 64
"""Bytes of a fence's payload, by its definition."""
_MAX_CLIPBOARD_CONTROL = 4 + 4 * 16
"""Bytes of the longest extended clipboard message that carries no text (capabilities)."""

# Actions of the extended clipboard, in the first four bytes of its messages.
_CAPS, _ASK, _PEEK, _NOTIFY, _PROVIDE = (1 << bit for bit in (24, 25, 26, 27, 28))
_ACTIONS = 0xFF000000


class ProtocolError(Exception):
    """The client does not speak RFB as allowed here. The text may be shown, and holds no input."""


class Clipboard(Enum):
    """Which way clipboard text may travel: the values of a template's ``clipboard``."""

    BOTH = "both"
    TO_SESSION = "to_session"
    FROM_SESSION = "from_session"
    NONE = "none"

    @property
    def inbound(self) -> bool:
        return self in (Clipboard.BOTH, Clipboard.TO_SESSION)

    @property
    def outbound(self) -> bool:
        return self in (Clipboard.BOTH, Clipboard.FROM_SESSION)


@dataclass(slots=True)
class Seen:
    """What one :meth:`ClientFilter.feed` found."""

    forward: bytes = b""
    """What goes to the server."""
    input: bool = False
    """A key, the pointer or a paste was passed on."""
    pastes_refused: int = 0
    """Texts dropped by the clipboard policy."""
    pastes_too_large: int = 0
    """Texts dropped for their size."""


class ClientFilter:
    """One connection's client → server direction.

    ``paste_limit`` in bytes, as sent (extended clipboard text is compressed; the server's own
    limit bounds what it unpacks). ``encodings``: when given, only these are offered to the server,
    and only 32 bits per pixel are accepted (see :mod:`.rfb_server`).
    """

    def __init__(
        self,
        *,
        view_only: bool,
        clipboard: Clipboard,
        paste_limit: int,
        encodings: frozenset[int] | None = None,
    ) -> None:
        self._view_only = view_only
        self._clipboard = clipboard
        self._paste_limit = paste_limit
        self._encodings = encodings
        self._stage = 0
        """0 version, 1 security type, 2 ClientInit, 3 messages."""
        self._held = b""
        """The beginning of a message whose rest has not come."""
        self._passing = 0
        """Bytes of a paste still to be passed on …"""
        self._skipping = 0
        """… or to be dropped."""

    @property
    def held(self) -> int:
        """Bytes kept until more arrives."""
        return len(self._held)

    def feed(self, data: bytes) -> Seen:
        """Take the next piece of the stream; raise :class:`ProtocolError` and be unusable then."""
        seen = Seen()
        out: list[bytes] = []
        buffer = self._held + data if self._held else data
        position, end = 0, len(buffer)
        while position < end:
            if self._skipping or self._passing:
                taken = min(self._skipping or self._passing, end - position)
                if self._skipping:
                    self._skipping -= taken
                else:
                    self._passing -= taken
                    out.append(buffer[position : position + taken])
                position += taken
                continue
            if self._stage == 3:
                taken = self._message(buffer, position, end, out, seen)
            else:
                taken = self._greeting(buffer, position, end, out)
            if not taken:
                break
            position += taken
        self._held = buffer[position:]
        seen.forward = b"".join(out)
        return seen

    def _greeting(self, buffer: bytes, at: int, end: int, out: list[bytes]) -> int:
        if self._stage == 0:
            if end - at < len(VERSION):
                return 0
            if buffer[at : at + len(VERSION)] != VERSION:
                raise ProtocolError("Only RFB 3.8 is spoken here.")
            taken, answer = len(VERSION), VERSION
        elif self._stage == 1:
            if buffer[at] != 1:
                raise ProtocolError("Only security type None is spoken here.")
            taken, answer = 1, b"\x01"
        else:
            taken, answer = 1, b"\x01"  # shared
        self._stage += 1
        out.append(answer)
        return taken

    def _message(self, buffer: bytes, at: int, end: int, out: list[bytes], seen: Seen) -> int:
        """Handle the message at ``at``; return how many bytes of it were used, 0 for "more"."""
        kind = buffer[at]
        size = _FIXED.get(kind)
        if size is None:
            if kind == CUT_TEXT:
                return self._cut_text(buffer, at, end, out, seen)
            size = _variable_size(kind, buffer, at, end)
            if not size:
                return 0
        if end - at < size:
            return 0
        if kind == QEMU and buffer[at + 1] != 0:
            raise ProtocolError("Unknown QEMU message.")
        if kind == SET_PIXEL_FORMAT and self._encodings is not None and buffer[at + 4] != 32:
            raise ProtocolError("Only 32 bits per pixel can be followed.")
        if self._view_only and kind in _INPUT:
            return size
        if kind == SET_ENCODINGS:
            out.append(self._offer(buffer[at : at + size]))
        else:
            out.append(buffer[at : at + size])
            if kind in _ACTIVITY:
                seen.input = True
        return size

    def _offer(self, message: bytes) -> bytes:
        kept = [
            message[i : i + 4]
            for i in range(4, len(message), 4)
            if self._may_offer(int.from_bytes(message[i : i + 4], "big", signed=True))
        ]
        return b"\x02\x00" + len(kept).to_bytes(2, "big") + b"".join(kept)

    def _may_offer(self, encoding: int) -> bool:
        if encoding == EXTENDED_MOUSE_BUTTONS:
            return False
        return self._encodings is None or encoding in self._encodings

    def _cut_text(self, buffer: bytes, at: int, end: int, out: list[bytes], seen: Seen) -> int:
        if end - at < 8:
            return 0
        length = int.from_bytes(buffer[at + 4 : at + 8], "big", signed=True)
        if length >= 0:
            return self._decide(
                buffer[at : at + 8], length, self._clipboard.inbound, True, out, seen
            )
        length = -length
        if length < 4:
            raise ProtocolError("Extended clipboard message without flags.")
        if end - at < 12:
            return 0
        action = int.from_bytes(buffer[at + 8 : at + 12], "big") & _ACTIONS
        allowed, text = self._extended(action, length)
        return self._decide(buffer[at : at + 12], length - 4, allowed, text, out, seen)

    def _extended(self, action: int, length: int) -> tuple[bool, bool]:
        """Whether the policy allows an extended clipboard message, and whether it carries text."""
        if action == _PROVIDE:
            return self._clipboard.inbound, True
        if length > _MAX_CLIPBOARD_CONTROL:
            return False, True
        if action == _NOTIFY:
            return self._clipboard.inbound, False
        if action in (_ASK, _PEEK):
            return self._clipboard.outbound, False
        # Several actions at once are read differently by different servers.
        return action == _CAPS and self._clipboard is not Clipboard.NONE, False

    def _decide(
        self, header: bytes, rest: int, allowed: bool, text: bool, out: list[bytes], seen: Seen
    ) -> int:
        if self._view_only or not allowed:
            self._skipping = rest
            seen.pastes_refused += text and not self._view_only
        elif text and rest > self._paste_limit:
            self._skipping = rest
            seen.pastes_too_large += 1
        else:
            self._passing = rest
            out.append(header)
            seen.input = seen.input or text
        return len(header)


def _variable_size(kind: int, buffer: bytes, at: int, end: int) -> int:
    """Bytes of a message that announces its own length; 0 while that has not arrived."""
    if kind == SET_ENCODINGS:
        if end - at < 4:
            return 0
        count = int.from_bytes(buffer[at + 2 : at + 4], "big")
        if count > MAX_ENCODINGS:
            raise ProtocolError("Too many encodings.")
        return 4 + 4 * count
    if kind == FENCE:
        if end - at < 9:
            return 0
        if buffer[at + 8] > MAX_FENCE:
            raise ProtocolError("Fence with too much payload.")
        return 9 + buffer[at + 8]
    if kind == SET_DESKTOP_SIZE:
        if end - at < 8:
            return 0
        return 8 + 16 * buffer[at + 6]
    raise ProtocolError(f"Unknown message type {kind}.")
