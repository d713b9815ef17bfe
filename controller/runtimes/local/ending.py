"""End every process of a session, also when its keeper is gone."""

from __future__ import annotations

import signal

from controller.runtimes.base import RuntimeProblem
from controller.runtimes.local.keeper import processes
from controller.runtimes.local.keeper.plan import PROGRAM
from controller.runtimes.local.keeper.processes import Ident
from controller.runtimes.local.keeper.state import State, identity

GRACE_SECONDS = 3.0
"""From the request to end until force is used."""
KILL_ROUNDS = 20
KILL_SECONDS = 0.25


def end(name: str, runtime: str, state: State | None) -> None:
    """Return once no process of the session is left. Raises RuntimeProblem (transient)."""
    keeper = _living(state, Ident(*state["keeper"])) if state else None
    found = _find(name, runtime, state)
    if not found:
        return
    if keeper is None:
        keeper = next((p for p in found if _is_keeper(p)), None)
    for process in [keeper] if keeper else found:
        processes.send(process, signal.SIGTERM)
    processes.await_exit(found, GRACE_SECONDS)
    for _ in range(KILL_ROUNDS):
        found = _find(name, runtime, state) | {p for p in found if processes.alive(p)}
        if not found:
            return
        for process in found:
            processes.send(process, signal.SIGKILL)
        processes.await_exit(found, KILL_SECONDS)
    raise RuntimeProblem(
        "ProcessesRemain",
        f"{len(found)} processes of the session do not end; the system may be waiting for a disk.",
        transient=True,
    )


def _find(name: str, runtime: str, state: State | None) -> set[Ident]:
    """Processes that carry the mark or that the state names, and all below them."""
    roots = set(processes.marked(runtime).get(name, ()))
    if state:
        parts = [part for part in (state["display"], state["application"]) if part]
        named = [Ident(*state["keeper"]), *(identity(part) for part in parts)]
        roots.update(p for p in named if _living(state, p))
    below = processes.descendants(p.pid for p in roots)
    return roots | {entry.ident for entry in below.values()}


def _living(state: State, process: Ident) -> Ident | None:
    known = state["boot"] == processes.boot_id() and processes.alive(process)
    return process if known else None


def _is_keeper(process: Ident) -> bool:
    try:
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            return PROGRAM.encode() in file.read()
    except OSError:
        return False
