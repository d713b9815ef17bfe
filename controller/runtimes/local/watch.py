"""Notice that sessions changed, at the cost of one system call a few times a second when idle.

Every change that a keeper sees becomes a new state file, and those lie in one folder, whose time
changes with it. Keepers are watched besides, by descriptor, for the case that one is killed.
The folder is looked at rather than subscribed to (inotify): that works for every file system and
for sessions that another process starts, and needs no descriptor per session.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

from controller.runtimes.local.keeper import processes
from controller.runtimes.local.keeper.state import identity, read_state

TICK_SECONDS = 0.15
SETTLED_SECONDS = 1.0
"""Younger folder times are not trusted: two changes within one clock tick share a time."""

Signature = tuple[int, int]


class Watcher:
    """What was last seen of the state files, and descriptors of the processes they name."""

    def __init__(self, states: Path) -> None:
        self._states = states
        self._folder_time = -1
        self._seen: dict[str, Signature] = {}
        self._descriptors: dict[int, str] = {}
        self._poll = select.poll()
        for name in self._changed():
            self._follow(name)

    def events(self, stop: Event) -> Iterator[str]:
        """Names of changed sessions until ``stop`` is set."""
        try:
            while not stop.is_set():
                for name in sorted(self._ended(TICK_SECONDS) | self._changed()):
                    self._follow(name)
                    yield name
        finally:
            for descriptor in self._descriptors:
                os.close(descriptor)

    def _changed(self) -> set[str]:
        try:
            folder_time = self._states.stat().st_mtime_ns
        except OSError:
            folder_time = 0
        settled = time.time_ns() - folder_time > SETTLED_SECONDS * 1e9
        if folder_time == self._folder_time and settled:
            return set()
        self._folder_time = folder_time
        now: dict[str, Signature] = {}
        with suppress(OSError), os.scandir(self._states) as entries:
            for entry in entries:
                if entry.name.endswith(".json") and not entry.name.startswith("."):
                    with suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        now[entry.name.removesuffix(".json")] = (found.st_ino, found.st_mtime_ns)
        changed = {name for name, signature in now.items() if self._seen.get(name) != signature}
        changed |= self._seen.keys() - now.keys()
        self._seen = now
        return changed

    def _follow(self, name: str) -> None:
        for descriptor in [d for d, owner in self._descriptors.items() if owner == name]:
            self._forget(descriptor)
        state = read_state(self._states / f"{name}.json")
        if state is None:
            return
        parts = [part for part in (state["display"], state["application"]) if part]
        living = [identity(part) for part in parts if part["state"] != "exited"]
        for process in [processes.Ident(*state["keeper"]), *living]:
            try:
                descriptor = os.pidfd_open(process.pid)
            except OSError:  # gone: its state says so, or observing it will
                continue
            if processes.alive(process):
                self._descriptors[descriptor] = name
                self._poll.register(descriptor, select.POLLIN)
            else:
                os.close(descriptor)

    def _ended(self, seconds: float) -> set[str]:
        names = set()
        for descriptor, _ in self._poll.poll(seconds * 1000):
            names.add(self._descriptors[descriptor])
            self._forget(descriptor)
        return names

    def _forget(self, descriptor: int) -> None:
        del self._descriptors[descriptor]
        self._poll.unregister(descriptor)
        os.close(descriptor)
