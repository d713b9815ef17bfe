"""The status WebSocket, ``/ws/sessions``: what the user may see, as it changes.

Server to client::

    {"type": "snapshot", "sessions": [<session>, …]}      first, unless the client resumes
    {"type": "changed", "session": <session>}             one per change, the newest state
    {"type": "removed", "id": "…", "version": 7}          over, or no longer shared

``<session>`` is the API's representation and carries ``id`` and ``version``. A client that was
connected before opens ``/ws/sessions?resume=1`` and sends ``{"type": "resume", "known": {"<id>":
<version>, …}}`` first; it then gets only what it missed. Staff may add ``everyone=1``.

Changes within 50 ms are sent as one. What is waiting to be sent is bounded by the number of
sessions that the user can see, however slow the client reads.

Close codes: 4401 not signed in (any more), 4400 a message that is not of this protocol, 1013 try
again later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.db import Error as DatabaseError
from django.db.models import QuerySet
from django.utils.crypto import constant_time_compare
from rest_framework.exceptions import AuthenticationFailed

from streamspace.accounts.models import User
from streamspace.api.authentication import BearerAuthentication

from .api.reads import sessions_for
from .api.serializers import SessionSerializer
from .choices import Phase
from .models import Session
from .publish import STAFF_GROUP, user_group
from .selectors import live

COALESCE = 0.05
"""Seconds to wait for more changes before sending."""

RECHECK = 60.0
"""Seconds between checks that the sign-in still holds."""

MAX_MESSAGE = 512 * 1024
"""Bytes; the longest message is a list of 5,000 versions. Reading JSON holds up everybody."""

MAX_SNAPSHOT = 500
"""Sessions in one snapshot, newest first; lists beyond that belong to the REST API."""

UNAUTHENTICATED = 4401
BAD_MESSAGE = 4400
TRY_AGAIN = 1013

log = structlog.get_logger(__name__)


class SessionsConsumer(AsyncJsonWebsocketConsumer):
    """One client's view of its sessions."""

    user: User | None = None

    async def connect(self) -> None:
        self.sent: dict[str, int] = {}
        self.pending: set[str] = set()
        self.wanted = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.started = False
        self.closing = False
        if transport := self.scope.get("extensions", {}).get("streamspace.transport"):
            transport.limit_messages(MAX_MESSAGE)
        self.user = await self._authenticate()
        if self.user is None:
            # Accept first: a refused handshake cannot tell the browser why.
            await self.accept()
            await self._end(UNAUTHENTICATED)
            return
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        self.everyone = self.user.is_staff and query.get("everyone") == ["1"]
        group = STAFF_GROUP if self.everyone else user_group(self.user.pk)
        # Before the snapshot, so that no change can fall between the two.
        self.groups.append(group)
        await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        self._do(self._recheck())
        if query.get("resume") != ["1"]:
            self._start(self._send_snapshot)

    async def disconnect(self, code: int) -> None:
        self._cancel_tasks()

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """Any frame of the client."""
        if self.closing:
            return
        if text_data:
            await super().receive(text_data=text_data, **kwargs)
        else:
            await self._end(BAD_MESSAGE)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        known = content.get("known") if isinstance(content, dict) else None
        if (
            self.started
            or not isinstance(known, dict)
            or content.get("type") != "resume"
            or len(known) > 10 * MAX_SNAPSHOT
        ):
            await self._end(BAD_MESSAGE)
            return
        self.sent = {key: v for key, v in known.items() if isinstance(v, int)}
        self._start(self._send_missed)

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        """None for what is not JSON; ``receive_json`` then closes in order."""
        try:
            return await super().decode_json(text_data)
        except (ValueError, RecursionError):
            return None

    async def session_changed(self, event: dict[str, Any]) -> None:
        """From the channel layer: this session has a new version. Never waits for the client: the
        embedded layer drops what comes after the hundredth unread message."""
        self.pending.add(event["id"])
        self.wanted.set()

    def _start(self, first: Callable[[], Awaitable[None]]) -> None:
        self.started = True
        self._do(self._deliver(first))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(self._surviving(work)))

    async def _surviving(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except DatabaseError as error:
            # The client reconnects and resumes; better than looking alive and being deaf.
            log.warning("status_socket_lost_database", error=str(error))
            await self._end(TRY_AGAIN)
        except Exception:
            log.exception("status_socket_failed")
            await self._end(TRY_AGAIN)

    def _cancel_tasks(self) -> None:
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _end(self, code: int) -> None:
        if not self.closing:
            self.closing = True
            self._cancel_tasks()
            await self.close(code)

    async def _deliver(self, first: Callable[[], Awaitable[None]]) -> None:
        await first()
        while True:
            await self.wanted.wait()
            await asyncio.sleep(COALESCE)
            self.wanted.clear()
            ids, self.pending = self.pending, set()
            await self._send_changes(ids)

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK)
            user = await self._authenticate()
            if user is None:
                return await self._end(UNAUTHENTICATED)
            if not self.started:
                return await self._end(BAD_MESSAGE)  # it promised to resume and did not
            if self.everyone and not user.is_staff:
                return await self._end(TRY_AGAIN)  # and see what they may see now
            self.user = user

    async def _send_snapshot(self) -> None:
        sessions = await database_sync_to_async(self._newest)()
        self.sent = {session["id"]: session["version"] for session in sessions}
        await self.send_json({"type": "snapshot", "sessions": sessions})

    async def _send_missed(self) -> None:
        sessions, gone = await database_sync_to_async(self._missed)()
        for session_id in gone:
            await self._send_removed(session_id)
        for session in sessions:
            self.sent.pop(session["id"], None)
            await self._send_if_new(session)

    async def _send_changes(self, ids: set[str]) -> None:
        sessions = await database_sync_to_async(self._those)(ids)
        for session in sessions:
            await self._send_if_new(session)
        over = {s["id"] for s in sessions if s["phase"] == Phase.TERMINATED}
        for gone in sorted(ids - {s["id"] for s in sessions} | over):
            await self._send_removed(gone)

    async def _send_if_new(self, session: dict[str, Any]) -> None:
        if self.sent.get(session["id"], 0) < session["version"]:
            self.sent[session["id"]] = session["version"]
            await self.send_json({"type": "changed", "session": session})

    async def _send_removed(self, session_id: str) -> None:
        version = self.sent.pop(session_id, None)
        if version is not None:
            await self.send_json({"type": "removed", "id": session_id, "version": version})

    async def _authenticate(self) -> User | None:
        user: User | None = await database_sync_to_async(self._user)()
        return user

    def _visible(self) -> QuerySet[Session]:
        assert self.user is not None
        return sessions_for(self.user, everyone=self.everyone)

    def _newest(self) -> list[dict[str, Any]]:
        return self._shown(live(self._visible())[:MAX_SNAPSHOT])

    def _those(self, ids: set[str]) -> list[dict[str, Any]]:
        return self._shown(self._visible().filter(pk__in=ids))

    def _missed(self) -> tuple[list[dict[str, Any]], list[str]]:
        """What a client that holds the versions in ``sent`` lacks, and what is gone. A version of
        ours that is *lower* than the client's is news too: the database was restored."""
        sessions = live(self._visible())
        held = sessions.filter(pk__in=filter(_is_id, self.sent)).values_list("pk", "version")
        versions = {str(pk): version for pk, version in held}
        newest = {str(pk) for pk in sessions.values_list("pk", flat=True)[:MAX_SNAPSHOT]}
        stale = {pk for pk, version in versions.items() if version != self.sent[pk]}
        missed = sessions.filter(pk__in=newest - versions.keys() | stale)
        return self._shown(missed), sorted(self.sent.keys() - versions.keys())

    def _shown(self, sessions: QuerySet[Session]) -> list[dict[str, Any]]:
        """As the API shows them to this user."""
        context = {"viewer": self.user}
        return [dict(SessionSerializer(session, context=context).data) for session in sessions]

    def _user(self) -> User | None:
        """The user by sign-in cookie or ``Authorization: Bearer``, read from the database anew."""
        headers = dict(self.scope["headers"])
        scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            try:
                user, _token = BearerAuthentication().authenticate_credentials(secret.strip())
            except AuthenticationFailed:
                return None
            return user
        session = self.scope.get("session")
        known = self.scope.get("user")
        if session is None or known is None or isinstance(known, AnonymousUser):
            return None
        stored = SessionStore(session.session_key)
        fresh = User.objects.filter(pk=known.pk, is_active=True).first()
        if fresh is None or not constant_time_compare(
            stored.get(HASH_SESSION_KEY, ""), fresh.get_session_auth_hash()
        ):
            return None
        return fresh


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
