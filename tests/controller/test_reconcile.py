"""One reconcile: the lock, the runtime, what is written and what is asked for next."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.sessions.models import Session as SignIn
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from controller import schedule
from controller.locks import session_lock
from controller.models import ReconcileLock
from controller.reconcile import BACKOFF, Result, reconcile
from controller.runtimes.base import RuntimeProblem
from sessions import services
from sessions.choices import EventKind, Phase, StopReason
from sessions.models import Session
from templates_app.models import TemplateRevision
from tests.controller.conftest import run, start
from tests.controller.memory import MemoryRuntime
from tests.making import fresh, make_session, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages")]

WRITES = ("INSERT", "UPDATE", "DELETE")


def writes_of(session: Session) -> list[str]:
    """The statements of one reconcile that write."""
    with CaptureQueriesContext(connection) as queries:
        reconcile(session.pk)
    return [q["sql"] for q in queries if q["sql"].startswith(WRITES)]


def kinds(session: Session) -> list[str]:
    return list(session.events.order_by("id").values_list("kind", flat=True))


# --- The plain course


def test_from_launch_to_running(runtime: MemoryRuntime) -> None:
    session = make_session()
    assert run(session) is Result.CHANGED
    assert (session.phase, session.step) == (Phase.PENDING, "Starting the application")
    runtime.answer(session.name)
    assert run(session) is Result.CHANGED
    assert (session.phase, session.endpoint) == (
        Phase.RUNNING,
        {"kind": "rfb", "socket": "/run/desktop", "host": "", "port": 0},
    )
    assert session.observed_generation == session.generation
    assert kinds(session) == [EventKind.LAUNCHED, EventKind.RUNNING]


def test_hibernation_releases_the_compute_and_keeps_the_home(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    services.hibernate(session.pk)
    run(session)
    assert (session.phase, session.running_since) == (Phase.HIBERNATED, None)
    assert session.home is not None
    assert runtime.computes == {}


def test_waking_starts_a_new_attempt(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    services.hibernate(session.pk)
    run(session)
    services.wake(session.pk)
    start(session, runtime)
    assert runtime.computes[session.name].attempt == session.attempt == 2


def test_termination_takes_everything_away(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    services.terminate(session.pk)
    run(session)
    assert session.phase == Phase.TERMINATED
    assert session.terminated_at is not None
    assert f"remove {session.name}" in runtime.calls


@pytest.mark.parametrize("wish", [services.hibernate, services.terminate])
def test_a_start_can_be_cancelled(runtime: MemoryRuntime, wish) -> None:
    session = make_session()
    run(session)
    wish(session.pk)
    run(session)
    assert session.display_state in {"hibernated", "terminated"}
    assert runtime.computes == {}


def test_waking_before_the_old_compute_has_gone_is_no_loss(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    services.hibernate(session.pk)
    services.wake(session.pk)
    runtime.blind = True
    run(session)
    assert (session.phase, session.restarts, session.attempt) == (Phase.PENDING, 0, 2)


# --- Nothing is written when nothing changes


def test_a_running_session_is_reconciled_without_a_write(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    assert writes_of(session) == []
    assert fresh(session).version == session.version
    assert run(session) is Result.UNCHANGED


@pytest.mark.parametrize("state", ["starting", "waiting", "failed", "hibernated"])
def test_a_session_in_any_lasting_state_is_reconciled_without_a_write(
    runtime: MemoryRuntime, state: str
) -> None:
    session = make_session()
    run(session)
    if state == "waiting":
        runtime.wait(session.name)
    elif state == "failed":
        runtime.close(session.name, 1)
    elif state == "hibernated":
        services.hibernate(session.pk)
    run(session)
    run(session)
    assert writes_of(session) == []


def test_reconciling_what_is_over_writes_nothing_and_calls_no_runtime(
    runtime: MemoryRuntime,
) -> None:
    session = make_session(desired_state="terminated", phase=Phase.TERMINATED)
    assert run(session) is Result.GONE
    assert runtime.calls == []
    assert not ReconcileLock.objects.exists()


def test_a_message_for_a_session_that_is_gone_is_nothing() -> None:
    assert reconcile(uuid4()) is Result.GONE
    assert not ReconcileLock.objects.exists()


# --- What is asked for next


def test_a_closed_application_hibernates(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    Session.objects.update(running_since=timezone.now() - timedelta(hours=1))
    runtime.close(session.name, 0)
    run(session)
    assert (session.desired_state, session.stop_reason) == ("hibernated", StopReason.CLOSED)
    run(session)
    assert session.phase == Phase.HIBERNATED


def test_a_lost_display_is_started_again_and_told(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    runtime.lose_display(session.name)
    run(session)
    assert (session.phase, session.attempt, session.restarts) == (Phase.PENDING, 2, 1)
    assert session.events.get(kind=EventKind.RESTARTED).message.startswith("Its display server")
    assert start(session, runtime).restarts == 1


def test_a_machine_that_was_started_again_brings_its_sessions_back(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    runtime.lose(session.name)
    run(session)
    assert (session.phase, session.endpoint) == (Phase.PENDING, None)
    assert start(session, runtime).phase == Phase.RUNNING


def test_compute_that_is_nowhere_to_be_seen_is_started_again(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    runtime.blind = True
    run(session)
    assert (session.phase, session.restarts) == (Phase.PENDING, 1)


def test_a_display_that_is_lost_four_times_keeps_failing(runtime: MemoryRuntime) -> None:
    session = start(make_session(), runtime)
    for _ in range(4):
        runtime.lose_display(session.name)
        run(session)
        run(session)
    assert (session.phase, session.explanation["reason"]) == (Phase.FAILED, "KeepsFailing")


def test_a_crash_between_the_loss_and_the_restart_loses_neither(
    runtime: MemoryRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start(make_session(), runtime)
    before = fresh(session)
    runtime.lose_display(session.name)
    with monkeypatch.context() as patched:
        patched.setattr(services, "restart", _crash)
        with pytest.raises(KeyboardInterrupt):
            reconcile(session.pk)
    after = fresh(session)
    assert (after.phase, after.version) == (before.phase, before.version)
    run(session)
    assert (session.phase, session.restarts) == (Phase.PENDING, 1)


def _crash(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_the_compute_of_what_failed_is_released_by_the_next_message(
    runtime: MemoryRuntime, messages: list[UUID]
) -> None:
    session = make_session()
    run(session)
    runtime.close(session.name, 1)
    messages.clear()
    run(session)
    assert session.phase == Phase.FAILED
    assert session.name in runtime.computes
    assert messages == [session.pk]
    run(session)
    assert runtime.computes == {}


def test_the_compute_of_what_failed_is_released_when_that_message_is_lost(
    runtime: MemoryRuntime, messages: list[UUID]
) -> None:
    session = make_session()
    run(session)
    runtime.close(session.name, 1)
    run(session)
    messages.clear()
    schedule.verify()
    assert messages == [session.pk]


# --- What is asked for meanwhile


def test_a_wish_made_meanwhile_wins(runtime: MemoryRuntime, messages: list[UUID]) -> None:
    session = make_session()
    original = runtime.observe

    def observe_while_the_owner_terminates(spec):
        services.terminate(session.pk)
        return original(spec)

    runtime.observe = observe_while_the_owner_terminates  # type: ignore[method-assign]
    messages.clear()
    reconcile(session.pk)
    after = fresh(session)
    assert (after.desired_state, after.observed_generation) == ("terminated", 0)
    assert messages[-1] == session.pk
    runtime.observe = original  # type: ignore[method-assign]
    run(session)
    assert session.phase == Phase.TERMINATED


@pytest.mark.sqlite  # on PostgreSQL one connection cannot exclude itself; see test_locks
def test_a_session_that_another_worker_reconciles_is_left_to_it(runtime: MemoryRuntime) -> None:
    session = make_session()
    with session_lock(session.pk) as held:
        assert held
        assert reconcile(session.pk) is Result.BUSY
    assert runtime.calls == []


# --- What goes wrong


def test_a_problem_that_stays_fails_the_session_in_words(runtime: MemoryRuntime) -> None:
    session = make_session()
    runtime.faults = [RuntimeProblem("ProgramNotInstalled", "xterm is not installed.")]
    assert run(session) is Result.PROBLEM
    assert session.phase == Phase.FAILED
    assert session.explanation["reason"] == "ProgramNotInstalled"
    assert session.explanation["message"] == "xterm is not installed."
    assert session.explanation["who"] == "operator"
    assert "retry" in session.explanation["actions"]


def test_a_problem_that_passes_is_told_and_tried_again(runtime: MemoryRuntime) -> None:
    session = make_session()
    runtime.faults = [RuntimeProblem("StorageFull", "The disk is full.", transient=True)]
    assert run(session) is Result.PROBLEM
    assert (session.phase, session.explanation["reason"]) == (Phase.PENDING, "StorageFull")
    start(session, runtime)
    assert session.explanation == {}
    assert ReconcileLock.objects.get().faults == 0


@pytest.mark.parametrize("wish", [services.hibernate, services.terminate])
def test_a_problem_of_stopping_never_fails_the_session(runtime: MemoryRuntime, wish) -> None:
    session = start(make_session(), runtime)
    wish(session.pk)
    runtime.faults = [RuntimeProblem("ProcessesRemain", "Something will not go.")]
    run(session)
    assert session.phase == Phase.RUNNING
    run(session)
    assert session.display_state in {"hibernated", "terminated"}


def test_a_fault_is_told_and_does_not_reach_the_worker(runtime: MemoryRuntime) -> None:
    session = make_session()
    runtime.faults = [ZeroDivisionError("ours")]
    assert run(session) is Result.FAULT
    assert (session.phase, session.explanation["reason"]) == (Phase.PENDING, "InternalFault")
    assert "ours" not in session.explanation["message"]


def test_faults_in_a_row_are_tried_ever_more_slowly(runtime: MemoryRuntime) -> None:
    session = make_session()
    pauses = []
    for _ in range(len(BACKOFF) + 2):
        runtime.faults = [OSError("again")]
        before = timezone.now()
        run(session)
        found = ReconcileLock.objects.get().next_try_at
        assert found is not None
        pauses.append(round((found - before).total_seconds()))
    assert pauses == [*BACKOFF, BACKOFF[-1], BACKOFF[-1]]


def test_the_sweep_waits_for_the_next_try(runtime: MemoryRuntime, messages: list[UUID]) -> None:
    session = make_session()
    runtime.faults = [OSError("again")]
    run(session)
    messages.clear()
    assert schedule.sweep() == 0
    ReconcileLock.objects.update(next_try_at=timezone.now())
    assert schedule.sweep() == 1


def test_one_session_s_fault_does_not_touch_another(runtime: MemoryRuntime) -> None:
    broken, sound = make_session(), make_session()
    TemplateRevision.objects.filter(pk=broken.revision_id).update(template_name="broken")
    runtime.faults = [ZeroDivisionError("ours")]
    run(broken)
    assert start(sound, runtime).phase == Phase.RUNNING


def test_a_spec_that_no_longer_makes_sense_is_a_fault_that_is_told(runtime: MemoryRuntime) -> None:
    session = make_session()
    TemplateRevision.objects.filter(pk=session.revision_id).update(spec={})
    assert run(session) is Result.FAULT
    assert session.explanation["reason"] == "InternalFault"


# --- The schedule


def test_the_sweep_finds_what_no_message_reached(
    runtime: MemoryRuntime, messages: list[UUID]
) -> None:
    session = make_session()
    messages.clear()
    assert schedule.sweep() == 1
    assert messages == [session.pk]


def test_the_sweep_leaves_what_is_settled(runtime: MemoryRuntime, messages: list[UUID]) -> None:
    start(make_session(), runtime)
    hibernated = make_session()
    services.hibernate(hibernated.pk)
    run(hibernated)
    failed = make_session()
    run(failed)
    runtime.close(failed.name, 1)
    run(failed)
    make_session(desired_state="terminated", phase=Phase.TERMINATED)
    messages.clear()
    assert schedule.sweep() == 0
    assert messages == []


def test_verifying_looks_at_what_runs(runtime: MemoryRuntime, messages: list[UUID]) -> None:
    session = start(make_session(), runtime)
    make_session(desired_state="hibernated", phase=Phase.HIBERNATED)
    messages.clear()
    schedule.verify()
    assert messages == [session.pk]


def test_compute_of_a_deleted_user_is_taken_away(runtime: MemoryRuntime) -> None:
    gone, kept = make_session(make_user("gone")), make_session()
    run(gone)
    run(kept)
    gone.owner.delete()
    assert schedule.remove_orphans() == 1
    assert set(runtime.computes) == {kept.name}


def test_an_orphan_that_will_not_go_does_not_keep_the_others(runtime: MemoryRuntime) -> None:
    for _ in range(2):
        session = make_session()
        run(session)
        session.owner.delete()
    runtime.faults = [RuntimeProblem("ProcessesRemain", "It will not go.", transient=True)]
    assert schedule.remove_orphans() == 1
    assert len(runtime.computes) == 1


def test_history_is_kept_for_its_time(runtime: MemoryRuntime) -> None:
    over = {"desired_state": "terminated", "phase": Phase.TERMINATED}
    now = timezone.now()
    make_session(**over, terminated_at=now - timedelta(days=31))
    recent = make_session(**over, terminated_at=now - timedelta(days=29))
    live = make_session()
    assert schedule.purge_history(now) == 1
    assert set(Session.objects.all()) == {recent, live}


def test_locks_of_sessions_that_are_gone_are_forgotten(runtime: MemoryRuntime) -> None:
    live = make_session()
    for session_id in (uuid4(), live.pk):
        ReconcileLock.objects.create(session_id=session_id)
    schedule.purge_history()
    assert ReconcileLock.objects.get().session_id == live.pk


def test_sign_ins_that_have_expired_are_deleted() -> None:
    for key, left in (("old", -1), ("new", 1)):
        until = timezone.now() + timedelta(days=left)
        SignIn.objects.create(session_key=key, expire_date=until)
    schedule.purge_sign_ins()
    assert [sign_in.session_key for sign_in in SignIn.objects.all()] == ["new"]
