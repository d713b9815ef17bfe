"""What a session's origin shows by itself: the viewer's page, and what went wrong.

Every text here is one of ours; nothing that a request or a program said is repeated.
"""

from __future__ import annotations

import secrets
from html import escape
from typing import Any

from django.template.loader import render_to_string

from . import origins
from .access import Admission
from .bridge import paste_limit
from .static import version
from .wire import Send, respond

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style nonce="{nonce}">
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ margin: 20vh auto 0; max-width: 34rem; padding: 0 1.5rem; }}
h1 {{ font-size: 1.4rem; }}
</style></head>
<body><main><h1>{title}</h1><p>{text}</p><p>{links}</p></main></body></html>
"""


def _policy(nonce: str, *, framed: bool) -> str:
    ancestors = "'self'" if framed else "'none'"
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src 'nonce-{nonce}'",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {ancestors}",
        ]
    )


async def _page(
    send: Send, status: int, title: str, text: str, links: dict[str, str], *, framed: bool = False
) -> None:
    nonce = secrets.token_urlsafe(16)
    anchors = " · ".join(
        f'<a href="{escape(url)}">{escape(words)}</a>' for words, url in links.items()
    )
    body = _PAGE.format(title=escape(title), text=escape(text), links=anchors, nonce=nonce)
    await respond(
        send,
        status,
        body.encode(),
        extra=[("content-security-policy", _policy(nonce, framed=framed))],
    )


def enter_url(session: str) -> str:
    """The portal's page that issues a code for the session and posts it here."""
    return f"{origins.portal_origin()}/sessions/{session}/enter"


async def not_found(send: Send, session: str) -> None:
    """The same for what does not exist and for what is somebody else's."""
    await _page(
        send,
        404,
        "There is no such session",
        "It was terminated, or it is not yours.",
        {"Your sessions": f"{origins.portal_origin()}/"},
    )


async def bad_code(send: Send, session: str) -> None:
    await _page(
        send,
        403,
        "This entry is not valid any more",
        "An entry works once and for half a minute. Enter the session again from the portal.",
        {"Enter again": enter_url(session)},
    )


async def unreachable(send: Send, session: str) -> None:
    await _page(
        send,
        502,
        "The session does not answer",
        "Its program ended, or the session is hibernating.",
        {"Reload": "", "Session": f"{origins.session_origin(session)}/_streamspace/view"},
        framed=True,
    )


async def silent(send: Send, session: str) -> None:
    await _page(
        send,
        504,
        "The session takes too long to answer",
        "Its program accepted the request but said nothing for a minute.",
        {"Reload": ""},
        framed=True,
    )


async def not_running(send: Send, session: str) -> None:
    await _page(
        send,
        503,
        "The session is not running",
        "It is hibernated or still starting.",
        {"Open it": f"{origins.session_origin(session)}/_streamspace/view"},
        framed=True,
    )


def viewer_policy(nonce: str, session: str) -> str:
    """The viewer runs our scripts only, and talks to its own origin only."""
    host = origins.session_host(session)
    socket = f"{'wss' if origins.secure() else 'ws'}://{host}"
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "media-src 'self' data:",
            f"connect-src 'self' {socket}",
            "frame-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            f"form-action {origins.portal_origin()}",
            "frame-ancestors 'none'",
        ]
    )


def viewer_context(admission: Admission, nonce: str) -> dict[str, Any]:
    """What the viewer's templates know."""
    return {
        "session_name": admission.session,
        "display_name": admission.display_name,
        "kind": admission.kind,
        "role": admission.role,
        "view_only": admission.view_only,
        "user": admission.user,
        "portal_origin": origins.portal_origin(),
        "enter_url": enter_url(admission.session),
        "clipboard": admission.clipboard.value,
        "paste_limit_bytes": paste_limit(),
        "static_version": version(),
        "state": admission.state,
        "csp_nonce": nonce,
    }


async def viewer(send: Send, admission: Admission) -> None:
    """The page around a desktop or a web application."""
    nonce = secrets.token_urlsafe(16)
    template = "stream/desktop.html" if admission.kind == "rfb" else "stream/webapp.html"
    html = render_to_string(template, viewer_context(admission, nonce))
    await respond(
        send,
        200,
        html.encode(),
        extra=[
            ("content-security-policy", viewer_policy(nonce, admission.session)),
            ("cross-origin-opener-policy", "same-origin"),
            ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ],
    )
