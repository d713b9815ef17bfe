"""The decision, branch by branch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.derive import EARLY, MAX_RESTARTS, Verdict, Wish, derive
from controller.runtimes.base import Component, ComponentState, Endpoint, Observation
from sessions.choices import DesiredState, Phase

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TIMEOUT = timedelta(seconds=60)
ENDPOINT = Endpoint("rfb", socket="/run/desktop")

READY, STARTING, EXITED, WAITING, ABSENT = (
    ComponentState.READY,
    ComponentState.STARTING,
    ComponentState.EXITED,
    ComponentState.WAITING,
    ComponentState.ABSENT,
)


def wish(**fields: Any) -> Wish:
    base = Wish(
        desired_state=DesiredState.RUNNING,
        phase=Phase.PENDING,
        attempt=1,
        restarts=0,
        start_requested_at=NOON,
        running_since=None,
        explanation={},
        conditions=[],
    )
    return replace(base, **fields)


RUNNING = wish(phase=Phase.RUNNING, running_since=NOON)


def seen(
    application: ComponentState | None = None,
    display: ComponentState | None = READY,
    *,
    exit_code: int | None = None,
    message: str = "",
    endpoint: Endpoint | None = None,
    attempt: int = 1,
    log: tuple[str, ...] = (),
) -> Observation:
    parts = []
    if display is not None:
        parts.append(Component("display", display))
    if application is not None:
        parts.append(Component("application", application, exit_code, message=message))
    return Observation(tuple(parts), endpoint, attempt, log)


def decide(wish: Wish, observation: Observation, at: datetime = NOON) -> Verdict:
    return derive(wish, observation, now=at, start_timeout=TIMEOUT)


def later(wish: Wish, verdict: Verdict) -> Wish:
    """The wish as the next reconcile reads it."""
    status = verdict.status
    return replace(
        wish,
        phase=status.phase,
        explanation=status.explanation,
        conditions=status.conditions,
        running_since=status.running_since,
    )


def reason(verdict: Verdict) -> str:
    return str(verdict.status.explanation.get("reason", ""))


# --- Running


def test_running_means_that_the_port_answers() -> None:
    verdict = decide(wish(), seen(READY, endpoint=ENDPOINT))
    assert verdict.status.phase == Phase.RUNNING
    assert verdict.status.endpoint == {
        "kind": "rfb", "socket": "/run/desktop", "host": "", "port": 0
    }  # fmt: skip
    assert verdict.status.running_since == NOON


def test_a_process_without_an_answer_is_pending() -> None:
    assert decide(wish(), seen(STARTING)).status.phase == Phase.PENDING


def test_running_since_stays_while_it_runs() -> None:
    verdict = decide(RUNNING, seen(READY, endpoint=ENDPOINT), NOON + 60 * SECOND)
    assert verdict.status.running_since == NOON


def test_compute_of_an_earlier_attempt_says_nothing() -> None:
    verdict = decide(wish(attempt=2), seen(READY, endpoint=ENDPOINT, attempt=1))
    assert (verdict.status.phase, verdict.status.endpoint) == (Phase.PENDING, None)


def test_the_end_of_an_earlier_attempt_says_nothing() -> None:
    verdict = decide(wish(attempt=2), seen(EXITED, exit_code=1, attempt=1))
    assert (verdict.status.phase, verdict.follow_up) == (Phase.PENDING, "")


# --- Starting and its deadline


@pytest.mark.parametrize(
    ("observation", "step"),
    [
        (Observation(), "Preparing"),
        (seen(None, STARTING), "Starting the display"),
        (seen(STARTING), "Starting the application"),
        (seen(STARTING, message="Loading the model"), "Loading the model"),
        (seen(WAITING, message="Pulling the image"), "Pulling the image"),
    ],
)
def test_a_start_says_what_it_is_busy_with(observation: Observation, step: str) -> None:
    assert decide(wish(), observation).status.step == step


def test_a_long_step_fits_the_record() -> None:
    verdict = decide(wish(), seen(WAITING, message="x" * 1000))
    assert len(verdict.status.step) == 200


@pytest.mark.parametrize("observation", [seen(STARTING), Observation()])
def test_a_start_without_an_answer_fails_at_the_deadline(observation: Observation) -> None:
    first = wish()
    again = later(first, decide(first, observation))
    assert decide(again, observation, NOON + TIMEOUT).status.phase == Phase.PENDING
    verdict = decide(again, observation, NOON + TIMEOUT + SECOND)
    assert (verdict.status.phase, reason(verdict)) == (Phase.FAILED, "StartDeadlineExceeded")
    assert "within 1m" in verdict.status.explanation["message"]


def test_time_in_which_nobody_looked_does_not_count() -> None:
    """The portal was down between the launch and now."""
    assert decide(wish(), seen(STARTING), NOON + 600 * SECOND).status.phase == Phase.PENDING


def test_waiting_does_not_count_against_the_deadline() -> None:
    state = wish()
    for minute in range(30):
        verdict = decide(state, seen(WAITING), NOON + minute * 60 * SECOND)
        assert verdict.status.phase == Phase.PENDING
        state = later(state, verdict)
    pulled = NOON + timedelta(minutes=30)
    state = later(state, decide(state, seen(STARTING), pulled))
    assert decide(state, seen(STARTING), pulled + TIMEOUT).status.phase == Phase.PENDING
    assert decide(state, seen(STARTING), pulled + TIMEOUT + SECOND).status.phase == Phase.FAILED


def test_a_port_that_falls_silent_gets_the_deadline_anew() -> None:
    state = later(wish(), decide(wish(), seen(READY, endpoint=ENDPOINT)))
    silent = NOON + timedelta(hours=5)
    verdict = decide(state, seen(STARTING), silent)
    assert (verdict.status.phase, verdict.follow_up) == (Phase.PENDING, "")
    state = later(state, verdict)
    assert decide(state, seen(STARTING), silent + TIMEOUT).status.phase == Phase.PENDING
    assert decide(state, seen(STARTING), silent + 2 * TIMEOUT).status.phase == Phase.FAILED


# --- The application ends


@pytest.mark.parametrize("code", [0, 1, -9, None])
def test_an_end_before_anybody_could_use_it_is_a_failure(code: int | None) -> None:
    verdict = decide(wish(), seen(EXITED, exit_code=code, log=("no licence",)))
    assert (verdict.status.phase, reason(verdict)) == (Phase.FAILED, "ApplicationExited")
    assert verdict.status.explanation["log"] == ["no licence"]
    assert "right after it was started" in verdict.status.explanation["message"]


@pytest.mark.parametrize("code", [0, None])
def test_an_end_in_peace_after_use_hibernates(code: int | None) -> None:
    verdict = decide(RUNNING, seen(EXITED, exit_code=code), NOON + EARLY)
    assert verdict.follow_up == "hibernate"
    assert verdict.status.phase == Phase.RUNNING


@pytest.mark.parametrize(("code", "words"), [(3, "exit status 3"), (-11, "signal 11")])
def test_a_crash_after_use_is_a_failure_with_its_code(code: int, words: str) -> None:
    verdict = decide(RUNNING, seen(EXITED, exit_code=code), NOON + timedelta(hours=1))
    assert (verdict.status.phase, verdict.follow_up) == (Phase.FAILED, "")
    assert words in verdict.status.explanation["message"]


def test_an_end_within_seconds_of_the_first_answer_is_a_failure() -> None:
    verdict = decide(RUNNING, seen(EXITED, exit_code=0), NOON + EARLY - SECOND)
    assert verdict.status.phase == Phase.FAILED


def test_an_end_right_after_a_restart_by_itself_is_a_failure() -> None:
    restarted = wish(attempt=2, restarts=1, running_since=NOON)
    verdict = decide(restarted, seen(EXITED, exit_code=0, attempt=2), NOON + timedelta(hours=1))
    assert (verdict.status.phase, verdict.follow_up) == (Phase.FAILED, "")


# --- Loss


@pytest.mark.parametrize("state", [wish(), RUNNING], ids=["starting", "running"])
def test_a_lost_display_is_started_again(state: Wish) -> None:
    verdict = decide(state, seen(EXITED, EXITED, exit_code=0), NOON + timedelta(hours=1))
    assert verdict.follow_up == "restart"
    assert "display server" in verdict.message


def test_a_display_lost_once_more_after_three_restarts_is_a_failure() -> None:
    for restarts in range(MAX_RESTARTS):
        assert decide(replace(RUNNING, restarts=restarts), seen(READY, EXITED)).follow_up
    verdict = decide(replace(RUNNING, restarts=MAX_RESTARTS), seen(READY, EXITED))
    assert (verdict.follow_up, reason(verdict)) == ("", "KeepsFailing")
    assert verdict.status.explanation["who"] == "operator"


def test_compute_that_vanished_while_it_ran_is_started_again() -> None:
    assert decide(RUNNING, Observation()).follow_up == "restart"


def test_a_web_application_that_ended_unseen_while_it_ran_is_started_again() -> None:
    observation = seen(EXITED, None, exit_code=None)
    assert decide(RUNNING, observation, NOON + timedelta(hours=1)).follow_up == "restart"


def test_nothing_yet_at_a_start_is_no_loss() -> None:
    verdict = decide(wish(), Observation())
    assert (verdict.status.phase, verdict.follow_up) == (Phase.PENDING, "")


# --- Hibernated, terminated, failed


@pytest.mark.parametrize(
    ("desired", "goal"), [("hibernated", Phase.HIBERNATED), ("terminated", Phase.TERMINATED)]
)
@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.RUNNING, Phase.FAILED, Phase.HIBERNATED])
def test_without_compute_the_goal_is_reached_from_every_phase(
    desired: str, goal: str, phase: str
) -> None:
    verdict = decide(wish(desired_state=desired, phase=phase), Observation())
    assert verdict.status.phase == goal
    assert verdict.status.explanation == {}


@pytest.mark.parametrize("desired", ["hibernated", "terminated"])
def test_the_goal_waits_for_the_compute_to_go(desired: str) -> None:
    verdict = decide(wish(desired_state=desired, phase=Phase.RUNNING), seen(READY))
    assert verdict.status.phase == Phase.RUNNING
    assert verdict.status.endpoint is None
    assert verdict.status.step == "Stopping the application"


def test_what_has_exited_does_not_hold_up_the_goal() -> None:
    verdict = decide(wish(desired_state="hibernated"), seen(EXITED, EXITED, exit_code=1))
    assert verdict.status.phase == Phase.HIBERNATED


def test_a_failure_stays_until_its_owner_does_something() -> None:
    explanation = {"reason": "ApplicationExited", "message": "…"}
    failed = wish(phase=Phase.FAILED, explanation=explanation)
    verdict = decide(failed, seen(READY, endpoint=ENDPOINT))
    assert (verdict.status.phase, verdict.status.explanation) == (Phase.FAILED, explanation)


# --- Conditions


def conditions(verdict: Verdict) -> dict[str, str]:
    return {c["type"]: c["status"] for c in verdict.status.conditions}


def test_conditions_name_what_is_ready() -> None:
    starting = decide(wish(), seen(STARTING))
    assert conditions(starting) == {
        "Ready": "False", "Started": "True", "DisplayReady": "True", "ApplicationReady": "False"
    }  # fmt: skip
    assert conditions(decide(wish(), seen(READY, endpoint=ENDPOINT)))["Ready"] == "True"


def test_a_transition_time_moves_with_the_status_only() -> None:
    first = decide(wish(), seen(STARTING))
    state = later(wish(), first)
    same = decide(state, seen(STARTING), NOON + SECOND)
    assert same.status.conditions == first.status.conditions
    ready = decide(state, seen(READY, endpoint=ENDPOINT), NOON + SECOND)
    moved = {
        c["type"] for c in ready.status.conditions if c["lastTransitionTime"] != NOON.isoformat()
    }
    assert moved == {"Ready", "ApplicationReady"}


@pytest.mark.parametrize(
    "observation", [Observation(), seen(STARTING), seen(READY, endpoint=ENDPOINT)]
)
def test_deciding_twice_on_the_same_facts_changes_nothing(observation: Observation) -> None:
    first = decide(wish(), observation)
    second = decide(later(wish(), first), observation, NOON + SECOND)
    assert second.status == first.status


def test_explanations_hold_only_what_every_database_stores() -> None:
    verdict = decide(wish(), seen(EXITED, exit_code=1, log=("a\0b", "half \ud800 pair")))
    assert verdict.status.explanation["log"] == ["a\ufffdb", "half ? pair"]
