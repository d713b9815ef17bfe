"""What the proxy holds back: from those who may only watch, and from rude applications."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sessions.stream.conftest import Reactor, World
from tests.sessions.stream.test_proxy import Application


@pytest.fixture
def session(world: World, alice, reactor: Reactor, tmp_path: Path) -> Iterator:
    application = Application(reactor, tmp_path / "app.sock")
    yield world.session(alice, "one", application.endpoint, app_type="webapp")
    application.close()


@pytest.mark.parametrize(("role", "status"), [("control", 200), ("view", 403)])
def test_who_may_only_watch_changes_nothing(world, alice, bob, session, role, status) -> None:
    world.share(session, bob, role)
    guest = world.browser(session, bob)
    assert guest.get("/").status == 200
    assert guest.request("POST", "/", b"x", {"Origin": guest.origin}).status == status


def test_what_a_watcher_says_on_a_websocket_is_dropped(world, alice, bob, session) -> None:
    world.share(session, bob, "view")
    with world.browser(session, bob).socket("/ws") as websocket:
        websocket.recv()
        websocket.send("hello")
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=0.5)


def test_an_application_cannot_switch_protocols_unasked(world: World, alice, tmp_path) -> None:
    path = str(tmp_path / "rude.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
                )

        with ThreadPoolExecutor(1) as pool:
            pool.submit(answer)
            session = world.session(alice, "one", {"kind": "http", "socket": path})
            assert world.browser(session, alice).get("/").status == 502
