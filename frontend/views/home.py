"""The home page: the user's sessions and the catalogue."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from frontend import selectors
from frontend.http import PortalRequest, back, member
from sessions.selectors import use_of
from streamspace.accounts.quotas import limits_of

_STRIP = frozenset({"running", "cpu_millicores", "memory_mib"})
"""Resources whose limits stand over the sessions; the quota page has all."""


def _number(request: PortalRequest, name: str, least: int, most: int) -> int:
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdecimal()):
        return least
    # Python reads no number of thousands of digits, and no page has one of ten.
    return min(max(int(text[:10]), least), most)


def shelf_context(request: PortalRequest) -> dict[str, Any]:
    """What the section of sessions needs, also when it is rendered alone."""
    meters = selectors.meters(limits_of(request.user), use_of(request.user))
    shown = _number(request, "shown", selectors.SESSIONS_SHOWN, 480)
    return {
        "shelf": selectors.session_shelf(request.user, timezone.now(), shown),
        "strip": [m for m in meters if m.resource in _STRIP and not m.unlimited],
    }


def _catalogue(request: PortalRequest, *, from_start: bool) -> selectors.Catalogue:
    return selectors.catalogue(
        request.user,
        request.GET.get("q", "").replace("\x00", "").strip()[:100],
        request.GET.get("category", "").replace("\x00", "").strip()[:60],
        _number(request, "page", 1, 1000),
        from_start=from_start,
    )


@require_GET
@member
def home(request: PortalRequest) -> HttpResponse:
    """The whole page, or the part of the catalogue that a search or "show more" replaces."""
    target = (
        request.htmx.target if request.htmx and not request.htmx.history_restore_request else ""
    )
    if target == "more":
        found = _catalogue(request, from_start=False)
        return render(request, "frontend/catalogue/_page.html", {"catalogue": found})
    found = _catalogue(request, from_start=True)
    if target == "catalogue":
        return render(request, "frontend/catalogue/_catalogue.html", {"catalogue": found})
    return render(request, "frontend/home.html", {"catalogue": found, **shelf_context(request)})


@require_GET
@member
def sessions(request: PortalRequest) -> HttpResponse:
    """The section of sessions alone, for live updates."""
    if not request.htmx:
        return redirect("home")
    return render(request, "frontend/session/_shelf.html", shelf_context(request))


@require_POST
@member
def favourite(request: PortalRequest, name: str) -> HttpResponse:
    """Set or clear a favourite: ``favourite=yes`` or ``no`` says which, so a repeat is harmless."""
    template = selectors.template_by_name(name)
    wanted = request.POST.get("favourite") == "yes"
    if wanted:
        template.favourites.add(request.user)
    else:
        template.favourites.remove(request.user)
    if request.htmx:
        return render(
            request,
            "frontend/catalogue/_favourite.html",
            {"template": template, "favourite": wanted},
        )
    return back(request, "home")
