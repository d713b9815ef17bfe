"""The controller: watches the runtime and runs the schedule, and asks workers for the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread

import structlog
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from controller import schedule
from controller.runtimes import current_runtime
from sessions.models import Session
from sessions.queue import enqueue_reconcile

log = structlog.get_logger(__name__)

MAX_WAIT = 30.0
"""Seconds; the longest pause after repeated failures of a job or of the watch."""


def pause_after(failures: int, shortest: float) -> float:
    """Seconds until the next try: doubled with each failure in a row, at most ``MAX_WAIT`` or,
    where that is longer, ``shortest``."""
    # Bounded: after a night of failures the plain power is more than a float holds.
    return min(shortest * 2.0 ** min(failures, 16), max(MAX_WAIT, shortest))


@dataclass
class Job:
    """One entry of the schedule. ``every`` is in seconds; failures double the pause."""

    every: float
    run: Callable[[], object]
    due: float = 0.0
    failures: int = field(default=0, init=False)

    def run_if_due(self, now: float) -> None:
        if now < self.due:
            return
        name = self.run.__name__
        try:
            self.run()
            self.failures = 0
        except DatabaseError as error:
            # The database is away or restarting; what was due is still due when it is back.
            self.failures += 1
            log.warning("job_database_error", job=name, error=str(error))
            connection.close()
        except Exception:
            # One broken job must not stop the others, nor the loop.
            self.failures += 1
            log.exception("job_failed", job=name)
        self.due = time.monotonic() + pause_after(self.failures, self.every)


def default_jobs() -> list[Job]:
    """The schedule. Short periods cost one indexed query each."""
    return [
        Job(1.0, schedule.sweep),
        Job(10.0, schedule.stop_idle),
        Job(1.0, schedule.check_new_templates),
        Job(30.0, schedule.check_templates),
        Job(30.0, schedule.verify, due=time.monotonic() + 2),
        Job(60.0, schedule.remove_orphans, due=time.monotonic() + 5),
        Job(3600.0, schedule.purge_history, due=time.monotonic() + 60),
        Job(3600.0, schedule.purge_sign_ins, due=time.monotonic() + 120),
    ]


class Controller:
    """Two threads; :meth:`stop` ends them within a second or so."""

    def __init__(self, jobs: list[Job] | None = None) -> None:
        self._jobs = default_jobs() if jobs is None else jobs
        self._stop = Event()
        self._threads = [
            Thread(target=self._run_schedule, name="controller-schedule", daemon=True),
            Thread(target=self._run_watch, name="controller-watch", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop and wait at most ``timeout`` seconds."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout)

    def _run_schedule(self) -> None:
        while not self._stop.is_set():
            for job in self._jobs:
                if self._stop.is_set():
                    break
                job.run_if_due(time.monotonic())
            self._stop.wait(max(0.05, min(job.due for job in self._jobs) - time.monotonic()))
        connection.close()

    def _run_watch(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                for name in current_runtime().watch(self._stop):
                    failures = 0
                    self._changed(name)
            except Exception:
                # A watch ends for many reasons; the sweep covers the gap until it is back.
                failures += 1
                log.exception("watch_failed")
                connection.close()
            # Also a watch that ended in peace rests before the next: it may end at once again.
            self._stop.wait(pause_after(failures, 0.8))
        connection.close()

    @staticmethod
    def _changed(name: str) -> None:
        close_old_connections()
        session_id = Session.objects.filter(name=name).values_list("id", flat=True).first()
        if session_id is not None:
            enqueue_reconcile(session_id)
