"""A runtime in memory that a test scripts: it does what the contract says and nothing by itself.

``apply`` begins; whether the application then answers, waits, ends or vanishes is up to the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from threading import Event

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

_DISPLAY = Component("display", ComponentState.READY)
_APPLICATION = Component("application", ComponentState.STARTING)


@dataclass
class Compute:
    attempt: int
    display: Component = field(default=_DISPLAY)
    application: Component = field(default=_APPLICATION)
    answers: bool = False

    @property
    def observation(self) -> Observation:
        components = (self.display, self.application)
        alive = all(c.state is not ComponentState.EXITED for c in components)
        endpoint = Endpoint("rfb", socket="/run/desktop") if self.answers and alive else None
        log = () if alive else ("the last line",)
        return Observation(components, endpoint, self.attempt, log)


@dataclass
class MemoryRuntime:
    """Implements :class:`controller.runtimes.base.Runtime`."""

    name: str = "memory"
    computes: dict[str, Compute] = field(default_factory=dict)
    blind: bool = False
    """``observe`` does not see what ``apply`` did yet, as the contract allows."""
    faults: list[Exception] = field(default_factory=list)
    """Raised by the next calls of ``apply`` and ``remove``, one each."""
    calls: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    availability_of: dict[str, Availability] = field(default_factory=dict)

    def apply(self, spec: SessionSpec) -> None:
        self._called(f"apply {spec.name}")
        found = self.computes.get(spec.name)
        if not spec.running:
            self.computes.pop(spec.name, None)
        elif found is None or found.attempt != spec.attempt:
            self.computes[spec.name] = Compute(spec.attempt)

    def observe(self, spec: SessionSpec) -> Observation:
        found = self.computes.get(spec.name)
        return Observation() if self.blind or found is None else found.observation

    def remove(self, name: str) -> None:
        self._called(f"remove {name}")
        self.computes.pop(name, None)

    def list(self) -> frozenset[str]:
        return frozenset(self.computes)

    def availability(self, template: TemplateSpec) -> Availability:
        return self.availability_of.get(template.name, Availability(launchable=True))

    def usage(self, name: str) -> Usage | None:
        return None

    def logs(self, name: str, lines: int = 100) -> tuple[str, ...]:
        return ()

    def watch(self, stop: Event) -> Iterator[str]:
        yield from self.events
        stop.wait()

    # --- The script

    def answer(self, name: str) -> None:
        """The application's port answers from now on."""
        compute = self.computes[name]
        compute.answers = True
        compute.application = replace(compute.application, state=ComponentState.READY)

    def wait(self, name: str, message: str = "Pulling the image") -> None:
        """Something outside the session must happen first."""
        state = Component("application", ComponentState.WAITING, None, "Pulling", message)
        self.computes[name].application = state

    def begin(self, name: str) -> None:
        """The waiting is over."""
        self.computes[name].application = _APPLICATION

    def close(self, name: str, exit_code: int | None = 0) -> None:
        """The application ends."""
        state = Component("application", ComponentState.EXITED, exit_code)
        self.computes[name].application = state

    def lose_display(self, name: str) -> None:
        self.computes[name].display = Component("display", ComponentState.EXITED, -9)

    def lose(self, name: str) -> None:
        """Everything is gone, as after the machine was started again."""
        self.computes.pop(name, None)

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.faults:
            raise self.faults.pop(0)
