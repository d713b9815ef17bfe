"""A real server on a loopback port, in a thread of the test process so that it sees its database.

``daphne.server`` must be imported before anything that imports Twisted's reactor.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import pytest
from channels.layers import channel_layers, get_channel_layer
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from sessions.models import Session, SessionShare
from sessions.stream import tickets
from sessions.stream.asgi import stream_application
from streamspace.accounts.models import User
from streamspace.server import Server
from templates_app.models import Template, TemplateRevision
from tests.sessions.stream.browser import Browser

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, seconds: float = 10) -> T:
    """Poll until ``condition`` holds, and return its value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)
    return found


class Reactor:
    """Twisted's reactor in a thread; it runs once per process."""

    def __init__(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.loop: asyncio.AbstractEventLoop = self.reactor._asyncioEventloop
        self._thread = threading.Thread(
            target=self.reactor.run, kwargs={"installSignalHandlers": False}, daemon=True
        )
        self._thread.start()
        wait_until(lambda: self.reactor.running, "the reactor")

    def call(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call in the reactor's thread and wait for the result."""
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(function(*arguments, **options))
            except BaseException as error:  # noqa: BLE001 (raised again in the waiting thread)
                result.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        return result.result(10)

    def await_(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(15)

    def serve(self, application: Any, **options: Any) -> tuple[Server, int]:
        """Start a server on a free port."""

        def start() -> Server:
            server = Server(application, "127.0.0.1", 0, **options)
            server.start()
            return server

        server = self.call(start)
        wait_until(lambda: server.listening_addresses, "the server to listen")
        return server, server.listening_addresses[0][1]


@pytest.fixture(scope="session")
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def serve(reactor: Reactor) -> Iterator[Callable[..., int]]:
    """Serve an ASGI application; returns the port."""
    servers = []

    def start(application: Any, **options: Any) -> int:
        server, port = reactor.serve(application, **options)
        servers.append(server)
        return port

    yield start
    for server in servers:
        reactor.await_(server.close())


@pytest.fixture
def stream_port(serve: Callable[..., int], reactor: Reactor, settings: Any) -> Iterator[int]:
    """The stream role, with its portal origin on the same port."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "streamspace.layers.EmbeddedChannelLayer"}}
    channel_layers.backends.clear()
    layer = get_channel_layer()
    assert layer is not None
    layer.attach(reactor.loop)
    port = serve(stream_application, shutdown_grace=1.0)
    settings.STREAMSPACE = settings.STREAMSPACE.model_copy(
        update={"portal_url": f"http://localhost:{port}", "paste_limit": 64}
    )
    yield port
    layer.attach(None)
    channel_layers.backends.clear()


@pytest.fixture
def alice(transactional_db: None) -> User:
    return User.objects.create_user("alice", password="pw")


@pytest.fixture
def bob(transactional_db: None) -> User:
    return User.objects.create_user("bob", password="pw")


def sign_in(user: User) -> str:
    """A portal session of ``user``; its key."""
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)


class World:
    """Makes sessions, and browsers that have entered them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sign_ins: dict[int, str] = {}

    def session(
        self,
        owner: User,
        name: str,
        endpoint: dict[str, Any] | None,
        *,
        clipboard: str = "both",
        app_type: str = "desktop",
    ) -> Session:
        template = Template.objects.create(name=f"t-{name}", display_name=name)
        revision = TemplateRevision.objects.create(
            template=template,
            template_name=template.name,
            number=1,
            content_hash=name,
            spec={"appType": app_type, "clipboard": clipboard},
        )
        now = timezone.now()
        return Session.objects.create(
            name=name,
            display_name=f"Session {name}",
            owner=owner,
            template=template,
            revision=revision,
            cpu_millicores=1,
            memory_mib=1,
            start_requested_at=now,
            last_activity_at=now,
            phase="Running" if endpoint else "Hibernated",
            desired_state="running" if endpoint else "hibernated",
            endpoint=endpoint and {"socket": "", "host": "", "port": 0, **endpoint},
        )

    def share(self, session: Session, user: User, role: str) -> SessionShare:
        return SessionShare.objects.create(session=session, user=user, role=role)

    def sign_in(self, user: User) -> str:
        if user.pk not in self.sign_ins:
            self.sign_ins[user.pk] = sign_in(user)
        return self.sign_ins[user.pk]

    def cookie(self, user: User, session: Session) -> str:
        entry = tickets.Entry(session.id.hex, user.pk, self.sign_in(user))
        return f"{tickets.cookie_name()}={tickets.make_cookie(entry, session.name)}"

    def browser(self, session: Session | str, user: User | None = None) -> Browser:
        """A browser at the session's origin; with ``user``, one that has entered."""
        name = session if isinstance(session, str) else session.name
        browser = Browser(self.port, name)
        if user is not None and isinstance(session, Session):
            browser.cookies = self.cookie(user, session)
        return browser


@pytest.fixture
def world(stream_port: int, transactional_db: None) -> World:
    return World(stream_port)
