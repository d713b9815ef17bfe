"""Every role in one process: the Celery worker and the controller beside the web server.

Threads, not forks: the worker's pool runs in threads, and nothing here forks once a thread has
started. What a thread does may be cut at any moment by the process's end; reconciles are
idempotent, and the next start's sweep finishes what was begun.
"""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import structlog
from celery import bootsteps
from celery.platforms import EX_OK
from celery.worker import WorkController, state
from django.conf import settings

from controller import metrics
from controller.loop import Controller
from streamspace.celery import app

log = structlog.get_logger(__name__)


class _Ready(bootsteps.StartStopStep):
    """The last step of the consumer's start: it takes messages from here on."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    event = Event()

    def start(self, parent: Any) -> None:
        self.event.set()


class Worker:
    """A Celery worker in threads of this process. One per process (Celery's state is global)."""

    def __init__(self, threads: int) -> None:
        app.finalize()
        app.steps["consumer"].add(_Ready)
        self._controller = WorkController(
            app=app,
            pool_cls="threads",
            concurrency=threads,
            hostname="embedded@localhost",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        self._thread = Thread(target=self._controller.start, name="worker", daemon=True)

    def start(self, timeout: float = 10.0) -> None:
        """Start and wait until messages are taken; RuntimeError after ``timeout`` seconds."""
        state.should_stop = None
        _Ready.event.clear()
        self._thread.start()
        if not _Ready.event.wait(timeout):
            raise RuntimeError("the worker did not start; is the broker in REDIS_URL reachable?")

    def stop(self, timeout: float = 5.0) -> None:
        """Take no more messages and wait for what is at work, at most ``timeout`` seconds."""
        state.should_stop = EX_OK  # type: ignore[assignment]  # the stubs know None only
        self._thread.join(timeout)
        if self._thread.is_alive():
            log.warning("worker_cut", after_seconds=timeout)


class Embedded:
    """Worker and controller together."""

    def __init__(self) -> None:
        self._worker = Worker(settings.STREAMSPACE.worker_threads)
        self._controller = Controller()

    def start(self) -> None:
        metrics.register()
        self._worker.start()
        self._controller.start()

    def stop(self) -> None:
        """Idempotent; takes a few seconds at the most."""
        self._controller.stop()
        self._worker.stop()
