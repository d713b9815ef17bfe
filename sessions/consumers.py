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
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError
from django.utils.crypto import constant_time_compare
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from streamspace.accounts.models import User

from .api.serializers import SessionSerializer
from .choices import Phase
from .publish import STAFF_GROUP, user_group
from .selectors import live, visible_to

COALESCE = 0.05
"""Seconds to wait for more changes before sending."""

RECHECK = 60.0
"""Seconds between checks that the sign-in still holds."""

MAX_SNAPSHOT = 500
"""Sessions in one snapshot, newest first; lists beyond that belong to the REST API."""

UNAUTHENTICATED = 4401
BAD_MESSAGE = 4400
TRY_AGAIN = 1013

log = structlog.get_logger(__name__)


class SessionsConsumer(AsyncJsonWebsocketConsumer):
    """One client's view of its sessions."""

    user: User

    async def connect(self) -> None:
        self.sent: dict[str, int] = {}
        self.pending: set[str] = set()
        self.wanted = asyncio.Event()
        self.background: list[asyncio.Task[None]] = []
        user = await self._authenticate()
        if user is None:
            # Accept first: a refused handshake cannot tell the browser why.
            await self.accept()
            await self.close(UNAUTHENTICATED)
            return
        self.user = user
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        self.everyone = user.is_staff and query.get("everyone") == ["1"]
        group = STAFF_GROUP if self.everyone else user_group(user.pk)
        # Before the snapshot, so that no change can fall between the two.
        self.groups.append(group)
        await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        if query.get("resume") != ["1"]:
            await self._send_snapshot()
            self._start()

    async def disconnect(self, code: int) -> None:
        for task in self.background:
            task.cancel()

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        if not isinstance(content, dict) or content.get("type") != "resume" or self.background:
            await self.close(BAD_MESSAGE)
            return
        known = content.get("known")
        if not isinstance(known, dict) or len(known) > 10 * MAX_SNAPSHOT:
            await self.close(BAD_MESSAGE)
            return
        self.sent = {str(key): v for key, v in known.items() if isinstance(v, int)}
        await self._send_missed()
        self._start()

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        """None for what is not JSON; ``receive_json`` then closes in order."""
        try:
            return await super().decode_json(text_data)
        except ValueError:
            return None

    async def session_changed(self, event: dict[str, Any]) -> None:
        """From the channel layer: this session has a new version."""
        self.pending.add(event["id"])
        self.wanted.set()

    def _start(self) -> None:
        self.background = [
            asyncio.create_task(self._deliver()),
            asyncio.create_task(self._recheck()),
        ]

    async def _deliver(self) -> None:
        while True:
            await self.wanted.wait()
            await asyncio.sleep(COALESCE)
            self.wanted.clear()
            ids, self.pending = self.pending, set()
            try:
                await self._send_changes(ids)
            except DatabaseError as error:
                # The client reconnects and resumes; better than looking alive and being deaf.
                log.warning("status_socket_lost_database", error=str(error))
                await self.close(TRY_AGAIN)
                return

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK)
            if await self._authenticate() is None:
                await self.close(UNAUTHENTICATED)
                return

    async def _send_snapshot(self) -> None:
        sessions = await self._load(None)
        self.sent = {session["id"]: session["version"] for session in sessions}
        await self.send_json({"type": "snapshot", "sessions": sessions})

    async def _send_missed(self) -> None:
        sessions = await self._load(None)
        present = {session["id"] for session in sessions}
        for gone in sorted(set(self.sent) - present):
            await self._send_removed(gone)
        for session in sessions:
            await self._send_if_new(session)

    async def _send_changes(self, ids: set[str]) -> None:
        sessions = await self._load(ids)
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

    async def _load(self, ids: set[str] | None) -> list[dict[str, Any]]:
        sessions: list[dict[str, Any]] = await database_sync_to_async(self._read)(ids)
        return sessions

    async def _authenticate(self) -> User | None:
        user: User | None = await database_sync_to_async(self._user)()
        return user

    def _read(self, ids: set[str] | None) -> list[dict[str, Any]]:
        sessions = visible_to(self.user, everyone=self.everyone)
        if ids is None:
            sessions = live(sessions)[:MAX_SNAPSHOT]
        else:
            sessions = sessions.filter(pk__in=[UUID(i) for i in ids])
        return [dict(SessionSerializer(session).data) for session in sessions]

    def _user(self) -> User | None:
        """The user by sign-in cookie or ``Authorization: Bearer``, read from the database anew."""
        headers = dict(self.scope["headers"])
        scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            try:
                authentication = TokenAuthentication()
                user, _token = authentication.authenticate_credentials(  # type: ignore[no-untyped-call]
                    secret.strip()
                )
            except AuthenticationFailed:
                return None
            return user if isinstance(user, User) else None
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
