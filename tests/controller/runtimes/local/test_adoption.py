"""The portal may die at any moment, in any way; its sessions go on and are found again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.runtimes.base import ComponentState
from controller.runtimes.local import LocalRuntime
from controller.runtimes.local.keeper import processes
from tests.controller.runtimes.contract import part, session, wait_for, watching

from .conftest import Processes, desktop, shell

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[4]
PORTAL = """
import importlib.util, sys, types
from pathlib import Path
for name in ("controller", "controller.runtimes"):
    module = types.ModuleType(name)
    module.__path__ = [str(Path(sys.argv[1], *name.split(".")))]
    sys.modules[name] = module
from controller.runtimes.base import LocalProgram, SessionSpec, TemplateSpec
from controller.runtimes.local import LocalRuntime
program = LocalProgram(("sh", "-c", "echo on; exec xterm"))
template = TemplateSpec("app", "App", "desktop", local=program)
spec = SessionSpec("ann-app-0a1b2c3d", "ann", template, True, 1, "ann", 500, 512)
print("applying", flush=True)
LocalRuntime(Path(sys.argv[2])).apply(spec)
print("applied", flush=True)
sys.stdin.read()
"""


@contextmanager
def portal(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that starts a session and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", PORTAL, str(ROOT), str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_session_survives_the_portal_being_killed(
    runtime: LocalRuntime, running: Processes, data_dir: Path
) -> None:
    spec = session(shell("echo on; exec xterm"))
    with portal(data_dir) as process:
        assert [told(process), told(process)] == ["applying", "applied"]
        os.killpg(process.pid, signal.SIGKILL)
    before = running.of(spec.name)
    runtime.apply(spec)
    seen = wait_for(lambda: runtime.observe(spec), lambda o: o.endpoint is not None, 10)
    assert seen.attempt == 1
    assert running.of(spec.name) >= {p for p in before if processes.alive(p)}
    assert len(running.named(spec.name, "xterm")) == 1


@pytest.mark.parametrize("milliseconds", [0, 10, 20, 30, 45, 60, 90, 130])
def test_a_portal_killed_while_starting_leaves_no_orphan_and_no_second_start(
    runtime: LocalRuntime, running: Processes, data_dir: Path, milliseconds: int
) -> None:
    spec = session(shell("echo on; exec xterm"))
    with portal(data_dir) as process:
        assert told(process) == "applying"
        # Not a wait for anything: the moment of death is what varies.
        time.sleep(milliseconds / 1000)
        os.killpg(process.pid, signal.SIGKILL)
    runtime.apply(spec)
    wait_for(lambda: runtime.observe(spec), lambda o: o.endpoint is not None, 10)
    assert len(running.named(spec.name, "xterm")) == 1
    assert len([p for p in running.of(spec.name) if running.comm(p).endswith("vnc")]) == 1
    assert runtime.logs(spec.name).count("on") == 1


def test_a_session_can_be_removed_while_another_process_starts_it(
    runtime: LocalRuntime, running: Processes, data_dir: Path
) -> None:
    with portal(data_dir) as process:
        assert told(process) == "applying"
        wait_for(running.all, bool, 5)
        os.killpg(process.pid, signal.SIGKILL)
    runtime.remove("ann-app-0a1b2c3d")
    assert running.all() == set()
    assert runtime.list() == frozenset()


def test_programs_are_still_found_when_their_keeper_was_killed(
    runtime: LocalRuntime, running: Processes, data_dir: Path
) -> None:
    spec = session(desktop("xterm"))
    runtime.apply(spec)
    wait_for(lambda: runtime.observe(spec), lambda o: o.endpoint is not None, 10)
    state = json.loads((data_dir / "states" / f"{spec.name}.json").read_text())
    os.kill(state["keeper"][0], signal.SIGKILL)
    wait_for(lambda: processes.stat(state["keeper"][0]), lambda s: s is None or s.exited, 5)
    runtime.apply(spec)
    assert runtime.observe(spec).endpoint is not None
    os.kill(state["application"]["pid"], signal.SIGKILL)
    seen = wait_for(lambda: runtime.observe(spec), lambda o: o.endpoint is None, 5)
    lost = part(seen, "application")
    assert (lost.state, lost.exit_code, lost.reason) == (ComponentState.EXITED, None, "Lost")
    runtime.remove(spec.name)
    assert running.of(spec.name) == set()


def test_sessions_hold_nothing_of_the_portal_open(
    runtime: LocalRuntime, running: Processes, tmp_path: Path
) -> None:
    with (tmp_path / "held").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        spec = session(desktop("xterm"))
        runtime.apply(spec)
        wait_for(lambda: running.named(spec.name, "xterm"), bool, 5)
        targets = {
            os.readlink(entry)
            for process in running.of(spec.name)
            for entry in Path(f"/proc/{process.pid}/fd").iterdir()
        }
    assert str(tmp_path / "held") not in targets


def test_the_portal_keeps_no_zombie_of_a_session(runtime: LocalRuntime) -> None:
    spec = session(shell("exit 0"))
    runtime.apply(spec)
    wait_for(lambda: runtime.observe(spec), lambda o: not o.exists, 10)
    children = [s for pid in processes.pids() if (s := processes.stat(pid))]
    assert [s for s in children if s.parent == os.getpid() and s.exited] == []


def test_watch_sees_what_other_threads_and_processes_start(
    runtime: LocalRuntime, running: Processes, data_dir: Path
) -> None:
    with watching(runtime) as names:
        spec = session(desktop("xterm"), name="bob-app-0a1b2c3d")
        thread = threading.Thread(target=LocalRuntime(data_dir).apply, args=(spec,))
        thread.start()
        assert names.get(timeout=10) == spec.name
        thread.join()
        with portal(data_dir) as process:
            assert told(process) == "applying"
            seen = {names.get(timeout=10)}
            while "ann-app-0a1b2c3d" not in seen:
                seen.add(names.get(timeout=10))


@pytest.mark.parametrize("victim", ["xterm", "keeper"])
def test_watch_notices_an_end_at_once(runtime: LocalRuntime, data_dir: Path, victim: str) -> None:
    spec = session(desktop("xterm"))
    runtime.apply(spec)
    wait_for(lambda: runtime.observe(spec), lambda o: o.endpoint is not None, 10)
    state = json.loads((data_dir / "states" / f"{spec.name}.json").read_text())
    with watching(runtime) as names:
        began = time.monotonic()
        pid = state["keeper"][0] if victim == "keeper" else state["application"]["pid"]
        os.kill(pid, signal.SIGKILL)
        assert names.get(timeout=5) == spec.name
        assert time.monotonic() - began < 1


def test_watching_costs_next_to_nothing_while_nothing_happens(runtime: LocalRuntime) -> None:
    for number in range(3):
        runtime.apply(session(desktop("xterm"), name=f"ann-app-{number:08x}"))
    stop = threading.Event()
    events = runtime.watch(stop)
    threading.Timer(2, stop.set).start()
    used = time.thread_time()
    for _ in events:
        pass
    assert time.thread_time() - used < 0.2
