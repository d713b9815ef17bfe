"""The proxy in front of a real web application on a unix socket or a port."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import WSMsgType, web
from django.core.cache import cache
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sessions.publish import announce
from sessions.stream import proxy, tickets
from sessions.stream.codes import Close
from tests.sessions.stream.browser import close_code
from tests.sessions.stream.conftest import Reactor, World, wait_until

MIB = 1024 * 1024


class Application:
    """A web application that tells what it was asked."""

    def __init__(self, reactor: Reactor, address: Path | None) -> None:
        self._reactor = reactor
        self.flooded = 0
        self.left = 0
        self.port = 0
        self.path = str(address) if address else ""
        self._runner: web.AppRunner | None = None
        reactor.await_(self._start())

    @property
    def endpoint(self) -> dict[str, Any]:
        if self.path:
            return {"kind": "http", "socket": self.path}
        return {"kind": "http", "host": "127.0.0.1", "port": self.port}

    async def _start(self) -> None:
        application = web.Application(client_max_size=0)
        for path, handler in {
            "/redirect": self._redirect,
            "/flood": self._flood,
            "/upload": self._upload,
            "/silent": self._silent,
            "/cut": self._cut,
            "/events": self._events,
            "/ws": self._websocket,
            "/{rest:.*}": self._echo,
        }.items():
            application.router.add_route("*", path, handler)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        if self.path:
            await web.UnixSite(self._runner, self.path).start()
        else:
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
            self.port = self._runner.addresses[0][1]

    def close(self) -> None:
        if self._runner is not None:
            self._reactor.await_(self._runner.cleanup())
            self._runner = None

    async def _echo(self, request: web.Request) -> web.Response:
        body = await request.read()
        seen = {
            "method": request.method,
            "url": request.raw_path,
            "headers": {k.lower(): v for k, v in request.headers.items()},
            "body": body.decode(),
        }
        response = web.json_response(seen)
        response.headers.add("Set-Cookie", "app=1; Domain=localhost; Path=/")
        response.headers.add("Set-Cookie", f"{tickets.cookie_name()}=evil; Path=/")
        response.headers["X-Frame-Options"] = "DENY"
        return response

    async def _redirect(self, request: web.Request) -> web.Response:
        target = request.query.get("to") or f"http://127.0.0.1:{self.port}/landing?x=1"
        return web.Response(status=302, headers={"Location": target})

    async def _flood(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(bytes(64 * 1024))
                self.flooded += 64 * 1024
        return response

    async def _upload(self, request: web.Request) -> web.Response:
        digest, largest = hashlib.sha256(), 0
        async for piece in request.content.iter_any():
            digest.update(piece)
            largest = max(largest, len(piece))
        return web.json_response({"sha256": digest.hexdigest(), "largest": largest})

    async def _silent(self, request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: tick\n\n")
                await asyncio.sleep(0.05)
        finally:
            self.left += 1

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("refuse"):
            return web.Response(status=403)
        websocket = web.WebSocketResponse(protocols=("two", "one"), max_msg_size=0)
        await websocket.prepare(request)
        headers = {k.lower(): v for k, v in request.headers.items()}
        await websocket.send_json({"url": request.raw_path, "headers": headers})
        async for message in websocket:
            if message.data == "bye":
                await websocket.close(code=4321)
            elif message.data == "flood":
                while True:
                    await websocket.send_bytes(bytes(64 * 1024))
                    self.flooded += 64 * 1024
            elif message.type is WSMsgType.TEXT:
                await websocket.send_str(message.data)
            else:
                await websocket.send_bytes(message.data)
        return websocket


@pytest.fixture(params=["unix", "tcp"])
def application(request, reactor: Reactor, tmp_path: Path) -> Iterator[Application]:
    made = Application(reactor, tmp_path / "app.sock" if request.param == "unix" else None)
    yield made
    made.close()


@pytest.fixture
def unix_application(reactor: Reactor, tmp_path: Path) -> Iterator[Application]:
    made = Application(reactor, tmp_path / "app.sock")
    yield made
    made.close()


@pytest.fixture
def session(world: World, alice, unix_application: Application):
    return world.session(alice, "one", unix_application.endpoint, app_type="webapp")


@pytest.fixture
def browser(world: World, alice, session):
    return world.browser(session, alice)


def steady(value: Any) -> None:
    """Wait until ``value()`` stops growing."""
    last = -1
    while last != value():
        last = value()
        time.sleep(0.3)


def active(session) -> bool:
    return cache.get(f"activity:{session.id.hex}") is not None


def test_requests_arrive_as_sent_without_our_cookies(world: World, alice, application) -> None:
    session = world.session(alice, "one", application.endpoint, app_type="webapp")
    browser = world.browser(session, alice)
    portal = f"streamspace-{tickets.cookie_name()[-8:]}"
    browser.cookies += f"; theme=dark; {portal}=portal"
    answer = browser.request(
        "POST",
        "/a%2Fb//c;d?x=%20&y=1",
        "body",
        {"X-Forwarded-For": "6.6.6.6", "Authorization": f"Bearer {'ab' * 32}", "X-Own": "1"},
    )
    seen = json.loads(answer.body)
    assert (seen["method"], seen["url"], seen["body"]) == ("POST", "/a%2Fb//c;d?x=%20&y=1", "body")
    headers = seen["headers"]
    assert headers["host"] == browser.host
    assert headers["cookie"] == "theme=dark"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-host"] == browser.host
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-own"] == "1"
    assert headers["origin"] == browser.origin
    assert "authorization" not in headers
    assert answer.all("set-cookie") == ["app=1; Path=/"]
    assert answer.header("x-frame-options") is None
    assert answer.header("content-security-policy") == "frame-ancestors 'self'"


def test_redirects_to_the_backend_lead_to_the_own_origin(world, alice, application) -> None:
    session = world.session(alice, "one", application.endpoint, app_type="webapp")
    browser = world.browser(session, alice)
    if application.port:
        assert browser.get("/redirect").header("location") == f"{browser.origin}/landing?x=1"
    elsewhere = browser.get("/redirect?to=https://example.org/")
    assert elsewhere.header("location") == "https://example.org/"
    inside = browser.get("/redirect?to=/landing")
    assert inside.header("location") == "/landing"


@pytest.mark.parametrize("origin", [None, "null", "http://two.localhost:1"])
def test_unsafe_requests_from_elsewhere_are_refused(browser, origin: str | None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", browser.port)
    headers = {"Host": browser.host, "Cookie": browser.cookies}
    connection.request("POST", "/", "x", headers | ({"Origin": origin} if origin else {}))
    answer = connection.getresponse()
    assert answer.status == 403
    assert json.loads(answer.read())["error"] == "cross_origin"
    connection.close()


def test_the_page_around_the_application_is_served_beside_it(browser) -> None:
    page = browser.get("/_streamspace/view")
    assert page.status == 200
    assert b'data-kind="http"' in page.body
    policy = page.header("content-security-policy")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.header("cache-control") == "no-store"
    assert page.header("referrer-policy") == "no-referrer"
    assert browser.get("/_streamspace/other").status == 404  # never the application's


def test_uploads_are_streamed(browser) -> None:
    block, count = os.urandom(MIB), 150
    process = psutil.Process()
    before = process.memory_info().rss
    connection = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=60)
    headers = {"Host": browser.host, "Cookie": browser.cookies, "Origin": browser.origin}
    headers["Content-Length"] = str(count * MIB)
    connection.request("PUT", "/upload", (block for _ in range(count)), headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["sha256"] == hashlib.sha256(block * count).hexdigest()
    assert answer["largest"] < 2 * MIB
    # The application lives in this process too, and the expected digest just needed the whole.
    assert process.memory_info().rss - before < (count + 60) * MIB


def test_a_slow_reader_slows_the_application_down(browser, unix_application) -> None:
    with socket.create_connection(("127.0.0.1", browser.port)) as client:
        client.sendall(
            f"GET /flood HTTP/1.1\r\nHost: {browser.host}\r\n"
            f"Cookie: {browser.cookies}\r\n\r\n".encode()
        )
        wait_until(lambda: unix_application.flooded > 0, "the first bytes")
        steady(lambda: unix_application.flooded)
        assert unix_application.flooded < 20 * MIB


def test_a_browser_that_leaves_ends_the_request(browser, unix_application) -> None:
    with socket.create_connection(("127.0.0.1", browser.port)) as client:
        client.sendall(
            f"GET /events HTTP/1.1\r\nHost: {browser.host}\r\n"
            f"Cookie: {browser.cookies}\r\n\r\n".encode()
        )
        assert b"200" in client.recv(4096)
    wait_until(lambda: unix_application.left == 1, "the application to be let go")


def test_a_silent_application_gets_504(browser, monkeypatch) -> None:
    monkeypatch.setattr(proxy, "ANSWER_TIMEOUT", 0.3)
    answer = browser.get("/silent")
    assert answer.status == 504
    assert b"takes too long to answer" in answer.body


def test_an_application_that_is_gone_gets_502_with_a_reload(browser, unix_application) -> None:
    unix_application.close()
    answer = browser.get("/")
    assert answer.status == 502
    assert b"hibernating" in answer.body
    assert b"Reload" in answer.body


def test_an_answer_cut_short_is_not_passed_off_as_complete(browser) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        browser.get("/cut")


def test_a_hibernated_session_says_so(world: World, alice) -> None:
    session = world.session(alice, "asleep", None, app_type="webapp")
    answer = world.browser(session, alice).get("/")
    assert answer.status == 503
    assert b"not running" in answer.body


def test_a_long_answer_ends_when_the_share_is_revoked(
    world, alice, bob, session, monkeypatch
) -> None:
    monkeypatch.setattr(proxy, "_WATCH_AFTER", 0.0)
    share = world.share(session, bob, "control")
    guest = world.browser(session, bob)
    connection = http.client.HTTPConnection("127.0.0.1", guest.port, timeout=5)
    connection.request("GET", "/events", headers={"Host": guest.host, "Cookie": guest.cookies})
    answer = connection.getresponse()
    assert answer.read(4) == b"data"
    share.delete()
    announce(session)
    started = time.monotonic()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    assert time.monotonic() - started < 2
    connection.close()


# --- WebSocket


def test_a_websocket_is_carried_with_its_subprotocol(world: World, alice, application) -> None:
    session = world.session(alice, "one", application.endpoint, app_type="webapp")
    browser = world.browser(session, alice)
    with browser.socket("/ws?a=%2F", subprotocols=["none", "one", "two"]) as websocket:
        assert websocket.subprotocol == "one"  # the application's choice
        seen = json.loads(websocket.recv())
        assert seen["url"] == "/ws?a=%2F"
        assert seen["headers"]["origin"] == browser.origin
        assert seen["headers"]["host"] == browser.host
        assert "cookie" not in seen["headers"]
        for data in ("text", "", b"bytes", b"", "ü" * 100_000, os.urandom(3 * MIB)):
            websocket.send(data)
            assert websocket.recv() == data
        websocket.send("bye")
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4321


def test_a_websocket_that_the_application_refuses_is_refused(browser) -> None:
    with pytest.raises(InvalidStatus), browser.socket("/ws?refuse=1"):
        pass


def test_a_websocket_without_entry_is_refused(world: World, session) -> None:
    with pytest.raises(InvalidStatus), world.browser(session).socket("/ws"):
        pass


def test_a_slow_websocket_reader_slows_the_application_down(browser, unix_application) -> None:
    with browser.socket("/ws", max_queue=1) as websocket:
        websocket.recv()
        websocket.send("flood")
        wait_until(lambda: unix_application.flooded > 0, "the first bytes")
        steady(lambda: unix_application.flooded)
        assert unix_application.flooded < 20 * MIB


def test_an_application_that_dies_closes_its_websockets(browser, unix_application) -> None:
    with browser.socket("/ws") as websocket:
        websocket.recv()
        unix_application.close()
        assert close_code(websocket) in (1001, Close.BACKEND_LOST)


def test_a_revoked_share_closes_the_applications_websockets(world, alice, bob, session) -> None:
    share = world.share(session, bob, "control")
    with world.browser(session, bob).socket("/ws") as websocket:
        websocket.recv()
        share.delete()
        announce(session)
        started = time.monotonic()
        assert close_code(websocket) == Close.REVOKED
        assert time.monotonic() - started < 2


# --- Input


def test_polling_is_never_input(browser, session) -> None:
    for _ in range(3):
        browser.get("/")
    with browser.socket("/_streamspace/status") as status:
        status.recv(timeout=5)  # a round trip after the last request
    assert not active(session)


def test_while_a_viewer_reports_input_requests_are_none(browser, session) -> None:
    with browser.socket("/_streamspace/status") as status, browser.socket("/ws") as websocket:
        status.recv(timeout=5)
        wait_until(lambda: cache.get(f"stream-reporter:{session.id.hex}:{session.owner_id}"), "it")
        websocket.recv()
        websocket.send("heartbeat")
        websocket.recv()
        browser.request("POST", "/", "x")
        assert not active(session)


def test_without_a_viewer_a_message_or_a_change_is_taken_for_input(browser, session) -> None:
    browser.request("POST", "/", "x")
    wait_until(lambda: active(session), "the change to count")
    cache.delete(f"activity:{session.id.hex}")
    with browser.socket("/ws") as websocket:
        websocket.recv()
        websocket.send("typed")
        wait_until(lambda: active(session), "the message to count")
