"""Which web origins may open the portal's WebSockets."""

from __future__ import annotations

from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host


class PortalOriginValidator:
    """Deny a WebSocket whose ``Origin`` is not exactly the host it was sent to.

    Channels' own validator matches hosts only, by pattern; a session on another port or scheme
    of the same host is another origin (CVE-2020-14368 is what happens without a check).
    Programs send no Origin and authenticate with a token. The host must be one of the portal's, as
    for its pages: another's name that was made to lead here (DNS rebinding) would equal its Origin.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        scheme = "https" if scope.get("scheme") == "wss" else "http"
        scheme = headers.get(b"x-forwarded-proto", scheme.encode()).decode("latin-1")
        expected = f"{scheme}://".encode() + headers.get(b"host", b"")
        domain, _ = split_domain_port(headers.get(b"host", b"").decode("latin-1"))
        known = validate_host(domain, settings.ALLOWED_HOSTS)
        if not known or (origin is not None and origin != expected):
            return await WebsocketDenier()(scope, receive, send)
        return await self.application(scope, receive, send)
