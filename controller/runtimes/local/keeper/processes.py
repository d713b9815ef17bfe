"""Find, recognise, signal and await processes by what the kernel says of them.

A process is known by its pid *and* its start time, so that a reused pid is never taken for
ours. Session processes are found in two ways, because each alone has a hole: by the marker in
their environment (a process may have left the tree; the idea is Jenkins' ProcessTreeKiller) and by
descent (Chromium overwrites the environment that ``/proc`` shows with its process title).
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

SESSION_MARK = "STREAMSPACE_SESSION"
RUNTIME_MARK = "STREAMSPACE_RUNTIME"


class Ident(NamedTuple):
    """One process for ever: pid and start time in clock ticks since boot."""

    pid: int
    start: int


class Stat(NamedTuple):
    """What ``/proc/<pid>/stat`` says, as far as it is used here."""

    ident: Ident
    parent: int
    state: str

    @property
    def exited(self) -> bool:
        """Zombies have exited; only their parent has not asked yet."""
        return self.state in "ZXx"


def boot_id() -> str:
    """Identifies this boot: start times count from it, so they mean nothing after the next."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def stat(pid: int) -> Stat | None:
    """The process, or None when there is none of this pid."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            content = file.read()
    except OSError:  # gone, also between open and read (ESRCH)
        return None
    # The name may hold spaces and brackets; the last bracket ends it (man 5 proc_pid_stat).
    fields = content[content.rindex(b")") + 2 :].split()
    return Stat(Ident(pid, int(fields[19])), int(fields[1]), fields[0].decode("ascii"))


def ident(pid: int) -> Ident | None:
    """Identity of a process that has not exited."""
    found = stat(pid)
    return found.ident if found and not found.exited else None


def alive(who: Ident) -> bool:
    """Whether this very process runs; a zombie or a successor of the same pid does not count."""
    return ident(who.pid) == who


def pids() -> list[int]:
    """Every pid that is visible."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]


def descendants(roots: Iterable[int]) -> dict[int, Stat]:
    """Living processes below the roots (which are not included), by pid."""
    table = {s.ident.pid: s for pid in pids() if (s := stat(pid))}
    children: dict[int, list[int]] = {}
    for pid, entry in table.items():
        children.setdefault(entry.parent, []).append(pid)
    found: dict[int, Stat] = {}
    queue = list(roots)
    while queue:
        for pid in children.get(queue.pop(), ()):
            if pid not in found:
                found[pid] = table[pid]
                queue.append(pid)
    return {pid: entry for pid, entry in found.items() if not entry.exited}


def marked(runtime: str) -> dict[str, set[Ident]]:
    """Living processes that carry the marks of this runtime, by session name."""
    wanted = f"{RUNTIME_MARK}={runtime}".encode()
    prefix = f"{SESSION_MARK}=".encode()
    found: dict[str, set[Ident]] = {}
    for pid in pids():
        before = ident(pid)
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = file.read()
        except OSError:  # gone, or another user's
            continue
        if before is None or wanted not in environ:
            continue
        variables = environ.split(b"\0")
        if wanted in variables and ident(pid) == before:
            for variable in variables:
                if variable.startswith(prefix):
                    name = variable[len(prefix) :].decode("ascii", "replace")
                    found.setdefault(name, set()).add(before)
    return found


def send(who: Ident, signum: signal.Signals) -> None:
    """Signal this very process; that it is gone is no error.

    The descriptor pins the process before its start time is compared, so the signal cannot reach
    a successor of the same pid.
    """
    try:
        descriptor = os.pidfd_open(who.pid)
    except OSError:
        return
    try:
        if alive(who):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signum)
    finally:
        os.close(descriptor)


def await_exit(who: Iterable[Ident], seconds: float) -> set[Ident]:
    """Wait until all have exited; return those still running when the time is over."""
    deadline = time.monotonic() + seconds
    left = set(who)
    for process in list(left):
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:
            left.discard(process)
            continue
        try:
            if alive(process):
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not alive(process):
                left.discard(process)
                reap(process.pid)
        finally:
            os.close(descriptor)
    return left


def reap(pid: int) -> None:
    """Collect a dead child, should it be ours: it is when we are pid 1 of a container."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
