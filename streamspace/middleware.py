"""What every answer of the portal carries, and which requests it refuses to look at."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from streamspace.errors import DatabaseAway

log = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SecurityHeadersMiddleware:
    """Content-Security-Policy for the portal, and no caching of what a signed-in user sees."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        # Where forms may go: to the portal, and to a session's own origin when entering it.
        scheme, rest = settings.STREAMSPACE.portal_origin.split("://", 1)
        _, colon, port = rest.rpartition(":")
        port = f":{port}" if colon and port.isdigit() else ""
        sessions = f"{scheme}://*.{settings.STREAMSPACE.ingress_domain}{port}"
        self.policy = "; ".join(
            [
                "default-src 'self'",
                "img-src 'self' data:",
                # Django's admin and Swagger UI style elements inline; scripts never are.
                "style-src 'self' 'unsafe-inline'",
                "script-src 'self'",
                "connect-src 'self'",
                "object-src 'none'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
                f"form-action 'self' {sessions}",
            ]
        )

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=()"
        )
        if hasattr(request, "user") and request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class DatabaseAwayMiddleware:
    """A page of one clear sentence while the database is away or the disk is full.

    The API answers such errors itself (``streamspace.api.errors``)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django's hook for what a view raised."""
        if not isinstance(error, OperationalError):
            return None
        log.error("database_unavailable", path=request.path, error=str(error))
        away = DatabaseAway.of(error)
        html = render_to_string("503.html", {"message": away.message})
        return HttpResponse(html, status=away.status, headers={"Retry-After": "5"})


class SameOriginMiddleware:
    """Refuse unsafe requests that a page of another origin made.

    A session's page runs the user's own programs on ``<session>.<domain>``, which browsers may
    call *same-site* with the portal. CSRF tokens guard forms; this guards everything, before any
    view runs. Requests of programs carry neither header and pass (a token authenticates them).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in _SAFE and not self._same_origin(request):
            return JsonResponse(
                {
                    "error": "cross_origin",
                    "message": "Requests that change something must come from the portal itself.",
                    "details": {},
                },
                status=403,
            )
        return self.get_response(request)

    @staticmethod
    def _same_origin(request: HttpRequest) -> bool:
        origin = request.headers.get("Origin")
        if origin in settings.STREAMSPACE.cors_origins and "Authorization" in request.headers:
            return True
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return False
        return origin is None or origin == f"{request.scheme}://{request.get_host()}"
