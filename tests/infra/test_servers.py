"""The helpers themselves: real servers come up, can be broken, and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis
from playwright.sync_api import Page

from tests.infra.portal import Portal
from tests.infra.postgres import PostgresServer
from tests.infra.programs import (
    end_all_naming,
    find,
    processes_naming,
    runs,
    spawn,
    stop,
    wait_until,
)
from tests.infra.redis import RedisServer

pytestmark = pytest.mark.integration


def test_postgresql_has_the_extensions_that_search_needs(postgres: PostgresServer) -> None:
    postgres.create_database("extensions")
    with postgres.connect("extensions") as connection:
        connection.execute("CREATE EXTENSION pg_trgm")


def test_redis_comes_back_empty_at_the_same_address(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("key", "value")
        redis_server.pause()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        redis_server.resume()
        assert client.get("key") is None


def test_a_program_does_not_outlive_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, pathlib\n"
        "from tests.infra.programs import spawn\n"
        f"child = spawn(['sleep', '60'], log=pathlib.Path({str(tmp_path / 'log')!r}))\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    child = int(done.stdout)
    wait_until(lambda: not _runs(child), timeout=5, what="the orphan to end")


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and runs(psutil.Process(pid))


def test_everything_of_a_folder_can_be_ended(tmp_path: Path) -> None:
    child = spawn(["sleep", "60"], log=tmp_path / "log", env={"FOLDER": str(tmp_path)})
    wait_until(lambda: processes_naming(str(tmp_path)), timeout=5, what="the process to be seen")
    end_all_naming(str(tmp_path))
    assert child.wait(5) == -9


def test_a_stubborn_program_is_ended_by_force(tmp_path: Path) -> None:
    log = tmp_path / "log"
    stubborn = "import signal, time; signal.signal(15, lambda *_: None); print('up', flush=True)\n"
    child = spawn([sys.executable, "-c", stubborn + "while True: time.sleep(1)"], log=log)
    wait_until(log.read_text, timeout=5, what="the program")
    started = time.monotonic()
    stop(child, timeout=0.5)
    assert time.monotonic() - started < 5


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(Exception, match=r"no-such-program is not installed .*nothing-server"):
        find("no-such-program", package="nothing-server")


def test_the_portal_survives_kill_9_and_ends_on_ctrl_c(
    start_portal: Callable[..., Portal],
) -> None:
    portal = start_portal()
    assert portal.request("/api/v1/health").status == 200
    portal.restart()
    assert portal.request("/api/v1/health").status == 200
    assert portal.interrupt() == 0
    assert processes_naming(str(portal.folder)) == []


def test_the_portal_takes_settings_and_runs_commands(start_portal: Callable[..., Portal]) -> None:
    portal = start_portal({"STREAMSPACE_IDLE_TIMEOUT": "7m"})
    printed = portal.manage(
        "shell", "-c", "from django.conf import settings; print(settings.STREAMSPACE.idle_timeout)"
    )
    assert "0:07:00" in printed


def test_a_browser_opens_the_portal(page: Page) -> None:
    answer = page.goto("/")
    assert answer is not None
    assert answer.ok
