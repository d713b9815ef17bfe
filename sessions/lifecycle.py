"""The rules of a session's life. Pure: (desired state, phase) in, words and leave out.

This is the one place where "Starting", "Waking", "Hibernating" and "Terminating" come from;
nothing stores them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from django.db import models

from .choices import DesiredState, Phase


class DisplayState(models.TextChoices):
    """What people read on a card."""

    STARTING = "starting", "Starting"
    WAKING = "waking", "Waking"
    RUNNING = "running", "Running"
    HIBERNATING = "hibernating", "Hibernating"
    HIBERNATED = "hibernated", "Hibernated"
    FAILED = "failed", "Failed"
    TERMINATING = "terminating", "Terminating"
    TERMINATED = "terminated", "Terminated"


class Action(StrEnum):
    """What an owner may ask for."""

    OPEN = "open"
    HIBERNATE = "hibernate"
    WAKE = "wake"
    RETRY = "retry"
    EXTEND = "extend"
    SHARE = "share"
    TERMINATE = "terminate"


def display_state(desired: str, phase: str) -> DisplayState:
    """The word for a pair of desired state and phase.

    >>> display_state("running", "Hibernated").label
    'Waking'
    """
    if phase == Phase.TERMINATED:
        return DisplayState.TERMINATED
    if desired == DesiredState.TERMINATED:
        return DisplayState.TERMINATING
    if desired == DesiredState.HIBERNATED:
        return DisplayState.HIBERNATED if phase == Phase.HIBERNATED else DisplayState.HIBERNATING
    return {
        Phase.PENDING: DisplayState.STARTING,
        Phase.RUNNING: DisplayState.RUNNING,
        Phase.HIBERNATED: DisplayState.WAKING,
        Phase.FAILED: DisplayState.FAILED,
    }[Phase(phase)]


STABLE = timedelta(minutes=10)
"""A session that ran this long since it was last started again is not failing in a row."""


def restarts_in_a_row(restarts: int, last_start: datetime, now: datetime) -> int:
    """How many of its restarts by itself still count against a session: a node lost now and
    then over weeks is no fault of the session's."""
    return restarts if now - last_start < STABLE else 0


_COMMON = frozenset({Action.SHARE, Action.TERMINATE})
_ALLOWED: dict[DisplayState, frozenset[Action]] = {
    DisplayState.STARTING: _COMMON | {Action.OPEN, Action.HIBERNATE},
    DisplayState.WAKING: _COMMON | {Action.OPEN, Action.HIBERNATE},
    DisplayState.RUNNING: _COMMON | {Action.OPEN, Action.HIBERNATE, Action.EXTEND},
    DisplayState.HIBERNATING: _COMMON | {Action.WAKE},
    DisplayState.HIBERNATED: _COMMON | {Action.WAKE},
    DisplayState.FAILED: _COMMON | {Action.RETRY, Action.HIBERNATE},
    DisplayState.TERMINATING: frozenset({Action.TERMINATE}),
    DisplayState.TERMINATED: frozenset(),
}


def allowed_actions(desired: str, phase: str) -> frozenset[Action]:
    """What the owner may ask for now. Every state but the last offers a way out."""
    return _ALLOWED[display_state(desired, phase)]
