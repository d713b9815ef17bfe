"""The viewer's own files, served on each session's origin under ``/_streamspace/static/``.

Each session is an origin of its own, so a browser that opens one for the first time has nothing
in its cache: some seventy small files between a launch and its first picture. So they are kept in
memory (about 1 MiB), and :func:`modules_of` names all that a page will import, for the browser to
ask for them at once instead of one import after the other.

Files are read once per process; a changed one is served after a restart.
"""

from __future__ import annotations

import hashlib
import mimetypes
import posixpath
import re
from dataclasses import dataclass
from email.utils import formatdate
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders

from .wire import Receive, Scope, Send, header, respond, respond_error

FOLDERS = ("stream/", "streamspace/", "vendor/novnc/")
"""The parts of the static files that viewers use. The admin's and others' are the portal's."""

PREFIX = "/_streamspace/static/"
_YEAR = 365 * 24 * 3600
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2"}
_IMPORT = re.compile(
    r"""^\s*(?:import|export)\b(?:[^"';]*?\bfrom)?\s*["'](\.[^"']+)["']""", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent."""

    body: bytes
    kind: str
    etag: str
    modified: str


@cache
def _index() -> dict[str, Path]:
    """URL path below :data:`PREFIX` → file, the first finder's where several have it."""
    found: dict[str, Path] = {}
    for finder in finders.get_finders():
        for path, storage in finder.list(["*.map"]):
            if path.startswith(FOLDERS):
                found.setdefault(path, Path(storage.path(path)))
    return found


@cache
def _asset(path: str) -> Asset | None:
    file = _index().get(path)
    if file is None:
        return None
    body = file.read_bytes()
    kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0]
    return Asset(
        body=body,
        kind=kind or "application/octet-stream",
        etag=f'"{hashlib.sha256(body).hexdigest()[:16]}"',
        modified=formatdate(file.stat().st_mtime, usegmt=True),
    )


@cache
def version() -> str:
    """Changes with the viewer's files. As the first part of a path it makes the answer last for
    ever, and the modules that such a module imports with it."""
    digest = hashlib.sha256()
    for path, file in sorted(_index().items()):
        status = file.stat()
        digest.update(f"{path}:{status.st_size}:{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


def base() -> str:
    """What a page puts before the path of a file that may be kept for ever."""
    return f"{PREFIX}{version()}/"


@cache
def modules_of(entry: str) -> tuple[str, ...]:
    """Every module that ``entry`` imports, itself first, nearest first; by ``import`` statements,
    not by ``import()``."""
    found = [entry]
    for module in found:
        file = _index().get(module)
        if file is None:
            continue
        for target in _IMPORT.findall(file.read_text(encoding="utf-8")):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(module), target))
            if path not in found:
                found.append(path)
    return tuple(found)


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a GET or HEAD below :data:`PREFIX`. Needs no entry: there is nothing private."""
    if scope["method"] not in ("GET", "HEAD"):
        await respond_error(send, 405, "method_not_allowed", "Only GET is possible here.")
        return
    path = scope["path"].removeprefix(PREFIX)
    first, _, rest = path.partition("/")
    lasting = first == version()
    asset = _asset(rest if lasting else path)
    if asset is None:
        await respond_error(send, 404, "not_found", "There is no such file.")
        return
    extra = [
        ("etag", asset.etag),
        ("last-modified", asset.modified),
        (
            "cache-control",
            f"public, max-age={_YEAR}, immutable" if lasting else "public, no-cache",
        ),
        ("cross-origin-resource-policy", "same-origin"),
    ]
    if asset.etag in header(scope, "if-none-match"):
        await respond(send, 304, extra=extra)
        return
    charset = "; charset=utf-8" if asset.kind.startswith("text/") else ""
    fields = [
        ("content-type", asset.kind + charset),
        ("content-length", str(len(asset.body))),
        ("x-content-type-options", "nosniff"),
        *extra,
    ]
    headers = [(k.encode(), v.encode("latin-1")) for k, v in fields]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = asset.body if scope["method"] == "GET" else b""
    await send({"type": "http.response.body", "body": body})
