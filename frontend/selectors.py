"""Reads for the portal's pages: a fixed number of queries, however much there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Count, IntegerField, Max, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Lower
from django.http import Http404

from sessions.choices import Role
from sessions.models import Session, SessionShare
from sessions.selectors import access_role, live, visible_to
from streamspace.accounts.models import User
from streamspace.accounts.quotas import RESOURCE_WORDS, Limits, Use
from templates_app.models import Template

from . import words
from .cards import SessionCard, Tile, card, template_tile

SESSIONS_SHOWN = 24
TEMPLATES_SHOWN = 24
RECENT = 4
"""Templates that the user launched last, which come first in the catalogue."""
FAVOURITES = "favourites"


@dataclass(frozen=True, slots=True)
class SessionShelf:
    """The sessions of one user, as far as the page shows them."""

    own: list[SessionCard]
    shared: list[SessionCard]
    shown: int
    more: bool

    @property
    def complete(self) -> bool:
        return not self.more


@dataclass(frozen=True, slots=True)
class TemplateCard:
    """One template in the catalogue."""

    template: Template
    tile: Tile
    favourite: bool
    recent: bool


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    count: int
    current: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A page of the catalogue, narrowed by ``query`` and ``category``."""

    query: str
    category: str
    cards: list[TemplateCard]
    total: int
    everything: int
    next_page: int | None
    categories: list[Category]
    favourites: int


@dataclass(frozen=True, slots=True)
class Meter:
    """Use of one resource against its limit."""

    resource: str
    label: str
    used: str
    limit: str
    percent: int
    unlimited: bool

    @property
    def tone(self) -> str:
        return "busy" if self.percent >= 80 else "good"


# --- Sessions -----------------------------------------------------------------------------------


def session_shelf(user: User, now: datetime, shown: int = SESSIONS_SHOWN) -> SessionShelf:
    """The user's sessions, those started last first, and those shared with them."""
    sessions = list(
        live(visible_to(user))
        .filter(owner=user)
        .prefetch_related("shares")
        .order_by("-start_requested_at")[: shown + 1]
    )
    shares = (
        SessionShare.objects.filter(user=user, session__in=live(Session.objects.all()))
        .select_related("session__owner", "session__template", "session__revision", "session__home")
        .order_by("-session__start_requested_at")[:SESSIONS_SHOWN]
    )
    return SessionShelf(
        own=[card(session, Role.OWNER, now) for session in sessions[:shown]],
        shared=[card(share.session, share.role, now) for share in shares],
        shown=shown,
        more=len(sessions) > shown,
    )


def session_for(user: User, name: str) -> tuple[Session, str]:
    """The session of that name and the user's role in it; 404 when it is not theirs to see."""
    session = visible_to(user).prefetch_related("shares__user").filter(name=name).first()
    role = access_role(session, user) if session else None
    if session is None or role is None:
        raise Http404("No such session.")
    return session, role


def owned_session(user: User, name: str) -> Session:
    """The user's own session of that name, or 404."""
    session, role = session_for(user, name)
    if role != Role.OWNER:
        raise Http404("No such session.")
    return session


# --- Templates ----------------------------------------------------------------------------------


def listed_templates() -> QuerySet[Template]:
    """What the catalogue lists: what can be launched, and what lacks something to be."""
    return Template.objects.filter(enabled=True, current_revision__isnull=False)


def template_by_name(name: str) -> Template:
    template = Template.objects.select_related("current_revision").filter(name=name).first()
    if template is None or template.current_revision is None:
        raise Http404("No such template.")
    return template


def catalogue(
    user: User, query: str = "", category: str = "", page: int = 1, *, from_start: bool = False
) -> Catalogue:
    """One page of the catalogue (``from_start``: all pages up to it).

    Order: what was launched last, then featured, then the rest by name; what cannot be launched
    here comes last.
    """
    listed = listed_templates()
    favourite_ids = set(listed.filter(favourites=user).values_list("pk", flat=True))
    counts = list(listed.values("category").annotate(count=Count("pk")).order_by(Lower("category")))
    recent = _recent(user)
    found = _narrowed(listed, query, category, favourite_ids)
    narrowed = bool(query or category)
    rank = Case(
        When(pk__in=recent, then=Value(0)),
        When(featured=True, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    fit = Case(
        When(availability__launchable=True, then=Value(0)),
        default=Value(1),
        output_field=IntegerField(),
    )
    total = found.count()
    start = 0 if from_start else (page - 1) * TEMPLATES_SHOWN
    # Ordering all rows by their keys alone keeps descriptions and icons out of the sort.
    ids = list(
        found.order_by(fit, rank, Lower("display_name"), "pk").values_list("pk", flat=True)[
            start : page * TEMPLATES_SHOWN
        ]
    )
    if not narrowed and page == 1:
        ids.sort(key=lambda pk: recent.index(pk) if pk in recent else len(recent))
    by_id = Template.objects.in_bulk(ids)
    cards = [
        TemplateCard(by_id[pk], template_tile(by_id[pk]), pk in favourite_ids, pk in recent)
        for pk in ids
        if pk in by_id
    ]
    return Catalogue(
        query=query,
        category=category,
        cards=cards,
        total=total,
        everything=sum(row["count"] for row in counts),
        next_page=page + 1 if page * TEMPLATES_SHOWN < total else None,
        categories=[
            Category(row["category"], row["count"], row["category"] == category) for row in counts
        ],
        favourites=len(favourite_ids),
    )


def _recent(user: User) -> list[int]:
    return list(
        Session.objects.filter(owner=user, template__isnull=False)
        .values("template")
        .annotate(last=Max("created_at"))
        .order_by("-last")
        .values_list("template", flat=True)[:RECENT]
    )


def _narrowed(
    templates: QuerySet[Template], query: str, category: str, favourite_ids: Iterable[int]
) -> QuerySet[Template]:
    if category == FAVOURITES:
        templates = templates.filter(pk__in=favourite_ids)
    elif category:
        templates = templates.filter(category=category)
    if query:
        templates = templates.annotate(tag_text=Cast("tags", TextField()))
    for word in query.split():
        templates = templates.filter(
            Q(display_name__icontains=word)
            | Q(name__icontains=word)
            | Q(description__icontains=word)
            | Q(category__icontains=word)
            | Q(tag_text__icontains=word)
        )
    return templates


def is_favourite(user: User, template: Template) -> bool:
    return template.favourites.filter(pk=user.pk).exists()


# --- Quota --------------------------------------------------------------------------------------


def meters(limits: Limits, use: Use) -> list[Meter]:
    """One meter for each resource, in words."""
    found = []
    for resource in RESOURCE_WORDS:
        used, limit = getattr(use, resource), getattr(limits, resource)
        percent = min(100, round(100 * used / limit)) if limit else (100 if limit == 0 else 0)
        found.append(
            Meter(
                resource=resource,
                label=_LABELS[resource],
                used=_amount(resource, used),
                limit=_amount(resource, limit) if limit is not None else "",
                percent=percent,
                unlimited=limit is None,
            )
        )
    return found


_LABELS = {
    "sessions": "Sessions",
    "running": "Running sessions",
    "cpu_millicores": "CPU",
    "memory_mib": "Memory",
    "storage_mib": "Storage",
}


def _amount(resource: str, value: int) -> str:
    if resource == "cpu_millicores":
        return words.cpu(value).removesuffix(" CPU")
    return words.size(value) if resource.endswith("_mib") else str(value)
