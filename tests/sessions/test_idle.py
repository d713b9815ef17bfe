"""The idle clock: what moves it, what does not, and when it has run out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from controller import schedule
from sessions import activity, services
from sessions.choices import Phase, StopReason
from sessions.idle import StopClock, stop_clock
from sessions.models import Session
from tests.making import fresh, make_session

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def running(**fields: object) -> Session:
    """A session that runs since noon, without input since."""
    values = {
        "phase": Phase.RUNNING,
        "observed_generation": 1,
        "start_requested_at": NOON,
        "running_since": NOON,
        "last_activity_at": NOON,
        "idle_timeout": 30 * MINUTE,
        "max_duration": None,
    }
    return make_session(**values | fields)


def stopped(session: Session) -> str:
    """Why it was asked to hibernate; empty while it may run on."""
    return fresh(session).stop_reason


# --- The pure part

DURATIONS = st.none() | st.timedeltas(min_value=MINUTE, max_value=timedelta(days=365))
MOMENTS = st.datetimes(datetime(2030, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))


@given(started=MOMENTS, last=MOMENTS, idle=DURATIONS, longest=DURATIONS)
def test_the_earlier_deadline_is_the_one_that_counts(
    started: datetime, last: datetime, idle: timedelta | None, longest: timedelta | None
) -> None:
    clock = stop_clock(started=started, last_activity=last, idle_timeout=idle, max_duration=longest)
    deadlines = {
        StopReason.IDLE: idle and max(started, last) + idle,
        StopReason.MAX_DURATION: longest and started + longest,
    }
    there = {reason: at for reason, at in deadlines.items() if at}
    assert (clock is None) is (not there)
    if clock is not None:
        assert clock.at == there[clock.reason] == min(there.values())


# --- Which sessions have a clock


@pytest.mark.django_db
@pytest.mark.parametrize(
    "state",
    [
        {"phase": Phase.PENDING, "running_since": None},
        {"phase": Phase.FAILED},
        {"phase": Phase.HIBERNATED, "desired_state": "hibernated"},
        {"desired_state": "terminated"},
    ],
)
def test_nothing_is_due_for_what_does_not_run(state: dict[str, object]) -> None:
    session = running(**state)
    assert session.stop_clock is None
    schedule.stop_idle(NOON + timedelta(days=2))
    assert stopped(session) == ""


@pytest.mark.django_db
def test_a_session_that_starts_again_by_itself_keeps_its_deadline() -> None:
    session = running(phase=Phase.PENDING)
    assert session.idle_deadline == NOON + 30 * MINUTE


# --- Stopping


@pytest.mark.django_db
def test_without_input_it_hibernates_at_the_deadline_and_not_before() -> None:
    session = running()
    schedule.stop_idle(NOON + 29 * MINUTE)
    assert stopped(session) == ""
    assert schedule.stop_idle(NOON + 30 * MINUTE) == 1
    assert stopped(session) == StopReason.IDLE


@pytest.mark.django_db
def test_input_moves_the_deadline() -> None:
    session = running()
    activity.record(session.pk, NOON + 20 * MINUTE)
    schedule.stop_idle(NOON + 40 * MINUTE)
    assert stopped(session) == ""
    assert fresh(session).idle_deadline == NOON + 50 * MINUTE


@pytest.mark.django_db
def test_the_longest_duration_is_enforced_while_there_is_input() -> None:
    session = running(max_duration=60 * MINUTE)
    activity.record(session.pk, NOON + 59 * MINUTE)
    schedule.stop_idle(NOON + 60 * MINUTE)
    assert stopped(session) == StopReason.MAX_DURATION


@pytest.mark.django_db
def test_the_longest_duration_starts_anew_with_a_wake() -> None:
    session = running(max_duration=60 * MINUTE)
    services.hibernate(session.pk)
    with time_machine.travel(NOON + 50 * MINUTE):
        services.wake(session.pk)
    Session.objects.update(phase=Phase.RUNNING, running_since=NOON + 51 * MINUTE)
    clock = StopClock(NOON + 81 * MINUTE, StopReason.IDLE, 30 * MINUTE)
    assert fresh(session).stop_clock == clock


def test_a_short_clock_does_not_warn_from_its_start() -> None:
    assert StopClock(NOON, StopReason.IDLE, 4 * MINUTE).warning(5 * MINUTE) == 2 * MINUTE
    assert StopClock(NOON, StopReason.IDLE, 30 * MINUTE).warning(5 * MINUTE) == 5 * MINUTE


@pytest.mark.django_db
def test_only_the_idle_clock_can_be_extended() -> None:
    assert running().stop_clock.extendable  # type: ignore[union-attr]
    assert not running(max_duration=MINUTE).stop_clock.extendable  # type: ignore[union-attr]


@pytest.mark.django_db
@pytest.mark.parametrize("service", ["extend", "rename", "share", "list"])
def test_requests_about_a_session_are_not_input(service: str) -> None:
    session = running()
    with time_machine.travel(NOON + 10 * MINUTE):
        if service == "extend":
            services.extend(session.pk)
        elif service == "rename":
            services.rename(session.pk, "other")
        elif service == "share":
            from tests.making import make_user

            make_user("guest")
            services.share(session.pk, "guest", "view")
        else:
            list(Session.objects.all())
    moved = fresh(session).last_activity_at != NOON
    assert moved is (service == "extend")  # which asks for just that


@pytest.mark.django_db
def test_a_session_that_was_terminated_meanwhile_does_not_stop_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = running(), running()
    original = activity.collect

    def collect_while_the_owner_terminates(sessions: list[Session]) -> int:
        services.terminate(first.pk)
        return original(sessions)

    monkeypatch.setattr(activity, "collect", collect_while_the_owner_terminates)
    assert schedule.stop_idle(NOON + 40 * MINUTE) == 1
    assert stopped(second) == StopReason.IDLE
    assert fresh(first).desired_state == "terminated"


@pytest.mark.django_db
def test_a_session_that_was_woken_anew_meanwhile_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = running(max_duration=60 * MINUTE)

    def collect_while_the_owner_starts_again(_: list[Session]) -> int:
        services.hibernate(session.pk)
        services.wake(session.pk)
        return 0

    monkeypatch.setattr(activity, "collect", collect_while_the_owner_starts_again)
    assert schedule.stop_idle(NOON + 90 * MINUTE) == 0
    assert fresh(session).desired_state == "running"


@pytest.mark.django_db
def test_nothing_is_written_while_nothing_is_due(django_assert_num_queries) -> None:
    running()
    with django_assert_num_queries(1):
        schedule.stop_idle(NOON + MINUTE)


# --- Collecting


@pytest.mark.django_db
def test_collected_input_is_announced_with_a_new_version() -> None:
    session = running()
    activity.record(session.pk, NOON + MINUTE)
    assert activity.collect([session]) == 1
    after = fresh(session)
    assert after.last_activity_at == session.last_activity_at == NOON + MINUTE
    assert after.version == session.version == 2


@pytest.mark.django_db
def test_input_within_the_precision_is_not_worth_a_write() -> None:
    from django.db import connection

    session = running()
    activity.record(session.pk, NOON + activity.PRECISION - timedelta(seconds=1))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert activity.collect([session]) == 0
    assert len(queries) == 0


@pytest.mark.django_db
def test_the_same_input_is_collected_once() -> None:
    session = running()
    activity.record(session.pk, NOON + MINUTE)
    assert [activity.collect([fresh(session)]) for _ in range(3)] == [1, 0, 0]


@pytest.mark.django_db
def test_collecting_never_sets_the_clock_back() -> None:
    stale = running()
    Session.objects.update(last_activity_at=NOON + 10 * MINUTE)  # an extension meanwhile
    activity.record(stale.pk, NOON + MINUTE)
    activity.collect([stale])
    assert fresh(stale).last_activity_at == NOON + 10 * MINUTE


@pytest.mark.django_db
def test_a_cache_that_lost_its_data_costs_only_uncollected_input() -> None:
    session = running()
    activity.record(session.pk, NOON + 5 * MINUTE)
    activity.collect([session])
    activity.record(session.pk, NOON + 10 * MINUTE)
    cache.clear()
    schedule.stop_idle(NOON + 34 * MINUTE)
    assert stopped(session) == ""
    schedule.stop_idle(NOON + 35 * MINUTE)
    assert stopped(session) == StopReason.IDLE


@pytest.mark.django_db
def test_a_cache_that_is_away_hibernates_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ConnectionError("Redis is away")

    session = running()
    monkeypatch.setattr(cache, "get_many", away)
    with pytest.raises(ConnectionError):
        schedule.stop_idle(NOON + timedelta(days=1))
    assert stopped(session) == ""


@pytest.mark.django_db
def test_a_duration_beyond_the_calendar_does_not_stop_the_check_of_others() -> None:
    """Such a duration cannot be asked for; a spec of before may hold one."""
    from tests.making import make_template, make_user

    template = make_template("eternal")
    revision = template.current_revision
    assert revision is not None
    type(revision).objects.filter(pk=revision.pk).update(
        spec=revision.spec | {"idleTimeout": "999999d999999d999999d", "maxSessionDuration": "0s"}
    )
    session = services.launch(make_user(), "eternal")
    assert session.idle_timeout == timedelta(days=365)
    assert session.max_duration is None
