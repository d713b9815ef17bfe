"""Status sockets and messages over a real Redis, and what becomes of both when it goes away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from channels.layers import channel_layers, get_channel_layer
from pydantic import SecretStr

from controller import schedule
from sessions import publish, queue, services
from sessions.models import Session
from tests.infra.redis import RedisServer
from tests.making import fresh, make_session, make_template, make_user
from tests.sessions.sockets import Connect, do, do_in_a_loop_of_its_own, ids

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PATIENCE = {"socket_connect_timeout": 2, "socket_timeout": 5}


@pytest.fixture
def _on_redis(settings: Any, redis_server: RedisServer, fresh_layer: None) -> Iterator[None]:
    """The settings that ``REDIS_URL`` makes, for what is announced."""
    update = {"redis_url": SecretStr(redis_server.url)}
    settings.STREAMSPACE = settings.STREAMSPACE.model_copy(update=update)
    publish._away.cache_clear()
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": redis_server.url, **PATIENCE}], "prefix": "test"},
        }
    }
    channel_layers.backends.clear()
    yield
    publish._away.cache_clear()
    if redis_server.process is None or redis_server.process.poll() is not None:
        redis_server.resume()


@pytest.fixture
def broker(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    """An own Celery application on Redis, which the queue sends with."""
    app = Celery("test", broker=redis_server.url, set_as_current=False)
    app.conf.broker_transport_options = {**PATIENCE, "max_retries": 1, "interval_start": 0}
    monkeypatch.setattr(queue, "current_app", app)
    monkeypatch.setattr(queue, "_broker", queue._Broker())
    yield app
    app.close()


@pytest.mark.usefixtures("_on_redis")
async def test_changes_reach_sockets_through_redis(connect: Connect) -> None:
    session = await do(make_session)
    socket = await connect(session.owner)
    assert ids(await socket.next()) == {str(session.pk)}
    await do_in_a_loop_of_its_own(lambda: services.rename(session.pk, "over redis"))
    assert (await socket.next())["session"]["display_name"] == "over redis"
    await get_channel_layer().flush()


@pytest.mark.usefixtures("_on_redis")
def test_without_redis_a_request_succeeds_within_seconds(
    redis_server: RedisServer, broker: Celery
) -> None:
    make_template()
    owner = make_user()
    redis_server.pause()
    started = time.monotonic()
    session = services.launch(owner, "terminal")
    services.hibernate(session.pk)
    assert time.monotonic() - started < 5
    assert fresh(session).desired_state == "hibernated"


@pytest.mark.usefixtures("_on_redis")
def test_what_was_not_sent_is_found_by_the_sweep_when_redis_is_back(
    redis_server: RedisServer, broker: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_template()
    redis_server.pause()
    services.launch(make_user(), "terminal")
    redis_server.resume()
    monkeypatch.setattr(queue, "_broker", queue._Broker())  # its pause is over
    assert schedule.sweep() == Session.objects.count() == 1
    with redis.Redis(port=redis_server.port) as client:
        assert client.llen("celery") == 1


@pytest.mark.usefixtures("_on_redis")
def test_a_sweep_does_not_stand_still_for_each_message(
    redis_server: RedisServer, broker: Celery
) -> None:
    owner = make_user()
    for _ in range(20):
        make_session(owner)
    redis_server.pause()
    started = time.monotonic()
    assert schedule.sweep() == 20
    assert time.monotonic() - started < 3
