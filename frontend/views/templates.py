"""A template's page, its icon, and launching it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from frontend import forms, selectors
from frontend.cards import icon_hash, template_tile
from frontend.http import PortalRequest, member, notice
from frontend.views.home import shelf_context
from sessions.models import Home
from sessions.services import launch as launch_session
from sessions.services import quota_room
from streamspace.accounts.quotas import Use
from streamspace.config import parse_duration
from streamspace.errors import UserError
from templates_app.models import Template, TemplateRevision
from templates_app.specs import Resources, resources_of

_ICON_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_TWICE = 30
"""Seconds in which the same form sent again is taken for the same press of the button."""


@require_GET
@member
def icon(request: PortalRequest, name: str) -> HttpResponse:
    """The template's icon. Its address names its content, so browsers keep it for good."""
    template = get_object_or_404(Template.objects.only("icon"), name=name)
    if not template.icon:
        raise Http404("No icon.")
    digest = icon_hash(template.icon)
    response = HttpResponse(template.icon, content_type="image/svg+xml")
    response["Content-Security-Policy"] = _ICON_POLICY
    response["ETag"] = f'"{digest}"'
    if request.GET.get("v") == digest:
        response["Cache-Control"] = "private, max-age=31536000, immutable"
    else:
        response["Cache-Control"] = "private, no-cache"
    return response


@require_GET
@member
def detail(request: PortalRequest, name: str) -> HttpResponse:
    template = selectors.template_by_name(name)
    form = forms.LaunchForm.read(request.GET.dict(), _default(template))
    return _page(request, template, form)


@require_http_methods(["GET", "POST"])
@member
def launch(request: PortalRequest, name: str) -> HttpResponse:
    """GET: the form, filled in by the address. POST: launch."""
    template = selectors.template_by_name(name)
    data = request.POST if request.method == "POST" else request.GET
    form = forms.LaunchForm.read(data.dict(), _default(template))
    if request.method != "POST":
        return _page(request, template, form)
    key = _once_key(request)
    if key and not cache.add(key, 1, _TWICE):
        # The first press is being answered; htmx has that answer to wait for.
        return HttpResponse(status=204) if request.htmx else redirect("home")
    try:
        session = launch_session(request.user, name, form.choices(), actor=request.user)
    except UserError as error:
        if key:
            cache.delete(key)
        return _refused(request, template, form, error)
    if not request.htmx:
        return redirect(f"/#session-{session.name}")
    if request.htmx.target == "launch-notice":
        response = HttpResponse(status=204)
        response["HX-Redirect"] = f"/#session-{session.name}"
        return response
    # Launched from a card of the home page: show the sessions, the new one first.
    response = render(
        request, "frontend/session/_shelf.html", {**shelf_context(request), "new": session.name}
    )
    response["HX-Retarget"] = "#sessions"
    response["HX-Reswap"] = "outerHTML show:#sessions:top"
    return response


@require_GET
@member
def fits(request: PortalRequest, name: str) -> HttpResponse:
    """Whether what the form holds now fits the quota, for its live line."""
    template = selectors.template_by_name(name)
    form = forms.LaunchForm.read(request.GET.dict(), _default(template))
    return render(request, "frontend/template/_fits.html", _room(request, form))


def _refused(
    request: PortalRequest, template: Template, form: forms.LaunchForm, error: UserError
) -> HttpResponse:
    """One clear message where the person is, with the sessions that could make room."""
    context = {"error": error, "could_hibernate": error.details.get("could_hibernate", [])}
    if not request.htmx:
        return _page(request, template, form, status=error.status, **context)
    target = "#launch-notice" if request.htmx.target == "launch-notice" else "#notice"
    return notice(
        request, "frontend/template/_refused.html", context, status=error.status, target=target
    )


def _page(
    request: PortalRequest,
    template: Template,
    form: forms.LaunchForm,
    *,
    status: int = 200,
    **extra: Any,
) -> HttpResponse:
    spec = _revision(template).spec
    context = {
        "template": template,
        "tile": template_tile(template),
        "favourite": selectors.is_favourite(request.user, template),
        "revisions": list(template.revisions.order_by("-number").defer("spec")[:20]),
        "resources": _default(template),
        "spec": spec,
        "image": spec.get("baseImage") or spec.get("image", ""),
        "form": form,
        "sizes": forms.sizes(_default(template)),
        "idle_options": form.idle_options(_idle_default(template)),
        "max_duration": _duration(spec.get("maxSessionDuration")),
        "now": timezone.now(),
        **_room(request, form),
        **extra,
    }
    if not template.enabled:
        messages.warning(request, "An operator switched this template off.")
    return render(request, "frontend/template/detail.html", context, status=status)


def _room(request: PortalRequest, form: forms.LaunchForm) -> dict[str, Any]:
    try:
        resources = form.resources()
    except UserError as error:
        return {"unreadable": error.message, "exceeds": []}
    makes_home = form.home and not Home.objects.filter(owner=request.user).exists()
    added = Use(
        sessions=1,
        running=1,
        cpu_millicores=resources.cpu_millicores,
        memory_mib=resources.memory_mib,
        storage_mib=settings.STREAMSPACE.home_size if makes_home else 0,
    )
    return {"exceeds": quota_room(request.user, added), "asked": resources}


def _once_key(request: PortalRequest) -> str:
    """The cache key of one press of the button, so that a double click launches once."""
    once = request.POST.get("once", "")
    if not once:
        return ""
    return f"launch:{request.user.pk}:{hashlib.sha256(once.encode()).hexdigest()}"


def _revision(template: Template) -> TemplateRevision:
    revision = template.current_revision
    if revision is None:
        raise Http404("No such template.")
    return revision


def _default(template: Template) -> Resources:
    return resources_of(_revision(template).spec)


def _duration(text: object) -> timedelta | None:
    return parse_duration(text) if isinstance(text, str) and text else None


def _idle_default(template: Template) -> timedelta:
    default: timedelta = settings.STREAMSPACE.idle_timeout
    return _duration(_revision(template).spec.get("idleTimeout")) or default
