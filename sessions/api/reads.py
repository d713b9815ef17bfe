"""What the API reads of sessions: the selectors' rows, without the columns it never shows."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from sessions.models import Session, SessionEvent, SessionShare
from sessions.selectors import visible_to
from streamspace.accounts.models import User

_NEVER_SHOWN = (
    "endpoint",
    "owner__password",
    "revision__spec",
    "template__icon",
    "template__description",
    "template__availability",
)


def sessions_for(user: User, *, everyone: bool = False) -> QuerySet[Session]:
    """Sessions as :class:`SessionSerializer` shows them to ``user``: two queries, however many.

    The second tells the role that a share gives to ``user``.
    """
    shares = Prefetch(
        "shares", SessionShare.objects.filter(user=user.pk), to_attr="shares_with_viewer"
    )
    return visible_to(user, everyone=everyone).defer(*_NEVER_SHOWN).prefetch_related(shares)


def events_for(user: User) -> QuerySet[SessionEvent]:
    """The history of the user's own sessions; of all for staff. Newest first.

    By key and not by time: the two agree, and only the key has an index over all sessions.
    """
    events = SessionEvent.objects.select_related("actor", "session").order_by("-pk")
    events = events.only("at", "kind", "reason", "message", "actor__username", "session__name")
    return events if user.is_staff else events.filter(session__owner=user.pk)
