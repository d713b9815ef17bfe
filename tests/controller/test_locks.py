"""One reconcile per session at a time, and nobody else is held up."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection

from controller.locks import forget, session_lock
from controller.models import ReconcileLock
from controller.reconcile import Result, reconcile
from sessions import services
from tests.controller.memory import MemoryRuntime
from tests.making import fresh, make_session


def in_thread(pool: ThreadPoolExecutor, call: Callable[[], Any]) -> Any:
    def own_connection() -> Any:
        try:
            return call()
        finally:
            connection.close()

    return pool.submit(own_connection)


@pytest.mark.django_db(transaction=True)
def test_while_one_worker_holds_a_session_another_does_not_get_it() -> None:
    session_id = uuid4()
    taken, done = Event(), Event()

    def hold() -> bool:
        with session_lock(session_id) as held:
            taken.set()
            done.wait(10)
            return held

    def attempt() -> bool:
        with session_lock(session_id) as held:
            return held

    with ThreadPoolExecutor(2) as pool:
        first = in_thread(pool, hold)
        assert taken.wait(10)
        assert in_thread(pool, attempt).result(10) is False
        done.set()
        assert first.result(10) is True
        assert in_thread(pool, attempt).result(10) is True


@pytest.mark.django_db(transaction=True)
def test_different_sessions_do_not_exclude_each_other() -> None:
    def attempt() -> bool:
        with session_lock(uuid4()) as held:
            return held

    with session_lock(uuid4()), ThreadPoolExecutor(1) as pool:
        assert in_thread(pool, attempt).result(10) is True


@pytest.mark.django_db(transaction=True)
def test_a_fault_while_holding_frees_the_lock() -> None:
    session_id = uuid4()
    with pytest.raises(ZeroDivisionError), session_lock(session_id):
        raise ZeroDivisionError
    with session_lock(session_id) as held:
        assert held


@pytest.mark.django_db(transaction=True)
def test_an_owner_s_wish_does_not_wait_for_a_reconcile_at_work(runtime: MemoryRuntime) -> None:
    session = make_session()
    at_work, done = Event(), Event()
    original = runtime.apply

    def slowly(spec: Any) -> None:
        at_work.set()
        done.wait(10)
        original(spec)

    runtime.apply = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        reconciling = in_thread(pool, lambda: reconcile(session.pk))
        assert at_work.wait(10)
        started = time.monotonic()
        services.terminate(session.pk)
        assert time.monotonic() - started < 2
        assert in_thread(pool, lambda: reconcile(session.pk)).result(10) is Result.BUSY
        done.set()
        reconciling.result(10)
    runtime.apply = original  # type: ignore[method-assign]
    assert fresh(session).phase == "Pending"
    reconcile(session.pk)
    assert fresh(session).phase == "Terminated"


@pytest.mark.sqlite
@pytest.mark.django_db
def test_on_sqlite_another_process_is_excluded_and_its_end_frees_the_lock() -> None:
    session_id = uuid4()
    path = settings.STREAMSPACE.data_dir / "locks" / f"session-{session_id.hex}"
    path.parent.mkdir(exist_ok=True)
    script = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with session_lock(session_id) as held:
            assert held is False
        other.kill()
        other.wait(10)
    with session_lock(session_id) as held:
        assert held is True
    forget(session_id)
    assert not path.exists()


@pytest.mark.django_db
def test_forgetting_leaves_nothing_and_is_idempotent() -> None:
    session_id = uuid4()
    with session_lock(session_id):
        pass
    forget(session_id)
    forget(session_id)
    assert not ReconcileLock.objects.exists()
