"""The same portal with PostgreSQL and Redis instead of what it has inside."""

from __future__ import annotations

import secrets
import time

import pytest

from tests.e2e.client import Client
from tests.infra.portal import Portal
from tests.infra.postgres import PostgresServer
from tests.infra.programs import wait_until
from tests.infra.redis import RedisServer

pytestmark = pytest.mark.integration


@pytest.fixture
def served(
    start_portal, postgres: PostgresServer, redis_server: RedisServer
) -> tuple[Portal, Client]:
    database = f"portal_{secrets.token_hex(4)}"
    postgres.create_database(database)
    portal = start_portal(
        {
            **postgres.environ(database),
            "REDIS_URL": redis_server.url,
            "STREAMSPACE_SECRET_KEY": secrets.token_urlsafe(48),
        }
    )
    return portal, Client(portal)


def test_a_session_lives_its_life(served: tuple[Portal, Client]) -> None:
    _, client = served
    name = client.launch_running("terminal")["name"]
    client.act(name, "hibernate")
    client.wait_for(name, "Hibernated")
    client.act(name, "wake")
    client.wait_for(name, "Running")
    client.terminate_all()


def test_while_redis_is_away_launches_wait_in_the_database(
    served: tuple[Portal, Client], redis_server: RedisServer
) -> None:
    _, client = served
    client.wait_until_launchable("terminal")
    redis_server.pause()
    started = time.monotonic()
    name = client.launch("terminal")["name"]
    assert time.monotonic() - started < 15
    assert client.session(name)["phase"] == "Pending"
    redis_server.resume()
    client.wait_for(name, "Running", timeout=60)
    client.terminate_all()


def test_the_doctor_finds_what_is_away(
    served: tuple[Portal, Client], redis_server: RedisServer
) -> None:
    portal, _ = served
    assert "SS200" in portal.manage("doctor")
    redis_server.pause()
    try:
        with pytest.raises(AssertionError, match=r"SS201 ERROR"):
            portal.manage("doctor")
    finally:
        redis_server.resume()
    wait_until(lambda: "SS200" in portal.manage("doctor"), timeout=20, what="a clean report")
