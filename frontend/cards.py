"""What a session's card shows, worked out once from the record. Pure but for addresses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse

from sessions.choices import DesiredState, Role, StopReason
from sessions.lifecycle import Action, DisplayState
from sessions.models import Session
from templates_app.models import Template

from . import words

ICONS: dict[DisplayState, str] = {
    DisplayState.STARTING: "busy",
    DisplayState.WAKING: "busy",
    DisplayState.RUNNING: "running",
    DisplayState.HIBERNATING: "busy",
    DisplayState.HIBERNATED: "moon",
    DisplayState.FAILED: "alert",
    DisplayState.TERMINATING: "busy",
    DisplayState.TERMINATED: "stop",
}
TONES: dict[DisplayState, str] = {
    DisplayState.STARTING: "busy",
    DisplayState.WAKING: "busy",
    DisplayState.RUNNING: "good",
    DisplayState.HIBERNATING: "busy",
    DisplayState.HIBERNATED: "rest",
    DisplayState.FAILED: "bad",
    DisplayState.TERMINATING: "busy",
    DisplayState.TERMINATED: "rest",
}
TONE_COUNT = 6
"""Colours that tiles of templates without an icon take turns in."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A template's picture: its icon's address, or a letter on one of a few colours."""

    url: str
    letter: str
    tone: int


@dataclass(frozen=True, slots=True)
class Countdown:
    """When a session hibernates by itself, and how near that is."""

    at: datetime
    text: str
    reason: str
    warn_at: datetime
    warned: bool
    extendable: bool


@dataclass(frozen=True, slots=True)
class SessionCard:
    """One session as one user sees it."""

    session: Session
    role: str
    state: DisplayState
    icon: str
    tone: str
    tile: Tile
    template_title: str
    line: str
    actions: frozenset[Action]
    countdown: Countdown | None
    update_available: bool
    explanation: dict[str, Any]
    shares: int

    @property
    def owned(self) -> bool:
        return self.role == Role.OWNER

    @property
    def busy(self) -> bool:
        return self.icon == "busy"

    @property
    def since(self) -> datetime | None:
        """When the start that is going on was asked for."""
        starting = self.state in (DisplayState.STARTING, DisplayState.WAKING)
        return self.session.start_requested_at if starting else None

    @property
    def home_note(self) -> str:
        """What terminating does to the files, for the confirmation."""
        if self.session.home_id is not None:
            return "Your home and the files in it stay."
        return "This session has no persistent home: everything saved in it is lost."


def icon_hash(svg: str) -> str:
    """Names one version of an icon in its address."""
    return hashlib.sha256(svg.encode()).hexdigest()[:16]


def tile(name: str, title: str, svg: str) -> Tile:
    """The picture for a template of that name."""
    url = ""
    if svg:
        url = f"{reverse('template-icon', args=[name])}?v={icon_hash(svg)}"
    letter = next((c for c in title if c.isalnum()), "?").upper()
    return Tile(url, letter, sum(name.encode()) % TONE_COUNT)


def template_tile(template: Template) -> Tile:
    return tile(template.name, template.display_name, template.icon)


def countdown_of(session: Session, now: datetime) -> Countdown | None:
    """The idle clock in words, with the moment from which to warn."""
    clock = session.stop_clock
    if clock is None:
        return None
    warn_at = clock.at - clock.warning(settings.STREAMSPACE.idle_warning)
    left = max(clock.at - now, timedelta(0))
    return Countdown(
        at=clock.at,
        text=words.span(left),
        reason=clock.reason.value,
        warn_at=warn_at,
        warned=now >= warn_at,
        extendable=clock.extendable,
    )


def card(session: Session, role: str, now: datetime) -> SessionCard:
    """Work out a card. Wants ``template``, ``revision`` selected and ``shares`` prefetched."""
    state = session.display_state
    revision = session.revision
    template = session.template
    name = template.name if template else revision.template_name
    title = template.display_name if template else revision.template_name
    actions = session.allowed_actions
    if role == Role.CONTROL:
        actions &= {Action.OPEN, Action.EXTEND}
    elif role != Role.OWNER:
        actions &= {Action.OPEN}
    return SessionCard(
        session=session,
        role=role,
        state=state,
        icon=ICONS[state],
        tone=TONES[state],
        tile=tile(name, title, template.icon if template else ""),
        template_title=title,
        line=_line(session, state),
        actions=actions,
        countdown=countdown_of(session, now) if state == DisplayState.RUNNING else None,
        update_available=bool(
            role == Role.OWNER
            and template
            and template.current_revision_id
            and template.current_revision_id != session.revision_id
            and session.desired_state != DesiredState.TERMINATED
        ),
        explanation=session.explanation if state == DisplayState.FAILED else {},
        shares=len(session.shares.all()) if role == Role.OWNER else 0,
    )


_STOPPED: dict[str, str] = {
    StopReason.USER: "Its compute is released; wake it to go on.",
    StopReason.OPERATOR: "An operator hibernated it; wake it to go on.",
    StopReason.IDLE: "There was no input for a while; wake it to go on.",
    StopReason.MAX_DURATION: "It ran for its longest duration; wake it to go on.",
    StopReason.CLOSED: "The application was closed; wake it to start again.",
}


def _line(session: Session, state: DisplayState) -> str:
    """One sentence under the name: what goes on, or why nothing does."""
    match state:
        case DisplayState.RUNNING:
            resources = f"{words.cpu(session.cpu_millicores)}, {words.size(session.memory_mib)}"
            return f"{resources}, {'' if session.home_id else 'no '}persistent home"
        case DisplayState.STARTING | DisplayState.WAKING:
            return session.step or "Getting ready"
        case DisplayState.HIBERNATING:
            return "Releasing its compute"
        case DisplayState.HIBERNATED:
            return _STOPPED.get(session.stop_reason, "Wake it to go on.")
        case DisplayState.TERMINATING:
            return "Cleaning up"
        case DisplayState.TERMINATED:
            return "It is over; launch the template again for a new one."
        case _:
            return ""
