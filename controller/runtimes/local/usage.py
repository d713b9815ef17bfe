"""Measure what a session's processes use."""

from __future__ import annotations

import time
from collections.abc import Iterable
from threading import Lock

import psutil

from controller.runtimes.base import Usage
from controller.runtimes.local.keeper.processes import Ident, alive

MIB = 1 << 20


class Meter:
    """Turns CPU time into a rate: between two calls, and over the whole life at the first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: dict[str, tuple[float, dict[Ident, float]]] = {}

    def measure(self, name: str, session: Iterable[Ident]) -> Usage | None:
        """Use of these processes; None when there are none.

        Memory is the proportional share (PSS): a browser's processes share most of theirs, and
        adding up resident sizes would count it many times.
        """
        memory, oldest = 0, time.time()
        seconds: dict[Ident, float] = {}
        for process in session:
            try:
                handle = psutil.Process(process.pid)
                with handle.oneshot():
                    times = handle.cpu_times()
                    oldest = min(oldest, handle.create_time())
                memory += _memory(handle)
            except psutil.Error:  # ended meanwhile
                continue
            if alive(process):
                seconds[process] = times.user + times.system
        if not seconds:
            self.forget(name)
            return None
        now = time.monotonic()
        with self._lock:
            then, before = self._last.get(name, (now - (time.time() - oldest), {}))
            self._last[name] = (now, seconds)
        used = sum(value - before.get(process, 0.0) for process, value in seconds.items())
        return Usage(
            cpu_millicores=round(max(0.0, used) / max(now - then, 0.01) * 1000),
            memory_mib=max(1, round(memory / MIB)),
        )

    def forget(self, name: str) -> None:
        """The session has ended."""
        with self._lock:
            self._last.pop(name, None)


def _memory(handle: psutil.Process) -> int:
    try:
        return int(handle.memory_full_info().pss)
    except psutil.AccessDenied:
        return int(handle.memory_info().rss)
