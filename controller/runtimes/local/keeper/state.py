"""What the keeper of a session wrote down about it, and how it is written.

One file per session, all in one folder: a single look at the folder's time shows that something
changed. A file is either the old one or the new one, also after a power cut.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any, Literal, TypedDict, cast

from .processes import Ident

VERSION = 1
"""Raised when the meaning changes; a state of another version counts as none."""


class Part(TypedDict):
    """A component as the keeper last saw it."""

    state: Literal["starting", "ready", "exited"]
    pid: int
    start: int
    started_at: float
    """Seconds since the epoch."""
    exit_code: int | None
    reason: str
    message: str


class State(TypedDict):
    """One attempt of one session."""

    version: int
    attempt: int
    boot: str
    """The boot that pids and start times belong to."""
    keeper: tuple[int, int]
    kind: Literal["rfb", "http"]
    socket: str
    display: Part | None
    application: Part | None
    log_tail: list[str]


def identity(part: Part) -> Ident:
    """The process behind a component."""
    return Ident(part["pid"], part["start"])


def storage_reason(problem: OSError) -> str:
    """The reason that a failed write stands for: no room, or no way to write at all."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "StorageFull" if problem.errno in full else "StorageUnavailable"


def write_json(path: Path, content: object) -> None:
    """Replace ``path`` in one step and make it last. Raises OSError and leaves the old file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in ``path``; None when there is none that can be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def read_state(path: Path) -> State | None:
    """The state in ``path``; None when there is none of this version."""
    content = read_json(path)
    if content is None or content.get("version") != VERSION:
        return None
    return cast(State, content)
