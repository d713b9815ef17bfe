"""The reconciler with a scripted runtime, and its messages held back for the test to deliver."""

from __future__ import annotations

import importlib
from uuid import UUID

import pytest

from controller.reconcile import Result, reconcile
from sessions.models import Session
from tests.controller.memory import MemoryRuntime
from tests.making import fresh


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> MemoryRuntime:
    scripted = MemoryRuntime()
    for module in ("controller.reconcile", "controller.schedule", "controller.loop"):
        part = importlib.import_module(module)
        monkeypatch.setattr(part, "current_runtime", lambda: scripted)
    return scripted


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """What was asked of workers, oldest first; nobody delivers it but the test."""
    asked: list[UUID] = []
    for module in ("sessions.services", "controller.reconcile", "controller.schedule"):
        part = importlib.import_module(module)
        monkeypatch.setattr(part, "enqueue_reconcile", asked.append)
    return asked


def run(session: Session) -> Result:
    """Reconcile, and bring the test's object up to date."""
    result = reconcile(session.pk)
    session.__dict__.update(fresh(session).__dict__)
    return result


def start(session: Session, runtime: MemoryRuntime) -> Session:
    """Bring a launched or woken session to Running."""
    run(session)
    runtime.answer(session.name)
    run(session)
    assert session.phase == "Running"
    return session
