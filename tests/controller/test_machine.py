"""Any order of wishes, events, lost messages and crashes ends in what was asked for.

Hypothesis makes up the order. After each step the rules that always hold are checked; at the end
the runtime heals, the schedule runs, and the session must arrive and then rest.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from controller import schedule
from controller.reconcile import reconcile
from controller.runtimes.base import RuntimeProblem
from sessions import activity, services
from sessions.choices import DesiredState, Phase
from sessions.lifecycle import Action, DisplayState
from sessions.models import Session
from sessions.selectors import use_of
from streamspace.accounts.models import Quota
from streamspace.errors import UserError
from tests.controller.memory import MemoryRuntime
from tests.making import make_template, make_user

WRITES = ("INSERT", "UPDATE", "DELETE")
SESSIONS = st.integers(0, 1)


class Crash(BaseException):
    """The process ends here."""


class Life(RuleBasedStateMachine):
    """Two sessions of one owner who may have one running."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.runtime = MemoryRuntime()
        self.messages: list[Any] = []
        for module in ("controller.reconcile", "controller.schedule"):
            part = importlib.import_module(module)
            self.patch.setattr(part, "current_runtime", lambda: self.runtime)
        for module in ("sessions.services", "controller.reconcile", "controller.schedule"):
            part = importlib.import_module(module)
            self.patch.setattr(part, "enqueue_reconcile", self.messages.append)
        self.clock = time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
        self.time = self.clock.start()
        self.block = transaction.atomic()
        self.block.__enter__()
        make_template(maxSessionDuration="8h")
        self.owner = make_user()
        Quota.objects.create(user=self.owner, max_running=1)
        self.ids = [services.launch(self.owner, "terminal").pk]
        services.hibernate(self.ids[0])
        self.ids.append(services.launch(self.owner, "terminal").pk)
        self.versions: dict[Any, int] = {}
        self.over: set[Any] = set()

    def session(self, number: int) -> Session:
        return Session.objects.select_related("owner", "revision").get(pk=self.ids[number])

    # --- What owners do

    @rule(number=SESSIONS, wish=st.sampled_from(["hibernate", "wake", "extend"]))
    def wish(self, number: int, wish: str) -> None:
        with contextlib.suppress(UserError):  # over quota, over, not running
            getattr(services, wish)(self.ids[number], actor=self.owner)

    @rule(number=SESSIONS, really=st.integers(0, 5))
    def terminate(self, number: int, really: int) -> None:
        if really == 5:  # seldom: nothing can happen to the session afterwards
            services.terminate(self.ids[number])

    @rule(number=SESSIONS)
    def give_input(self, number: int) -> None:
        activity.record(self.ids[number], timezone.now())

    # --- What compute does

    @rule(
        number=SESSIONS,
        event=st.sampled_from(["answer", "wait", "begin", "close", "lose_display", "lose"]),
    )
    def happen(self, number: int, event: str) -> None:
        name = self.session(number).name
        if name in self.runtime.computes:
            getattr(self.runtime, event)(name)

    @rule(number=SESSIONS, code=st.sampled_from([1, -9, None]))
    def crash_application(self, number: int, code: int | None) -> None:
        name = self.session(number).name
        if name in self.runtime.computes:
            self.runtime.close(name, code)

    @rule(transient=st.booleans())
    def refuse(self, transient: bool) -> None:
        self.runtime.faults.append(RuntimeProblem("Sorry", "Not now.", transient=transient))

    @rule()
    def break_down(self) -> None:
        self.runtime.faults.append(OSError("broken"))

    @rule(blind=st.booleans())
    def lag(self, blind: bool) -> None:
        self.runtime.blind = blind

    # --- What the product does

    @rule(seconds=st.sampled_from([1, 10, 61, 3600]))
    def pass_time(self, seconds: int) -> None:
        self.time.shift(timedelta(seconds=seconds))

    @rule()
    def deliver(self) -> None:
        if self.messages:
            reconcile(self.messages.pop(0))

    @rule()
    def lose_messages(self) -> None:
        self.messages.clear()

    @rule(job=st.sampled_from([schedule.sweep, schedule.verify, schedule.stop_idle]))
    def tick(self, job: Callable[[], int]) -> None:
        job()

    @rule(number=SESSIONS, writes=st.integers(0, 4))
    def crash_in_reconcile(self, number: int, writes: int) -> None:
        self._crash_after(writes, lambda: reconcile(self.ids[number]))

    @rule(
        number=SESSIONS,
        writes=st.integers(0, 3),
        wish=st.sampled_from([services.hibernate, services.wake]),
    )
    def crash_in_service(self, number: int, writes: int, wish: Callable[..., Any]) -> None:
        self._crash_after(writes, lambda: wish(self.ids[number]))

    def _crash_after(self, writes: int, work: Callable[[], Any]) -> None:
        left = writes

        def count(execute: Any, sql: str, *rest: Any) -> Any:
            nonlocal left
            if sql.startswith(WRITES):
                left -= 1
                if left < 0:
                    raise Crash
            return execute(sql, *rest)

        with contextlib.suppress(Crash, UserError), connection.execute_wrapper(count):
            work()
        # What was written outside of a transaction stays written; here the test's surrounds it.
        connection.needs_rollback = False

    # --- What always holds

    @invariant()
    def every_state_has_a_word_and_a_way_out(self) -> None:
        for number in range(2):
            session = self.session(number)
            assert session.display_state in DisplayState
            over = session.phase == Phase.TERMINATED
            assert (Action.TERMINATE in session.allowed_actions) is not over
            assert session.explanation or session.phase != Phase.FAILED
            assert session.endpoint is None or session.phase == Phase.RUNNING
            assert session.observed_generation <= session.generation

    @invariant()
    def versions_only_grow(self) -> None:
        for number in range(2):
            session = self.session(number)
            assert session.version >= self.versions.get(session.pk, 0)
            self.versions[session.pk] = session.version

    @invariant()
    def terminated_never_comes_back(self) -> None:
        for number in range(2):
            session = self.session(number)
            if session.pk in self.over:
                assert session.desired_state == DesiredState.TERMINATED
            if session.desired_state == DesiredState.TERMINATED:
                self.over.add(session.pk)
            if session.phase == Phase.TERMINATED:
                assert session.pk in self.over
                assert session.name not in self.runtime.computes

    @invariant()
    def the_quota_holds(self) -> None:
        assert use_of(self.owner).running <= 1

    # --- How it ends

    def teardown(self) -> None:
        try:
            self._heal()
            for number in range(2):
                self._arrived(self.session(number))
        finally:
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)
            self.clock.stop()
            self.patch.undo()

    def _heal(self) -> None:
        self.messages.clear()
        self.runtime.faults.clear()
        self.runtime.blind = False
        for _ in range(8):
            self.time.shift(timedelta(seconds=61))  # past every back-off and deadline
            schedule.sweep()
            schedule.verify()
            while self.messages:
                reconcile(self.messages.pop(0))
            for name in self.runtime.computes:
                self.runtime.begin(name)
                self.runtime.answer(name)

    def _arrived(self, session: Session) -> None:
        goals = {
            DesiredState.RUNNING: {Phase.RUNNING, Phase.FAILED},
            DesiredState.HIBERNATED: {Phase.HIBERNATED},
            DesiredState.TERMINATED: {Phase.TERMINATED},
        }
        assert session.phase in goals[DesiredState(session.desired_state)]
        assert (session.name in self.runtime.computes) is (session.phase == Phase.RUNNING)
        assert session.observed_generation == session.generation
        with CaptureQueriesContext(connection) as queries:
            reconcile(session.pk)
        assert [q["sql"] for q in queries if q["sql"].startswith(WRITES)] == []
        assert Session.objects.get(pk=session.pk).version == session.version


@pytest.mark.django_db
def test_any_order_of_events_ends_in_what_was_asked_for() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
