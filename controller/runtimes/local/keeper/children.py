"""The keeper's children: start them, copy what they print, learn how they ended.

Everything waits in one place, :meth:`Children.step`, so that logs never stall and exits are never
missed, whatever else the keeper waits for.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from subprocess import DEVNULL, Popen

from . import processes
from .logs import BoundedLog


class NotStarted(Exception):
    """A program could not be executed; the argument is a sentence."""


class Stopped(Exception):
    """SIGTERM came while something was awaited."""


class Children:
    """Children of this process, which becomes the parent of their orphans elsewhere."""

    def __init__(self, folder: Path, logs: Iterable[str]) -> None:
        self.stopping = False
        """Whether SIGTERM has come; from then on nothing is started."""
        self.exits: dict[int, int] = {}
        """Exit status by pid; negative is the signal's number."""
        self.logs: dict[str, BoundedLog] = {}
        self._outputs: dict[str, int] = {}
        self._selector = selectors.DefaultSelector()
        for name in logs:
            reading, writing = os.pipe()
            self.logs[name] = BoundedLog(folder / name, reading)
            self._outputs[name] = writing
            self._selector.register(reading, selectors.EVENT_READ, self.logs[name])
        self._wake, wake_writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)
        signal.set_wakeup_fd(wake_writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_terminate)

    def spawn(
        self,
        command: list[str],
        log: str,
        environment: dict[str, str],
        cwd: str,
        keep: tuple[int, ...] = (),
    ) -> int:
        """Start a program in a process session of its own; returns its pid.

        Raises NotStarted, and Stopped when the session is ending.
        """
        if self.stopping:
            raise Stopped
        try:
            process = Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=DEVNULL,
                stdout=self._outputs[log],
                stderr=self._outputs[log],
                start_new_session=True,
                pass_fds=keep,
                umask=0o022,
            )
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise NotStarted(f"{command[0]} cannot be started: {error.strerror}.") from error
        process.returncode = 0  # exits are collected in step(), not by subprocess
        return process.pid

    def listen(self, source: int) -> None:
        """Let :meth:`step` return when ``source`` is readable."""
        self._selector.register(source, selectors.EVENT_READ)

    def ignore(self, source: int) -> None:
        """Undo :meth:`listen`."""
        self._selector.unregister(source)

    def step(self, seconds: float | None) -> None:
        """Wait for an event, copy logs, collect the dead."""
        for key, _ in self._selector.select(seconds):
            if key.data is not None:
                key.data.pump()
            elif key.fd == self._wake:
                os.read(self._wake, 512)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.exits[pid] = os.waitstatus_to_exitcode(status)

    def await_condition(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Step until ``condition`` holds or the time is over. Raises Stopped."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.stopping:
                raise Stopped
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.step(left)
        return True

    def drain(self) -> None:
        """Copy what the logs still hold; bounded, as a writer may go on."""
        for log in self.logs.values():
            for _ in range(32):
                if not log.pump():
                    break

    def below(self) -> dict[int, processes.Stat]:
        """Every living descendant."""
        return processes.descendants([os.getpid()])

    def terminate(self, who: set[processes.Ident], seconds: float) -> None:
        """Ask these to end; wait until they have, at most ``seconds``."""
        for process in who:
            processes.send(process, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while any(processes.alive(p) for p in who) and time.monotonic() < deadline:
            self.step(0.05)

    def kill(self) -> None:
        """End every descendant by force and collect it."""
        while left := self.below():
            for entry in left.values():
                processes.send(entry.ident, signal.SIGKILL)
            self.step(0.02)
        self.step(0)

    def _on_terminate(self, *_: object) -> None:
        self.stopping = True
