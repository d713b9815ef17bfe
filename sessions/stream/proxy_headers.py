"""Which headers cross the proxy, and what becomes of them. Pure functions.

Towards the session: hop-by-hop headers, our cookies and whatever a client claims about proxies stay
here. ``Authorization`` is the application's own affair (browsers send it to the origin it was made
for, and this origin is not the portal's), except when it holds a token of the portal, which
somebody sent to the wrong place: those are recognised by their shape and dropped.

Towards the browser: cookies become host-only and cannot take our names; redirects to the backend's
own address are turned to the session's origin; no other origin may frame what a session shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from .tickets import split_cookies

Headers = list[tuple[str, str]]

_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_NOT_TO_SESSION = frozenset({"host", "expect", "forwarded", "x-real-ip", "cookie"})
_PORTAL_TOKEN = re.compile(r"(?:token|bearer)\s+[0-9a-f]{64}\s*", re.IGNORECASE)
_COOKIE_DOMAIN = re.compile(r";\s*domain\s*=[^;]*", re.IGNORECASE)
_FRAME_ANCESTORS = re.compile(r"(?:^|;)\s*frame-ancestors[^;]*", re.IGNORECASE)


def _named_by_connection(headers: Iterable[tuple[str, str]]) -> set[str]:
    values = (value for name, value in headers if name.lower() == "connection")
    return {token.strip().lower() for value in values for token in value.split(",")}


def to_session(
    headers: Sequence[tuple[str, str]],
    *,
    host: str,
    scheme: str,
    client: str,
    secret_cookies: frozenset[str],
) -> Headers:
    """The request's headers as the session's program gets them.

    ``host`` is the session's own ``Host``; ``secret_cookies`` the names that must not pass.
    """
    dropped = _HOP_BY_HOP | _NOT_TO_SESSION | _named_by_connection(headers)
    kept: Headers = [("Host", host)]
    cookies: list[str] = []
    for name, value in headers:
        low = name.lower()
        if low == "cookie":
            cookies += [
                f"{key}={text}" for key, text in split_cookies(value) if key not in secret_cookies
            ]
        elif low == "authorization":
            if not _PORTAL_TOKEN.fullmatch(value):
                kept.append((name, value))
        elif low not in dropped and not low.startswith("x-forwarded-"):
            kept.append((name, value))
    if cookies:
        kept.append(("Cookie", "; ".join(cookies)))
    port = host.rpartition(":")[2] if ":" in host else {"https": "443"}.get(scheme, "80")
    kept += [
        ("X-Forwarded-For", client),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Port", port),
        ("X-Forwarded-Proto", scheme),
    ]
    return kept


def to_browser(
    headers: Sequence[tuple[str, str]],
    *,
    origin: str,
    backends: frozenset[str],
    secret_cookies: frozenset[str],
) -> Headers:
    """The response's headers as the browser gets them.

    ``backends``: ``host:port`` under which the program may believe to be reached.
    """
    dropped = _HOP_BY_HOP | _named_by_connection(headers) | {"x-frame-options"}
    kept: Headers = []
    for name, value in headers:
        low = name.lower()
        if low in dropped:
            continue
        if low == "set-cookie":
            if value.partition("=")[0].strip() in secret_cookies:
                continue
            value = _COOKIE_DOMAIN.sub("", value)
        elif low in ("location", "content-location"):
            value = own_location(value, origin=origin, backends=backends)
        elif low in ("content-security-policy", "content-security-policy-report-only"):
            value = _FRAME_ANCESTORS.sub("", value).strip(" ;")
            if not value:
                continue
        kept.append((name, value))
    # The viewer's page frames the application; sibling sessions must not (clickjacking).
    kept.append(("Content-Security-Policy", "frame-ancestors 'self'"))
    return kept


def own_location(location: str, *, origin: str, backends: frozenset[str]) -> str:
    """Turn an absolute redirect to the backend's address to the session's origin.

    Redirects elsewhere are the application's business and pass unchanged.
    """
    try:
        parts = urlsplit(location)
        netloc = parts.netloc.lower()
    except ValueError:
        return location
    own = urlsplit(origin).netloc.lower()
    if parts.scheme not in ("http", "https") or netloc not in backends | {own}:
        return location
    rest = location.split("://", 1)[1][len(parts.netloc) :]
    return origin + (rest if rest.startswith("/") else f"/{rest}")
