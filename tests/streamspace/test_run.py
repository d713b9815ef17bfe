"""``manage.py run``, as far as it needs no server."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamspace.management.commands.run import keep_private


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.glob("streamspace.sqlite3*")}


def write(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "streamspace.sqlite3")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS secret (word)")
    return connection


@pytest.mark.usefixtures("open_umask")
def test_a_new_database_is_private_in_an_open_folder(tmp_path: Path) -> None:
    keep_private(tmp_path)
    connection = write(tmp_path)
    assert modes(tmp_path) == {0o600}
    connection.close()


@pytest.mark.usefixtures("open_umask")
def test_a_database_that_was_readable_is_made_private(tmp_path: Path) -> None:
    connection = write(tmp_path)
    assert modes(tmp_path) == {0o644}
    keep_private(tmp_path)
    assert modes(tmp_path) == {0o600}
    connection.close()
