"""What can be asked of sessions, and what is written for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sessions import services
from sessions.choices import EventKind, Phase, StopReason
from sessions.models import Session, SessionEvent
from streamspace.accounts.models import Quota, User
from streamspace.accounts.quotas import Use
from streamspace.errors import Conflict, NotFound, QuotaExceeded, Refused, UserError
from templates_app import services as templates
from templates_app.choices import Source
from templates_app.models import Template
from tests.making import fresh, make_session, make_template, make_user

pytestmark = pytest.mark.django_db

RUNNING = {"phase": Phase.RUNNING, "running_since": timezone.now(), "observed_generation": 1}
HIBERNATED: dict[str, Any] = {"desired_state": "hibernated", "phase": Phase.HIBERNATED}
FAILED = {"phase": Phase.FAILED, "explanation": {"reason": "X", "message": "Y"}}
TERMINATED = {"desired_state": "terminated", "phase": Phase.TERMINATED}


def kinds(session: Session) -> list[str]:
    return [e.kind for e in SessionEvent.objects.filter(session=session).order_by("id")]


# --- Launch


def test_a_launch_is_pinned_to_the_revision_of_its_moment() -> None:
    template = make_template(description="first")
    session = services.launch(make_user(), "terminal")
    templates.put(
        "terminal",
        {"displayName": "Terminal", "appType": "desktop", "description": "second"},
        source=Source.FILE,
    )
    assert fresh(session).revision_id == template.current_revision_id
    assert Template.objects.get(name="terminal").current_revision_id != session.revision_id


def test_a_launch_takes_resources_and_limits_of_the_template() -> None:
    make_template(
        defaultResources={"requests": {"cpu": "0.07", "memory": "1Gi"}},
        idleTimeout="45m",
        maxSessionDuration="8h",
    )
    session = services.launch(make_user(), "terminal")
    assert (session.cpu_millicores, session.memory_mib) == (70, 1024)
    assert session.idle_timeout == timedelta(minutes=45)
    assert session.max_duration == timedelta(hours=8)


def test_without_a_template_s_word_the_installation_s_idle_timeout_counts() -> None:
    make_template()
    assert services.launch(make_user(), "terminal").idle_timeout == timedelta(minutes=30)


def test_a_launch_without_a_persistent_home_makes_none() -> None:
    make_template()
    session = services.launch(make_user(), "terminal", services.Choices(persistent_home=False))
    assert session.home is None


def test_a_launch_is_recorded_with_its_actor() -> None:
    make_template()
    owner = make_user()
    session = services.launch(owner, "terminal", actor=owner)
    event = SessionEvent.objects.get(session=session)
    assert (event.kind, event.actor) == (EventKind.LAUNCHED, owner)


def test_an_unknown_template_is_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        services.launch(make_user(), "nothing")
    assert caught.value.code == "template_not_found"


def test_a_disabled_template_is_refused_in_words() -> None:
    make_template()
    Template.objects.update(enabled=False)
    with pytest.raises(Conflict, match="switched off by an operator") as caught:
        services.launch(make_user(), "terminal")
    assert caught.value.code == "template_unavailable"


def test_a_template_that_lacks_a_program_is_refused_with_the_remedy() -> None:
    make_template()
    missing = {
        "launchable": False,
        "reason": "ProgramNotInstalled",
        "message": "xterm is not installed.",
        "remedy": "Install it.",
    }
    Template.objects.update(availability=missing)
    with pytest.raises(Conflict) as caught:
        services.launch(make_user(), "terminal")
    assert caught.value.message == "xterm is not installed. Install it."
    assert caught.value.details["reason"] == "ProgramNotInstalled"


def test_a_template_that_nobody_has_looked_at_yet_says_so() -> None:
    make_template()
    Template.objects.update(availability={})
    with pytest.raises(Conflict, match="being checked; try again"):
        services.launch(make_user(), "terminal")


def test_launching_for_somebody_else_is_for_staff() -> None:
    make_template()
    owner = make_user()
    with pytest.raises(Refused):
        services.launch(owner, "terminal", actor=make_user())
    assert services.launch(owner, "terminal", actor=make_user(is_staff=True)).owner == owner


@pytest.mark.parametrize(
    "choices",
    [
        services.Choices(cpu_millicores=0),
        services.Choices(memory_mib=-1),
        services.Choices(cpu_millicores=2**31),
        services.Choices(idle_timeout=timedelta(seconds=59)),
        services.Choices(idle_timeout=timedelta.max),
        services.Choices(display_name="x" * 101),
        services.Choices(display_name="a\0b"),
    ],
)
def test_choices_out_of_range_are_refused_and_leave_nothing(choices: services.Choices) -> None:
    make_template()
    with pytest.raises(UserError):
        services.launch(make_user(), "terminal", choices)
    assert not Session.objects.exists()


def test_a_name_for_people_is_one_line() -> None:
    make_template()
    choices = services.Choices(display_name="  my\n  shell ")
    assert services.launch(make_user(), "terminal", choices).display_name == "my shell"


# --- Quota


def quota(owner: User, **limits: int) -> None:
    Quota.objects.create(user=owner, **limits)


def test_over_quota_says_how_much_and_what_to_hibernate() -> None:
    session = make_session(**RUNNING)
    quota(session.owner, max_running=1)
    with pytest.raises(QuotaExceeded) as caught:
        services.launch(session.owner, "terminal")
    error = caught.value
    assert (error.code, error.status) == ("quota_exceeded", 403)
    assert error.details["exceeded"] == [
        {"resource": "running", "used": 1, "requested": 1, "limit": 1}
    ]
    assert [s["name"] for s in error.details["could_hibernate"]] == [session.name]
    assert "Hibernate a running session, for example 'Terminal', and try again." in error.message


def test_a_failed_session_neither_counts_as_running_nor_is_offered_to_make_room() -> None:
    failed = make_session(**FAILED)
    quota(failed.owner, max_running=1)
    running = services.launch(failed.owner, "terminal")
    with pytest.raises(QuotaExceeded) as caught:
        services.launch(failed.owner, "terminal")
    assert [s["name"] for s in caught.value.details["could_hibernate"]] == [running.name]


def test_more_than_the_whole_quota_is_a_matter_for_the_operator() -> None:
    make_template()
    owner = make_user()
    quota(owner, max_memory_mib=100)
    with pytest.raises(QuotaExceeded, match="Ask your operator"):
        services.launch(owner, "terminal", services.Choices(memory_mib=200))


def test_hibernated_sessions_count_as_sessions() -> None:
    session = make_session(**HIBERNATED)
    quota(session.owner, max_sessions=1)
    with pytest.raises(QuotaExceeded, match="Terminate a session"):
        services.launch(session.owner, "terminal")


def test_a_session_that_hibernates_makes_room_at_once() -> None:
    session = make_session(**RUNNING)
    quota(session.owner, max_running=1)
    services.hibernate(session.pk)
    assert services.launch(session.owner, "terminal")


def test_waking_must_fit_again() -> None:
    session = make_session(**HIBERNATED)
    quota(session.owner, max_running=1)
    services.launch(session.owner, "terminal")
    with pytest.raises(QuotaExceeded):
        services.wake(session.pk)
    assert fresh(session).desired_state == "hibernated"


def test_the_storage_quota_is_asked_only_for_a_new_home() -> None:
    session = make_session()
    quota(session.owner, max_storage_mib=1)
    assert services.launch(session.owner, "terminal").home == session.home


def test_without_quota_for_a_home_one_can_work_without_it() -> None:
    make_template()
    owner = make_user()
    quota(owner, max_storage_mib=1)
    with pytest.raises(QuotaExceeded, match="storage"):
        services.launch(owner, "terminal")
    assert services.launch(owner, "terminal", services.Choices(persistent_home=False))


def test_quota_room_says_what_would_not_fit() -> None:
    owner = make_user()
    quota(owner, max_running=0)
    sentences = services.quota_room(owner, Use(running=1))
    assert sentences == ["Your quota for running sessions is 0: 0 in use, 1 more asked for."]


# --- Hibernate and wake


@pytest.mark.parametrize("state", [{}, RUNNING, FAILED])
def test_hibernation_can_be_asked_for_in_every_phase(state: dict[str, Any]) -> None:
    session = make_session(**state, endpoint={"kind": "rfb"})
    services.hibernate(session.pk)
    after = fresh(session)
    assert after.desired_state == "hibernated"
    assert after.endpoint is None
    assert (after.generation, after.version) == (session.generation + 1, session.version + 1)


@pytest.mark.parametrize(
    ("state", "service"),
    [
        ({}, services.wake),
        (RUNNING, services.wake),
        (HIBERNATED, services.hibernate),
        (TERMINATED, services.terminate),
    ],
)
def test_asking_for_what_is_already_asked_for_writes_nothing(
    state: dict[str, Any], service: Callable[..., Session]
) -> None:
    session = make_session(**state)
    before = (session.generation, session.version, kinds(session))
    service(session.pk)
    after = fresh(session)
    assert (after.generation, after.version, kinds(after)) == before


def test_a_failed_session_is_retried_with_a_new_attempt() -> None:
    session = make_session(**FAILED, restarts=3)
    services.wake(session.pk)
    after = fresh(session)
    assert (after.phase, after.explanation, after.restarts) == (Phase.PENDING, {}, 0)
    assert after.attempt == session.attempt + 1
    assert kinds(after)[-1] == EventKind.RETRIED


def test_waking_what_still_hibernates_does_not_show_the_old_attempt_as_running() -> None:
    session = make_session(**RUNNING | {"desired_state": "hibernated"})
    services.wake(session.pk)
    after = fresh(session)
    assert (after.display_state, after.running_since) == ("starting", None)


def test_waking_resets_the_idle_clock() -> None:
    long_ago = timezone.now() - timedelta(days=1)
    session = make_session(**HIBERNATED, last_activity_at=long_ago)
    services.wake(session.pk)
    assert timezone.now() - fresh(session).last_activity_at < timedelta(seconds=5)


def test_the_history_tells_a_wake_from_a_retry() -> None:
    session = make_session(**HIBERNATED)
    services.wake(session.pk, actor=session.owner)
    assert kinds(session)[-1] == EventKind.WAKE_REQUESTED


def test_hibernation_by_staff_is_told_from_the_owner_s() -> None:
    session = make_session(**RUNNING)
    services.hibernate(session.pk, actor=make_user(is_staff=True))
    assert fresh(session).stop_reason == StopReason.OPERATOR


def test_input_after_the_decision_wins_over_idleness() -> None:
    decided = timezone.now() - timedelta(minutes=1)
    session = make_session(**RUNNING | {"last_activity_at": timezone.now()})
    services.hibernate(session.pk, reason=StopReason.IDLE, unless_active_since=decided)
    assert fresh(session).desired_state == "running"


def test_without_input_after_the_decision_idleness_wins() -> None:
    then = timezone.now() - timedelta(hours=1)
    session = make_session(**RUNNING | {"last_activity_at": then, "start_requested_at": then})
    services.hibernate(session.pk, reason=StopReason.IDLE, unless_active_since=then)
    assert fresh(session).stop_reason == StopReason.IDLE


def test_an_extension_after_the_decision_wins_over_idleness() -> None:
    then = timezone.now() - timedelta(hours=1)
    session = make_session(**RUNNING | {"last_activity_at": then, "start_requested_at": then})
    services.extend(session.pk)
    services.hibernate(session.pk, reason=StopReason.IDLE, unless_active_since=then)
    assert fresh(session).desired_state == "running"


def test_a_decision_about_one_start_does_not_stop_the_next() -> None:
    session = make_session(**RUNNING)
    services.hibernate(session.pk)
    services.wake(session.pk)
    services.hibernate(session.pk, reason=StopReason.MAX_DURATION, attempt=session.attempt)
    assert fresh(session).desired_state == "running"


def test_a_restart_of_an_attempt_that_is_past_does_nothing() -> None:
    session = make_session(**RUNNING | {"attempt": 5})
    services.restart(session.pk, attempt=4, message="lost")
    assert fresh(session).attempt == 5


def test_a_restart_keeps_the_clocks_that_only_input_moves() -> None:
    then = timezone.now() - timedelta(minutes=10)
    session = make_session(**RUNNING | {"last_activity_at": then, "running_since": then})
    services.restart(session.pk, attempt=session.attempt, message="lost")
    after = fresh(session)
    assert (after.last_activity_at, after.running_since) == (then, then)
    assert (after.attempt, after.restarts) == (session.attempt + 1, 1)


# --- Extend


@pytest.mark.parametrize("state", [HIBERNATED, FAILED, TERMINATED])
def test_what_does_not_run_cannot_be_extended(state: dict[str, Any]) -> None:
    session = make_session(**state)
    with pytest.raises(Conflict) as caught:
        services.extend(session.pk)
    assert caught.value.code == "not_running"


def test_an_extension_asks_for_no_reconcile() -> None:
    session = make_session(**RUNNING)
    services.extend(session.pk)
    after = fresh(session)
    assert (after.generation, after.version) == (session.generation, session.version + 1)


# --- Terminate


@pytest.mark.parametrize("state", [{}, RUNNING, HIBERNATED, FAILED])
def test_termination_can_be_asked_for_in_every_phase(state: dict[str, Any]) -> None:
    session = make_session(**state)
    services.terminate(session.pk)
    assert fresh(session).desired_state == "terminated"


def test_termination_works_when_the_template_is_gone() -> None:
    session = make_session(**RUNNING)
    Template.objects.all().delete()
    services.terminate(session.pk)
    assert fresh(session).desired_state == "terminated"


@pytest.mark.parametrize("service", [services.wake, services.hibernate])
def test_what_was_terminated_never_comes_back(service: Callable[..., Session]) -> None:
    session = make_session(desired_state="terminated")
    with pytest.raises(Conflict) as caught:
        service(session.pk)
    assert caught.value.code == "terminated"


# --- Names


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\0b", "a\x1b[31m", "\ud800"])
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    session = make_session()
    with pytest.raises(UserError):
        services.rename(session.pk, name)


@pytest.mark.parametrize("name", ["x", "x" * 100, "Jörgs Rechner 🚀"])
def test_names_between_1_and_100_characters_are_taken(name: str) -> None:
    session = make_session()
    services.rename(session.pk, name)
    assert fresh(session).display_name == name


def test_the_same_name_again_writes_nothing() -> None:
    session = make_session()
    services.rename(session.pk, session.display_name)
    assert fresh(session).version == session.version
