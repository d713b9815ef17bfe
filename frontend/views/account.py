"""The user's own business: quota and API tokens."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from frontend import selectors
from frontend.http import PortalRequest, member, posted
from sessions.selectors import use_of
from streamspace.accounts.models import ApiToken
from streamspace.accounts.quotas import limits_of
from streamspace.accounts.services import create_token, revoke_token
from streamspace.config import format_duration, parse_duration
from streamspace.errors import UserError

_LIFETIMES = tuple(timedelta(days=d) for d in (1, 7, 30, 90, 365))


@require_GET
@member
def quota(request: PortalRequest) -> HttpResponse:
    """Use against limits."""
    shown = selectors.meters(limits_of(request.user), use_of(request.user))
    return render(request, "frontend/account/quota.html", {"meters": shown})


@require_http_methods(["GET", "POST"])
@member
def tokens(request: PortalRequest) -> HttpResponse:
    """The user's API tokens. POST makes one; its text is in that answer and never again."""
    longest: timedelta = settings.STREAMSPACE.token_lifetime
    made = error = None
    status = 200
    if request.method == "POST":
        try:
            made = create_token(request.user, posted(request, "name"), _lifetime(request, longest))
        except UserError as problem:
            error, status = problem, problem.status
    choices = [d for d in _LIFETIMES if d < longest] + [longest]
    context = {
        "tokens": ApiToken.objects.filter(user=request.user).order_by("-created"),
        "made": made[0] if made else None,
        "secret": made[1] if made else "",
        "error": error,
        "lifetimes": [(format_duration(d), d) for d in choices],
        "now": timezone.now(),
    }
    return render(request, "frontend/account/tokens.html", context, status=status)


@require_POST
@member
def revoke(request: PortalRequest, pk: str) -> HttpResponse:
    try:
        revoke_token(request.user, pk.replace("\x00", ""))
    except UserError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "The token was revoked; programs that use it are signed out.")
    return redirect("tokens")


def _lifetime(request: PortalRequest, longest: timedelta) -> timedelta:
    text = request.POST.get("lifetime", "")
    if not text:
        return longest
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UserError(f"The lifetime cannot be read: {error}.") from None
