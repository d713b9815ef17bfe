"""The contract between the reconciler and a runtime.

A runtime makes one session's compute exist (``apply``), tells what is there (``observe``) and
takes it away (``remove``). It decides nothing: phases, deadlines, restarts and what the user
reads are pure functions of what it observes (``controller.derive``, ``controller.explain``).

Every method may be called again at any time, from any worker, after any crash. The caller holds
the session's lock, so no two calls for one session overlap; calls for different sessions do.

What the contract does not promise: that ``observe`` right after ``apply`` already sees the
result, and that ``watch`` reports every change (the sweep finds what it missed).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from threading import Event
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class LocalProgram:
    """The ``local`` section of a template: the Debian program that serves the same job."""

    command: tuple[str, ...]
    """argv. The runtime fills in ``{home}``; for web applications ``{socket}`` (a unix socket to
    listen on, mode 0600); ``{profile}`` (a folder in the home that only this session uses while it
    runs, for programs that allow one instance per profile). A word ``{root:ARG}`` becomes ``ARG``
    where the runtime runs as root and is left out elsewhere."""
    requires: tuple[str, ...] = ()
    """Executables that must be found besides ``command[0]``."""
    install: str = ""
    """One sentence for the person: how to install what is missing."""
    panel: bool = False
    """Whether the window manager shows a task bar and a root menu (whole desktops)."""


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """What a runtime needs of a pinned template revision."""

    name: str
    display_name: str
    app_type: Literal["desktop", "webapp"]
    image: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    web_path: str = "/"
    """Path under which a web application answers when it is ready."""
    clipboard: Literal["both", "to_session", "from_session", "none"] = "both"
    local: LocalProgram | None = None


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What is asked for, as far as a runtime is concerned. Built from the record and frozen."""

    name: str
    """DNS label of at most 52 characters, unique for ever."""
    user: str
    """The owner's user name; free text, never a path or a label."""
    template: TemplateSpec
    running: bool
    """False: release the compute, keep the home."""
    attempt: int
    """Counts starts. Compute of an earlier attempt is replaced; within one attempt what has
    exited is not started again."""
    home: str | None
    """Name of the user's home (DNS label), or None for a home that ends with the session."""
    cpu_millicores: int
    memory_mib: int


class ComponentState(StrEnum):
    """State of one part of a session's compute."""

    ABSENT = "absent"
    """Nothing was started in this attempt."""
    WAITING = "waiting"
    """Something outside the session must happen first (image pull, volume, node)."""
    STARTING = "starting"
    READY = "ready"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a session's compute: ``display`` or ``application``."""

    name: Literal["display", "application"]
    state: ComponentState
    exit_code: int | None = None
    """Exit status; negative is the signal's number. None: not exited, or nobody could tell."""
    reason: str = ""
    """CamelCase word for the state when the runtime knows more, as in ``ImagePullBackOff``."""
    message: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the stream role finds a running session."""

    kind: Literal["rfb", "http"]
    socket: str = ""
    """Path of a unix socket, or empty."""
    host: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What is there now."""

    components: tuple[Component, ...] = ()
    """Empty: no compute at all."""
    endpoint: Endpoint | None = None
    """Set when, and only when, the application's port answers: that is what Running means."""
    attempt: int | None = None
    """The attempt that the compute belongs to."""
    log_tail: tuple[str, ...] = ()
    """Last lines that the application wrote, when it exited (at most 20, 500 characters each)."""

    @property
    def exists(self) -> bool:
        """Whether compute is left that hibernation would have to release."""
        return any(
            c.state not in (ComponentState.ABSENT, ComponentState.EXITED) for c in self.components
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Measured use of one session."""

    cpu_millicores: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a template can be launched here, in words for its card."""

    launchable: bool
    reason: str = ""
    """CamelCase, empty when launchable: ``ProgramNotInstalled``, ``NotForThisRuntime`` …"""
    message: str = ""
    remedy: str = ""
    """What to do about it, one sentence; a command in it stands between backquotes."""


class RuntimeProblem(Exception):
    """The runtime could not do what was asked, for a reason that someone can act on.

    ``reason`` is CamelCase, ``message`` a sentence. ``transient`` problems are tried again with
    back-off; others fail the session until it is retried. Anything else that a runtime raises is
    a fault: logged with its traceback and tried again.
    """

    def __init__(self, reason: str, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.transient = transient


class Runtime(Protocol):
    """One place where sessions run."""

    name: str

    def apply(self, spec: SessionSpec) -> None:
        """Bring the compute to ``spec``; return as soon as the rest happens by itself.

        ``running=False`` stops and releases everything but the home, and keeps the log.
        Raises :class:`RuntimeProblem`.
        """

    def observe(self, spec: SessionSpec) -> Observation:
        """What is there. Never changes anything and never waits for anything."""

    def remove(self, name: str) -> None:
        """Take away everything of the session but the user's home. Absent is success."""

    def list(self) -> frozenset[str]:
        """Names of the sessions of which anything exists here, for the orphan sweep."""

    def availability(self, template: TemplateSpec) -> Availability:
        """Whether ``template`` can be launched here."""

    def usage(self, name: str) -> Usage | None:
        """Measured use, or None where it cannot be told."""

    def logs(self, name: str, lines: int = 100) -> tuple[str, ...]:
        """Last lines of the application's log, oldest first; empty when there is none."""

    def watch(self, stop: Event) -> Iterator[str]:
        """Names of sessions whose observation may have changed, until ``stop`` is set."""
