"""A disk that is soon full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.infra.programs import wait_until


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A tmpfs of ``size`` (as ``mount`` reads it) mounted at ``folder``; skips where it may not be.

    It must not be in use any more at the end: what holds it for ten seconds fails the test.
    """
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        wait_until(lambda: _unmount(folder), timeout=10, what=f"{folder} to be free")


def _unmount(folder: Path) -> bool:
    done = subprocess.run(["umount", str(folder)], check=False, capture_output=True)
    return done.returncode == 0
