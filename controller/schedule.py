"""What the controller does by the clock. Each function is one job, safe to run at any time.

Jobs read with one or two cheap queries and write only where something is due.
"""

from __future__ import annotations

from datetime import datetime
from importlib import import_module

import structlog
from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from controller.models import ReconcileLock
from controller.runtimes import current_runtime
from controller.specs import template_spec
from sessions import activity, services
from sessions.choices import DesiredState, Phase
from sessions.models import Session
from sessions.queue import enqueue_reconcile
from streamspace.errors import UserError
from templates_app.models import Template

log = structlog.get_logger(__name__)


def sweep() -> int:
    """Ask for a reconcile of every session that is not settled; return how many.

    Finds lost messages, half-done work of killed processes, and starts in progress.
    """
    settled = (
        Q(desired_state=DesiredState.RUNNING, phase__in=(Phase.RUNNING, Phase.FAILED))
        | Q(desired_state=DesiredState.HIBERNATED, phase=Phase.HIBERNATED)
    ) & Q(observed_generation=F("generation"))
    # Those tried in vain are tried again, settled or not: they say so, and it must become untrue.
    faulty = ReconcileLock.objects.filter(faults__gt=0)
    unsettled = Session.objects.exclude(phase=Phase.TERMINATED).filter(
        ~settled | Q(id__in=faulty.values("session_id"))
    )
    due = set(unsettled.values_list("id", flat=True))
    if due:
        waiting = faulty.filter(session_id__in=due, next_try_at__gt=timezone.now())
        due -= set(waiting.values_list("session_id", flat=True))
    for session_id in due:
        enqueue_reconcile(session_id)
    return len(due)


def verify() -> int:
    """Ask for a reconcile of every session that should have compute, for what ``watch`` missed, and
    of those that failed, whose compute may not have been released; return how many."""
    ids = Session.objects.filter(
        desired_state=DesiredState.RUNNING, phase__in=(Phase.RUNNING, Phase.FAILED)
    ).values_list("id", flat=True)
    for session_id in ids:
        enqueue_reconcile(session_id)
    return len(ids)


def stop_idle(now: datetime | None = None) -> int:
    """Collect input, then hibernate what is past its deadline; return how many."""
    now = now or timezone.now()
    running = list(
        Session.objects.filter(desired_state=DesiredState.RUNNING).exclude(phase=Phase.FAILED)
    )
    activity.collect(running)
    return sum(_stop_if_due(session, now) for session in running)


def _stop_if_due(session: Session, now: datetime) -> bool:
    clock = session.stop_clock
    if clock is None or clock.at > now:
        return False
    try:
        stopped = services.hibernate(
            session.id,
            reason=clock.reason,
            # Since the row was read, input or an extension wins over idleness, and another start
            # over both.
            unless_active_since=session.last_activity_at if clock.extendable else None,
            attempt=session.attempt,
        )
    except UserError:
        return False  # terminated or deleted meanwhile
    return stopped.stop_reason == clock.reason


def check_new_templates() -> int:
    """:func:`check_templates` for those that nobody has looked at; mostly one query for none."""
    return check_templates(Template.objects.filter(availability={}))


def check_templates(templates: QuerySet[Template] | None = None) -> int:
    """Write down for each template whether it can be launched here; return how many changed."""
    runtime = current_runtime()
    changed = 0
    templates = Template.objects.all() if templates is None else templates
    for template in templates.select_related("current_revision"):
        if template.current_revision is None:
            continue
        found = runtime.availability(template_spec(template.name, template.current_revision.spec))
        value = {
            "launchable": found.launchable,
            "reason": found.reason,
            "message": found.message,
            "remedy": found.remedy,
        }
        if template.availability != value:
            # Not what was found out about a spec that was replaced meanwhile.
            same = Template.objects.filter(
                pk=template.pk, current_revision=template.current_revision
            )
            changed += same.update(availability=value)
    return changed


def remove_orphans() -> int:
    """Take away compute whose record is gone (a deleted user's); return how many.

    A launch commits its record before anything is started, so no grace is needed; each absence
    is confirmed with a read of its own just before.
    """
    runtime = current_runtime()
    present = runtime.list()
    known = set(Session.objects.filter(name__in=present).values_list("name", flat=True))
    removed = 0
    for name in sorted(present - known):
        if Session.objects.filter(name=name).exists():
            continue
        try:
            runtime.remove(name)
        except Exception:
            # The others can still go; this one is tried again with the next round.
            log.exception("orphan_remains", session=name)
        else:
            log.warning("orphan_removed", session=name)
            removed += 1
    return removed


def purge_history(now: datetime | None = None) -> int:
    """Delete the records of sessions that were over longer ago than ``STREAMSPACE_HISTORY``, and
    locks of sessions that are gone; return how many sessions."""
    before = (now or timezone.now()) - settings.STREAMSPACE.history
    old = Session.objects.filter(phase=Phase.TERMINATED, terminated_at__lt=before)
    _, deleted = old.delete()
    ReconcileLock.objects.exclude(session_id__in=Session.objects.values("id")).delete()
    return deleted.get(Session._meta.label, 0)


def purge_sign_ins() -> None:
    """Delete browser sign-ins that have expired. Everybody who opens the sign-in page makes one
    (it holds the CSRF token), and Django never deletes any by itself."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
