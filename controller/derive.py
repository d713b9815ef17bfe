"""From what is asked for and what is observed to what the record says. Pure.

The deadline for answering counts from the moment in which nothing outside the session had to
happen first (the ``Started`` condition became true), or from the moment in which it ceased to
answer (``Ready`` became false), whichever is later. So neither an image pull nor the time that
StreamSpace itself was down shortens it. ``services`` clears the conditions with each new start.

Transitions of a session whose owner wants it running::

    Pending --port answers--> Running --application closed--> (hibernate)
       |                         |------compute lost--------> (restart, 3 times at most)
       |--exits, deadline--> Failed <--crashes, lost again----'

``Failed`` is left only by the owner: retry, hibernate or terminate.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from controller import explain
from controller.explain import Explanation
from controller.runtimes.base import Component, ComponentState, Observation
from sessions.choices import DesiredState, Phase
from sessions.lifecycle import restarts_in_a_row

MAX_RESTARTS = 3
"""Restarts by itself after one start; then something is wrong that starting does not mend."""

MAX_STEP = 200
"""Characters of a step; a runtime may have more to say than the record has room for."""

EARLY = timedelta(seconds=5)
"""An application that ends this soon after it answered has failed rather than been closed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The part of the record that the decision needs."""

    desired_state: str
    phase: str
    attempt: int
    restarts: int
    start_requested_at: datetime
    running_since: datetime | None
    explanation: dict[str, Any]
    conditions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Status:
    """The observed fields of the record, to be saved when they differ."""

    phase: str
    step: str = ""
    explanation: dict[str, Any] = field(default_factory=dict)
    endpoint: dict[str, Any] | None = None
    running_since: datetime | None = None
    conditions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to write, and what to ask of ``services`` afterwards."""

    status: Status
    follow_up: Literal["", "restart", "hibernate"] = ""
    message: str = ""


def derive(
    wish: Wish, observation: Observation, *, now: datetime, start_timeout: timedelta
) -> Verdict:
    """Decide the phase and everything the record says about it."""
    if wish.desired_state == DesiredState.RUNNING:
        observation = _of_this_attempt(wish, observation)
        verdict = _wants_to_run(wish, observation, now, start_timeout)
    else:
        goal = (
            Phase.HIBERNATED if wish.desired_state == DesiredState.HIBERNATED else Phase.TERMINATED
        )
        status = (
            Status(wish.phase, "Stopping the application", wish.explanation)
            if observation.exists
            else Status(goal)
        )
        verdict = Verdict(status)
    return replace(
        verdict,
        status=replace(
            verdict.status, conditions=_conditions(wish, verdict.status, observation, now)
        ),
    )


def failed(wish: Wish, explanation: Explanation, *, now: datetime) -> Status:
    """The status of a session that the runtime refused to start."""
    status = Status(Phase.FAILED, explanation=explanation.as_json())
    return replace(status, conditions=_conditions(wish, status, Observation(), now))


def _of_this_attempt(wish: Wish, observation: Observation) -> Observation:
    """What an earlier start left says nothing about this one. A failed start's compute does: it is
    being released."""
    if observation.attempt == wish.attempt or wish.phase == Phase.FAILED:
        return observation
    return Observation()


def _wants_to_run(
    wish: Wish, current: Observation, now: datetime, start_timeout: timedelta
) -> Verdict:
    if wish.phase == Phase.FAILED:
        return Verdict(Status(Phase.FAILED, explanation=wish.explanation))
    if current.endpoint is not None:
        since = wish.running_since or now
        return Verdict(
            Status(Phase.RUNNING, endpoint=asdict(current.endpoint), running_since=since)
        )
    application = _component(current, "application")
    display = _component(current, "display")
    was_running = wish.phase == Phase.RUNNING
    for part in (display, application):
        if part is not None and _is_lost(part, display, was_running=was_running):
            return _lost(wish, current, part.name, now)
    if application is not None and application.state == ComponentState.EXITED:
        return _exited(wish, current, application, now)
    if was_running and not current.components:
        return _lost(wish, current, "compute", now)
    return _starting(wish, current, now, start_timeout)


def _is_lost(part: Component, display: Component | None, *, was_running: bool) -> bool:
    """Gone without having ended itself: a dead display, or a web application that vanished
    without anyone seeing its exit status (the machine was restarted)."""
    if part.state != ComponentState.EXITED:
        return False
    if part.name == "display":
        return True
    return was_running and display is None and part.exit_code is None


def _lost(wish: Wish, observation: Observation, name: str, now: datetime) -> Verdict:
    restarts = restarts_in_a_row(wish.restarts, wish.start_requested_at, now)
    if restarts >= MAX_RESTARTS:
        explanation = explain.lost_too_often(restarts, observation)
        return Verdict(Status(Phase.FAILED, explanation=explanation.as_json()))
    status = Status(Phase.PENDING, "Starting again", running_since=wish.running_since)
    return Verdict(status, "restart", explain.lost(name))


def _exited(wish: Wish, observation: Observation, application: Component, now: datetime) -> Verdict:
    since = wish.running_since
    # A session that is started again by itself keeps its clock, so the phase counts too.
    early = wish.phase != Phase.RUNNING or since is None or now - since < EARLY
    if not early and application.exit_code in (0, None):
        status = Status(Phase.RUNNING, "The application was closed", running_since=since)
        return Verdict(status, "hibernate")
    explanation = explain.exited(application, observation, early=early)
    return Verdict(Status(Phase.FAILED, explanation=explanation.as_json()))


def _starting(
    wish: Wish, observation: Observation, now: datetime, start_timeout: timedelta
) -> Verdict:
    waiting = _waiting(observation)
    if not waiting and now - _silent_since(wish, now) > start_timeout:
        explanation = explain.start_deadline(start_timeout, observation)
        return Verdict(Status(Phase.FAILED, explanation=explanation.as_json()))
    step = (waiting[0].message if waiting else _step(observation))[:MAX_STEP]
    # A session that is started again by itself keeps the clock of its longest duration.
    return Verdict(Status(Phase.PENDING, step, running_since=wish.running_since))


def _waiting(observation: Observation) -> list[Component]:
    return [c for c in observation.components if c.state == ComponentState.WAITING]


def _silent_since(wish: Wish, now: datetime) -> datetime:
    """Since when it could have answered and did not."""
    conditions = {(c["type"], c["status"]): c["lastTransitionTime"] for c in wish.conditions}
    since = [conditions.get(("Started", "True")), conditions.get(("Ready", "False"))]
    return max(datetime.fromisoformat(at) if at else now for at in since)


def _step(observation: Observation) -> str:
    display = _component(observation, "display")
    application = _component(observation, "application")
    if display is not None and display.state == ComponentState.STARTING:
        return "Starting the display"
    if application is not None and application.state == ComponentState.STARTING:
        return application.message or "Starting the application"
    return "Preparing"


def _component(observation: Observation, name: str) -> Component | None:
    return next((c for c in observation.components if c.name == name), None)


def _conditions(
    wish: Wish, status: Status, observation: Observation, now: datetime
) -> list[dict[str, Any]]:
    """Kubernetes-style conditions; a transition time moves only when the status does."""
    ready = status.phase == Phase.RUNNING and status.endpoint is not None
    reason = status.explanation.get("reason") or str(status.phase)
    found = [("Ready", ready, reason, status.explanation.get("message") or status.step)]
    if wish.desired_state == DesiredState.RUNNING and status.phase != Phase.FAILED:
        waiting = _waiting(observation)
        why = (waiting[0].reason or "Waiting", waiting[0].message) if waiting else ("Started", "")
        found.append(("Started", not waiting, *why))
    found += [
        (
            f"{part.name.capitalize()}Ready",
            part.state == ComponentState.READY,
            part.reason or part.state.capitalize(),
            part.message,
        )
        for part in observation.components
    ]
    before = {c["type"]: c for c in wish.conditions}
    conditions = []
    for kind, holds, reason, message in found:
        word = "True" if holds else "False"
        old = before.get(kind, {})
        same = old.get("status") == word
        conditions.append(
            {
                "type": kind,
                "status": word,
                "reason": reason,
                "message": message,
                "lastTransitionTime": old["lastTransitionTime"] if same else now.isoformat(),
            }
        )
    return conditions
