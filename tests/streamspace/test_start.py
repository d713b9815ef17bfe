"""What the first start on a machine decides, and what stops a start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streamspace.config import ConfigError, load


def key_of(folder: Path) -> str:
    return load({"STREAMSPACE_DATA_DIR": str(folder)}).secret_key.get_secret_value()


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        with ThreadPoolExecutor(4) as pool:
            keys = list(pool.map(key_of, [folder] * 4))
        assert len(set(keys)) == 1
        assert [path.name for path in folder.iterdir()] == ["secret-key"]


def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    key_of(tmp_path)
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600


def test_an_empty_key_of_a_full_disk_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secret-key").touch()
    assert len(key_of(tmp_path)) > 32
    assert key_of(tmp_path) == key_of(tmp_path)


@pytest.mark.parametrize("zone", ["Mars", "../etc/passwd", "/etc/localtime", "", "a\0b"])
def test_an_unknown_time_zone_stops_the_start(zone: str, tmp_path: Path) -> None:
    environ = {"STREAMSPACE_DATA_DIR": str(tmp_path), "STREAMSPACE_TIME_ZONE": zone}
    with pytest.raises(ConfigError, match=r"^STREAMSPACE_TIME_ZONE: .* is not a time zone; write"):
        load(environ)


def test_a_secret_that_is_no_text_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    environ = {
        "STREAMSPACE_DATA_DIR": str(tmp_path),
        "STREAMSPACE_SECRET_KEY_FILE": str(tmp_path / "key"),
    }
    with pytest.raises(ConfigError, match=r"^STREAMSPACE_SECRET_KEY_FILE: .* is not text$"):
        load(environ)
