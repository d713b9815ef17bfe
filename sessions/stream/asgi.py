"""The ASGI application of every session's origin.

Nothing of the portal is served here, and nothing here trusts the portal's cookies. Paths below
``/_streamspace/`` are ours; everything else is the session's, if its program speaks HTTP.
"""

from __future__ import annotations

from urllib.parse import parse_qs

import structlog
from channels.db import database_sync_to_async

from . import assets, bridge, origins, pages, proxy, status, tickets
from .access import Admission, Door, check
from .codes import Close
from .origins import session_name_from_host
from .pages import VIEW
from .tickets import Entry
from .wire import (
    Disconnected,
    Receive,
    Scope,
    Send,
    TooLarge,
    accept,
    close,
    expect_connect,
    header,
    headers,
    read_body,
    refuse,
    respond,
    respond_error,
)

__all__ = ["session_name_from_host", "stream_application"]

log = structlog.get_logger(__name__)

OURS = "/_streamspace/"
ENTER = f"{OURS}enter"
RFB, STATUS = f"{OURS}rfb", f"{OURS}status"
_MAX_FORM = 4096

_door = Door()


async def stream_application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one request or WebSocket of a session's origin."""
    name = session_name_from_host(header(scope, "host"))
    if scope["type"] == "websocket":
        await _websocket(scope, receive, send, name)
    elif scope["type"] == "http":
        if name is None or not scope["raw_path"].startswith(b"/"):
            await respond_error(send, 400, "invalid_request", "That is not a session's address.")
        else:
            await _http(scope, receive, send, name)
    else:
        raise ValueError(f"unknown ASGI scope {scope['type']!r}")


def _own_origin(scope: Scope, name: str) -> bool:
    """Whether the request comes from a page of the session's own origin. No header: no."""
    return headers(scope, "origin") == [origins.session_origin(name)]


# --- HTTP


async def _http(scope: Scope, receive: Receive, send: Send, name: str) -> None:
    path: str = scope["path"]
    if path.startswith(assets.PREFIX):
        await assets.serve(scope, receive, send)
    elif path == ENTER:
        await _enter(scope, receive, send, name)
    elif scope["method"] not in proxy.SAFE_METHODS and not _own_origin(scope, name):
        await respond_error(
            send, 403, "cross_origin", "Only the session's own pages may change something here."
        )
    else:
        entry = tickets.read_cookie(headers(scope, "cookie"), name)
        found = await _door.ask(entry) if entry else Close.ENTRY_NEEDED
        if isinstance(found, Admission):
            await _admitted(scope, receive, send, found)
        elif found is Close.ENTRY_NEEDED:
            await _entry_needed(scope, send, name)
        else:
            await pages.not_found(send)


async def _admitted(scope: Scope, receive: Receive, send: Send, admission: Admission) -> None:
    path: str = scope["path"]
    if path == VIEW:
        if scope["method"] not in ("GET", "HEAD"):
            await respond_error(send, 405, "method_not_allowed", "Only GET is possible here.")
        else:
            await pages.viewer(send, admission)
    elif path.startswith(OURS):
        await respond_error(send, 404, "not_found", "There is no such page.")
    elif admission.kind == "http":
        await proxy.proxy_http(scope, receive, send, admission)
    elif path == "/":
        await respond(send, 302, extra=[("location", VIEW)])
    else:
        await respond_error(send, 404, "not_found", "There is no such page.")


async def _entry_needed(scope: Scope, send: Send, name: str) -> None:
    """Send a person to the portal's entry page, tell a program what is missing."""
    mode, dest = header(scope, "sec-fetch-mode"), header(scope, "sec-fetch-dest")
    if mode:
        navigation = mode == "navigate" and dest in ("", "document")
    else:
        navigation = "text/html" in header(scope, "accept")
    if scope["method"] == "GET" and navigation:
        await respond(send, 302, extra=[("location", pages.enter_url(name))])
    else:
        await respond_error(
            send,
            401,
            "entry_needed",
            "Enter the session from the portal.",
            {"enter": pages.enter_url(name)},
        )


async def _enter(scope: Scope, receive: Receive, send: Send, name: str) -> None:
    """Swap a code, posted by the portal's page, for this origin's cookie."""
    if scope["method"] != "POST":
        await respond_error(send, 405, "method_not_allowed", "Only POST is possible here.")
        return
    if headers(scope, "origin") != [origins.portal_origin()]:
        await respond_error(send, 403, "cross_origin", "Only the portal may enter a session.")
        return
    try:
        form = parse_qs((await read_body(receive, _MAX_FORM)).decode("ascii", "replace"))
    except Disconnected:
        return
    except TooLarge:
        await respond_error(send, 413, "too_large", "That is no entry code.")
        return
    entry = await database_sync_to_async(_redeem)(form.get("code", [""])[0], name)
    if entry is None:
        await pages.bad_code(send, name)
        return
    cookie = tickets.set_cookie_header(tickets.make_cookie(entry, name))
    await respond(send, 303, extra=[("location", VIEW), ("set-cookie", cookie)])


def _redeem(code: str, name: str) -> Entry | None:
    entry = tickets.redeem(code, name)
    if entry is None:
        return None
    admission = check(entry)
    if isinstance(admission, Close):
        return None
    log.info("stream_entered", session=name, user=admission.user, role=admission.role)
    return entry


# --- WebSocket


async def _websocket(scope: Scope, receive: Receive, send: Send, name: str | None) -> None:
    if not await expect_connect(receive):
        return
    if name is None or not _own_origin(scope, name) or not scope["raw_path"].startswith(b"/"):
        await refuse(receive, send)
        return
    path: str = scope["path"]
    entry = tickets.read_cookie(headers(scope, "cookie"), name)
    found = await database_sync_to_async(check)(entry) if entry else Close.ENTRY_NEEDED
    if not path.startswith(OURS):
        if isinstance(found, Admission) and found.kind == "http":
            await proxy.proxy_websocket(scope, receive, send, found)
        else:
            await refuse(receive, send)
    elif path not in (RFB, STATUS):
        await refuse(receive, send)
    elif isinstance(found, Close):
        # Accepted first: browsers tell scripts a close code, but not why a handshake failed.
        await accept(scope, send, "binary")
        # Whether a session is over or somebody else's now is not told to who comes from outside.
        await close(send, Close.GONE if found is Close.REVOKED else found)
    elif path == STATUS:
        await status.status_socket(scope, receive, send, found)
    elif found.kind == "rfb":
        await bridge.rfb_bridge(scope, receive, send, found)
    else:
        await refuse(receive, send)
