"""Make one session's compute match its record, and its record tell what is there.

Idempotent and level-triggered: it may run at any time, any number of times, in any worker. What
it decides is in ``controller.derive``; here are the lock, the runtime and the database.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controller import metrics
from controller.derive import Status, Verdict, Wish, derive, failed
from controller.explain import Explanation, fault, problem
from controller.locks import forget, session_lock
from controller.models import ReconcileLock
from controller.runtimes import current_runtime
from controller.runtimes.base import RuntimeProblem
from controller.specs import session_spec
from sessions import services
from sessions.choices import DesiredState, EventKind, Phase, StopReason
from sessions.models import Session, SessionEvent
from sessions.publish import announce
from sessions.queue import enqueue_reconcile

log = structlog.get_logger(__name__)

BACKOFF = (1, 2, 5, 10, 30, 60)
"""Seconds until the next try after the first, second … fault in a row."""


class Result(StrEnum):
    """How a reconcile ended; the ``result`` label of its metric."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    BUSY = "busy"
    GONE = "gone"
    PROBLEM = "problem"
    FAULT = "fault"


def reconcile(session_id: UUID) -> Result:
    """Reconcile one session now; returns what came of it and raises nothing but database errors."""
    with metrics.reconciling() as finished:
        result = _reconcile(session_id)
        finished(result)
    return result


def _reconcile(session_id: UUID) -> Result:
    live = Session.objects.exclude(phase=Phase.TERMINATED)
    if not live.filter(pk=session_id).exists():
        return Result.GONE  # a late message; a lock would have to be made for it
    with session_lock(session_id) as held:
        if not held:
            # Whoever holds it looks at the generation again when done.
            return Result.BUSY
        session = live.select_related("owner", "revision", "home").filter(pk=session_id).first()
        if session is None:
            forget(session_id)
            return Result.GONE
        before = session.phase
        result, verdict = _act(session)
        changed = _save(session, verdict)
        if result is Result.UNCHANGED:
            # Last: until then the sweep knows that the record still tells of a fault.
            _clear_faults(session)
    just_failed = session.phase == Phase.FAILED and before != Phase.FAILED
    if just_failed or _moved_on(session):
        # What has failed still has compute to be released; and whoever was asked for something
        # else meanwhile found the lock taken. Not before the lock is free, so that neither does
        # this message.
        enqueue_reconcile(session.id)
    if session.phase == Phase.TERMINATED:
        forget(session.id)
    if result is Result.UNCHANGED and changed:
        return Result.CHANGED
    return result


def _act(session: Session) -> tuple[Result, Verdict]:
    now = timezone.now()
    wish = _wish(session)
    timeout = settings.STREAMSPACE.start_timeout
    try:
        runtime = current_runtime()
        spec = session_spec(session)
        if session.desired_state == DesiredState.TERMINATED:
            runtime.remove(session.name)
        else:
            runtime.apply(spec)
        observation = runtime.observe(spec)
    except RuntimeProblem as error:
        log.warning("runtime_problem", session=session.name, reason=error.reason)
        if error.transient or session.desired_state != DesiredState.RUNNING:
            return Result.PROBLEM, _keep_trying(session, problem(error))
        return Result.PROBLEM, Verdict(failed(wish, problem(error), now=now))
    except Exception:
        # A fault of the runtime or of ours. One broken session must not stop a worker, and the
        # record must say that something is wrong (jupyterhub exits after five: 2i2c#2445).
        log.exception("reconcile_fault", session=session.name)
        return Result.FAULT, _keep_trying(session, fault())
    return Result.UNCHANGED, derive(wish, observation, now=now, start_timeout=timeout)


def _wish(session: Session) -> Wish:
    return Wish(
        desired_state=session.desired_state,
        phase=session.phase,
        attempt=session.attempt,
        restarts=session.restarts,
        start_requested_at=session.start_requested_at,
        running_since=session.running_since,
        explanation=session.explanation,
        conditions=session.conditions,
    )


def _keep_trying(session: Session, explanation: Explanation) -> Verdict:
    """Leave the phase as it is, say why, and set the time of the next try."""
    lock, _made = ReconcileLock.objects.get_or_create(session_id=session.id)
    seconds = BACKOFF[min(lock.faults, len(BACKOFF) - 1)]
    ReconcileLock.objects.filter(session_id=session.id).update(
        faults=F("faults") + 1, next_try_at=timezone.now() + timedelta(seconds=seconds)
    )
    return Verdict(
        Status(
            phase=session.phase,
            step="Trying again",
            explanation=explanation.as_json(),
            endpoint=session.endpoint,
            running_since=session.running_since,
            conditions=session.conditions,
        )
    )


def _clear_faults(session: Session) -> None:
    faulty = ReconcileLock.objects.filter(session_id=session.id, faults__gt=0)
    if faulty.exists():  # an update that finds nothing is still a write to the database
        faulty.update(faults=0, next_try_at=None)


def _save(session: Session, verdict: Verdict) -> bool:
    """Write what differs and what follows from it, in one transaction: a crash between "the
    display was lost" and "start it again" would leave a session that waits for nothing.

    Returns whether anything was written. Nothing is when the owner asked for something else
    meanwhile; whoever notices (:func:`_moved_on`) looks again.
    """
    status = verdict.status
    values = asdict(status)
    changed = any(getattr(session, name) != value for name, value in values.items())
    settled = session.observed_generation == session.generation
    if not changed and settled and not verdict.follow_up:
        return False
    before = session.phase
    over = status.phase == Phase.TERMINATED and session.terminated_at is None
    values["observed_generation"] = session.generation
    values["terminated_at"] = timezone.now() if over else session.terminated_at
    with transaction.atomic():
        written = Session.objects.filter(pk=session.pk, generation=session.generation).update(
            **values, version=F("version") + 1
        )
        if not written:
            return False
        for name, value in values.items():
            setattr(session, name, value)
        session.version += 1
        if status.phase != before:
            _transition(session, before)
        announce(session)
        _follow_up(session, verdict)
    return True


_EVENT_OF_PHASE = {
    Phase.RUNNING: EventKind.RUNNING,
    Phase.HIBERNATED: EventKind.HIBERNATED,
    Phase.FAILED: EventKind.FAILED,
    Phase.TERMINATED: EventKind.TERMINATED,
}


def _transition(session: Session, before: str) -> None:
    """Record and count a change of phase."""
    log.info("phase_changed", session=session.name, before=before, phase=session.phase)
    transaction.on_commit(lambda: metrics.transition(session))
    kind = _EVENT_OF_PHASE.get(Phase(session.phase))
    if kind is None:
        return
    SessionEvent.objects.create(
        session=session,
        at=timezone.now(),
        kind=kind,
        reason=(session.explanation.get("reason") or session.stop_reason)[:60],
        message=session.explanation.get("message", "")[:500],
    )


def _moved_on(session: Session) -> bool:
    """Whether the owner asked for something else while this reconcile was at work."""
    return Session.objects.filter(pk=session.pk).exclude(generation=session.generation).exists()


def _follow_up(session: Session, verdict: Verdict) -> None:
    """Ask of ``services`` what the verdict asks for. The row is ours until the commit, so nobody
    can have asked for anything else in between."""
    if verdict.follow_up == "restart":
        services.restart(session.id, attempt=session.attempt, message=verdict.message)
    elif verdict.follow_up == "hibernate":
        services.hibernate(session.id, reason=StopReason.CLOSED, attempt=session.attempt)
