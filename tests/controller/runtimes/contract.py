"""What every runtime must do, whatever it runs sessions on.

A runtime's tests subclass :class:`RuntimeContract` and provide the fixtures ``runtime_factory``
(another instance over the same place each time, as after a restart) and ``workloads``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import Empty, Queue
from typing import TypeVar

import pytest

from controller.runtimes.base import (
    Component,
    ComponentState,
    Observation,
    Runtime,
    RuntimeProblem,
    SessionSpec,
    TemplateSpec,
)

T = TypeVar("T")
RuntimeFactory = Callable[[], Runtime]


@dataclass(frozen=True)
class Workloads:
    """Templates with a known behaviour, in whatever form this runtime understands."""

    desktop: TemplateSpec
    """Answers on its RFB port until it is ended; writes ``hello`` to its log first."""
    webapp: TemplateSpec
    """Answers over HTTP until it is ended."""
    failing: TemplateSpec
    """A desktop application that writes ``last words`` and exits at once with status 3."""
    absent: TemplateSpec
    """Cannot be launched here."""
    seconds: float
    """How long a start or an end may take here."""


def session(
    template: TemplateSpec, name: str = "ann-app-0a1b2c3d", **changes: object
) -> SessionSpec:
    """A session that is to run."""
    spec = SessionSpec(
        name=name,
        user="Ann O'Nymous",
        template=template,
        running=True,
        attempt=1,
        home="ann",
        cpu_millicores=500,
        memory_mib=512,
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def wait_for(read: Callable[[], T], holds: Callable[[T], bool], seconds: float) -> T:
    """Read until it holds; fails with what was read last."""
    deadline = time.monotonic() + seconds
    while not holds(value := read()):
        assert time.monotonic() < deadline, f"still so after {seconds} s: {value!r}"
        time.sleep(0.01)
    return value


def part(observation: Observation, name: str) -> Component:
    """One component; fails when it is not reported."""
    found = [c for c in observation.components if c.name == name]
    assert found, f"no {name} in {observation}"
    return found[0]


def has_exited(observation: Observation) -> bool:
    """Whether the application's end is known."""
    return any(
        c.name == "application" and c.state is ComponentState.EXITED for c in observation.components
    )


@contextmanager
def watching(runtime: Runtime) -> Iterator[Queue[str]]:
    """What ``watch`` yields, collected in a thread."""
    stop, names = threading.Event(), Queue[str]()
    events = runtime.watch(stop)

    def collect() -> None:
        for name in events:
            names.put(name)

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        yield names
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "watch goes on although it was told to stop"


def next_event(names: Queue[str], name: str, seconds: float) -> None:
    """Wait for an event of this session; fails when none comes."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if names.get(timeout=max(0.0, deadline - time.monotonic())) == name:
                return
        except Empty:
            pytest.fail(f"no event of {name} within {seconds} s")


class RuntimeContract:
    """The suite."""

    @pytest.fixture
    def runtime(self, runtime_factory: RuntimeFactory) -> Iterator[Runtime]:
        runtime = runtime_factory()
        yield runtime
        for name in runtime.list():
            runtime.remove(name)

    @staticmethod
    def start(runtime: Runtime, spec: SessionSpec, workloads: Workloads) -> Observation:
        runtime.apply(spec)
        return wait_for(
            lambda: runtime.observe(spec), lambda o: o.endpoint is not None, workloads.seconds
        )

    def test_a_desktop_becomes_ready_on_an_rfb_endpoint(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        observation = self.start(runtime, session(workloads.desktop), workloads)
        assert observation.endpoint is not None
        assert observation.endpoint.kind == "rfb"
        assert part(observation, "application").state is ComponentState.READY
        assert observation.attempt == 1
        assert observation.exists

    def test_a_web_application_becomes_ready_on_an_http_endpoint(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        observation = self.start(runtime, session(workloads.webapp), workloads)
        assert observation.endpoint is not None
        assert observation.endpoint.kind == "http"
        assert [c.name for c in observation.components] == ["application"]

    def test_nothing_is_observed_of_a_session_that_was_never_applied(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        assert runtime.observe(session(workloads.desktop)) == Observation()

    def test_applying_again_changes_nothing(self, runtime: Runtime, workloads: Workloads) -> None:
        spec = session(workloads.desktop)
        before = self.start(runtime, spec, workloads)
        runtime.apply(spec)
        assert runtime.observe(spec) == before

    def test_another_instance_finds_the_running_session(
        self, runtime: Runtime, runtime_factory: RuntimeFactory, workloads: Workloads
    ) -> None:
        spec = session(workloads.desktop)
        before = self.start(runtime, spec, workloads)
        other = runtime_factory()
        other.apply(spec)
        assert other.observe(spec) == before
        assert spec.name in other.list()

    def test_a_new_attempt_replaces_the_old_one(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        self.start(runtime, session(workloads.desktop), workloads)
        again = self.start(runtime, session(workloads.desktop, attempt=2), workloads)
        assert again.attempt == 2

    def test_an_exit_is_reported_with_its_status_and_the_last_lines(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        spec = session(workloads.failing)
        runtime.apply(spec)
        observation = wait_for(lambda: runtime.observe(spec), has_exited, workloads.seconds)
        assert part(observation, "application").exit_code == 3
        assert observation.endpoint is None
        assert "last words" in observation.log_tail

    def test_what_has_exited_is_not_started_again_in_the_same_attempt(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        spec = session(workloads.failing)
        runtime.apply(spec)
        before = wait_for(lambda: runtime.observe(spec), has_exited, workloads.seconds)
        runtime.apply(spec)
        assert part(runtime.observe(spec), "application") == part(before, "application")

    def test_hibernating_releases_the_compute_and_keeps_the_log(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        spec = session(workloads.desktop)
        self.start(runtime, spec, workloads)
        wait_for(lambda: runtime.logs(spec.name), lambda log: "hello" in log, workloads.seconds)
        asleep = replace(spec, running=False)
        runtime.apply(asleep)
        wait_for(lambda: runtime.observe(asleep), lambda o: not o.exists, workloads.seconds)
        assert runtime.observe(asleep).endpoint is None
        assert "hello" in runtime.logs(spec.name)
        runtime.apply(asleep)

    def test_a_hibernated_session_wakes(self, runtime: Runtime, workloads: Workloads) -> None:
        spec = session(workloads.desktop)
        self.start(runtime, spec, workloads)
        runtime.apply(replace(spec, running=False))
        woken = self.start(runtime, replace(spec, attempt=2), workloads)
        assert woken.attempt == 2

    def test_removing_leaves_nothing(self, runtime: Runtime, workloads: Workloads) -> None:
        spec = session(workloads.desktop)
        self.start(runtime, spec, workloads)
        runtime.remove(spec.name)
        wait_for(runtime.list, lambda names: spec.name not in names, workloads.seconds)
        assert runtime.observe(spec) == Observation()
        assert runtime.logs(spec.name) == ()
        assert runtime.usage(spec.name) is None

    def test_removing_what_is_absent_succeeds(self, runtime: Runtime) -> None:
        runtime.remove("never-was-0a1b2c3d")

    def test_sessions_start_side_by_side(self, runtime: Runtime, workloads: Workloads) -> None:
        specs = [session(workloads.desktop, f"ann-app-{n:08x}") for n in range(6)]
        with ThreadPoolExecutor(len(specs)) as pool:
            found = list(pool.map(lambda s: self.start(runtime, s, workloads), specs))
        assert len({o.endpoint for o in found}) == len(specs)
        assert runtime.list() >= {s.name for s in specs}

    def test_availability_tells_what_can_be_launched(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        assert runtime.availability(workloads.desktop).launchable
        missing = runtime.availability(workloads.absent)
        assert not missing.launchable
        assert missing.reason
        assert missing.message.endswith(".")

    def test_launching_the_unavailable_is_a_problem_in_words(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        reason = runtime.availability(workloads.absent).reason
        with pytest.raises(RuntimeProblem) as caught:
            runtime.apply(session(workloads.absent))
        assert caught.value.reason == reason
        assert not caught.value.transient

    def test_usage_is_measured_while_it_runs(self, runtime: Runtime, workloads: Workloads) -> None:
        spec = session(workloads.desktop)
        self.start(runtime, spec, workloads)
        usage = wait_for(lambda: runtime.usage(spec.name), lambda u: u is not None, 5)
        assert usage is not None
        assert usage.memory_mib > 0
        assert usage.cpu_millicores >= 0

    def test_watch_names_a_session_that_becomes_ready(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        spec = session(workloads.desktop)
        with watching(runtime) as names:
            self.start(runtime, spec, workloads)
            next_event(names, spec.name, workloads.seconds)

    def test_watch_names_a_session_whose_application_exits(
        self, runtime: Runtime, workloads: Workloads
    ) -> None:
        spec = session(workloads.failing)
        with watching(runtime) as names:
            runtime.apply(spec)
            next_event(names, spec.name, workloads.seconds)
