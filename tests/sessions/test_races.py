"""Two requests at the same moment, each with a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from sessions import services
from sessions.choices import Phase
from sessions.models import Home, Session
from streamspace.accounts.models import Quota
from streamspace.errors import QuotaExceeded
from tests.making import fresh, make_session, make_template, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def together(*calls: Callable[[], object]) -> list[object]:
    """Call each in its own thread at the same moment; results, or the exceptions raised."""
    barrier = Barrier(len(calls))

    def one(call: Callable[[], object]) -> object:
        try:
            barrier.wait(10)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(one, call) for call in calls]
    return [future.exception() or future.result() for future in futures]


def test_of_two_launches_at_the_quota_s_edge_one_is_refused() -> None:
    make_template()
    owner = make_user()
    Quota.objects.create(user=owner, max_running=1)
    results = together(*[lambda: services.launch(owner, "terminal")] * 2)
    assert sum(isinstance(r, Session) for r in results) == 1
    assert sum(isinstance(r, QuotaExceeded) for r in results) == 1


def test_of_two_wakes_at_the_quota_s_edge_one_is_refused() -> None:
    owner = make_user()
    hibernated = {"desired_state": "hibernated", "phase": Phase.HIBERNATED}
    pair = [make_session(owner, **hibernated) for _ in range(2)]
    Quota.objects.create(user=owner, max_running=1)
    together(*[lambda s=s: services.wake(s.pk) for s in pair])
    assert Session.objects.filter(desired_state="running").count() == 1


def test_two_first_launches_of_one_user_make_one_home() -> None:
    make_template()
    owner = make_user()
    results = together(*[lambda: services.launch(owner, "terminal")] * 2)
    assert all(isinstance(r, Session) for r in results)
    assert Home.objects.count() == 1


def test_two_users_whose_names_read_the_same_launch_at_once() -> None:
    make_template()
    owners = [make_user(name) for name in ("jo.doe", "jo-doe", "jo+doe")]
    results = together(*[lambda o=o: services.launch(o, "terminal") for o in owners])
    assert [r for r in results if not isinstance(r, Session)] == []
    assert Home.objects.count() == 3


def test_waking_and_hibernating_at_once_with_events_of_the_owner_is_no_deadlock() -> None:
    session = make_session()
    owner = session.owner
    for _ in range(5):
        results = together(
            lambda: services.wake(session.pk, actor=owner),
            lambda: services.hibernate(session.pk, actor=owner),
            lambda: services.launch(owner, "terminal", actor=owner),
        )
        assert [r for r in results if isinstance(r, Exception)] == []


def test_each_wish_gets_a_generation_of_its_own() -> None:
    session = make_session()
    together(
        lambda: services.hibernate(session.pk),
        lambda: services.terminate(session.pk),
    )
    after = fresh(session)
    assert after.desired_state == "terminated"
    assert after.generation == 1 + after.events.exclude(kind="launched").count()
