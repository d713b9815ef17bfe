"""What the portal's views share: who may call them, and how they answer htmx and plain browsers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from streamspace.accounts.models import User
from streamspace.errors import UserError

P = ParamSpec("P")


class PortalRequest(HttpRequest):
    """A signed-in user's request, as the middleware leaves it."""

    user: User
    htmx: Any


View = Callable[Concatenate[PortalRequest, P], HttpResponse]


def member(view: View[P]) -> View[P]:
    """Let only signed-in users in.

    A part of a page must not be replaced by the sign-in page, so htmx is told to load the whole
    page again, and that leads to the sign-in.
    """

    @wraps(view)
    def wrapper(request: PortalRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not cast("HttpRequest", request).user.is_authenticated:
            if request.htmx:
                return HttpResponse(status=401, headers={"HX-Refresh": "true"})
            return redirect_to_login(request.get_full_path())
        response = view(request, *args, **kwargs)
        patch_vary_headers(response, ["HX-Request", "HX-Target"])
        return response

    return cast("View[P]", wrapper)


def posted(request: HttpRequest, name: str) -> str:
    """A form's field. Without NUL, which PostgreSQL takes in no text, not even to look for it."""
    return request.POST.get(name, "").replace("\x00", "").strip()


def back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """Redirect to the form's ``next`` when it is an address of this portal."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return redirect(target)
    return redirect(otherwise)


def toast(response: HttpResponse, text: str, level: str = "success") -> HttpResponse:
    """Have the page show ``text`` when htmx receives ``response``. ASCII-safe."""
    response["HX-Trigger"] = json.dumps({"toast": {"text": text, "level": level}})
    return response


def refusal(request: PortalRequest, error: UserError, otherwise: str) -> HttpResponse:
    """Answer an action that was refused: a toast for htmx, else a message on the page before."""
    if request.htmx:
        return toast(HttpResponse(status=error.status), error.message, "error")
    messages.error(request, error.message)
    return back(request, otherwise)


def notice(
    request: PortalRequest, template: str, context: dict[str, Any], *, status: int, target: str
) -> HttpResponse:
    """A part of a page that replaces ``target`` although the status says that it failed."""
    response = render(request, template, context, status=status)
    response["HX-Retarget"] = target
    response["HX-Reswap"] = "innerHTML show:top"
    return response
