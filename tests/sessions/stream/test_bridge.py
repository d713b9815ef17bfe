"""The RFB bridge between a real server's WebSocket and a real Xvnc."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.core.cache import cache
from django.test import Client

from sessions.models import SessionShare
from sessions.publish import announce
from sessions.stream import metrics
from sessions.stream.codes import Close
from tests.sessions.stream.browser import RfbClient, close_code
from tests.sessions.stream.conftest import World, wait_until
from tests.sessions.stream.desktop import Desktop

pytestmark = pytest.mark.integration


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    if missing := Desktop.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    made = Desktop(tmp_path)
    yield made
    made.close()


def active(session) -> bool:
    return cache.get(f"activity:{session.id.hex}") is not None


def test_a_desktop_is_seen_and_the_subprotocol_agreed(world: World, alice, desktop) -> None:
    session = world.session(alice, "one", desktop.endpoint)
    with world.browser(session, alice).rfb() as client:
        assert client.websocket.subprotocol == "binary"
        client.handshake()
        assert client.size == (640, 480)
        assert len(client.frame()) == 8 * 8 * 4
        assert not active(session)  # looking is not input
        client.pointer(5, 5)
        wait_until(lambda: active(session), "the pointer to count as input")


def test_keys_of_a_guest_who_may_only_watch_do_not_arrive(world: World, alice, bob, desktop):
    session = world.session(alice, "one", desktop.endpoint)
    world.share(session, bob, "view")
    typed = desktop.typing()
    with world.browser(session, alice).rfb() as owner, world.browser(session, bob).rfb() as guest:
        owner.handshake()
        guest.handshake()
        for _ in range(3):
            guest.key(ord("x"))
        guest.pointer(300, 300, 1)
        guest.send(struct.pack(">BBHII", 255, 0, 1, ord("y"), 21))  # QEMU's way to say it
        assert len(guest.frame()) == 8 * 8 * 4  # seen, so all before was handled
        assert not active(session)
        for symbol in (ord("o"), ord("k"), 0xFF0D):
            owner.key(symbol)
        wait_until(lambda: "\n" in typed.read_text(), "the owner's line")
    assert typed.read_text() == "ok\n"
    assert "x:300" not in desktop.run("xdotool", "getmouselocation")


def test_text_goes_both_ways_where_the_policy_allows_it(world: World, alice, bob, desktop) -> None:
    session = world.session(alice, "one", desktop.endpoint)
    world.share(session, bob, "view")
    with world.browser(session, alice).rfb() as owner, world.browser(session, bob).rfb() as guest:
        owner.handshake()
        guest.handshake()
        guest.paste("from the guest")
        guest.frame()
        owner.paste("from the browser")
        wait_until(lambda: desktop.clipboard() == "from the browser", "the paste to arrive")
        desktop.copy("from the desktop")
        wait_until(lambda: _asked(owner) and owner.texts, "the text to arrive")
        assert owner.texts == ["from the desktop"]
        guest.frame()
        guest.frame()
        assert guest.texts == []  # the server sent it to both


def _asked(client: RfbClient) -> bool:
    client.frame()
    return True


@pytest.mark.parametrize("policy", ["none", "from_session"])
def test_text_does_not_enter_against_the_policy(world: World, alice, desktop, policy) -> None:
    session = world.session(alice, "one", desktop.endpoint, clipboard=policy)
    desktop.copy("before")
    browser = world.browser(session, alice)
    with browser.rfb() as client, browser.socket("/_streamspace/status") as status:
        client.handshake()
        wait_until(lambda: "state" in str(status.recv(timeout=5)), "the state")
        client.paste("secret")
        client.frame()
        assert desktop.clipboard() == "before"
        assert "paste_refused" in str(status.recv(timeout=5))


@pytest.mark.parametrize("policy", ["none", "to_session"])
def test_text_does_not_leave_against_the_policy(world: World, alice, desktop, policy) -> None:
    session = world.session(alice, "one", desktop.endpoint, clipboard=policy)
    allowed = world.session(alice, "two", desktop.endpoint)
    with world.browser(session, alice).rfb() as client, world.browser(allowed, alice).rfb() as free:
        client.handshake()
        free.handshake()
        desktop.copy("secret")
        wait_until(lambda: _asked(free) and free.texts, "the text to arrive where it may")
        client.frame()
        client.frame()
        assert client.texts == []


def test_two_gigabytes_of_paste_leave_memory_flat_and_the_session_usable(
    world: World, alice, desktop
) -> None:
    session = world.session(alice, "one", desktop.endpoint)
    browser = world.browser(session, alice)
    process = psutil.Process()
    with browser.rfb() as client, browser.socket("/_streamspace/status") as status:
        client.handshake()
        status.recv(timeout=5)
        total = (1 << 31) - 1
        client.send(struct.pack(">BxxxI", 6, total))
        before = process.memory_info().rss
        sent, piece = 0, bytes(64 * 1024)
        while sent < 200 * 1024 * 1024:  # a tenth shows it; the parser's test skips them all
            client.send(piece)
            sent += len(piece)
        assert process.memory_info().rss - before < 20 * 1024 * 1024
        assert "paste_too_large" in str(status.recv(timeout=5))
    with browser.rfb() as client:
        client.handshake()
        client.frame()


def test_a_whole_paste_above_the_limit_in_one_message_is_refused(world, alice, desktop) -> None:
    session = world.session(alice, "one", desktop.endpoint)
    with world.browser(session, alice).rfb() as client:
        client.handshake()
        client.send(bytes(1024 * 1024))
        assert close_code(client.websocket) == 1009


def test_nonsense_closes_with_a_protocol_error(world: World, alice, desktop) -> None:
    session = world.session(alice, "one", desktop.endpoint)
    with world.browser(session, alice).rfb() as client:
        client.handshake()
        client.send(b"\x7f")
        assert close_code(client.websocket) == Close.PROTOCOL


class Firehose:
    """A socket that writes as fast as it is read, and says how much."""

    def __init__(self, path: Path) -> None:
        self.endpoint = {"kind": "rfb", "socket": str(path)}
        self.written = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            try:
                while True:
                    connection.sendall(bytes(16 * 1024))
                    self.written += 16 * 1024
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def firehose(tmp_path: Path) -> Iterator[Firehose]:
    made = Firehose(tmp_path / "hose.sock")
    yield made
    made.close()


def test_a_slow_reader_slows_the_session_down_and_not_the_server(world, alice, firehose) -> None:
    session = world.session(alice, "one", firehose.endpoint)
    browser = world.browser(session, alice)
    with browser.socket("/_streamspace/rfb", max_queue=1):
        wait_until(lambda: firehose.written > 0, "the first bytes")
        last = -1
        while last != firehose.written:
            last = firehose.written
            time.sleep(0.3)
        assert firehose.written < 16 * 1024 * 1024


def test_a_viewer_that_leaves_is_let_go_even_while_the_session_floods(
    world: World, alice, firehose
) -> None:
    session = world.session(alice, "one", firehose.endpoint)
    with world.browser(session, alice).socket("/_streamspace/rfb") as websocket:
        websocket.recv(timeout=5)
        assert metrics.CONNECTIONS.labels("rfb")._value.get() == 1
    wait_until(lambda: metrics.CONNECTIONS.labels("rfb")._value.get() == 0, "the bridge to end")


def test_a_session_that_does_not_run_or_does_not_answer(world: World, alice, tmp_path) -> None:
    asleep = world.session(alice, "one", None)
    dead = world.session(alice, "two", {"kind": "rfb", "socket": str(tmp_path / "none")})
    for session, code in ((asleep, Close.NOT_RUNNING), (dead, Close.BACKEND_LOST)):
        with world.browser(session, alice).socket("/_streamspace/rfb") as websocket:
            assert close_code(websocket) == code


def test_a_killed_desktop_closes_with_1011(world: World, alice, desktop) -> None:
    session = world.session(alice, "one", desktop.endpoint)
    with world.browser(session, alice).rfb() as client:
        client.handshake()
        desktop.server.kill()
        assert close_code(client.websocket) == Close.BACKEND_LOST


# --- Rights that end while a connection is open


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("share revoked", Close.REVOKED),
        ("share lowered", Close.GOING_AWAY),
        ("hibernated", Close.NOT_RUNNING),
        ("terminated", Close.GONE),
    ],
)
def test_lost_rights_close_within_two_seconds(world, alice, bob, firehose, end, code) -> None:
    session = world.session(alice, "one", firehose.endpoint)
    share = world.share(session, bob, "control")
    with world.browser(session, bob).socket("/_streamspace/rfb", max_queue=1) as websocket:
        websocket.recv(timeout=5)
        if end == "share revoked":
            share.delete()
        elif end == "share lowered":
            SessionShare.objects.update(role="view")
        else:
            session.desired_state = end
            session.save()
        announce(session)
        started = time.monotonic()
        assert close_code(websocket) == code
        assert time.monotonic() - started < 2


def test_signing_out_of_the_portal_closes_its_streams_only(world, alice, firehose) -> None:
    session = world.session(alice, "one", firehose.endpoint)
    browser = world.browser(session, alice)
    here = Client()
    here.force_login(alice)
    world.sign_ins[alice.pk] = str(here.session.session_key)
    other = world.browser(session, alice)
    with (
        other.socket("/_streamspace/status") as leaving,
        browser.socket("/_streamspace/status") as staying,
    ):
        leaving.recv(timeout=5)
        staying.recv(timeout=5)
        here.logout()
        started = time.monotonic()
        assert close_code(leaving) == Close.ENTRY_NEEDED
        assert time.monotonic() - started < 2
        with pytest.raises(TimeoutError):
            staying.recv(timeout=0.3)
