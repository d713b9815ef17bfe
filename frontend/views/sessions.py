"""A session's card, its page, and what can be done to it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from frontend import selectors
from frontend.cards import SessionCard, card
from frontend.http import PortalRequest, back, member, posted, refusal, toast
from sessions import services
from sessions.choices import Role
from sessions.lifecycle import DisplayState
from sessions.models import Session
from sessions.selectors import events_of
from streamspace.accounts.models import User
from streamspace.errors import UserError

HISTORY_SHOWN = 50

_ACTIONS: dict[str, Callable[[UUID, User], Session]] = {
    "hibernate": lambda pk, user: services.hibernate(pk, actor=user),
    "wake": lambda pk, user: services.wake(pk, actor=user),
    "retry": lambda pk, user: services.wake(pk, actor=user),
    "terminate": lambda pk, user: services.terminate(pk, actor=user),
}


def _card(request: PortalRequest, name: str) -> SessionCard:
    session, role = selectors.session_for(request.user, name)
    return card(session, role, timezone.now())


def _changed(request: PortalRequest, name: str, said: str = "") -> HttpResponse:
    """After a change: the card (or the page's part) for htmx, else the page before."""
    if not request.htmx:
        if said:
            messages.success(request, said)
        return back(request, reverse("session", args=[name]))
    response = _part(request, name)
    return toast(response, said) if said else response


def _part(request: PortalRequest, name: str) -> HttpResponse:
    shown = _card(request, name)
    match request.htmx.target:
        case "session-detail":
            return _detail(request, shown, "frontend/session/_detail.html")
        case "enter":
            return enter_part(request, shown)
    if shown.state == DisplayState.TERMINATED:
        response = HttpResponse()
        response["HX-Reswap"] = "delete"
        return response
    return render(request, "frontend/session/_card.html", {"card": shown})


def enter_part(request: PortalRequest, shown: SessionCard) -> HttpResponse:
    """The waiting page's changing part; once the session runs, the page itself must enter it."""
    if shown.state == DisplayState.RUNNING:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "frontend/session/_enter.html", {"card": shown})


def _detail(request: PortalRequest, shown: SessionCard, template: str) -> HttpResponse:
    owned = shown.role == Role.OWNER
    context = {
        "card": shown,
        "shares": shown.session.shares.all() if owned else [],
        "events": events_of(shown.session.pk)[:HISTORY_SHOWN] if owned else [],
    }
    return render(request, template, context)


@require_GET
@member
def session_card(request: PortalRequest, name: str) -> HttpResponse:
    """The card alone, for live updates."""
    if not request.htmx:
        selectors.session_for(request.user, name)
        return redirect("session", name=name)
    return _part(request, name)


@require_http_methods(["GET", "POST"])
@member
def session(request: PortalRequest, name: str) -> HttpResponse:
    """Everything about one session. POST renames it."""
    if request.method == "POST":
        return _rename(request, name)
    shown = _card(request, name)
    return _detail(request, shown, "frontend/session/detail.html")


def _rename(request: PortalRequest, name: str) -> HttpResponse:
    owned = selectors.owned_session(request.user, name)
    try:
        services.rename(owned.pk, request.POST.get("display_name", ""), actor=request.user)
    except UserError as error:
        return refusal(request, error, reverse("session", args=[name]))
    return _changed(request, name)


@require_POST
@member
def act(request: PortalRequest, name: str, action: str) -> HttpResponse:
    """Hibernate, wake, retry or terminate."""
    owned = selectors.owned_session(request.user, name)
    try:
        _ACTIONS[action](owned.pk, request.user)
    except UserError as error:
        return refusal(request, error, reverse("session", args=[name]))
    return _changed(request, name)


@require_http_methods(["GET", "POST"])
@member
def terminate(request: PortalRequest, name: str) -> HttpResponse:
    """GET asks for confirmation (where there is no script to ask), POST terminates."""
    if request.method == "POST":
        return act(request, name, "terminate")
    owned = selectors.owned_session(request.user, name)
    shown = card(owned, Role.OWNER, timezone.now())
    return render(request, "frontend/session/terminate.html", {"card": shown})


@require_POST
@member
def extend(request: PortalRequest, name: str) -> HttpResponse:
    """Set the idle clock back; also for those who may use a session that is shared with them."""
    found, _ = selectors.session_for(request.user, name)
    try:
        services.extend(found.pk, actor=request.user)
    except UserError as error:
        return refusal(request, error, reverse("session", args=[name]))
    return _changed(request, name)


@require_POST
@member
def share(request: PortalRequest, name: str) -> HttpResponse:
    """Let another user in."""
    owned = selectors.owned_session(request.user, name)
    username = posted(request, "username")
    role = request.POST.get("role", "")
    try:
        services.share(
            owned.pk,
            username,
            role,  # type: ignore[arg-type]  # the service refuses what is no role
            actor=request.user,
        )
    except UserError as error:
        return refusal(request, error, reverse("session", args=[name]))
    return _changed(request, name, f"{username} has access now.")


@require_POST
@member
def unshare(request: PortalRequest, name: str) -> HttpResponse:
    """Take a share back."""
    owned = selectors.owned_session(request.user, name)
    username = posted(request, "username")
    try:
        services.unshare(owned.pk, username, actor=request.user)
    except UserError as error:
        return refusal(request, error, reverse("session", args=[name]))
    return _changed(request, name, f"{username} has no access any more.")
