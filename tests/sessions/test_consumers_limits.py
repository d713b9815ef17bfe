"""How much a client of the status WebSocket may say at once."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from sessions.consumers import MAX_MESSAGE, MAX_SNAPSHOT
from tests.making import make_user
from tests.sessions.sockets import Socket, do, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh_layer")]


class Limited:
    """What the server puts into the scope, as far as it is asked here."""

    size = 0

    def limit_messages(self, size: int) -> None:
        self.size = size


async def test_the_server_is_told_how_long_messages_may_be() -> None:
    transport = Limited()
    socket = Socket(await do(sign_in, await do(make_user)))
    socket.scope["extensions"] = {"streamspace.transport": transport}
    accepted, _ = await socket.connect(5)
    assert accepted
    assert transport.size == MAX_MESSAGE
    await socket.disconnect(timeout=5)


def test_the_longest_list_of_versions_fits() -> None:
    known = {str(uuid4()): 2**53 for _ in range(10 * MAX_SNAPSHOT)}
    assert len(json.dumps({"type": "resume", "known": known})) < MAX_MESSAGE
