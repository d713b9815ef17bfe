"""The embedded channel layer: senders in other threads reach the sockets' event loop."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import async_to_sync

from streamspace.layers import EmbeddedChannelLayer

MESSAGE = {"type": "session.changed", "id": "1"}


async def listening(layer: EmbeddedChannelLayer, *, attached: bool = True) -> str:
    channel: str = await layer.new_channel()
    await layer.group_add("group", channel)
    if attached:
        layer.attach(asyncio.get_running_loop())
    return channel


async def test_a_message_from_a_thread_wakes_the_receiver() -> None:
    layer = EmbeddedChannelLayer()
    channel = await listening(layer)
    receiver = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0)
    await asyncio.to_thread(async_to_sync(layer.group_send), "group", MESSAGE)
    assert await asyncio.wait_for(receiver, 2) == MESSAGE


async def test_the_order_of_one_sender_is_kept() -> None:
    layer = EmbeddedChannelLayer()
    channel = await listening(layer)

    async def send_many() -> None:
        for number in range(50):
            await layer.group_send("group", {"type": "x", "number": number})

    await asyncio.to_thread(async_to_sync(send_many))
    received = [(await asyncio.wait_for(layer.receive(channel), 2))["number"] for _ in range(50)]
    assert received == list(range(50))


async def test_a_sender_never_waits_for_the_sockets() -> None:
    layer = EmbeddedChannelLayer()
    await listening(layer)
    sender = asyncio.to_thread(async_to_sync(layer.group_send), "group", MESSAGE)
    await asyncio.wait_for(sender, 2)


async def test_more_than_a_hundred_messages_are_kept() -> None:
    layer = EmbeddedChannelLayer()
    channel = await listening(layer)
    for number in range(1000):
        await layer.group_send("group", {"type": "x", "number": number})
    assert (await layer.receive(channel))["number"] == 0
    assert layer.channels[channel].qsize() == 999


async def test_a_socket_that_is_open_for_days_still_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    layer = EmbeddedChannelLayer()
    channel = await listening(layer)
    now = time.time()
    monkeypatch.setattr("channels.layers.time.time", lambda: now + 30 * 86400)
    await layer.group_send("group", MESSAGE)
    assert await asyncio.wait_for(layer.receive(channel), 2) == MESSAGE


def test_sending_when_the_sockets_loop_is_closed_is_nothing() -> None:
    layer = EmbeddedChannelLayer()
    loop = asyncio.new_event_loop()
    layer.attach(loop)
    loop.close()
    async_to_sync(layer.group_send)("group", MESSAGE)


def test_sending_before_anybody_can_listen_is_nothing() -> None:
    async_to_sync(EmbeddedChannelLayer().group_send)("group", MESSAGE)
