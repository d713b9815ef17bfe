"""Who may be connected to a stream, asked at the door and again while the connection lives."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from uuid import UUID

import structlog
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError
from redis.exceptions import RedisError

from sessions import activity, selectors
from sessions.choices import DesiredState, Phase

from . import tickets
from .backend import Endpoint
from .codes import Close
from .rfb import Clipboard
from .tickets import Entry

log = structlog.get_logger(__name__)

RECHECK_SECONDS = 60
"""Longest time between two checks of an open connection's rights."""
_RETRY_SECONDS = 5
_BLIND_SECONDS = 300
"""How long a connection stays open while the database cannot be asked: an outage of a minute must
not throw everyone out, a longer one must not let revoked guests stay for ever."""
_DOOR_SECONDS = 2.0
"""How long an answer is good for plain HTTP requests; a page loads hundreds of files."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What one user may do with one session's stream now."""

    entry: Entry
    session_id: UUID
    session: str
    display_name: str
    user_id: int
    user: str
    role: str
    """``owner``, ``control`` or ``view``."""
    kind: str
    """``rfb`` or ``http``."""
    running: bool
    """Whether there is, and should be, something to connect to."""
    endpoint: Endpoint | None
    clipboard: Clipboard
    app_path: str
    """Where a web application's pages begin."""
    state: dict[str, Any]
    """What the viewer shows of the session (``selectors.stream_state``)."""

    @property
    def view_only(self) -> bool:
        return self.role == "view"

    @property
    def rights(self) -> tuple[str, Clipboard]:
        """What an open connection was set up with; when it changes the connection is made anew."""
        return self.role, self.clipboard

    @property
    def notice_group(self) -> str:
        """Channel-layer group of this user's viewers of this session."""
        return f"stream.notice.{self.session_id.hex}.{self.user_id}"

    @property
    def groups(self) -> tuple[str, ...]:
        """Channel-layer groups that tell of changes to this admission."""
        return (f"session.{self.session_id.hex}", self.entry.sign_in_group)


def check(entry: Entry) -> Admission | Close:
    """Look everything up (database). A Close tells why there is no admission."""
    user = tickets.user_of(entry)
    if user is None:
        return Close.ENTRY_NEEDED
    session = tickets.session_of(entry)
    if session is None or session.desired_state == DesiredState.TERMINATED:
        return Close.GONE
    role = selectors.access_role(session, user)
    if role is None:
        return Close.REVOKED
    endpoint = Endpoint.from_record(session.endpoint)
    spec = session.revision.spec
    webapp = spec.get("appType") == "webapp"
    running = session.desired_state == DesiredState.RUNNING and session.phase == Phase.RUNNING
    return Admission(
        entry=entry,
        session_id=session.id,
        session=session.name,
        display_name=session.display_name,
        user_id=user.pk,
        user=user.get_username(),
        role=str(role),
        kind=endpoint.kind if endpoint else "http" if webapp else "rfb",
        running=running and endpoint is not None,
        endpoint=endpoint,
        clipboard=Clipboard(spec.get("clipboard") or "both"),
        app_path=(spec.get("webapp") or {}).get("path") or "/",
        state=selectors.stream_state(session, role),
    )


class Door:
    """:func:`check` for many requests in a row: answers are kept for a moment, in this process."""

    def __init__(self, seconds: float = _DOOR_SECONDS, size: int = 1024) -> None:
        self._seconds = seconds
        self._size = size
        self._known: dict[Entry, tuple[float, Admission | Close]] = {}

    async def ask(self, entry: Entry) -> Admission | Close:
        now = time.monotonic()
        known = self._known.get(entry)
        if known is not None and now - known[0] < self._seconds:
            return known[1]
        answer: Admission | Close = await database_sync_to_async(check)(entry)
        while len(self._known) >= self._size:
            self._known.pop(next(iter(self._known)))
        self._known.pop(entry, None)
        self._known[entry] = (now, answer)
        return answer


class Watch:
    """Follow an admission while a connection lives::

    async with Watch(admission) as watch:
        async for now in watch.changes(): ...
    """

    def __init__(self, admission: Admission, *, notices: bool = False) -> None:
        self._admission = admission
        self._groups = (*admission.groups, *([admission.notice_group] if notices else []))
        self._stack = AsyncExitStack()
        self._layer: Any = None
        self._channel = ""
        self.notices: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=16)
        """What :func:`notify` said to this user's viewers, if ``notices`` were asked for."""

    async def __aenter__(self) -> Watch:
        layer = get_channel_layer()
        try:
            channel = await layer.new_channel()
            for group in self._groups:
                await layer.group_add(group, channel)
                self._stack.push_async_callback(layer.group_discard, group, channel)
        except (OSError, RedisError) as error:
            log.warning("stream_watch_polls", session=self._admission.session, error=str(error))
            return self
        self._layer, self._channel = layer, channel
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._stack.aclose()
        except (OSError, RedisError):
            log.info("stream_watch_left_behind", session=self._admission.session)

    async def changes(self) -> AsyncIterator[Admission | Close]:
        """The state of affairs at once, then after each change and at least once a minute.

        Ends after a Close.
        """
        confirmed = time.monotonic()
        while True:
            pause = RECHECK_SECONDS * random.uniform(0.75, 1)
            try:
                now = await database_sync_to_async(check)(self._admission.entry)
            except DatabaseError as error:
                log.warning("stream_recheck_failed", session=self._admission.session, error=error)
                if time.monotonic() - confirmed > _BLIND_SECONDS:
                    yield Close.GOING_AWAY
                    return
                pause = _RETRY_SECONDS
            else:
                confirmed = time.monotonic()
                yield now
                if isinstance(now, Close):
                    return
            if await self._signed_out_within(pause):
                yield Close.ENTRY_NEEDED
                return

    async def ended(self) -> Close:
        """Return when, and why, the connection must not go on as it was opened."""
        async for now in self.changes():
            if isinstance(now, Close):
                return now
            if not now.running:
                return Close.NOT_RUNNING
            if now.rights != self._admission.rights or now.endpoint != self._admission.endpoint:
                return Close.GOING_AWAY
        return Close.GOING_AWAY

    async def _signed_out_within(self, seconds: float) -> bool:
        """Wait for news; whether they are that the portal sign-in ended."""
        if self._layer is None:
            await asyncio.sleep(min(seconds, _RETRY_SECONDS))
            return False
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await self._layer.receive(self._channel)
                    if message["type"] == "stream.notice":
                        if not self.notices.full():
                            self.notices.put_nowait(message["notice"])
                        continue
                    return bool(message["type"] == "stream.signed_out")
        except TimeoutError:
            return False
        except (OSError, RedisError) as error:
            log.warning("stream_watch_polls", session=self._admission.session, error=str(error))
            await asyncio.sleep(_RETRY_SECONDS)
            return False


async def notify(admission: Admission, notice: dict[str, Any]) -> None:
    """Tell this user's viewers of this session something; best effort."""
    layer = get_channel_layer()
    try:
        await layer.group_send(admission.notice_group, {"type": "stream.notice", "notice": notice})
    except (OSError, RedisError) as error:
        log.info("stream_notice_lost", session=admission.session, error=str(error))


class ActivityRecorder:
    """Record input at most once a second, without making the stream wait."""

    def __init__(self, session_id: UUID) -> None:
        self._session_id = session_id
        self._next = 0.0
        self._task: asyncio.Task[None] | None = None

    def note(self) -> None:
        """There was input just now."""
        now = time.monotonic()
        if now < self._next or (self._task is not None and not self._task.done()):
            return
        self._next = now + 1
        self._task = asyncio.create_task(self._record())

    async def _record(self) -> None:
        try:
            await sync_to_async(activity.record, thread_sensitive=False)(
                self._session_id, datetime.now(UTC)
            )
        except (OSError, RedisError) as error:
            # The next second tries again; nobody hibernates within one.
            log.info("activity_lost", error=str(error))
