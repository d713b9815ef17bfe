"""Which origin is whose. Hosts are compared whole, ports included (CVE-2026-111927 was a prefix).

A session lives at ``<scheme>://<session>.<ingress_domain>[:<port>]`` with the scheme and the port
of the portal's origin.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.conf import settings

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def portal_origin() -> str:
    origin: str = settings.STREAMSPACE.portal_origin
    return origin


def secure() -> bool:
    """Whether browsers reach the installation by TLS."""
    return portal_origin().startswith("https://")


def _portal_port() -> tuple[int, int]:
    parts = urlsplit(portal_origin())
    default = _DEFAULT_PORTS[parts.scheme]
    return parts.port or default, default


def session_host(name: str) -> str:
    """The ``Host`` that browsers send to the session's origin."""
    port, default = _portal_port()
    suffix = "" if port == default else f":{port}"
    return f"{name}.{settings.STREAMSPACE.ingress_domain}{suffix}"


def session_origin(name: str) -> str:
    """The session's web origin, as browsers write it in ``Origin``."""
    return f"{urlsplit(portal_origin()).scheme}://{session_host(name)}"


def session_name_from_host(host: str) -> str | None:
    """The session that a request's ``Host`` names, or None when it is no session's.

    Whether the session exists is another question.
    """
    label, dot, rest = host.partition(".")
    label, rest = label.lower(), rest.lower()
    port, default = _portal_port()
    domain = settings.STREAMSPACE.ingress_domain.lower()
    allowed = {f"{domain}:{port}"} | ({domain} if port == default else set())
    if not dot or rest not in allowed or not _LABEL.fullmatch(label):
        return None
    if f"{label}.{rest}" == urlsplit(portal_origin()).netloc.lower():
        return None  # the portal itself may live under the same domain
    return label
