"""Finding programs, starting them so that they never outlive the tests, waiting for them."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class MissingProgram(Exception):
    """A program that a test needs is not on this machine."""

    def __init__(self, name: str, package: str) -> None:
        super().__init__(f"{name} is not installed (Debian package {package})")


def find(name: str, *, package: str, also_in: str = "") -> str:
    """Path of a program in ``PATH``, the system's folders or ``also_in`` (a glob, newest wins)."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/bin", "/usr/sbin"])
    if found := shutil.which(name, path=path):
        return found

    def version(candidate: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", candidate)]

    for folder in sorted(glob.glob(also_in), key=version, reverse=True):
        if os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    raise MissingProgram(name, package)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # A suite that a shell runs in the background ignores Ctrl-C, and so would all it starts.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own that the kernel ends with this process.

    Call it from the main thread: the kernel watches the thread that started the program.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - only a system call, no locks
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )


def stop(
    process: subprocess.Popen[bytes],
    sign: signal.Signals = signal.SIGTERM,
    timeout: float = 10,
) -> int:
    """End a program politely, then by force with its whole group; its exit status."""
    if process.poll() is None:
        process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait(timeout)


def processes_naming(text: str) -> list[psutil.Process]:
    """Processes that have ``text`` (a folder of one test) in their arguments or environment."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except (psutil.Error, OSError):
            continue
        if any(text in word for word in words):
            found.append(process)
    return found


def runs(process: psutil.Process) -> bool:
    """Whether a process still does anything; one that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_all_naming(text: str) -> None:
    """End every process of one test's folder, however it was started."""
    for _ in range(3):  # one may have started another meanwhile
        if not (processes := processes_naming(text)):
            return
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.kill()
        # Not psutil.wait_procs: it would take the exit status from whoever started them.
        wait_until(lambda: not any(map(runs, processes)), timeout=5, what="processes to end")


def wait_until(
    probe: Callable[[], T | None], *, timeout: float, what: str, every: float = 0.05
) -> T:
    """Call ``probe`` until it returns something true; AssertionError when time is up."""
    end = time.monotonic() + timeout
    while not (result := probe()):
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout:g} s still waiting for {what}")
        time.sleep(every)
    return result


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path, lines: int = 60) -> str:
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
