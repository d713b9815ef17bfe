"""Where sessions, homes and sockets lie on the disk, and how those folders come to be.

Layout below the data folder (all 0700)::

    homes/<home>/            a user's files; never removed here
    sessions/<session>/      plan, logs, configuration, and a home that ends with the session
    states/<session>.json    what the keeper wrote down

Sockets lie in ``sessions/<session>/run`` where that fits into the 107 bytes of a unix socket's
address, else below ``/tmp``. ``XDG_RUNTIME_DIR`` would be the obvious place, but it is removed
when the person logs out, and sessions outlive that.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from controller.runtimes.base import RuntimeProblem
from controller.runtimes.local.keeper.state import storage_reason

SOCKET_PATH_BYTES = 107
"""``sun_path`` holds 108 bytes with its end mark (man 7 unix)."""
PROGRAM_SOCKET_BYTES = 40
"""What a program may need below ``XDG_RUNTIME_DIR`` (as ``dconf/user``, ``pulse/native``)."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def require_label(name: str) -> str:
    """``name``, when it is a DNS label; anything else never reaches the file system.

    Raises ValueError: names are made by us, so another one is a fault and nobody's choice.
    """
    if not _LABEL.fullmatch(name):
        raise ValueError(f"not a DNS label: {name!r}")
    return name


@contextmanager
def storage_problems(what: str) -> Iterator[None]:
    """Turn what the file system refuses into a problem that someone can act on."""
    try:
        yield
    except OSError as error:
        raise storage_problem(storage_reason(error), f"{what}: {error.strerror}") from error


def storage_problem(reason: str, detail: str) -> RuntimeProblem:
    """The problem behind a reason of :func:`storage_reason`; solved when the disk is."""
    sentence = (
        "The disk that holds the sessions is full. Free some space on it."
        if reason == "StorageFull"
        else f"The folder that holds the sessions cannot be used ({detail})."
    )
    return RuntimeProblem(reason, sentence, transient=True)


class Folders:
    """The paths of one runtime. Methods that take a name raise ValueError for no DNS label."""

    def __init__(self, data: Path) -> None:
        self.data = Path(os.path.realpath(data))
        self.id = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        """Tells apart several installations on one machine."""
        self.states = self.data / "states"

    def session(self, name: str) -> Path:
        """What belongs to the session and is removed with it."""
        return self.data / "sessions" / require_label(name)

    def state(self, name: str) -> Path:
        """The file in which the session's keeper writes down what it sees."""
        return self.states / f"{require_label(name)}.json"

    def home(self, name: str, home: str | None) -> Path:
        """The home of the session: the user's, or one of its own."""
        if home is None:
            return self.session(name) / "home"
        return self.data / "homes" / require_label(home)

    def run(self, name: str) -> Path:
        """The session's ``XDG_RUNTIME_DIR``, short enough for sockets in it."""
        inside = self.session(name) / "run"
        if len(os.fsencode(inside)) + 1 + PROGRAM_SOCKET_BYTES <= SOCKET_PATH_BYTES:
            return inside
        return self._short() / name

    def names(self) -> frozenset[str]:
        """Sessions of which a folder or state exists."""
        found: set[str] = set()
        for folder, suffix in ((self.data / "sessions", ""), (self.states, ".json")):
            with suppress(FileNotFoundError):
                for entry in os.listdir(folder):
                    if entry.endswith(suffix) and _LABEL.fullmatch(entry.removesuffix(suffix)):
                        found.add(entry.removesuffix(suffix))
        return frozenset(found)

    def create(self, name: str, home: str | None) -> None:
        """Make the session's folders. Raises RuntimeProblem."""
        with storage_problems(str(self.data)):
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            run = self.run(name)
            if run.parent != self.session(name):
                for folder in (run.parent.parent, run.parent):
                    _own(folder)
            for parent in ("homes", "sessions", "states"):
                _own(self.data / parent)
            for folder in (self.session(name), self.home(name, home), run):
                _own(folder)

    def release(self, name: str) -> None:
        """Remove what only running compute needs. Raises RuntimeProblem."""
        with storage_problems(str(self.data)):
            self.state(name).unlink(missing_ok=True)
            _remove(self.run(name))

    def remove(self, name: str) -> None:
        """Remove everything of the session but a user's home. Raises RuntimeProblem."""
        with storage_problems(str(self.data)):
            _remove(self.run(name))
            _remove(self.session(name))
            self.state(name).unlink(missing_ok=True)

    def _short(self) -> Path:
        # Checked by _own() against whoever was there first.
        return Path("/tmp", f"streamspace-{os.geteuid()}", self.id)  # noqa: S108


def _own(folder: Path) -> None:
    """Make ``folder`` a directory that only we can enter.

    Under ``/tmp`` somebody else may have been first, with a folder or a link of that name: a
    link, a foreign owner or a file is refused, never followed.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(1, f"{folder} is not a folder of ours")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def _remove(folder: Path) -> None:
    """Remove a tree, also where a program took away our own right to write."""

    def retry(function: Callable[..., Any], path: str, _: object) -> None:
        with suppress(FileNotFoundError):
            os.chmod(os.path.dirname(path), 0o700)
            if os.path.isdir(path) and not os.path.islink(path):
                os.chmod(path, 0o700)
                shutil.rmtree(path)
            else:
                os.unlink(path)

    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder, onerror=retry)
