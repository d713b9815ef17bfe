"""What a session's origin shows by itself: the viewer's page, and what went wrong.

Every text here is one of ours; nothing that a request or a program said is repeated.
"""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string

from . import assets, origins
from .access import Admission
from .bridge import paste_limit
from .wire import Send, respond

VIEW = "/_streamspace/view"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "base-uri 'none'"
)


async def _page(
    send: Send, status: int, title: str, text: str, label: str, url: str, *, framed: bool = False
) -> None:
    """One sentence and one way on; ``framed`` if the viewer may show it in place of the program."""
    context = {
        "title": title,
        "message": text,
        "action_label": label,
        "action_url": url,
        "static": assets.base(),
    }
    ancestors = "'self'" if framed else "'none'"
    policy = f"{_POLICY}; form-action 'none'; frame-ancestors {ancestors}"
    html = render_to_string("stream/message.html", context)
    await respond(send, status, html.encode(), extra=[("content-security-policy", policy)])


def enter_url(session: str) -> str:
    """The portal's page that issues a code for the session and posts it here."""
    return f"{origins.portal_origin()}/sessions/{session}/enter"


async def not_found(send: Send) -> None:
    """The same for what does not exist and for what is somebody else's."""
    await _page(
        send,
        404,
        "There is no such session",
        "It was terminated, or it is not yours.",
        "Your sessions",
        f"{origins.portal_origin()}/",
    )


async def bad_code(send: Send, session: str) -> None:
    await _page(
        send,
        403,
        "This entry is not valid any more",
        "An entry works once and for half a minute.",
        "Enter again",
        enter_url(session),
    )


async def unreachable(send: Send) -> None:
    await _page(
        send,
        502,
        "The session does not answer",
        "Its program ended, or the session is hibernating.",
        "Reload",
        VIEW,
        framed=True,
    )


async def silent(send: Send) -> None:
    await _page(
        send,
        504,
        "The session takes too long to answer",
        "Its program accepted the request but said nothing for a minute.",
        "Reload",
        VIEW,
        framed=True,
    )


async def not_running(send: Send) -> None:
    await _page(
        send,
        503,
        "The session is not running",
        "It is hibernated or still starting.",
        "Open it",
        VIEW,
        framed=True,
    )


def viewer_policy(session: str) -> str:
    """The viewer runs our scripts only, and talks to its own origin only."""
    host = origins.session_host(session)
    socket = f"{'wss' if origins.secure() else 'ws'}://{host}"
    return (
        f"{_POLICY}; script-src 'self'; connect-src 'self' {socket}; frame-src 'self'; "
        f"media-src 'self' data:; form-action {origins.portal_origin()}; frame-ancestors 'none'"
    )


_SCRIPTS = {"rfb": "stream/desktop.js", "http": "stream/webapp.js"}


def viewer_context(admission: Admission) -> dict[str, Any]:
    """What the viewer's templates know."""
    return {
        "session_name": admission.session,
        "display_name": admission.display_name,
        "kind": admission.kind,
        "role": admission.role,
        "user": admission.user,
        "portal_origin": origins.portal_origin(),
        "enter_url": enter_url(admission.session),
        "clipboard": admission.clipboard.value,
        "paste_limit_bytes": paste_limit(),
        "app_path": admission.app_path,
        "static": assets.base(),
        "modules": assets.modules_of(_SCRIPTS[admission.kind]),
        "state": admission.state,
    }


async def viewer(send: Send, admission: Admission) -> None:
    """The page around a desktop or a web application."""
    template = "stream/desktop.html" if admission.kind == "rfb" else "stream/webapp.html"
    html = render_to_string(template, viewer_context(admission))
    await respond(
        send,
        200,
        html.encode(),
        extra=[
            ("content-security-policy", viewer_policy(admission.session)),
            ("cross-origin-opener-policy", "same-origin"),
            ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ],
    )
