"""Going from the portal into a session, which lives on an origin of its own."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from frontend import selectors
from frontend.cards import card
from frontend.http import PortalRequest, member
from frontend.views.sessions import enter_part
from sessions.lifecycle import DisplayState
from sessions.stream import tickets
from sessions.stream.origins import session_origin


@require_GET
@member
def enter(request: PortalRequest, name: str) -> HttpResponse:
    """Enter a running session; wait here for one that starts; offer to wake one that rests.

    The single-use code goes in a form's body to the session's origin, so no address, history or
    log ever holds it.
    """
    session, role = selectors.session_for(request.user, name)
    shown = card(session, role, timezone.now())
    if request.htmx:
        return enter_part(request, shown)
    context: dict[str, object] = {"card": shown}
    if shown.state == DisplayState.RUNNING:
        context["action"] = f"{session_origin(session.name)}/_streamspace/enter"
        context["code"] = tickets.issue(
            request.user, session, role, request.session.session_key or ""
        )
    response = render(request, "frontend/session/enter.html", context)
    response["Cache-Control"] = "private, no-store"
    # The session's origin checks `Origin`, which browsers withhold under `same-origin`.
    response["Referrer-Policy"] = "strict-origin"
    return response
