"""The fixtures over :mod:`tests.infra`. A missing program skips the test and names the program.

| fixture | scope | what |
|---|---|---|
| ``postgres`` | session | a :class:`PostgresServer` |
| ``redis_server`` | session | a :class:`RedisServer` |
| ``portal`` | module | the all-in-one portal, shared by a module's tests |
| ``start_portal`` | function | makes portals of one's own, to be killed or set up differently |
| ``browser`` | module | Chromium |
| ``people`` | function | makes browser profiles, closed (and kept on failure) afterwards |
| ``page`` | function | one tab of one profile, ``base_url`` is the module's portal |

While ``browser`` is open an event loop runs in the main thread: tests with a browser use neither
the database nor ``async def``; they talk to the portal over HTTP or ``portal.manage``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
from playwright.sync_api import Browser, Page

from tests.infra.browser import People, chromium
from tests.infra.outcomes import failed
from tests.infra.portal import Portal
from tests.infra.postgres import PostgresServer
from tests.infra.programs import MissingProgram
from tests.infra.redis import RedisServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer.start()
    except MissingProgram as missing:
        pytest.skip(str(missing))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    try:
        server = RedisServer.start()
    except MissingProgram as missing:
        pytest.skip(str(missing))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    running = Portal.start()
    yield running
    running.close()


@pytest.fixture
def start_portal() -> Iterator[Callable[..., Portal]]:
    started: list[Portal] = []

    def start(settings: Mapping[str, str] | None = None) -> Portal:
        started.append(Portal.start(settings))
        return started[-1]

    yield start
    for running in started:
        running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as running:
            yield running
    except MissingProgram as missing:
        pytest.skip(str(missing))


@pytest.fixture
def people(request: pytest.FixtureRequest, browser: Browser) -> Iterator[People]:
    base_url = None
    if "portal" in request.fixturenames:
        base_url = request.getfixturevalue("portal").url
    made = People(browser, base_url)
    yield made
    faults = made.faults()
    folder = made.close(keep_as=request.node.nodeid if faults or failed(request.node) else "")
    assert not faults, f"the browser reported ({folder}): " + "; ".join(faults)


@pytest.fixture
def page(portal: Portal, people: People) -> Page:
    return people("user").page()
