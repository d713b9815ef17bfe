"""Start the keeper: become nobody's child, be the only one, tell how the start went."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from . import plan as plans
from .children import NotStarted, Stopped
from .session import DisplayFailed, Keeper
from .state import storage_reason

_PR_SET_CHILD_SUBREAPER = 36
"""From ``linux/prctl.h``; Python has no name for it."""


def _start(keeper: Keeper, tell: Callable[..., None]) -> bool:
    """Start and tell the outcome; whether the keeper has something to stay for."""
    try:
        keeper.start()
    except Stopped:
        tell("Stopped")
        keeper.end()
    except DisplayFailed as problem:
        keeper.fail("display", "DisplayFailed", str(problem))
        tell("DisplayFailed", str(problem))
    except NotStarted as problem:
        keeper.fail("application", "ProgramNotInstalled", str(problem))
        tell("ProgramNotInstalled", str(problem))
    except OSError as problem:
        keeper.abandon()
        tell(storage_reason(problem), problem.strerror or str(problem))
    else:
        tell()
        return True
    return False


def main() -> None:
    """``argv[1]`` is the session's folder. Prints one JSON line: what prevented the start."""
    if os.fork():
        os._exit(0)  # whoever started us waits for this one; the keeper is nobody's child
    os.umask(0o077)
    folder = Path(sys.argv[1])
    answer = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)

    def tell(reason: str = "", message: str = "") -> None:
        # The portal may have ended meanwhile: then nobody listens, and the state tells it.
        with suppress(OSError):
            os.write(answer, json.dumps({"reason": reason, "message": message}).encode() + b"\n")
        os.close(answer)

    lock = os.open(folder / plans.LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        tell("AlreadyKept")
        return
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    keeper = Keeper(folder, plans.read_plan(folder))
    try:
        if _start(keeper, tell):
            with suppress(Stopped):
                keeper.run()
            keeper.end()
    finally:
        keeper.abandon()  # nothing is left then, unless a fault brought us here
