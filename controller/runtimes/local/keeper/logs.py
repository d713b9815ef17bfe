"""A log that cannot fill the disk, whatever the program writes.

The program writes into a pipe; the keeper copies it into a file that is rotated once it is
large. What comes faster than any person reads is dropped and counted, so a program in a loop
costs neither space nor disk bandwidth, and is never held up.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FILE_BYTES = 1 << 20
"""A log is at most two files of this size: the current and the one before."""
BYTES_PER_SECOND = 1 << 18
"""More than this in one second is dropped."""
TAIL_LINES = 20
LINE_CHARACTERS = 500
CHUNK_BYTES = 1 << 16


class BoundedLog:
    """Copies one pipe into ``path``. A full disk costs log lines, never the session."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.descriptor = descriptor
        self._path = path
        self._tail: deque[bytes] = deque(maxlen=TAIL_LINES)
        self._partial = b""
        self._window = 0.0
        self._budget = 0
        self._dropped = 0
        self._size = 0
        self._file: int | None = None
        os.set_blocking(descriptor, False)
        self._open()

    def pump(self) -> bool:
        """Copy what is there, one chunk; False when nothing is there now or will ever be."""
        try:
            chunk = os.read(self.descriptor, CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            return False
        self._remember(chunk)
        self._write(chunk)
        return True

    def tail(self) -> list[str]:
        """The last lines, each cut to a readable length."""
        lines = [*self._tail, self._partial] if self._partial else list(self._tail)
        return [_text(line) for line in lines[-TAIL_LINES:]]

    def _remember(self, chunk: bytes) -> None:
        *lines, partial = (self._partial + chunk).split(b"\n")
        self._tail.extend(line[: LINE_CHARACTERS * 4] for line in lines[-TAIL_LINES:])
        self._partial = partial[: LINE_CHARACTERS * 4]

    def _write(self, chunk: bytes) -> None:
        now = time.monotonic()
        if now - self._window >= 1:
            if self._dropped:
                chunk = f"\n[{self._dropped} bytes dropped]\n".encode() + chunk
            self._window, self._budget, self._dropped = now, BYTES_PER_SECOND, 0
        kept = chunk[: self._budget]
        self._dropped += len(chunk) - len(kept)
        self._budget -= len(kept)
        if not kept:
            return
        if self._size + len(kept) > FILE_BYTES:
            self._rotate()
        if self._file is not None:
            with suppress(OSError):  # the disk is full: the tail in memory must do
                self._size += os.write(self._file, kept)

    def _open(self, *, truncate: bool = False) -> None:
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
            flags |= os.O_TRUNC if truncate else 0
            self._file = os.open(self._path, flags, 0o600)
            self._size = os.fstat(self._file).st_size

    def _rotate(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        with suppress(OSError):
            os.replace(self._path, _previous(self._path))
        self._open(truncate=True)  # also when the rename failed: the bound matters more


def last_lines(path: Path, count: int) -> tuple[str, ...]:
    """The last lines of a log, oldest first; empty when there is none."""
    if count <= 0:
        return ()
    content = b"".join(_contents(path))
    return tuple(_text(line) for line in content.split(b"\n") if line)[-count:]


def _contents(path: Path) -> Iterator[bytes]:
    for part in (_previous(path), path):
        with suppress(OSError):
            yield part.read_bytes()


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _text(line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip("\r")
    return "".join(
        c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )[:LINE_CHARACTERS]
