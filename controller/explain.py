"""Why a session is not running, in words for the person at the browser. Pure.

The session card, the API, the admin and the event history show the same text. Each explanation
says what happened, who can do something about it, and what.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from controller.runtimes.base import Component, Observation, RuntimeProblem
from sessions.lifecycle import Action
from streamspace.config import format_duration

Who = Literal["you", "operator"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """``reason`` is CamelCase and stable, ``message`` one or two sentences, ``actions`` what
    the owner can press, ``log`` the application's last lines."""

    reason: str
    message: str
    who: Who
    actions: tuple[Action, ...] = (Action.RETRY, Action.TERMINATE)
    log: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The shape that the record stores and every door shows."""
        return {
            **asdict(self),
            "message": _storable(self.message),
            "actions": [action.value for action in self.actions],
            "log": [_storable(line) for line in self.log],
        }


def _storable(text: str) -> str:
    """Programs print anything; PostgreSQL's JSON holds neither NUL nor half a surrogate pair."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


_OPERATOR_REASONS = frozenset(
    {"StorageFull", "StorageUnavailable", "DisplayNotInstalled", "ProgramNotInstalled"}
)


def problem(error: RuntimeProblem) -> Explanation:
    """The runtime refused to start it and said why."""
    who: Who = "operator" if error.reason in _OPERATOR_REASONS else "you"
    return Explanation(error.reason, error.message, who)


def fault() -> Explanation:
    """Something nobody foresaw; the log of the worker has the traceback."""
    return Explanation(
        "InternalFault",
        "StreamSpace ran into a problem of its own and is trying again. If this stays, an "
        "operator finds the cause in the worker's log.",
        "operator",
        (Action.HIBERNATE, Action.TERMINATE),
    )


def exited(application: Component, observation: Observation, *, early: bool) -> Explanation:
    """The application ended by itself. ``early``: before anybody could use it."""
    when = "ended right after it was started" if early else "ended"
    if application.exit_code is None:
        how = ""
    elif application.exit_code < 0:
        how = f", stopped by signal {-application.exit_code}"
    else:
        how = f" with exit status {application.exit_code}"
    advice = (
        " Its last lines are below; they usually name the cause." if observation.log_tail else ""
    )
    return Explanation(
        "ApplicationExited",
        f"The application {when}{how}.{advice}",
        "you",
        log=observation.log_tail,
    )


def lost_too_often(restarts: int, observation: Observation) -> Explanation:
    """What it runs on keeps going away."""
    return Explanation(
        "KeepsFailing",
        f"The session was lost and started again {restarts} times, and was lost once more.",
        "operator",
        log=observation.log_tail,
    )


def start_deadline(timeout: timedelta, observation: Observation) -> Explanation:
    """It never answered."""
    return Explanation(
        "StartDeadlineExceeded",
        f"The application did not answer within {format_duration(timeout)} of its start.",
        "you",
        log=observation.log_tail,
    )


def lost(component: str) -> str:
    """One sentence for the history when compute is started again without anybody asking."""
    what = "Its display server" if component == "display" else "What it ran on"
    return f"{what} went away; it was started again. Open windows are lost, files are not."
