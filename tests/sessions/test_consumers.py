"""The status WebSocket: what the user may see, as it changes, and nothing else."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from channels.layers import get_channel_layer
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError
from django.utils import timezone

from sessions import consumers, services
from sessions.choices import Phase
from sessions.models import Session
from streamspace.accounts.models import ApiToken, User
from streamspace.accounts.services import create_token
from tests.making import make_guest, make_session, make_template, make_user
from tests.sessions.sockets import (
    Connect,
    Socket,
    do,
    do_in_a_loop_of_its_own,
    ids,
    resume,
    sign_in,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh_layer")]

# --- Snapshot and changes


async def test_a_new_client_gets_what_it_may_see_and_is_not_over(connect: Connect) -> None:
    mine = await do(make_session)
    await do(make_session)
    await do(make_session, mine.owner, desired_state="terminated", phase=Phase.TERMINATED)
    shared = await do(make_session)
    await do(services.share, shared.pk, mine.owner.username, "view")
    snapshot = await (await connect(mine.owner)).next()
    assert snapshot["type"] == "snapshot"
    assert ids(snapshot) == {str(mine.pk), str(shared.pk)}


async def test_a_change_is_sent_with_its_version(connect: Connect) -> None:
    session = await do(make_session)
    socket = await connect(session.owner)
    await socket.next()
    await do(services.hibernate, session.pk)
    message = await socket.next()
    assert message["type"] == "changed"
    assert message["session"]["display_state"] == "hibernating"
    assert message["session"]["version"] == 2


async def test_a_launch_appears(connect: Connect) -> None:
    user = await do(make_user)
    await do(make_template)
    socket = await connect(user)
    assert ids(await socket.next()) == set()
    session = await do(services.launch, user, "terminal")
    assert (await socket.next())["session"]["id"] == str(session.pk)


async def test_changes_in_quick_succession_are_sent_as_one(connect: Connect) -> None:
    session = await do(make_session)
    socket = await connect(session.owner)
    await socket.next()

    def rename_ten_times() -> None:
        for number in range(10):
            services.rename(session.pk, f"name {number}")

    await do(rename_ten_times)
    names = [(await socket.next())["session"]["display_name"]]
    while not await socket.quiet():
        names.append((await socket.next())["session"]["display_name"])
    assert names[-1] == "name 9"
    assert len(names) < 5


async def test_what_is_over_is_shown_once_more_and_then_removed(connect: Connect) -> None:
    session = await do(make_session)
    socket = await connect(session.owner)
    await socket.next()
    await do(Session.objects.update, phase=Phase.TERMINATED)
    await do(services.terminate, session.pk)
    changed, removed = await socket.next(), await socket.next()
    assert (changed["type"], changed["session"]["phase"]) == ("changed", "Terminated")
    assert removed == {"type": "removed", "id": str(session.pk), "version": 2}


async def test_messages_from_another_event_loop_arrive(connect: Connect) -> None:
    """Workers announce from threads with loops of their own."""
    session = await do(make_session)
    socket = await connect(session.owner)
    await socket.next()
    await do_in_a_loop_of_its_own(lambda: services.rename(session.pk, "from a thread"))
    assert (await socket.next())["session"]["display_name"] == "from a thread"


async def test_more_changes_than_the_layer_holds_lose_nothing(connect: Connect) -> None:
    user = await do(make_user)

    def make_many() -> list[Session]:
        return [make_session(user) for _ in range(130)]

    sessions = await do(make_many)
    socket = await connect(user)
    await socket.next()
    layer = get_channel_layer()

    async def change_all() -> None:
        await do(Session.objects.update, version=2)
        for session in sessions:
            message = {"type": "session.changed", "id": str(session.pk), "version": 2}
            await layer.group_send(f"sessions.user.{user.pk}", message)
            await asyncio.sleep(0)

    await change_all()
    changed = {(await socket.next())["session"]["id"] for _ in range(130)}
    assert changed == {str(session.pk) for session in sessions}


# --- Only what the user may see


async def test_nothing_of_others_is_sent(connect: Connect) -> None:
    theirs = await do(make_session)
    socket = await connect(await do(make_user))
    await socket.next()
    await do(services.hibernate, theirs.pk)
    assert await socket.quiet()


async def test_a_message_about_another_s_session_shows_nothing(connect: Connect) -> None:
    """Messages name a session; what may be seen of it is decided when it is read."""
    theirs = await do(make_session)
    user = await do(make_user)
    socket = await connect(user)
    await socket.next()
    await get_channel_layer().group_send(
        f"sessions.user.{user.pk}",
        {"type": "session.changed", "id": str(theirs.pk), "version": 9},
    )
    assert await socket.quiet()


async def test_a_share_appears_and_disappears(connect: Connect) -> None:
    session = await do(make_session)
    guest = await do(make_user, "guest")
    socket = await connect(guest)
    await socket.next()
    await do(services.share, session.pk, "guest", "view")
    assert (await socket.next())["session"]["id"] == str(session.pk)
    await do(services.unshare, session.pk, "guest")
    assert (await socket.next())["type"] == "removed"
    await do(services.hibernate, session.pk)
    assert await socket.quiet()


async def test_staff_see_everyone_s_when_they_ask_for_it(connect: Connect) -> None:
    session = await do(make_session)
    staff = await do(make_user, is_staff=True)
    assert ids(await (await connect(staff, "everyone=1")).next()) == {str(session.pk)}
    assert ids(await (await connect(staff)).next()) == set()


async def test_others_who_ask_for_everyone_s_see_their_own(connect: Connect) -> None:
    await do(make_session)
    socket = await connect(await do(make_user), "everyone=1")
    assert ids(await socket.next()) == set()


# --- Resuming


async def test_a_client_that_resumes_gets_only_what_it_missed(connect: Connect) -> None:
    owner = await do(make_user)
    same, changed, new = [await do(make_session, owner) for _ in range(3)]
    over = await do(make_session, owner, phase=Phase.TERMINATED)
    await do(services.rename, changed.pk, "other")
    socket = await connect(owner, "resume=1")
    await resume(socket, {str(same.pk): 1, str(changed.pk): 1, str(over.pk): 1})
    messages = [await socket.next() for _ in range(3)]
    assert messages[0] == {"type": "removed", "id": str(over.pk), "version": 1}
    assert {m["session"]["id"] for m in messages[1:]} == {str(changed.pk), str(new.pk)}
    assert await socket.quiet()


async def test_after_resuming_changes_arrive(connect: Connect) -> None:
    session = await do(make_session)
    socket = await connect(session.owner, "resume=1")
    await resume(socket, {str(session.pk): 1})
    await do(services.rename, session.pk, "other")
    assert (await socket.next())["session"]["display_name"] == "other"


async def test_a_database_that_was_restored_wins_over_a_client_s_newer_version(
    connect: Connect,
) -> None:
    session = await do(make_session)
    socket = await connect(session.owner, "resume=1")
    await resume(socket, {str(session.pk): 99})
    assert (await socket.next())["session"]["version"] == 1


async def test_claiming_to_know_another_s_session_shows_nothing(connect: Connect) -> None:
    theirs = await do(make_session)
    socket = await connect(await do(make_user), "resume=1")
    await resume(socket, {str(theirs.pk): 0, "no id": 1, str(uuid4()): 1})
    gone = {(await socket.next())["id"] for _ in range(3)}
    assert str(theirs.pk) in gone  # the same answer as for what never was
    await do(services.hibernate, theirs.pk)
    assert await socket.quiet()


async def test_sessions_beyond_the_snapshot_are_not_removed_by_resuming(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "MAX_SNAPSHOT", 1)
    owner = await do(make_user)
    old, new = [await do(make_session, owner) for _ in range(2)]
    socket = await connect(owner, "resume=1")
    await resume(socket, {str(old.pk): 1, str(new.pk): 1})
    assert await socket.quiet()


# --- Who is it


async def test_without_sign_in_it_closes_with_4401() -> None:
    socket = Socket({})
    await socket.connect(5)
    await resume(socket, {})
    assert await socket.closed() == 4401
    await socket.disconnect()


async def test_another_origin_is_denied_before_anything_else() -> None:
    user = await do(make_user)
    for origin in (
        "http://evil.example",
        "http://localhost:9000",
        "null",
        "https://localhost:8000",
    ):
        socket = Socket({**await do(sign_in, user), "origin": origin})
        accepted, _ = await socket.connect(5)
        assert not accepted


async def test_the_portal_s_own_origin_is_let_in(connect: Connect) -> None:
    socket = await connect(await do(make_user), origin="http://localhost:8000")
    assert (await socket.next())["type"] == "snapshot"


async def test_a_token_in_the_header_is_as_good_as_a_cookie() -> None:
    session = await do(make_session)
    _, secret = await do(create_token, session.owner, "test")
    socket = Socket({"authorization": f"Bearer {secret}"})
    await socket.connect(5)
    assert ids(await socket.next()) == {str(session.pk)}
    await socket.disconnect()


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer wrong", "Bearer a b", "Basic eA=="])
async def test_a_wrong_token_closes_with_4401(value: str) -> None:
    socket = Socket({"authorization": value})
    await socket.connect(5)
    assert await socket.closed() == 4401
    await socket.disconnect()


async def test_a_token_that_is_no_text_closes_with_4401() -> None:
    socket = Socket({})
    socket.scope["headers"].append((b"authorization", b"Bearer \xff\xfe"))
    await socket.connect(5)
    assert await socket.closed() == 4401
    await socket.disconnect()


@pytest.fixture
def _rechecks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "RECHECK", 0.05)


@pytest.mark.usefixtures("_rechecks_at_once")
@pytest.mark.parametrize("how", ["signs out", "is disabled", "is deleted", "new password"])
async def test_a_user_who_may_no_longer_see_it_loses_the_socket(connect: Connect, how: str) -> None:
    user = await do(make_user)
    socket = await connect(user)
    await socket.next()
    if how == "signs out":
        await do(SessionStore.get_model_class().objects.all().delete)
    elif how == "is disabled":
        await do(User.objects.filter(pk=user.pk).update, is_active=False)
    elif how == "is deleted":
        await do(user.delete)
    else:
        user.set_password("another long passphrase")
        await do(user.save)
    assert await socket.closed() == 4401


@pytest.mark.usefixtures("_rechecks_at_once")
async def test_a_token_that_ends_takes_the_socket_with_it() -> None:
    user = await do(make_user)
    _, secret = await do(create_token, user, "test")
    socket = Socket({"authorization": f"Bearer {secret}"})
    await socket.connect(5)
    await socket.next()
    await do(ApiToken.objects.update, expiry=timezone.now() - timedelta(seconds=1))
    assert await socket.closed() == 4401
    await socket.disconnect()


@pytest.mark.usefixtures("_rechecks_at_once")
async def test_staff_who_are_demoted_lose_the_view_of_everyone_s(connect: Connect) -> None:
    staff = await do(make_user, is_staff=True)
    socket = await connect(staff, "everyone=1")
    await socket.next()
    await do(User.objects.filter(pk=staff.pk).update, is_staff=False)
    assert await socket.closed() == 1013


@pytest.mark.usefixtures("_rechecks_at_once")
async def test_whoever_stays_signed_in_keeps_the_socket(connect: Connect) -> None:
    session = await do(make_session)
    socket = await connect(session.owner)
    await socket.next()
    assert await socket.quiet()
    await do(services.rename, session.pk, "other")
    assert (await socket.next())["type"] == "changed"


@pytest.mark.usefixtures("_rechecks_at_once")
async def test_a_client_that_promised_to_resume_must(connect: Connect) -> None:
    socket = await connect(await do(make_user), "resume=1")
    assert await socket.closed() == 4400


# --- What is not of this protocol

BAD = [
    "",
    "no json",
    "[]",
    "{}",
    "1" * 5000,
    "[" * 100_000,
    '{"type": "resume"}',
    '{"type": "resume", "known": []}',
    '{"type": "other", "known": {}}',
    json.dumps({"type": "resume", "known": {str(n): 1 for n in range(5001)}}),
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
async def test_a_message_that_is_not_of_this_protocol_closes_with_4400(
    connect: Connect, text: str
) -> None:
    socket = await connect(await do(make_user), "resume=1")
    await socket.send_input({"type": "websocket.receive", "text": text})
    assert await socket.closed() == 4400


async def test_a_binary_frame_closes_with_4400(connect: Connect) -> None:
    socket = await connect(await do(make_user), "resume=1")
    await socket.send_to(bytes_data=b"\0")
    assert await socket.closed() == 4400


async def test_talking_without_having_announced_to_resume_closes_with_4400(
    connect: Connect,
) -> None:
    socket = await connect(await do(make_user))
    await socket.next()
    await resume(socket, {})
    assert await socket.closed() == 4400


async def test_versions_that_are_no_numbers_are_ignored(connect: Connect) -> None:
    session = await do(make_session)
    socket = await connect(session.owner, "resume=1")
    await resume(socket, {str(session.pk): "new"})
    assert (await socket.next())["type"] == "changed"


async def test_a_database_that_goes_away_asks_the_client_to_come_again(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await do(make_session)
    socket = await connect(session.owner)
    await socket.next()

    def away(*_: object, **__: object) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(consumers, "sessions_for", away)
    await do(services.rename, session.pk, "other")
    assert await socket.closed() == 1013


async def test_a_fault_closes_the_socket_rather_than_leaving_it_deaf(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await do(make_session)
    socket = await connect(session.owner)
    await socket.next()
    monkeypatch.setattr(consumers, "SessionSerializer", None)
    await do(services.rename, session.pk, "other")
    assert await socket.closed() == 1013


async def test_a_guest_is_told_of_the_owner_s_changes(connect: Connect) -> None:
    session = await do(make_session)
    guest = await do(make_guest, session)
    socket = await connect(guest)
    await socket.next()
    await do(services.hibernate, session.pk)
    assert (await socket.next())["session"]["desired_state"] == "hibernated"
