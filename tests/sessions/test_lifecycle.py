"""The words and the leave of every pair of desired state and phase."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from sessions.choices import DesiredState, Phase
from sessions.lifecycle import (
    STABLE,
    Action,
    DisplayState,
    allowed_actions,
    display_state,
    restarts_in_a_row,
)

PAIRS = list(itertools.product(DesiredState.values, Phase.values))


@pytest.mark.parametrize(("desired", "phase"), PAIRS)
def test_every_pair_has_a_word_and_a_way_out(desired: str, phase: str) -> None:
    state = display_state(desired, phase)
    assert state.label
    actions = allowed_actions(desired, phase)
    assert (Action.TERMINATE in actions) is (state is not DisplayState.TERMINATED)


@pytest.mark.parametrize(
    ("desired", "phase", "word"),
    [
        ("running", "Pending", "Starting"),
        ("running", "Hibernated", "Waking"),
        ("running", "Running", "Running"),
        ("running", "Failed", "Failed"),
        ("hibernated", "Pending", "Hibernating"),
        ("hibernated", "Running", "Hibernating"),
        ("hibernated", "Failed", "Hibernating"),
        ("hibernated", "Hibernated", "Hibernated"),
        ("terminated", "Pending", "Terminating"),
        ("terminated", "Running", "Terminating"),
        ("terminated", "Hibernated", "Terminating"),
        ("terminated", "Failed", "Terminating"),
        ("terminated", "Terminated", "Terminated"),
    ],
)
def test_the_word_for_each_pair_that_comes_about(desired: str, phase: str, word: str) -> None:
    assert display_state(desired, phase).label == word


@pytest.mark.parametrize("desired", DesiredState.values)
def test_what_is_over_is_over_whatever_was_asked(desired: str) -> None:
    assert display_state(desired, Phase.TERMINATED) is DisplayState.TERMINATED
    assert allowed_actions(desired, Phase.TERMINATED) == frozenset()


def test_a_start_can_be_cancelled() -> None:
    assert {Action.HIBERNATE, Action.TERMINATE} <= allowed_actions("running", "Pending")


def test_a_failure_can_be_retried_hibernated_and_terminated() -> None:
    ways = {Action.RETRY, Action.HIBERNATE, Action.TERMINATE}
    assert ways <= allowed_actions("running", "Failed")


def test_only_what_runs_can_be_extended() -> None:
    extendable = [pair for pair in PAIRS if Action.EXTEND in allowed_actions(*pair)]
    assert extendable == [("running", "Running")]


def test_a_restart_long_ago_counts_no_more() -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    assert restarts_in_a_row(3, start, start + STABLE - timedelta(seconds=1)) == 3
    assert restarts_in_a_row(3, start, start + STABLE) == 0
