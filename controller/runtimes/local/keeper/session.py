"""What a keeper does, from its session's start to its end.

There is one per session. It is nobody's child and holds nothing of the portal, so the
portal may end in any way and find the session again by its state file. It exists for what only
a parent can do: know exit codes, collect every descendant (it is their subreaper, so nothing
escapes by ``setsid`` or a double fork), and drain the logs. It decides nothing else; in
particular it never starts an application twice.

SIGTERM asks it to end the session: programs first, so that they can save their work while
their display still exists, then the display, then whatever is left by force.

Not promised: when the keeper itself is killed, the session's programs go on, but their exit
codes are lost, and those that write to their log end by SIGPIPE.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, cast

from . import plan as plans
from . import processes, x11
from .children import Children, Stopped
from .probes import HttpProbe, greets_as_rfb
from .profiles import Profile
from .state import VERSION, Part, State, write_json

DISPLAY_SECONDS = 10.0
"""How long the display may take to start."""
FIRST_WINDOW_SECONDS = 10.0
"""A program that lives this long without a window is taken for one that opens none."""
HTTP_PROBE_SECONDS = 0.1
PROGRAM_GRACE_SECONDS = 1.4
LEFTOVER_GRACE_SECONDS = 0.5
DISPLAY_GRACE_SECONDS = 0.4
"""The three graces together stay below the three seconds after which the runtime uses force."""
DYING_SECONDS = 2.0
HELPER_STARTS = 5
"""A window manager or panel that ends more often than this stays away."""

Name = Literal["display", "application"]


class DisplayFailed(Exception):
    """The display could not be started; the argument is a sentence."""


class Keeper:
    """One attempt of one session, from its start to its end."""

    def __init__(self, folder: Path, plan: plans.Plan) -> None:
        self._plan = plan
        self._environment = dict(plan["environment"])
        self._children = Children(folder, (plans.APPLICATION_LOG, plans.DISPLAY_LOG))
        self._parts: dict[Name, Part] = {}
        self._helpers: dict[int, tuple[list[str], int]] = {}
        """Command and number of starts, by pid."""
        self._manager_pid = 0
        self._profile: Profile | None = None
        self._windows: x11.Display | None = None
        self._probe: HttpProbe | None = None
        self._ready_by = 0.0
        self._socket = os.path.join(
            plan["run_folder"], plans.RFB_SOCKET if plan["kind"] == "rfb" else plans.HTTP_SOCKET
        )

    # -- starting ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything. Raises DisplayFailed, NotStarted, Stopped or OSError."""
        if self._plan["kind"] == "rfb":
            self._start_display()
        self._start_application()
        self.save()

    def _start_display(self) -> None:
        authority = Path(self._plan["run_folder"], plans.AUTHORITY_FILE)
        cookie = x11.write_authority(authority)
        number = self._start_server()
        if not greets_as_rfb(self._socket, DISPLAY_SECONDS):
            raise DisplayFailed(self._display_problem("does not answer"))
        self._environment["DISPLAY"] = f":{number}"
        self._parts["display"]["state"] = "ready"
        top, bottom = (cast(x11.Colour, tuple(colour)) for colour in self._plan["background"])
        try:
            self._windows = x11.Display(number, cookie)
            self._windows.paint(top, bottom)
            self._windows.watch_windows()
        except OSError as error:
            raise DisplayFailed(self._display_problem("accepts no programs")) from error
        self._children.listen(self._windows.socket.fileno())
        self._start_manager(self._windows)

    def _start_manager(self, windows: x11.Display) -> None:
        """Start the window manager and wait for it.

        A program that opens its window in the very moment in which Openbox takes over is not
        managed: it stays small, and xterm waits five seconds for an answer.
        """
        self._manager_pid = self._spawn(self._plan["window_manager"], plans.DISPLAY_LOG)

        def settled() -> bool:
            windows.update()
            return windows.has_manager or self._manager_pid in self._children.exits

        try:
            self._children.await_condition(settled, DISPLAY_SECONDS)
        except OSError as error:
            raise DisplayFailed(self._display_problem("ended")) from error
        if not windows.has_manager:
            raise DisplayFailed(self._display_problem("has no window manager"))

    def _start_server(self) -> int:
        """Start the VNC server; returns the display number that it found free."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        command = [w.replace("{displayfd}", str(writing)) for w in self._plan["display"]]
        number = b""

        def settled() -> bool:
            nonlocal number
            with suppress(BlockingIOError):
                number += os.read(reading, 16)
            return number.endswith(b"\n") or pid in self._children.exits

        self._children.listen(reading)
        try:
            pid = self._spawn(command, plans.DISPLAY_LOG, keep=(writing,))
            self._parts["display"] = _part(pid)
            settled_in_time = self._children.await_condition(settled, DISPLAY_SECONDS)
        finally:
            self._children.ignore(reading)
            os.close(reading)
            os.close(writing)
        if not settled_in_time or not number.strip():
            raise DisplayFailed(self._display_problem("did not start"))
        return int(number)

    def _display_problem(self, what: str) -> str:
        self._children.drain()
        lines = [line.strip() for line in self._children.logs[plans.DISPLAY_LOG].tail()]
        last = next((line for line in reversed(lines) if line), "")
        return f"The display {what}: {last}" if last else f"The display {what}."

    def _start_application(self) -> None:
        command = self._plan["application"]
        if any("{profile}" in word for word in command):
            self._profile = Profile(Path(self._plan["home"]), self._plan["profile"])
            command = [word.replace("{profile}", str(self._profile.path)) for word in command]
        pid = self._spawn(command, plans.APPLICATION_LOG)
        if self._plan["shell"]:
            pid = self._manager_pid
        elif self._manager_pid:
            self._helpers[self._manager_pid] = (self._plan["window_manager"], 1)
        self._parts["application"] = _part(pid)
        for helper in self._plan["helpers"]:
            self._helpers[self._spawn(helper, plans.DISPLAY_LOG)] = (helper, 1)
        self._ready_by = time.monotonic() + FIRST_WINDOW_SECONDS
        if self._plan["kind"] == "http":
            self._probe = HttpProbe(self._socket, self._plan["web_path"])

    def _spawn(self, command: list[str], log: str, keep: tuple[int, ...] = ()) -> int:
        return self._children.spawn(command, log, self._environment, self._plan["home"], keep)

    # -- running ----------------------------------------------------------------------------

    def run(self) -> None:
        """Stay until the application or the display has ended. Raises Stopped."""
        application = self._parts["application"]
        while not self._note_exits():
            if self._children.stopping:
                raise Stopped
            if application["state"] == "starting" and self._is_ready():
                application["state"] = "ready"
                self.save()
            self._children.step(self._patience())

    def _patience(self) -> float | None:
        if self._parts["application"]["state"] != "starting":
            return None
        if self._probe is not None:
            return HTTP_PROBE_SECONDS
        return max(0.0, self._ready_by - time.monotonic())

    def _is_ready(self) -> bool:
        if self._probe is not None:
            return self._probe.poll()
        if self._windows is None:
            return False  # the display hung up: its exit follows
        try:
            self._windows.update()
        except OSError:
            self._forget_windows()
            self._ready_by = time.monotonic() + FIRST_WINDOW_SECONDS
            return False
        ready = self._windows.has_window or time.monotonic() >= self._ready_by
        if ready:
            self._forget_windows()
        return ready

    def _forget_windows(self) -> None:
        if self._windows is not None:
            self._children.ignore(self._windows.socket.fileno())
            self._windows.close()
            self._windows = None

    def _note_exits(self) -> bool:
        """Whether something ended that ends the session. Helpers are started again."""
        exits = self._children.exits
        if exits.get(self._parts["application"]["pid"]):
            self._await_cause()
        ended = [p for p in self._parts.values() if p["pid"] in exits]
        for part in ended:
            part["state"], part["exit_code"] = "exited", exits[part["pid"]]
        for pid in () if ended else self._helpers.keys() & exits.keys():
            command, starts = self._helpers.pop(pid)
            if starts < HELPER_STARTS:
                self._helpers[self._spawn(command, plans.DISPLAY_LOG)] = (command, starts + 1)
        return bool(ended)

    def _await_cause(self) -> None:
        """Let the exit of a dying display arrive before that of the programs it takes along.

        They see its sockets close, and can be gone before it is.
        """
        display = self._parts.get("display")
        if display and not greets_as_rfb(self._socket, DYING_SECONDS):
            self._children.await_condition(
                lambda: display["pid"] in self._children.exits, DYING_SECONDS
            )

    # -- ending -----------------------------------------------------------------------------

    def end(self) -> None:
        """End every process of the session and write down how it ended.

        A display that ended because the application did is not written down as ended: it would
        read as the cause. One that ended by itself stays, with the application it took along.
        """
        display, application = self._parts.get("display"), self._parts.get("application")
        if application and application["state"] == "exited":
            if display and display["state"] != "exited":
                del self._parts["display"]
            self._children.drain()
            self._save_if_possible()  # the person need not wait for the rest
        keepers = {os.getpid(), self._manager_pid, *self._helpers}
        infrastructure = keepers | ({display["pid"]} if display else set())
        programs = [s for pid, s in self._children.below().items() if pid not in infrastructure]
        # The first of each tree: a browser that is asked saves, one whose children die does not.
        leaders = {s.ident for s in programs if s.parent in keepers}
        self._children.terminate(leaders, PROGRAM_GRACE_SECONDS)
        below = self._children.below()
        rest = {s.ident for pid, s in below.items() if pid not in infrastructure}
        self._children.terminate(rest, LEFTOVER_GRACE_SECONDS)
        everything = {s.ident for s in self._children.below().values()}
        self._children.terminate(everything, DISPLAY_GRACE_SECONDS)
        self._children.kill()
        if self._profile is not None:
            self._profile.clear()
        self._children.drain()
        for part in self._parts.values():
            if part["state"] != "exited":
                part["state"] = "exited"
                part["exit_code"] = self._children.exits.get(part["pid"])
        self._save_if_possible()

    def fail(self, name: Name, reason: str, message: str) -> None:
        """End by force and write down why the attempt could not be started."""
        self._children.kill()
        part = self._parts.get(name) or _part(0)
        part["state"], part["reason"], part["message"] = "exited", reason, message
        part["exit_code"] = self._children.exits.get(part["pid"])
        self._parts = {name: part}
        self._save_if_possible()

    def abandon(self) -> None:
        """End by force and write nothing, as if the attempt had not been made."""
        self._children.kill()

    def save(self) -> None:
        """Write the state. Raises OSError."""
        me = processes.ident(os.getpid())
        assert me is not None  # we run
        state = State(
            version=VERSION,
            attempt=self._plan["attempt"],
            boot=processes.boot_id(),
            keeper=(me.pid, me.start),
            kind=self._plan["kind"],
            socket=self._socket,
            display=self._parts.get("display"),
            application=self._parts.get("application"),
            log_tail=self._children.logs[plans.APPLICATION_LOG].tail(),
        )
        write_json(Path(self._plan["state_file"]), state)

    def _save_if_possible(self) -> None:
        # When the disk is full the runtime still sees that the processes are gone.
        with suppress(OSError):
            self.save()


def _part(pid: int) -> Part:
    found = processes.stat(pid) if pid else None
    return Part(
        state="starting",
        pid=pid,
        start=found.ident.start if found else 0,
        started_at=time.time(),
        exit_code=None,
        reason="",
        message="",
    )
