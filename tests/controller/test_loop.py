"""The controller's two threads: what fails is tried again, and nothing else suffers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event
from uuid import UUID

import pytest
from django.db import InterfaceError, OperationalError, connection
from hypothesis import given
from hypothesis import strategies as st

from controller import loop
from controller.loop import MAX_WAIT, Controller, Job, default_jobs, pause_after
from sessions.models import Session
from tests.controller.memory import MemoryRuntime
from tests.making import make_session


def wait_until(condition: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Controller]]:
    """Start a controller with these jobs; it is stopped after the test."""
    monkeypatch.setattr(loop, "close_old_connections", lambda: None)
    started: list[Controller] = []

    def start(*jobs: Job) -> Controller:
        controller = Controller(list(jobs) or [Job(60, lambda: None, due=time.monotonic() + 60)])
        controller.start()
        started.append(controller)
        return controller

    yield start
    for controller in started:
        controller.stop()
        assert not any(thread.is_alive() for thread in controller._threads)


# --- Pauses


@given(failures=st.integers(0, 10**6), shortest=st.floats(0.01, 3600))
def test_a_pause_is_bounded_after_any_number_of_failures(failures: int, shortest: float) -> None:
    assert shortest <= pause_after(failures, shortest) <= max(MAX_WAIT, shortest)


def test_pauses_double_up_to_the_longest() -> None:
    assert [pause_after(n, 1.0) for n in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_job_that_works_again_is_as_frequent_as_before() -> None:
    outcomes = [ValueError(), ValueError(), None]

    def work() -> None:
        if (problem := outcomes.pop(0)) is not None:
            raise problem

    job = Job(1.0, work)
    for _ in range(3):
        job.run_if_due(float("inf"))
    assert job.failures == 0
    assert 0.5 < job.due - time.monotonic() <= 1


def test_a_job_runs_when_it_is_due_and_not_before() -> None:
    calls: list[int] = []
    job = Job(1.0, lambda: calls.append(1), due=10)
    job.run_if_due(9.9)
    assert calls == []
    job.run_if_due(10)
    assert calls == [1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "problem", [ValueError("ours"), OperationalError("away"), InterfaceError("closed")]
)
def test_what_a_job_raises_stays_with_the_job(
    problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)

    def fail() -> None:
        raise problem

    job = Job(1.0, fail)
    job.run_if_due(float("inf"))
    assert job.failures == 1


def test_the_schedule_has_every_job_of_the_module() -> None:
    assert {job.run.__name__ for job in default_jobs()} == {
        "sweep",
        "stop_idle",
        "check_new_templates",
        "check_templates",
        "verify",
        "remove_orphans",
        "purge_history",
        "purge_sign_ins",
    }


# --- The threads


def test_a_failing_job_stops_neither_the_others_nor_the_loop(
    run: Callable[..., Controller], runtime: MemoryRuntime
) -> None:
    calls: list[str] = []

    def fail() -> None:
        calls.append("fail")
        raise ValueError("ours")

    run(Job(0.01, fail), Job(0.01, lambda: calls.append("work")))
    wait_until(lambda: calls.count("fail") > 2 and calls.count("work") > 2)


class RestlessRuntime(MemoryRuntime):
    """Its watch fails a few times, then tells of one session."""

    watches = 0

    def watch(self, stop: Event) -> Iterator[str]:
        self.watches += 1
        if self.watches < 3:
            raise OSError("the watch broke")
        yield from super().watch(stop)


def test_a_watch_that_fails_is_started_again(
    run: Callable[..., Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "pause_after", lambda *_: 0.01)
    runtime = RestlessRuntime(events=["changed"])
    told: list[str] = []
    monkeypatch.setattr(loop, "current_runtime", lambda: runtime)
    monkeypatch.setattr(Controller, "_changed", staticmethod(told.append))
    run()
    wait_until(lambda: told == ["changed"])
    assert runtime.watches == 3


def test_a_watch_that_ends_in_peace_does_not_spin(
    run: Callable[..., Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Brief(MemoryRuntime):
        watches = 0

        def watch(self, stop: Event) -> Iterator[str]:
            self.watches += 1
            return iter(())

    runtime = Brief()
    monkeypatch.setattr(loop, "current_runtime", lambda: runtime)
    run()
    time.sleep(0.1)
    assert 1 <= runtime.watches <= 3


@pytest.mark.django_db
def test_what_the_watch_tells_is_asked_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[UUID] = []
    monkeypatch.setattr(loop, "close_old_connections", lambda: None)
    session = make_session()
    monkeypatch.setattr(loop, "enqueue_reconcile", asked.append)
    Controller._changed(session.name)
    Controller._changed("unknown")
    assert asked == [session.pk]
    assert Session.objects.count() == 1
