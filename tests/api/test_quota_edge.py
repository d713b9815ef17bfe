"""Two launches at once where one fits: exactly one passes, on every database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from sessions import services
from sessions.models import Session
from streamspace.accounts.models import User
from streamspace.accounts.services import MAX_TOKENS, create_token, set_quota
from tests.api.conftest import ROOT, client_of, make_template


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", ["max_sessions", "max_running", "max_cpu_millicores"])
def test_the_last_room_is_given_once(limit: str) -> None:
    user = User.objects.create_user("ada")
    make_template()
    set_quota(user=user, **{limit: 500 if "cpu" in limit else 1})  # type: ignore[arg-type]
    barrier = Barrier(2)

    def launch(_: int) -> int:
        client = client_of(user)
        barrier.wait(timeout=10)
        try:
            return client.post(
                f"{ROOT}/sessions", {"template": "firefox"}, format="json"
            ).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(launch, range(2))) == [201, 403]
    assert Session.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_waking_at_once_passes_the_edge_once() -> None:
    user = User.objects.create_user("ada")
    make_template()
    names = [services.launch(user, "firefox").name for _ in range(2)]
    for session in Session.objects.all():
        services.hibernate(session.pk)
    set_quota(user=user, max_running=1)
    barrier = Barrier(2)

    def wake(name: str) -> int:
        client = client_of(user)
        barrier.wait(timeout=10)
        try:
            return client.post(f"{ROOT}/sessions/{name}/wake").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(wake, names)) == [202, 403]


@pytest.mark.django_db(transaction=True)
def test_tokens_at_once_pass_the_edge_once() -> None:
    user = User.objects.create_user("ada")
    clients = [client_of(user) for _ in range(2)]
    for number in range(MAX_TOKENS - 3):
        create_token(user, f"t{number}")
    barrier = Barrier(2)

    def create(number: int) -> int:
        barrier.wait(timeout=10)
        try:
            return clients[number].post(f"{ROOT}/tokens", {"name": "x"}, format="json").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(create, range(2))) == [201, 409]
