"""From a session's spec to a keeper that runs it."""

from __future__ import annotations

import json
import os
import pwd
import select
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from controller.runtimes.base import RuntimeProblem, SessionSpec
from controller.runtimes.local import desktop
from controller.runtimes.local.folders import Folders, storage_problem, storage_problems
from controller.runtimes.local.keeper import plan as plans
from controller.runtimes.local.keeper.processes import RUNTIME_MARK, SESSION_MARK
from controller.runtimes.local.keeper.state import write_json
from controller.runtimes.local.programs import DISPLAY_SERVERS, PANEL, WINDOW_MANAGER, Programs

START_SECONDS = 20.0
"""How long a keeper may take to say how the start went; above its own limits."""
_INHERITED = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")


def launch(spec: SessionSpec, folders: Folders, programs: Programs) -> None:
    """Start the attempt; returns once its programs run. Raises RuntimeProblem."""
    program = programs.require(spec.template)
    folders.create(spec.name, spec.home)
    session, run = folders.session(spec.name), folders.run(spec.name)
    home = folders.home(spec.name, spec.home)
    is_desktop = spec.template.app_type == "desktop"
    values = {"home": str(home), "socket": str(run / plans.HTTP_SOCKET)}
    panel = is_desktop and program.panel
    plan = plans.Plan(
        attempt=spec.attempt,
        kind="rfb" if is_desktop else "http",
        state_file=str(folders.state(spec.name)),
        run_folder=str(run),
        home=str(home),
        environment=environment(spec, home, run, programs.path, folders.id),
        display=[],
        window_manager=[],
        helpers=[],
        application=programs.command(program, values),
        shell=panel,
        profile=Path(program.command[0]).name,
        web_path=_target(spec.template.web_path),
        background=desktop.PLEASANT if panel else desktop.PLAIN,
    )
    if is_desktop:
        plan["environment"]["XENVIRONMENT"] = str(session / desktop.RESOURCES_FILE)
        xvnc, manager = programs.find(*DISPLAY_SERVERS), programs.find(WINDOW_MANAGER)
        assert xvnc  # require() found both
        assert manager
        authority = run / plans.AUTHORITY_FILE
        plan["display"] = desktop.server(xvnc, spec.template, run / plans.RFB_SOCKET, authority)
        configuration = str(session / "rc.xml")
        plan["window_manager"] = [manager, "--sm-disable", "--config-file", configuration]
        if panel:
            plan["helpers"] = [[programs.find(PANEL) or PANEL, "-c", str(session / "tint2rc")]]
    with storage_problems(str(session)):
        if is_desktop:
            desktop.write_configuration(session, programs.find, panel=panel)
        for name in (plans.RFB_SOCKET, plans.HTTP_SOCKET):  # a killed program leaves its own
            (run / name).unlink(missing_ok=True)
        write_json(session / plans.PLAN_FILE, plan)
    _start_keeper(session, _marks(spec, folders.id))


def environment(
    spec: SessionSpec, home: Path, run: Path, path: str, runtime_id: str
) -> dict[str, str]:
    """The whole environment of session programs.

    Built up from nothing: what the portal's own environment holds (keys, database passwords) never
    passes through. What the session's working depends on wins over the template's wishes.
    """
    user = pwd.getpwuid(os.geteuid()).pw_name
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {
        "PATH": path,
        "LANG": "C.UTF-8",
        **inherited,
        "TERM": "xterm-256color",
        "SHELL": "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh",
        **{name: value for name, value in spec.template.env.items() if _is_variable(name, value)},
        "HOME": str(home),
        "USER": user,
        "LOGNAME": user,
        "XDG_RUNTIME_DIR": str(run),
        "XDG_SESSION_TYPE": "x11",
        "XAUTHORITY": str(run / plans.AUTHORITY_FILE),
        **_marks(spec, runtime_id),
    }


def _is_variable(name: str, value: str) -> bool:
    return bool(name) and "=" not in name and "\0" not in name + value


def _marks(spec: SessionSpec, runtime_id: str) -> dict[str, str]:
    return {SESSION_MARK: spec.name, RUNTIME_MARK: runtime_id}


def _target(path: str) -> str:
    """A request target that cannot break out of its line."""
    cleaned = "".join(c for c in path if c.isascii() and c.isprintable() and c != " ")
    return cleaned if cleaned.startswith("/") else f"/{cleaned}"


def _start_keeper(session: Path, marks: Mapping[str, str]) -> None:
    command = [
        *(sys.executable, "-S", "-P", "-c"),
        plans.PROGRAM,
        str(session),
    ]
    own = {"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).resolve().parent)}
    with storage_problems(str(session)):
        errors = os.open(session / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        starter = Popen(
            command,
            cwd="/",
            env={**own, **marks},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=errors,
            start_new_session=True,
        )
    finally:
        os.close(errors)
    with starter:
        assert starter.stdout is not None  # PIPE
        answer = _read_line(starter.stdout.fileno(), START_SECONDS)
    _raise_problem(answer, session)


def _read_line(descriptor: int, seconds: float) -> bytes:
    """A line, or what came of it before the other end closed or the time was over."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    line = b""
    while not line.endswith(b"\n"):
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            break
        chunk = os.read(descriptor, 4096)
        if not chunk:
            break
        line += chunk
    return line


def _raise_problem(answer: bytes, session: Path) -> None:
    if not answer.endswith(b"\n"):
        raise RuntimeProblem(
            "StartFailed",
            "The session's processes could not be started; see keeper.log in its folder.",
            transient=True,
        )
    told = json.loads(answer)
    reason, message = told["reason"], told["message"]
    if reason in ("", "AlreadyKept", "Stopped"):
        return
    if reason.startswith("Storage"):
        raise storage_problem(reason, f"{session}: {message}")
    raise RuntimeProblem(reason, message)
