"""What can be done to sessions. Every door (page, API, admin, command line) calls these.

Each function validates, takes the rows that it decides by under a lock, writes the desired state
with a new ``generation``, records an event, and asks for a reconcile once the transaction has
committed. All of them are idempotent: asking for what is already asked for changes nothing.

Errors are :class:`streamspace.errors.UserError`; ``actor`` is whoever asked, None for
StreamSpace itself. Whether the actor may ask is checked here too: the owner may do
everything, staff everything but share, others nothing but what a share gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from streamspace.accounts.models import User
from streamspace.accounts.quotas import Use
from streamspace.errors import Conflict, NotFound, Refused, UserError
from templates_app.specs import resources_of

from . import asked, names, quota
from .choices import DesiredState, EventKind, Phase, Role, StopReason
from .lifecycle import restarts_in_a_row
from .models import Home, Session, SessionEvent, SessionShare
from .publish import announce
from .queue import enqueue_reconcile


@dataclass(frozen=True, slots=True)
class Choices:
    """What a launch may choose; None leaves it to the template."""

    display_name: str = ""
    cpu_millicores: int | None = None
    memory_mib: int | None = None
    persistent_home: bool = True
    idle_timeout: timedelta | None = None


def launch(
    owner: User, template_name: str, choices: Choices | None = None, *, actor: User | None = None
) -> Session:
    """Make a session of the template's current revision and ask for it to run.

    Raises NotFound (``template_not_found``), Conflict (``template_unavailable``), QuotaExceeded,
    UserError (``invalid_request``) for a choice out of range, Refused when the actor is neither
    the owner nor staff.
    """
    choices = choices or Choices()
    if actor is not None and actor.pk != owner.pk and not actor.is_staff:
        raise Refused("Only staff can launch a session for somebody else.")
    title = asked.title(choices.display_name) if choices.display_name.strip() else ""
    now = timezone.now()
    with transaction.atomic():
        _lock_owner(owner)
        template, revision = asked.launchable(template_name)
        default = resources_of(revision.spec)
        cpu = asked.amount("cpu_millicores", choices.cpu_millicores, default.cpu_millicores)
        memory = asked.amount("memory_mib", choices.memory_mib, default.memory_mib)
        needs_home = choices.persistent_home and not Home.objects.filter(owner=owner).exists()
        quota.check(
            owner,
            Use(
                sessions=1,
                running=1,
                cpu_millicores=cpu,
                memory_mib=memory,
                storage_mib=settings.STREAMSPACE.home_size if needs_home else 0,
            ),
        )
        session = Session(
            display_name=title or template.display_name,
            owner=owner,
            template=template,
            revision=revision,
            home=_home_of(owner) if choices.persistent_home else None,
            cpu_millicores=cpu,
            memory_mib=memory,
            idle_timeout=asked.idle_timeout(choices.idle_timeout, revision),
            max_duration=asked.duration(revision.spec.get("maxSessionDuration")),
            start_requested_at=now,
            last_activity_at=now,
            step="Waiting for a worker",
        )
        _insert_with_name(session, owner.username, template.name)
        _record(session, EventKind.LAUNCHED, actor, now=now)
        enqueue_reconcile(session.id)
        announce(session)
    return session


def hibernate(
    session_id: UUID,
    *,
    actor: User | None = None,
    reason: StopReason = StopReason.USER,
    unless_active_since: datetime | None = None,
    attempt: int | None = None,
) -> Session:
    """Release the compute and keep the home. Also a way out of a start or a failure.

    ``unless_active_since``: for idleness; nothing happens when the clock was moved past it or
    the session was started again after the decision was made. ``attempt``: for what was decided
    about one start; nothing happens to a later one.
    """
    with transaction.atomic():
        session = _locked(session_id, actor)
        _refuse_if_over(session)
        if attempt is not None and session.attempt != attempt:
            return session
        if unless_active_since is not None and (
            session.last_activity_at > unless_active_since
            or session.start_requested_at > unless_active_since
        ):
            return session
        if session.desired_state == DesiredState.HIBERNATED:
            return session
        if actor is not None and actor.pk != session.owner_id:
            reason = StopReason.OPERATOR
        session.desired_state = DesiredState.HIBERNATED
        session.stop_reason = reason
        session.endpoint = None
        _record(session, EventKind.HIBERNATE_REQUESTED, actor, reason=reason)
        _changed(session)
    return session


def wake(session_id: UUID, *, actor: User | None = None) -> Session:
    """Ask for a hibernated (or hibernating) session to run again, or retry a failed one.

    Raises QuotaExceeded. A session that runs or starts already is left as it is.
    """
    now = timezone.now()
    with transaction.atomic():
        owner = _lock_owner_of(session_id)
        session = _locked(session_id, actor)
        _refuse_if_over(session)
        failed = session.phase == Phase.FAILED
        if session.desired_state == DesiredState.RUNNING and not failed:
            return session
        # What hibernates or failed does not count as running, so waking it must fit again.
        quota.check(
            owner,
            Use(running=1, cpu_millicores=session.cpu_millicores, memory_mib=session.memory_mib),
        )
        retried = failed and session.desired_state == DesiredState.RUNNING
        _start(session, now)
        _record(session, EventKind.RETRIED if retried else EventKind.WAKE_REQUESTED, actor)
        _changed(session)
    return session


def restart(session_id: UUID, *, attempt: int, message: str) -> Session:
    """Start a session's compute again that was lost without anybody asking (a killed display).

    ``attempt`` is the one that was lost: a later one is left alone. The idle clock and the
    longest duration go on as they were, since nobody gave input.
    """
    with transaction.atomic():
        session = _locked(session_id, None)
        if session.desired_state != DesiredState.RUNNING or session.attempt != attempt:
            return session
        now = timezone.now()
        session.attempt += 1
        session.restarts = 1 + restarts_in_a_row(session.restarts, session.start_requested_at, now)
        session.phase = Phase.PENDING
        session.endpoint = None
        session.conditions = []
        session.start_requested_at = now
        _record(session, EventKind.RESTARTED, None, message=message)
        _changed(session)
    return session


def extend(session_id: UUID, *, actor: User | None = None) -> Session:
    """Set the idle clock back, as input would. Raises Conflict when the session does not run."""
    with transaction.atomic():
        session = _locked(session_id, actor, roles={Role.OWNER, Role.CONTROL})
        if session.desired_state != DesiredState.RUNNING or session.phase == Phase.FAILED:
            raise Conflict(
                "Only a running session can be extended; wake it first.", code="not_running"
            )
        session.last_activity_at = timezone.now()
        session.version += 1
        session.save(update_fields=["last_activity_at", "version"])
        _record(session, EventKind.EXTENDED, actor)
        announce(session)
    return session


def terminate(session_id: UUID, *, actor: User | None = None) -> Session:
    """End the session for good: its compute goes, its home stays. Works in every phase."""
    with transaction.atomic():
        session = _locked(session_id, actor)
        if session.desired_state == DesiredState.TERMINATED:
            return session
        session.desired_state = DesiredState.TERMINATED
        session.endpoint = None
        _record(session, EventKind.TERMINATE_REQUESTED, actor)
        _changed(session)
    return session


def rename(session_id: UUID, display_name: str, *, actor: User | None = None) -> Session:
    """Change the name that people read."""
    display_name = asked.title(display_name)
    with transaction.atomic():
        session = _locked(session_id, actor)
        _refuse_if_over(session)
        if session.display_name != display_name:
            session.display_name = display_name
            session.version += 1
            session.save(update_fields=["display_name", "version"])
            announce(session)
    return session


def share(
    session_id: UUID,
    username: str,
    role: Literal["view", "control"],
    *,
    actor: User | None = None,
) -> SessionShare:
    """Let another user watch (``view``) or use (``control``) the session. Replaces their role.

    Only the owner lets others look: staff who could would let themselves in.

    Raises NotFound (``user_not_found``), Refused, and UserError for the owner's own name.
    """
    if role not in (Role.VIEW, Role.CONTROL):
        raise UserError("A share's role is `view` or `control`.")
    with transaction.atomic():
        session = _locked(session_id, actor)
        if actor is not None and actor.pk != session.owner_id:
            raise Refused("Only the owner of this session can share it.")
        _refuse_if_over(session)
        guest = User.objects.filter(username=username, is_active=True).first()
        if guest is None:
            raise NotFound(f"There is no user {username!r}.", code="user_not_found")
        if guest.pk == session.owner_id:
            raise UserError("A session cannot be shared with its owner.")
        before = SessionShare.objects.filter(session=session, user=guest).first()
        if before is not None and before.role == role:
            return before
        share, _ = SessionShare.objects.update_or_create(
            session=session, user=guest, defaults={"role": role}
        )
        session.version += 1
        session.save(update_fields=["version"])
        _record(session, EventKind.SHARED, actor, message=f"with {username}: {role}")
        announce(session)
    return share


def unshare(session_id: UUID, username: str, *, actor: User | None = None) -> None:
    """Take a share back; the guest's open streams close within seconds. Absent is success."""
    with transaction.atomic():
        session = _locked(session_id, actor)
        share = SessionShare.objects.filter(session=session, user__username=username).first()
        if share is None:
            return
        guest_id = share.user_id
        share.delete()
        session.version += 1
        session.save(update_fields=["version"])
        _record(session, EventKind.UNSHARED, actor, message=f"with {username}")
        announce(session, also=(guest_id,))


def quota_room(owner: User, added: Use) -> list[str]:
    """Sentences for the limits that ``added`` would break now; empty when it fits."""
    return quota.broken(owner, added)


# --- Parts ------------------------------------------------------------------------------------


def _lock_owner(owner: User) -> None:
    """Serialise what counts against one owner's quota. SQLite's immediate transactions do it
    by themselves.

    ``no_key``: whoever writes an event holds the session and then looks at its actor's key; a
    full lock on that user, whose holder waits for the session, would be a deadlock.
    """
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)


def _lock_owner_of(session_id: UUID) -> User:
    users = User.objects.select_for_update(of=("self",), no_key=True)
    owner = users.filter(stream_sessions=session_id).first()
    if owner is None:
        raise _not_found()
    return owner


def _not_found() -> NotFound:
    return NotFound("There is no such session.", code="session_not_found")


def _locked(
    session_id: UUID, actor: User | None, *, roles: frozenset[str] | set[str] = frozenset()
) -> Session:
    """The session's row, locked, when ``actor`` may change it (or has one of ``roles``)."""
    session = Session.objects.select_for_update(no_key=True).filter(pk=session_id).first()
    if session is None:
        raise _not_found()
    if actor is None or actor.is_staff or actor.pk == session.owner_id:
        return session
    share = session.shares.filter(user=actor).first()
    if share is None:
        raise _not_found()
    if share.role not in roles:
        raise Refused("Only the owner of this session can do that.")
    return session


def _refuse_if_over(session: Session) -> None:
    if session.desired_state == DesiredState.TERMINATED:
        raise Conflict("The session was terminated; launch a new one.", code="terminated")


def _home_of(owner: User) -> Home:
    home = Home.objects.filter(owner=owner).first()
    if home is not None:
        return home
    plain = names.home_name(owner.username, set())
    taken = set(Home.objects.filter(name=plain).values_list("name", flat=True))
    size = settings.STREAMSPACE.home_size
    try:
        with transaction.atomic():
            return Home.objects.create(
                name=names.home_name(owner.username, taken), owner=owner, size_mib=size
            )
    except IntegrityError:
        # Somebody whose name reads the same (jo.doe, jo-doe) took it at the same moment.
        return Home.objects.create(
            name=names.home_name(owner.username, {plain}), owner=owner, size_mib=size
        )


def _insert_with_name(session: Session, user: str, template: str) -> None:
    """Save under a fresh name; with 32 random bits a second try is already unlikely."""
    for tries_left in (2, 1, 0):
        session.name = names.session_name(user, template)
        try:
            with transaction.atomic():
                session.save(force_insert=True)
        except IntegrityError:
            if not tries_left or not Session.objects.filter(name=session.name).exists():
                raise
        else:
            return


def _start(session: Session, now: datetime) -> None:
    session.desired_state = DesiredState.RUNNING
    session.stop_reason = ""
    session.attempt += 1
    session.restarts = 0
    session.start_requested_at = now
    session.last_activity_at = now
    session.running_since = None
    session.endpoint = None
    session.step = "Waiting for a worker"
    session.explanation = {}
    session.conditions = []
    if session.phase != Phase.HIBERNATED:
        # What still runs or failed belongs to an earlier attempt; it must not be shown as this
        # one's, nor its absence be taken for a loss.
        session.phase = Phase.PENDING


def _changed(session: Session) -> None:
    """Write a new wish: next generation, then tell the worker and those who watch."""
    session.generation += 1
    session.version += 1
    session.save()
    enqueue_reconcile(session.id)
    announce(session)


def _record(
    session: Session,
    kind: EventKind,
    actor: User | None,
    *,
    reason: str = "",
    message: str = "",
    now: datetime | None = None,
) -> None:
    SessionEvent.objects.create(
        session=session,
        at=now or timezone.now(),
        kind=kind,
        actor=actor,
        reason=reason,
        message=message[:500],
    )
