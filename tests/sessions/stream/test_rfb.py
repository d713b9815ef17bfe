"""The RFB filters, byte for byte."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.stream.rfb import (
    CUT_TEXT,
    MAX_ENCODINGS,
    SET_ENCODINGS,
    ClientFilter,
    Clipboard,
    ProtocolError,
)
from sessions.stream.rfb_server import FOLLOWED, ServerFilter

LIMIT = 1000
HELLO = b"RFB 003.008\n\x01\x01"
KEY = struct.pack(">BBxxI", 4, 1, 0x61)
POINTER = struct.pack(">BBHH", 5, 1, 10, 20)
QEMU_KEY = struct.pack(">BBHII", 255, 0, 1, 0x61, 30)
UPDATE = struct.pack(">BBHHHH", 3, 1, 0, 0, 800, 600)
FORMAT = b"\0\0\0\0" + struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
CONTINUOUS = struct.pack(">BBHHHH", 150, 1, 0, 0, 800, 600)
FENCE = struct.pack(">B3xIB", 248, 1, 3) + b"abc"
XVP = struct.pack(">BxBB", 250, 1, 2)
RESIZE = struct.pack(">BxHHBx", 251, 800, 600, 1) + bytes(16)


def encodings(*values: int) -> bytes:
    return struct.pack(f">BxH{len(values)}i", SET_ENCODINGS, len(values), *values)


def text(length: int) -> bytes:
    return struct.pack(">BxxxI", CUT_TEXT, length) + b"t" * length


def extended(flags: int, payload: bytes = b"") -> bytes:
    return struct.pack(">BxxxiI", CUT_TEXT, -4 - len(payload), flags) + payload


CAPS, REQUEST, PEEK, NOTIFY, PROVIDE = (1 << bit for bit in (24, 25, 26, 27, 28))
HARMLESS = [UPDATE, FORMAT, CONTINUOUS, FENCE, encodings(16, 0), encodings()]
INPUT = [KEY, POINTER, QEMU_KEY, XVP, RESIZE, text(5), text(0), extended(PROVIDE | 1, b"zzz")]


def make(**options) -> ClientFilter:
    defaults = {"view_only": False, "clipboard": Clipboard.BOTH, "paste_limit": LIMIT}
    return ClientFilter(**{**defaults, **options})


def greeted(**options) -> ClientFilter:
    made = make(**options)
    made.feed(HELLO)
    return made


@pytest.mark.parametrize("message", HARMLESS + INPUT)
def test_what_may_pass_passes_unchanged(message: bytes) -> None:
    assert greeted().feed(message).forward == message


@pytest.mark.parametrize("message", INPUT)
def test_a_view_only_connection_sends_no_input(message: bytes) -> None:
    seen = greeted(view_only=True).feed(UPDATE + message + UPDATE)
    assert seen.forward == UPDATE + UPDATE
    assert not seen.input


@pytest.mark.parametrize("message", HARMLESS)
def test_a_view_only_connection_still_sees(message: bytes) -> None:
    assert greeted(view_only=True).feed(message).forward == message


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        *((KEY, True), (POINTER, True), (QEMU_KEY, True), (text(3), True), (UPDATE, False)),
        *((FENCE, False), (encodings(0), False), (extended(CAPS), False), (RESIZE, False)),
    ],
)
def test_only_keys_pointer_and_pastes_are_input(message: bytes, expected: bool) -> None:
    assert greeted().feed(message).input is expected


def test_the_greeting_asks_to_share_the_desktop_whatever_the_client_wants() -> None:
    assert make().feed(b"RFB 003.008\n\x01\x00").forward == HELLO


@pytest.mark.parametrize(
    "greeting",
    [b"RFB 003.003\n", b"RFB 003.007\n", b"GET / HTTP/1.1", b"RFB 003.008\n\x02"],
)
def test_another_greeting_is_refused(greeting: bytes) -> None:
    with pytest.raises(ProtocolError):
        make().feed(greeting)


@pytest.mark.parametrize(
    "message",
    [bytes([kind]) for kind in (1, 7, 8, 100, 249, 252, 253)]
    + [b"\xff\x01\x00\x00" + bytes(8), FENCE[:8] + b"\x41" + bytes(0x41)]
    + [struct.pack(">BxH", SET_ENCODINGS, MAX_ENCODINGS + 1)]
    + [struct.pack(">Bxxxi", CUT_TEXT, -3)],
)
def test_a_message_of_unknown_length_is_refused(message: bytes) -> None:
    with pytest.raises(ProtocolError):
        greeted().feed(message)


def test_extended_mouse_buttons_are_not_offered() -> None:
    assert greeted().feed(encodings(16, -316, 0)).forward == encodings(16, 0)


def test_only_encodings_that_can_be_followed_are_offered_where_text_is_withheld() -> None:
    offered = greeted(encodings=FOLLOWED).feed(encodings(7, 16, 5, 0, -316, 0x574D5664)).forward
    assert offered == encodings(16, 0)
    with pytest.raises(ProtocolError):
        greeted(encodings=FOLLOWED).feed(FORMAT.replace(b"\x20\x18", b"\x10\x10"))


def test_text_above_the_limit_is_skipped_and_counted() -> None:
    seen = greeted().feed(text(LIMIT) + text(LIMIT + 1) + KEY)
    assert seen.forward == text(LIMIT) + KEY
    assert (seen.pastes_too_large, seen.pastes_refused) == (1, 0)


@pytest.mark.parametrize("policy", [Clipboard.FROM_SESSION, Clipboard.NONE])
def test_text_against_the_policy_is_skipped_and_counted(policy: Clipboard) -> None:
    seen = greeted(clipboard=policy).feed(text(5) + extended(PROVIDE | 1, b"zzz") + UPDATE)
    assert seen.forward == UPDATE
    assert seen.pastes_refused == 2


@pytest.mark.parametrize(
    ("policy", "actions"),
    [
        (Clipboard.BOTH, {CAPS, REQUEST, PEEK, NOTIFY, PROVIDE}),
        (Clipboard.TO_SESSION, {CAPS, NOTIFY, PROVIDE}),
        (Clipboard.FROM_SESSION, {CAPS, REQUEST, PEEK}),
        (Clipboard.NONE, set()),
    ],
)
def test_extended_clipboard_actions_follow_the_policy(policy: Clipboard, actions: set) -> None:
    passed = {
        action
        for action in (CAPS, REQUEST, PEEK, NOTIFY, PROVIDE)
        if greeted(clipboard=policy).feed(extended(action | 1)).forward
    }
    assert passed == actions
    for mixed in (CAPS | PROVIDE, REQUEST | PROVIDE, NOTIFY | PEEK, 0):
        assert not greeted(clipboard=policy).feed(extended(mixed | 1)).forward


def test_two_gigabytes_of_paste_are_skipped_in_constant_memory() -> None:
    filtered = greeted()
    announced = struct.pack(">BxxxI", CUT_TEXT, (1 << 31) - 1)
    assert filtered.feed(announced).pastes_too_large == 1
    block, left = bytes(1 << 20), (1 << 31) - 1
    while left:
        piece = block[: min(left, len(block))]
        assert filtered.feed(piece).forward == b""
        assert filtered.held == 0
        left -= len(piece)
    assert filtered.feed(KEY).forward == KEY


messages = st.lists(
    st.one_of(
        st.sampled_from(HARMLESS + INPUT),
        st.integers(0, 2 * LIMIT).map(text),
        st.tuples(st.integers(0, (1 << 29) - 1), st.binary(max_size=100)).map(
            lambda pair: extended(*pair)
        ),
        st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=20).map(
            lambda values: encodings(*values)
        ),
        st.binary(max_size=64).map(lambda b: struct.pack(">B3xIB", 248, 0, len(b)) + b),
        st.integers(0, 8).map(lambda n: struct.pack(">BxHHBx", 251, 1, 1, n) + bytes(16 * n)),
    ),
    max_size=12,
)
options = st.fixed_dictionaries(
    {"view_only": st.booleans(), "clipboard": st.sampled_from(list(Clipboard))}
)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def run(filtered: ClientFilter, pieces: list[bytes]) -> tuple:
    """Everything that the pieces lead to, up to the first error."""
    forward, facts = b"", [False, 0, 0]
    for piece in pieces:
        try:
            seen = filtered.feed(piece)
        except ProtocolError:
            # What came before the error in the same piece is not passed on; a split may differ.
            return forward, facts, True
        forward += seen.forward
        facts = [
            facts[0] or seen.input,
            facts[1] + seen.pastes_refused,
            facts[2] + seen.pastes_too_large,
        ]
    return forward, facts, False


@given(messages, st.lists(st.integers(min_value=0), max_size=30), options)
def test_any_split_of_the_stream_gives_the_same_result(parts, cuts, chosen) -> None:
    data = HELLO + b"".join(parts)
    assert run(make(**chosen), [data]) == run(make(**chosen), split(data, cuts))


@given(st.binary(max_size=5000), st.lists(st.integers(min_value=0), max_size=30), options)
def test_arbitrary_bytes_never_crash_and_keep_little(data, cuts, chosen) -> None:
    filtered = greeted(**chosen)
    for piece in split(data, cuts):
        try:
            filtered.feed(piece)
        except ProtocolError:
            return
        assert filtered.held <= 4 + 4 * MAX_ENCODINGS + 16 * 255 + 8


def kinds(stream: bytes) -> list[int]:
    """Message types of a client stream: an independent reading of what was let through."""
    sizes = {0: 20, 3: 10, 4: 8, 5: 6, 150: 10, 250: 4, 255: 12}
    found, at = [], 0
    while at < len(stream):
        kind = stream[at]
        found.append(kind)
        if kind in sizes:
            at += sizes[kind]
        elif kind == 2:
            at += 4 + 4 * struct.unpack_from(">H", stream, at + 2)[0]
        elif kind == 248:
            at += 9 + stream[at + 8]
        elif kind == 251:
            at += 8 + 16 * stream[at + 6]
        elif kind == 6:
            at += 8 + abs(struct.unpack_from(">i", stream, at + 4)[0])
        else:
            raise AssertionError(f"type {kind} at {at}")
    return found


@given(
    st.lists(st.one_of(st.binary(max_size=200), st.sampled_from(HARMLESS + INPUT)), max_size=20),
    st.sampled_from(list(Clipboard)),
)
def test_view_only_output_never_holds_an_input_message(parts, clipboard) -> None:
    filtered = greeted(view_only=True, clipboard=clipboard)
    out = b""
    for part in parts:
        try:
            out += filtered.feed(part).forward
        except ProtocolError:
            break
    assert set(kinds(out)) <= {0, 2, 3, 150, 248}


# --- Server → client


SERVER_HELLO = (
    b"RFB 003.008\n\x02\x01\x13\0\0\0\0"
    + struct.pack(">HHBBBBHHHBBB3x", 800, 600, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
    + struct.pack(">I", 7)
    + b"desktop"
)


def rect(encoding: int, payload: bytes = b"", width: int = 4, height: int = 3) -> bytes:
    return struct.pack(">HHHHi", 0, 0, width, height, encoding) + payload


def update(*rects: bytes, count: int | None = None) -> bytes:
    return struct.pack(">BxH", 0, len(rects) if count is None else count) + b"".join(rects)


SERVER_MESSAGES = [
    update(rect(0, bytes(48)), rect(1, bytes(4)), rect(16, b"\0\0\0\5abcde")),
    update(rect(-239, bytes(48 + 3)), rect(-223), rect(-258), rect(-261, b"\1")),
    update(rect(-307, b"\0\0\0\4name"), rect(-308, b"\2\0\0\0" + bytes(32))),
    update(rect(16, b"\0\0\0\1z"), rect(-224), count=0xFFFF),
    update(),
    struct.pack(">BxHH", 1, 0, 2) + bytes(12),
    b"\x02",
    b"\x96",
    struct.pack(">B3xIB", 248, 1, 2) + b"ab",
    b"\xfa\x00\x01\x01",
]


def server_text(length: int) -> bytes:
    return struct.pack(">BxxxI", 3, length) + b"s" * length


def server_extended(flags: int, payload: bytes = b"") -> bytes:
    return struct.pack(">BxxxiI", 3, -4 - len(payload), flags) + payload


server_streams = st.lists(
    st.one_of(
        st.sampled_from(SERVER_MESSAGES),
        st.integers(0, 300).map(server_text),
        st.sampled_from([server_extended(f | 1, b"xyz") for f in (CAPS, REQUEST, PROVIDE, NOTIFY)]),
    ),
    max_size=15,
)


@given(server_streams, st.lists(st.integers(min_value=0), max_size=30), st.booleans())
def test_all_but_clipboard_text_passes_in_any_split(parts, cuts, replies) -> None:
    kept = [
        part
        for part in parts
        if part[0] != 3
        or (
            replies
            and part[4] & 0x80
            and struct.unpack_from(">I", part, 8)[0] & 0xFF000000 in (CAPS, REQUEST)
        )
    ]
    filtered = ServerFilter(replies=replies)
    out = b"".join(map(filtered.feed, split(SERVER_HELLO + b"".join(parts), cuts)))
    assert out == SERVER_HELLO + b"".join(kept)
    assert filtered.withheld == len(parts) - len(kept)


@given(st.binary(max_size=3000))
def test_arbitrary_server_bytes_never_crash(data) -> None:
    filtered = ServerFilter(replies=False)
    filtered.feed(SERVER_HELLO)
    try:
        filtered.feed(data)
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "stream",
    [
        *(b"HTTP/1.1 400", b"RFB 003.003\n", b"RFB 003.008\n\0\0\0\0\3no."),
        *(b"RFB 003.008\n\1\1\0\0\0\1", SERVER_HELLO + b"\7", SERVER_HELLO + update(rect(7))),
    ],
)
def test_a_server_that_cannot_be_followed_is_refused(stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        ServerFilter(replies=False).feed(stream)
