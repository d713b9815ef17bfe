"""Reads of sessions: they own the ownership filter, ``select_related`` and the query counts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q, QuerySet, Sum

from streamspace.accounts.models import User
from streamspace.accounts.quotas import Use

from .choices import DesiredState, Phase, Role
from .models import Home, Session, SessionEvent, SessionShare


def visible_to(user: User | AnonymousUser, *, everyone: bool = False) -> QuerySet[Session]:
    """Sessions that ``user`` owns or was given a share of; with ``everyone`` and staff: all.

    Everything that lists or fetches sessions for a person starts here.
    """
    sessions = Session.objects.select_related("owner", "template", "revision", "home")
    if not user.is_authenticated or user.pk is None:
        return sessions.none()
    if everyone and user.is_staff:
        return sessions
    shared = SessionShare.objects.filter(user=user.pk).values("session")
    return sessions.filter(Q(owner=user.pk) | Q(pk__in=shared))


def live(sessions: QuerySet[Session]) -> QuerySet[Session]:
    """Those that are not over."""
    return sessions.exclude(phase=Phase.TERMINATED)


def session_by_name(name: str) -> Session | None:
    """The session of that name, whoever owns it; for doors that check access themselves."""
    return Session.objects.select_related("owner", "revision").filter(name=name).first()


def access_role(session: Session, user: User | AnonymousUser) -> str | None:
    """``owner``, ``control``, ``view`` or None. Being staff gives no access to a stream."""
    if not user.is_authenticated or not user.is_active:
        return None
    if user.pk == session.owner_id:
        return Role.OWNER.value
    share = session.shares.filter(user=user.pk).first()
    return share.role if share else None


def use_of(owner: User) -> Use:
    """What ``owner`` has, counted against the quota; two queries.

    Wishes count, not what is observed: two launches at the quota's edge must not both pass while
    neither has a process yet, and whoever hibernates one session may launch the next at once.
    """
    running = Q(desired_state=DesiredState.RUNNING) & ~Q(phase=Phase.FAILED)
    counted = Session.objects.filter(owner=owner).exclude(desired_state=DesiredState.TERMINATED)
    totals = counted.aggregate(
        sessions=Count("id"),
        running=Count("id", filter=running),
        cpu=Sum("cpu_millicores", filter=running),
        memory=Sum("memory_mib", filter=running),
    )
    storage = Home.objects.filter(owner=owner).aggregate(total=Sum("size_mib"))["total"]
    return Use(
        sessions=totals["sessions"],
        running=totals["running"],
        cpu_millicores=totals["cpu"] or 0,
        memory_mib=totals["memory"] or 0,
        storage_mib=storage or 0,
    )


def stream_state(session: Session, role: str) -> dict[str, Any]:
    """What a viewer shows of its session, JSON-ready."""
    clock = session.stop_clock
    usual = settings.STREAMSPACE.idle_warning
    warning = clock.warning(usual) if clock else usual
    return {
        "name": session.name,
        "display_name": session.display_name,
        "display_state": session.display_state.value,
        "desired_state": session.desired_state,
        "phase": session.phase,
        "step": session.step,
        "idle_deadline": clock.at.isoformat() if clock else None,
        "extendable": bool(clock and clock.extendable),
        "idle_warning_seconds": int(warning.total_seconds()),
        "stop_reason": session.stop_reason,
        "actions": sorted(session.allowed_actions) if role == Role.OWNER else [],
        "explanation": session.explanation,
        "role": role,
        "version": session.version,
    }


def events_of(session_id: UUID) -> QuerySet[SessionEvent]:
    """A session's history, newest first."""
    return SessionEvent.objects.filter(session=session_id).select_related("actor")
