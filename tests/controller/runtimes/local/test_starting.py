"""How programs are started: where, with what, and what is said when they cannot be."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from controller.runtimes.base import (
    ComponentState,
    LocalProgram,
    Observation,
    RuntimeProblem,
    TemplateSpec,
)
from controller.runtimes.local import LocalRuntime
from controller.runtimes.local.keeper import logs
from tests.controller.runtimes.contract import has_exited, part, session, wait_for
from tests.infra.disks import small_disk

from .conftest import Processes, desktop, shell, webapp

pytestmark = pytest.mark.integration

ROOT = os.geteuid() == 0


def start(runtime: LocalRuntime, template: TemplateSpec, **changes) -> Observation:
    spec = session(template, **changes)
    runtime.apply(spec)
    return wait_for(lambda: runtime.observe(spec), lambda o: o.endpoint is not None, 20)


def rfb_dialogue(path: str) -> bytes:
    """Connect as a viewer and return the first bytes that the server sends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
        return connection.recv(12)


def test_a_terminal_is_ready_well_within_a_second_or_two(runtime: LocalRuntime) -> None:
    began = time.monotonic()
    start(runtime, desktop("xterm"))
    assert time.monotonic() - began < 2.5  # 0.2 s on an idle machine; tests share theirs


def test_the_display_listens_on_a_private_socket_only(
    runtime: LocalRuntime, running: Processes
) -> None:
    endpoint = start(runtime, desktop("xterm")).endpoint
    assert endpoint
    assert rfb_dialogue(endpoint.socket).startswith(b"RFB 003.")
    mode = os.stat(endpoint.socket).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(os.stat(Path(endpoint.socket).parent).st_mode) == 0o700
    for process in running.all():
        assert psutil.Process(process.pid).net_connections(kind="inet") == []


def test_viewers_that_break_off_do_not_lock_out_the_next(runtime: LocalRuntime) -> None:
    endpoint = start(runtime, desktop("xterm")).endpoint
    assert endpoint
    for _ in range(12):
        assert rfb_dialogue(endpoint.socket).startswith(b"RFB ")


def test_a_single_application_fills_the_screen_without_a_frame(runtime: LocalRuntime) -> None:
    script = (
        "xterm & sleep 0.2; id=$(xdotool search --sync --onlyvisible --class xterm | tail -1);"
        "while :; do xdotool getwindowgeometry $id | tail -1; sleep 0.1; done"
    )
    spec = session(shell(script))
    runtime.apply(spec)
    wait_for(
        lambda: runtime.logs(spec.name),
        lambda log: any(line.startswith("  Geometry: 12") for line in log),
        10,
    )


@pytest.mark.parametrize(
    ("clipboard", "accept", "send"),
    [("both", "1", "1"), ("to_session", "1", "0"), ("from_session", "0", "1"), ("none", "0", "0")],
)
def test_the_display_enforces_the_clipboard_policy(
    runtime: LocalRuntime, running: Processes, clipboard: str, accept: str, send: str
) -> None:
    spec = session(desktop("xterm", clipboard=clipboard))
    start(runtime, spec.template)
    [server] = [p for p in running.of(spec.name) if running.comm(p).endswith("vnc")]
    command = Path(f"/proc/{server.pid}/cmdline").read_text().split("\0")
    assert command[command.index("-AcceptCutText") + 1] == accept
    assert command[command.index("-SendCutText") + 1] == send


def test_programs_get_a_clean_environment(
    runtime: LocalRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = ("STREAMSPACE_SECRET_KEY", "DB_PASSWORD", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    for name in (*secrets, "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "hunter2")
    spec = session(shell("env; exec xterm", env={"GREETING": "good day", "HOME": "/nowhere"}))
    start(runtime, spec.template)
    log = wait_for(
        lambda: runtime.logs(spec.name), lambda found: any("GREETING" in f for f in found), 5
    )
    assert not [line for line in log if "hunter2" in line]
    found = dict(line.split("=", 1) for line in log if "=" in line)
    assert found["GREETING"] == "good day"
    assert found["HOME"].endswith("/homes/ann")
    assert {name for name in found if name.startswith("STREAMSPACE_")} == {
        "STREAMSPACE_SESSION",
        "STREAMSPACE_RUNTIME",
    }
    assert stat.S_IMODE(os.stat(found["XDG_RUNTIME_DIR"]).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(found["HOME"]).st_mode) == 0o700


def test_no_process_of_a_session_shows_a_secret(
    runtime: LocalRuntime, running: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMSPACE_SECRET_KEY", "hunter2")
    spec = session(desktop("xterm"))
    start(runtime, spec.template)
    for process in running.of(spec.name):
        assert b"hunter2" not in Path(f"/proc/{process.pid}/environ").read_bytes()


def test_a_deep_data_folder_still_has_room_for_sockets(tmp_path: Path, running: Processes) -> None:
    runtime = LocalRuntime(tmp_path / ("d" * 120) / ("e" * 120))
    name = "a" * 52
    try:
        endpoint = start(runtime, desktop("xterm"), name=name).endpoint
        assert endpoint
        assert len(os.fsencode(endpoint.socket)) <= 107
        assert rfb_dialogue(endpoint.socket).startswith(b"RFB ")
    finally:
        runtime.remove(name)
    assert not Path(endpoint.socket).parent.exists()


def test_a_foreign_link_where_sockets_go_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = LocalRuntime(tmp_path / ("d" * 120))
    (tmp_path / "trap").mkdir()
    (tmp_path / "short").symlink_to(tmp_path / "trap")
    monkeypatch.setattr(runtime._folders, "_short", lambda: tmp_path / "short")
    with pytest.raises(RuntimeProblem) as caught:
        runtime.apply(session(desktop("xterm")))
    assert caught.value.reason == "StorageUnavailable"
    assert list((tmp_path / "trap").iterdir()) == []


@pytest.mark.parametrize(
    "name", ["..", "../x", "a/b", "", ".", "A", "a\0b", "-a", "a" * 64, "a\n", "ä", "/etc"]
)
def test_hostile_names_never_reach_the_file_system(
    runtime: LocalRuntime, data_dir: Path, name: str
) -> None:
    spec = session(desktop("xterm"), name=name)
    for call in (
        lambda: runtime.apply(spec),
        lambda: runtime.observe(spec),
        lambda: runtime.remove(name),
        lambda: runtime.logs(name),
        lambda: runtime.usage(name),
        lambda: runtime.apply(session(desktop("xterm"), home=name)),
    ):
        with pytest.raises(ValueError, match="not a DNS label"):
            call()
    assert not (data_dir / "homes").exists() or list((data_dir / "homes").iterdir()) == []


def test_a_missing_program_is_named_with_a_way_to_get_it(runtime: LocalRuntime) -> None:
    template = TemplateSpec(
        "app",
        "App",
        "desktop",
        local=LocalProgram(("xterm",), ("no-such-tool",), "Install it with `sudo apt install x`."),
    )
    found = runtime.availability(template)
    assert (found.launchable, found.reason) == (False, "ProgramNotInstalled")
    assert found.message == "no-such-tool is not installed on this machine."
    assert found.remedy == "Install it with `sudo apt install x`."


def test_a_template_without_a_local_program_is_for_another_runtime(runtime: LocalRuntime) -> None:
    found = runtime.availability(TemplateSpec("app", "App", "desktop", image="example/app:1"))
    assert (found.launchable, found.reason) == (False, "NotForThisRuntime")


def test_a_machine_without_a_display_server_says_how_to_get_one(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("controller.runtimes.local.programs.SYSTEM_PATH", str(tmp_path))
    found = LocalRuntime(data_dir).availability(desktop("xterm"))
    assert found.reason == "DisplayNotInstalled"
    assert "`sudo apt install tigervnc-standalone-server openbox`" in found.remedy


def test_programs_in_the_extra_folder_are_found(data_dir: Path, tmp_path: Path) -> None:
    program = tmp_path / "apps" / "bin" / "my-tool"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    runtime = LocalRuntime(data_dir, [program.parent])
    assert runtime.availability(desktop("my-tool")).launchable
    assert not LocalRuntime(data_dir).availability(desktop("my-tool")).launchable


def test_a_display_that_fails_is_reported_with_its_last_line(
    data_dir: Path, tmp_path: Path, running: Processes
) -> None:
    broken = tmp_path / "Xvnc"
    broken.write_text("#!/bin/sh\necho no pixels today >&2\nexit 1\n")
    broken.chmod(0o755)
    runtime = LocalRuntime(data_dir, [tmp_path])
    spec = session(desktop("xterm"))
    with pytest.raises(RuntimeProblem, match="no pixels today") as caught:
        runtime.apply(spec)
    assert caught.value.reason == "DisplayFailed"
    display = part(runtime.observe(spec), "display")
    assert (display.state, display.reason) == (ComponentState.EXITED, "DisplayFailed")
    runtime.remove(spec.name)


def test_a_chatty_program_cannot_fill_the_disk(runtime: LocalRuntime, data_dir: Path) -> None:
    spec = session(shell("yes something to say | head -c 200000000; echo the end; exec xterm"))
    runtime.apply(spec)
    wait_for(lambda: runtime.observe(spec), lambda o: o.endpoint is not None, 30)
    written = sum(f.stat().st_size for f in (data_dir / "sessions" / spec.name).glob("*.log*"))
    assert written <= 2 * (logs.FILE_BYTES + logs.CHUNK_BYTES)


def test_the_last_words_of_a_chatty_program_are_kept(runtime: LocalRuntime) -> None:
    spec = session(shell("yes filler | head -c 20000000; echo; echo fatal: out of ideas; exit 9"))
    runtime.apply(spec)
    seen = wait_for(lambda: runtime.observe(spec), has_exited, 30)
    assert seen.log_tail[-1] == "fatal: out of ideas"
    assert len(seen.log_tail) <= 20
    assert max(map(len, seen.log_tail)) <= 500


def test_a_web_application_is_not_ready_before_it_answers_well(runtime: LocalRuntime) -> None:
    spec = session(webapp(web_path="/broken"))
    runtime.apply(spec)
    probed = wait_for(
        lambda: runtime.logs(spec.name), lambda log: any("503" in line for line in log), 10
    )
    assert probed
    seen = runtime.observe(spec)
    assert seen.endpoint is None
    assert part(seen, "application").state is ComponentState.STARTING


def test_the_socket_of_a_web_application_is_private(runtime: LocalRuntime) -> None:
    endpoint = start(runtime, webapp()).endpoint
    assert endpoint
    assert stat.S_IMODE(os.stat(endpoint.socket).st_mode) == 0o600


def test_two_sessions_of_one_home_get_a_profile_each(runtime: LocalRuntime, data_dir: Path) -> None:
    template = shell("echo profile:$1; exec xterm", "{profile}")
    profiles = set()
    for number in range(2):
        spec = session(template, name=f"ann-app-{number:08x}")
        start(runtime, template, name=spec.name)
        [line] = [line for line in runtime.logs(spec.name) if line.startswith("profile:")]
        profiles.add(line)
    assert len(profiles) == 2


def test_a_lock_that_a_killed_browser_left_is_removed(
    runtime: LocalRuntime, data_dir: Path
) -> None:
    template = shell("ls -A $1; echo listed; exec xterm", "{profile}")
    profile = data_dir / "homes" / "ann" / ".config" / "streamspace" / "sh"
    profile.mkdir(parents=True)
    (profile / "SingletonLock").symlink_to("another-host-4711")
    spec = session(template)
    start(runtime, template)
    log = wait_for(lambda: runtime.logs(spec.name), lambda found: "listed" in found, 5)
    assert "SingletonLock" not in log


@pytest.mark.skipif(not ROOT, reason="mounting a small disk needs root")
def test_a_full_disk_is_a_problem_in_words_and_goes_away_with_it(
    tmp_path: Path, running: Processes
) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        runtime = LocalRuntime(disk / "data")
        spec = session(desktop("xterm"))
        try:
            filler = disk / "filler"
            with pytest.raises(OSError, match="No space left"):
                filler.write_bytes(bytes(1 << 20))
            with pytest.raises(RuntimeProblem) as caught:
                runtime.apply(spec)
            assert caught.value.reason == "StorageFull"
            assert caught.value.transient
            assert running.all() == set()
            filler.unlink()
            start(runtime, spec.template)
            runtime.remove(spec.name)
        finally:
            runtime.remove(spec.name)


@pytest.mark.skipif(not ROOT, reason="mounting a small disk needs root")
def test_a_session_survives_a_disk_that_fills_up(tmp_path: Path) -> None:
    script = "xterm & sleep 1; cat /dev/zero > ~/filler; echo full; wait; exit 4"
    with small_disk(tmp_path / "disk", "1m") as disk:
        runtime = LocalRuntime(disk / "data")
        spec = session(shell(script))
        try:
            start(runtime, spec.template)
            wait_for(lambda: os.statvfs(disk).f_bfree, lambda free: free == 0, 10)
            assert runtime.observe(spec).endpoint is not None
            runtime.remove(spec.name)
        finally:
            runtime.remove(spec.name)


def test_a_folder_that_cannot_be_used_is_a_problem_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(RuntimeProblem) as caught:
        LocalRuntime(tmp_path / "data").apply(session(desktop("xterm")))
    assert caught.value.reason == "StorageUnavailable"


def test_nothing_of_django_is_needed() -> None:
    folder = Path(__file__).resolve().parents[4] / "controller" / "runtimes" / "local"
    sources = [path.read_text() for path in folder.rglob("*.py")]
    assert sources
    assert not [source for source in sources if "django" in source]


def test_the_keeper_needs_nothing_but_the_standard_library() -> None:
    folder = Path(__file__).resolve().parents[4] / "controller" / "runtimes" / "local"
    subprocess.run(
        [sys.executable, "-I", "-S", "-c",
         f"import sys; sys.path.append({str(folder)!r}); import keeper.main"],
        check=True,
    )  # fmt: skip
