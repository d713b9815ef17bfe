"""The viewer's own files, served on each session's origin under ``/_streamspace/static/``."""

from __future__ import annotations

import hashlib
import mimetypes
import posixpath
from email.utils import formatdate
from functools import cache
from pathlib import Path

from asgiref.sync import sync_to_async
from django.contrib.staticfiles import finders

from .wire import Receive, Scope, Send, header, respond, respond_error

FOLDERS = ("stream/", "streamspace/", "vendor/")
"""The parts of the static files that viewers use. The admin's and others' are the portal's."""

PREFIX = "/_streamspace/static/"
_YEAR = 365 * 24 * 3600
_CHUNK = 256 * 1024
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2"}


def _find(path: str) -> Path | None:
    """The file of that path below the static folders."""
    if not path.startswith(FOLDERS) or posixpath.normpath(path) != path or "\0" in path:
        return None
    found = finders.find(path)
    return Path(found) if isinstance(found, str) and Path(found).is_file() else None


def _stat(path: str) -> tuple[Path, int, float] | None:
    found = _find(path)
    if found is None:
        return None
    status = found.stat()
    return found, status.st_size, status.st_mtime


@cache
def version() -> str:
    """Changes with the viewer's files; put it into their URLs as ``?v=``. Once per process."""
    digest = hashlib.sha256()
    seen: set[str] = set()
    for finder in finders.get_finders():
        for path, storage in finder.list(["*.map"]):
            if path.startswith(FOLDERS) and path not in seen:
                seen.add(path)
                digest.update(
                    f"{path}:{storage.size(path)}:{storage.get_modified_time(path)}\n".encode()
                )
    return digest.hexdigest()[:12]


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a GET or HEAD below :data:`PREFIX`. Needs no entry: there is nothing private."""
    if scope["method"] not in ("GET", "HEAD"):
        await respond_error(send, 405, "method_not_allowed", "Only GET is possible here.")
        return
    found = await sync_to_async(_stat, thread_sensitive=False)(scope["path"].removeprefix(PREFIX))
    if found is None:
        await respond_error(send, 404, "not_found", "There is no such file.")
        return
    path, size, modified = found
    etag = f'"{int(modified * 1000):x}-{size:x}"'
    versioned = scope["query_string"] == f"v={version()}".encode()
    lasting = f"public, max-age={_YEAR}, immutable" if versioned else "public, no-cache"
    extra = [
        ("etag", etag),
        ("last-modified", formatdate(modified, usegmt=True)),
        ("cache-control", lasting),
        ("cross-origin-resource-policy", "same-origin"),
    ]
    if etag in header(scope, "if-none-match"):
        await respond(send, 304, extra=extra)
        return
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    await _send_file(scope, send, path, size, kind or "application/octet-stream", extra)


async def _send_file(
    scope: Scope, send: Send, path: Path, size: int, kind: str, extra: list[tuple[str, str]]
) -> None:
    charset = "; charset=utf-8" if kind.startswith("text/") else ""
    fields = [
        ("content-type", kind + charset),
        ("content-length", str(size)),
        ("x-content-type-options", "nosniff"),
        *extra,
    ]
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in fields],
        }
    )
    if scope["method"] == "GET":
        read = sync_to_async(_read, thread_sensitive=False)
        for offset in range(0, size, _CHUNK):
            data = await read(path, offset)
            await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _read(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(_CHUNK)
