"""Sessions as processes of this machine: for one person, without Kubernetes or root.

:class:`LocalRuntime` prepares folders, starts a keeper per session (see ``keeper``) and reads what
it writes down. It holds nothing that may not be lost: any process with an instance of this class
on the same data folder finds every session again.

Not promised: CPU and memory limits are not enforced; session programs run as the user that
the portal runs as and can reach what that user can; a web application counts as answering from
its first answer until it exits.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Literal

from controller.runtimes.base import (
    Availability,
    Component,
    ComponentState,
    Endpoint,
    Observation,
    SessionSpec,
    TemplateSpec,
    Usage,
)
from controller.runtimes.local.ending import end
from controller.runtimes.local.folders import Folders
from controller.runtimes.local.keeper import plan as plans
from controller.runtimes.local.keeper import processes
from controller.runtimes.local.keeper.logs import LINE_CHARACTERS, TAIL_LINES, last_lines
from controller.runtimes.local.keeper.state import Part, State, identity, read_state
from controller.runtimes.local.launch import launch
from controller.runtimes.local.programs import Programs
from controller.runtimes.local.usage import Meter
from controller.runtimes.local.watch import Watcher


class LocalRuntime:
    """Implements :class:`controller.runtimes.base.Runtime`."""

    name = "local"

    def __init__(self, data_dir: Path, program_dirs: Sequence[Path] | None = None) -> None:
        """``data_dir`` is created when first needed; ``program_dirs`` come before ``PATH``.

        Without ``program_dirs`` it is ``.apps/bin`` beside ``data_dir``, where ``make apps``
        installs. Raises nothing for a folder that cannot be used: :meth:`apply` says so.
        """
        self._folders = Folders(data_dir)
        if program_dirs is None:
            program_dirs = [self._folders.data.parent / ".apps" / "bin"]
        self._programs = Programs(program_dirs)
        self._meter = Meter()

    def apply(self, spec: SessionSpec) -> None:
        """See the contract. Returns once the programs run, commonly within 0.3 s.

        Raises RuntimeProblem: ``StorageFull``, ``StorageUnavailable``, ``StartFailed``,
        ``ProcessesRemain`` (transient); ``ProgramNotInstalled``, ``DisplayNotInstalled``,
        ``NotForThisRuntime``, ``DisplayFailed``. Raises ValueError for a name that is no label.
        """
        state = read_state(self._folders.state(spec.name))
        if not spec.running:
            self._end(spec.name, state)
            self._folders.release(spec.name)
            return
        if state and state["attempt"] == spec.attempt:
            return
        if state is None and self._is_being_started(spec):
            return
        self._end(spec.name, state)
        self._folders.release(spec.name)
        launch(spec, self._folders, self._programs)

    def observe(self, spec: SessionSpec) -> Observation:
        """See the contract."""
        state = read_state(self._folders.state(spec.name))
        if state is None:
            if self._is_being_started(spec):
                return Observation((_starting(),), attempt=spec.attempt)
            return Observation()
        trusted = self._same_boot(state) and processes.alive(processes.Ident(*state["keeper"]))
        components = []
        if state["display"]:
            components.append(_component("display", state["display"], state, trusted))
        if state["application"]:
            components.append(_component("application", state["application"], state, trusted))
        ready = all(component.state is ComponentState.READY for component in components)
        exited = any(component.state is ComponentState.EXITED for component in components)
        endpoint = Endpoint(state["kind"], socket=state["socket"]) if ready else None
        return Observation(
            tuple(components),
            endpoint,
            state["attempt"],
            self._tail(spec.name, state) if exited else (),
        )

    def remove(self, name: str) -> None:
        """See the contract. Raises RuntimeProblem (transient) when something will not go."""
        self._end(name, read_state(self._folders.state(name)))
        self._folders.remove(name)

    def list(self) -> frozenset[str]:
        """See the contract."""
        return self._folders.names() | processes.marked(self._folders.id).keys()

    def availability(self, template: TemplateSpec) -> Availability:
        """See the contract."""
        return self._programs.availability(template)

    def usage(self, name: str) -> Usage | None:
        """See the contract. CPU is the average since the call before."""
        state = read_state(self._folders.state(name))
        if state is None or not self._same_boot(state):
            self._meter.forget(name)
            return None
        parts = [part for part in (state["display"], state["application"]) if part]
        roots = {processes.Ident(*state["keeper"]), *(identity(part) for part in parts)}
        roots = {process for process in roots if processes.alive(process)}
        below = processes.descendants(process.pid for process in roots)
        return self._meter.measure(name, roots | {entry.ident for entry in below.values()})

    def logs(self, name: str, lines: int = 100) -> tuple[str, ...]:
        """See the contract. Reaches back over earlier attempts."""
        return last_lines(self._folders.session(name) / plans.APPLICATION_LOG, lines)

    def watch(self, stop: Event) -> Iterator[str]:
        """See the contract. Notices within about 0.2 s; counts from this call."""
        return Watcher(self._folders.states).events(stop)

    def _end(self, name: str, state: State | None) -> None:
        end(name, self._folders.id, state)
        self._meter.forget(name)

    def _is_being_started(self, spec: SessionSpec) -> bool:
        """Whether a keeper is at work that has not written a state yet.

        So it is when the portal was killed right after it started one: the next must neither
        start a second nor end the first.
        """
        session = self._folders.session(spec.name)
        try:
            lock = os.open(session / plans.LOCK_FILE, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return plans.read_plan(session)["attempt"] == spec.attempt
        finally:
            os.close(lock)
        return False

    def _same_boot(self, state: State) -> bool:
        return state["boot"] == processes.boot_id()

    def _tail(self, name: str, state: State) -> tuple[str, ...]:
        # A keeper that was killed wrote none down.
        lines = tuple(state["log_tail"]) or self.logs(name, TAIL_LINES)
        return tuple(line[:LINE_CHARACTERS] for line in lines[-TAIL_LINES:])


def _starting() -> Component:
    return Component("application", ComponentState.STARTING)


def _component(
    name: Literal["display", "application"], part: Part, state: State, trusted: bool
) -> Component:
    """What the keeper wrote, as long as it lives; else what can still be seen."""
    started = datetime.fromtimestamp(part["started_at"], UTC)
    current = ComponentState(part["state"])
    if current is ComponentState.EXITED or trusted:
        return Component(name, current, part["exit_code"], part["reason"], part["message"], started)
    if state["boot"] != processes.boot_id():
        return Component(
            name,
            ComponentState.EXITED,
            reason="HostRestarted",
            message="This machine was restarted.",
            started_at=started,
        )
    if processes.alive(identity(part)):
        return Component(name, current, started_at=started)
    return Component(name, ComponentState.EXITED, reason="Lost", started_at=started)
