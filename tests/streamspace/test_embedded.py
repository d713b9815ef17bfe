"""The worker inside the portal's process. Each test is a process of its own: Celery's state is
global, and the in-memory broker belongs to one process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
BEGINNING = """
import os, threading, time
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
call_command("migrate", verbosity=0)
from celery import shared_task
from streamspace.celery import app
from streamspace.embedded import Embedded, Worker

done = threading.Event()
where = []

@shared_task(name="test.note")
def note(seconds=0):
    time.sleep(seconds)
    where.append(threading.current_thread().name)
    done.set()

def sent_and_done(timeout=5):
    done.clear()
    app.send_task("test.note")
    return done.wait(timeout)
"""


def python(script: str, tmp_path: Path) -> str:
    """Run a script in an installation of its own; what it prints."""
    finished = subprocess.run(
        [sys.executable, "-c", BEGINNING + textwrap.dedent(script)],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "DJANGO_SETTINGS_MODULE": "streamspace.settings",
            "STREAMSPACE_DATA_DIR": str(tmp_path),
            "STREAMSPACE_LOG_LEVEL": "WARNING",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_a_message_is_executed_in_a_thread_and_stopping_ends_the_worker(tmp_path: Path) -> None:
    output = python(
        """
        worker = Worker(2)
        worker.start()
        print(sent_and_done(), where[0] != "MainThread")
        worker.stop()
        print(worker._thread.is_alive(), sent_and_done(0.5))
        """,
        tmp_path,
    )
    assert output.split() == ["True", "True", "False", "False"]


def test_stopping_waits_for_what_is_at_work(tmp_path: Path) -> None:
    output = python(
        """
        worker = Worker(1)
        worker.start()
        app.send_task("test.note", args=[1])
        time.sleep(0.3)
        worker.stop()
        print(len(where))
        """,
        tmp_path,
    )
    assert output.split() == ["1"]


def test_a_second_worker_takes_over_where_the_first_stopped(tmp_path: Path) -> None:
    output = python(
        """
        for _ in range(2):
            worker = Worker(1)
            worker.start()
            print(sent_and_done())
            worker.stop()
        """,
        tmp_path,
    )
    assert output.split() == ["True", "True"]


def test_every_role_starts_and_stops_together(tmp_path: Path) -> None:
    output = python(
        """
        embedded = Embedded()
        embedded.start()
        print(sent_and_done())
        embedded.stop()
        embedded.stop()
        names = {thread.name for thread in threading.enumerate()}
        print(names & {"worker", "controller-schedule", "controller-watch"} or "ended")
        """,
        tmp_path,
    )
    assert output.split() == ["True", "ended"]
