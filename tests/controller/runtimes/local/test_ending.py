"""Nothing of a session outlives it, and nobody else's process is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from controller.runtimes.base import ComponentState, Observation
from controller.runtimes.local import LocalRuntime
from controller.runtimes.local.keeper import processes
from tests.controller.runtimes.contract import part, session, wait_for

from .conftest import Processes, desktop, shell

pytestmark = pytest.mark.integration


def start(runtime: LocalRuntime, template, **changes) -> Observation:
    spec = session(template, **changes)
    runtime.apply(spec)
    return wait_for(lambda: runtime.observe(spec), lambda o: o.endpoint is not None, 20)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("setsid sh -c 'sleep 300 & sleep 300' & exec xterm", id="left its session"),
        pytest.param("(sleep 300 &) ; exec xterm", id="orphaned itself"),
        pytest.param("trap '' TERM HUP; sleep 300 & exec xterm -e sleep 300", id="ignores TERM"),
        pytest.param(
            "for i in 1 2 3 4 5 6 7 8; do (while :; do sleep 0.05; done) & done; exec xterm",
            id="keeps starting children",
        ),
        pytest.param(
            "env -i PATH=$PATH setsid -f sleep 300; exec xterm", id="dropped its environment"
        ),
    ],
)
def test_removing_ends_every_process(
    runtime: LocalRuntime, running: Processes, script: str
) -> None:
    spec = session(shell(script))
    start(runtime, spec.template)
    below = processes.descendants(p.pid for p in running.of(spec.name))
    everything = running.of(spec.name) | {entry.ident for entry in below.values()}
    assert len(everything) >= 5
    began = time.monotonic()
    runtime.remove(spec.name)
    assert time.monotonic() - began < 5
    assert {p for p in everything if processes.alive(p)} == set()
    assert running.of(spec.name) == set()


def test_ending_is_quick_when_programs_end_when_asked(runtime: LocalRuntime) -> None:
    spec = session(desktop("xterm"))
    start(runtime, spec.template)
    began = time.monotonic()
    runtime.remove(spec.name)
    assert time.monotonic() - began < 1.5


def test_the_program_is_asked_before_its_display_ends(
    runtime: LocalRuntime, data_dir: Path
) -> None:
    script = (
        "trap 'xdotool getmouselocation >/dev/null && echo saved > ~/work; exit' TERM;"
        "echo trapped; while :; do sleep 0.05; done"
    )
    spec = session(shell(script))
    runtime.apply(spec)
    wait_for(lambda: runtime.logs(spec.name), lambda log: "trapped" in log, 10)
    runtime.apply(replace(spec, running=False))
    assert (data_dir / "homes" / "ann" / "work").read_text() == "saved\n"


def test_hibernating_keeps_the_home_and_removing_too(runtime: LocalRuntime, data_dir: Path) -> None:
    spec = session(shell("echo mine > ~/file; exec xterm"))
    start(runtime, spec.template)
    runtime.apply(replace(spec, running=False))
    runtime.remove(spec.name)
    assert (data_dir / "homes" / "ann" / "file").read_text() == "mine\n"


def test_a_home_of_the_session_ends_with_it(runtime: LocalRuntime, data_dir: Path) -> None:
    spec = session(
        shell("mkdir -p ~/locked/in && chmod 500 ~/locked; echo done; exec xterm"), home=None
    )
    runtime.apply(spec)
    wait_for(lambda: runtime.logs(spec.name), lambda log: "done" in log, 10)
    runtime.apply(replace(spec, running=False))
    assert (data_dir / "sessions" / spec.name / "home" / "locked").is_dir()
    runtime.remove(spec.name)
    assert not (data_dir / "sessions" / spec.name).exists()
    assert list((data_dir / "homes").iterdir()) == []


def test_a_new_attempt_ends_the_processes_of_the_old_one(
    runtime: LocalRuntime, running: Processes
) -> None:
    spec = session(desktop("xterm"))
    start(runtime, spec.template)
    old = running.of(spec.name)
    start(runtime, spec.template, attempt=2)
    assert {p for p in old if processes.alive(p)} == set()
    assert len(running.named(spec.name, "xterm")) == 1


def test_a_killed_display_is_what_is_reported(runtime: LocalRuntime, running: Processes) -> None:
    spec = session(desktop("xterm"))
    start(runtime, spec.template)
    [display] = [p for p in running.of(spec.name) if running.comm(p).endswith("vnc")]
    os.kill(display.pid, signal.SIGKILL)
    seen = wait_for(
        lambda: runtime.observe(spec),
        lambda o: any(
            c.name == "display" and c.state is ComponentState.EXITED for c in o.components
        ),
        5,
    )
    assert part(seen, "display").exit_code == -signal.SIGKILL
    assert seen.endpoint is None
    wait_for(lambda: running.of(spec.name), lambda found: not found, 5)


def test_an_application_that_ended_takes_its_display_along(
    runtime: LocalRuntime, running: Processes
) -> None:
    spec = session(shell("sleep 0.2; exit 0"))
    runtime.apply(spec)
    wait_for(lambda: running.of(spec.name), lambda found: not found, 10)
    observation = runtime.observe(spec)
    assert [c.name for c in observation.components] == ["application"]
    assert part(observation, "application").exit_code == 0
    assert not observation.exists


def test_an_application_killed_by_a_signal_says_so(
    runtime: LocalRuntime, running: Processes
) -> None:
    spec = session(shell("kill -SEGV $$"))
    runtime.apply(spec)
    seen = wait_for(lambda: runtime.observe(spec), lambda o: not o.exists, 10)
    assert part(seen, "application").exit_code == -signal.SIGSEGV


def test_closing_the_first_program_leaves_a_desktop_open(
    runtime: LocalRuntime, running: Processes
) -> None:
    spec = session(desktop("true", panel=True))
    start(runtime, spec.template)
    wait_for(lambda: running.named(spec.name, "tint2"), bool, 5)
    assert running.named(spec.name, "true") == []
    assert part(runtime.observe(spec), "application").state is ComponentState.READY


def test_a_window_manager_that_crashed_comes_back(
    runtime: LocalRuntime, running: Processes
) -> None:
    spec = session(desktop("xterm"))
    start(runtime, spec.template)
    [manager] = running.named(spec.name, "openbox")
    os.kill(manager.pid, signal.SIGKILL)
    wait_for(
        lambda: running.named(spec.name, "openbox"), lambda found: found not in ([], [manager]), 5
    )
    assert runtime.observe(spec).endpoint is not None


def test_a_pid_that_was_reused_is_neither_adopted_nor_killed(
    runtime: LocalRuntime, running: Processes, data_dir: Path
) -> None:
    spec = session(desktop("xterm"))
    start(runtime, spec.template)
    file = data_dir / "states" / f"{spec.name}.json"
    state = json.loads(file.read_text())
    for process in running.of(spec.name):
        os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: running.of(spec.name), lambda found: not found, 5)
    with subprocess.Popen(["sleep", "300"]) as stranger:
        state["keeper"][0] = state["display"]["pid"] = state["application"]["pid"] = stranger.pid
        file.write_text(json.dumps(state))
        assert {c.state for c in runtime.observe(spec).components} == {ComponentState.EXITED}
        runtime.remove(spec.name)
        assert stranger.poll() is None
        stranger.kill()


def test_what_ran_before_the_machine_restarted_has_exited(
    runtime: LocalRuntime, data_dir: Path
) -> None:
    spec = session(desktop("xterm"))
    start(runtime, spec.template)
    file = data_dir / "states" / f"{spec.name}.json"
    state = json.loads(file.read_text())
    file.write_text(json.dumps(state | {"boot": "another"}))
    display = part(runtime.observe(spec), "display")
    assert (display.state, display.reason) == (ComponentState.EXITED, "HostRestarted")


def test_another_installation_with_the_same_session_names_is_left_alone(
    runtime: LocalRuntime, tmp_path: Path
) -> None:
    other = LocalRuntime(tmp_path / "other")
    spec = session(desktop("xterm"))
    start(runtime, spec.template)
    assert other.list() == frozenset()
    other.remove(spec.name)
    assert runtime.observe(spec).endpoint is not None


def test_a_zombie_counts_as_exited() -> None:
    with subprocess.Popen(["true"]) as child:
        started = processes.stat(child.pid)
        assert started
        found = wait_for(lambda: processes.stat(child.pid), lambda s: s is not None and s.exited, 5)
        assert found
        assert not processes.alive(started.ident)
        assert processes.await_exit([started.ident], 0) == set()
