"""What a broker sends again: a broker of our own that says exactly what a test wants."""

import asyncio
import struct
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mosquitto import subscribed
from sources_rig import headers_of, rig, run, until

from hub.ingest.records import unpack
from hub.ingest.sources.mqtt_window import Window

CONNECT, SUBSCRIBE, PUBACK = 1, 8, 4


def packet(first: int, rest: bytes) -> bytes:
    assert len(rest) < 128
    return bytes([first, len(rest)]) + rest


def publish(packet_id: int, body: bytes, *, dup: bool = False, topic: bytes = b"t") -> bytes:
    head = struct.pack(">H", len(topic)) + topic + struct.pack(">H", packet_id)
    return packet(0x32 | (8 if dup else 0), head + body)


class Peer:
    """One connection of the hub's, in MQTT 3.1.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def heard(self, kind: int) -> bytes:
        """The next packet, which is of this kind."""
        first, length = await self._reader.readexactly(2)
        shift = 7
        length, more = length & 0x7F, length >> 7
        while more:
            (byte,) = await self._reader.readexactly(1)
            length, more, shift = length | (byte & 0x7F) << shift, byte >> 7, shift + 7
        rest = await self._reader.readexactly(length)
        assert first >> 4 == kind
        return rest

    async def accept(self, *, known: bool, granted: int = 1) -> None:
        await self.heard(CONNECT)
        self.say(packet(0x20, bytes([known, 0])))
        if not known:
            self.say(packet(0x90, (await self.heard(SUBSCRIBE))[:2] + bytes([granted])))

    async def acknowledged(self) -> int:
        return struct.unpack(">H", await self.heard(PUBACK))[0]


Script = Callable[[Peer], Coroutine[Any, Any, None]]


@asynccontextmanager
async def broker(*scripts: Script):
    """A broker that does these, one a connection; its entry, and whether all is done."""
    left, wrong = list(scripts), []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if left:
                await left[0](Peer(reader, writer))
                left.pop(0)
        except (AssertionError, asyncio.IncompleteReadError) as error:
            wrong.append(error)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield (
            {"s1": subscribed(f"mqtt://127.0.0.1:{port}", version="3.1.1")},
            lambda: not left,
        )
        assert not wrong
    finally:
        server.close()


def ids(hub) -> list[str]:
    return [headers_of(record)["payload_id"] for record in hub.durable()]


def test_what_is_durable_is_acknowledged_again_and_not_taken_again(tmp_path):
    async def first(peer: Peer) -> None:
        await peer.accept(known=False)
        peer.say(publish(1, b"a") + publish(2, b"b"))
        assert [await peer.acknowledged(), await peer.acknowledged()] == [1, 2]

    async def again(peer: Peer) -> None:
        await peer.accept(known=True)
        peer.say(publish(1, b"a", dup=True) + publish(2, b"b", dup=True) + publish(3, b"c"))
        assert [await peer.acknowledged() for _ in range(3)] == [1, 2, 3]

    async def scenario():
        async with broker(first, again) as (sources, done), rig(tmp_path, sources) as hub:
            await until(done)
            assert [record.value for record in await hub.records(3)] == [b"a", b"b", b"c"]

    run(scenario())


def test_a_packet_id_used_anew_is_another_message_even_with_the_same_content(tmp_path):
    async def script(peer: Peer) -> None:
        await peer.accept(known=False)
        for _ in range(3):
            peer.say(publish(1, b"online"))
            assert await peer.acknowledged() == 1
        peer.say(publish(1, b"offline", dup=True))
        assert await peer.acknowledged() == 1

    async def scenario():
        async with broker(script) as (sources, done), rig(tmp_path, sources) as hub:
            await until(done)
            await hub.records(4)
            assert len(set(ids(hub))) == 4

    run(scenario())


@pytest.mark.parametrize("slot", ["test", "other"])
def test_after_a_crash_what_is_in_the_log_is_not_taken_again_or_has_its_id_elsewhere(
    tmp_path, monkeypatch, slot
):
    held_up = asyncio.Event()

    async def first(peer: Peer) -> None:
        await peer.accept(known=False)
        peer.say(publish(1, b"a"))
        assert await peer.acknowledged() == 1
        await held_up.wait()
        peer.say(publish(2, b"b"))
        await asyncio.sleep(3600)

    async def again(peer: Peer) -> None:
        await peer.accept(known=True)
        peer.say(publish(1, b"a", dup=True) + publish(2, b"b", dup=True))
        assert [await peer.acknowledged(), await peer.acknowledged()] == [1, 2]

    async def scenario():
        connections = iter([first, again])

        async def script(peer: Peer) -> None:
            await next(connections)(peer)

        async with broker(script) as (sources, done):
            async with rig(tmp_path, sources) as hub:
                append, held = hub.services.durable.append, asyncio.Event()

                async def appended(lane: str, record: bytes) -> int:
                    sequence = await append(lane, record)
                    if unpack(record).value == b"b":
                        held.set()
                        await asyncio.sleep(3600)
                    return sequence

                await hub.records(1)
                monkeypatch.setattr(hub.services.durable, "append", appended)
                held_up.set()
                await held.wait()
                before = ids(hub)
            async with rig(tmp_path, sources, slot) as hub:
                await until(done)
                if slot == "test":
                    assert ids(hub) == before
                else:
                    assert [record.value for record in hub.durable()] == [b"b"]
                    assert ids(hub) == before[1:]

    run(scenario())


def test_a_broker_that_forgot_the_session_counts_anew(tmp_path):
    async def first(peer: Peer) -> None:
        await peer.accept(known=False)
        peer.say(publish(1, b"a"))
        assert await peer.acknowledged() == 1

    async def forgot(peer: Peer) -> None:
        await peer.accept(known=False)
        peer.say(publish(1, b"a", dup=True))
        assert await peer.acknowledged() == 1

    async def scenario():
        async with broker(first, forgot) as (sources, done), rig(tmp_path, sources) as hub:
            await until(done)
            await hub.records(2)
            assert len(set(ids(hub))) == 2

    run(scenario())


def test_a_refused_topic_filter_is_an_outage_that_names_it(tmp_path):
    async def script(peer: Peer) -> None:
        await peer.accept(known=False, granted=0x80)

    async def scenario():
        async with broker(script) as (sources, _), rig(tmp_path, sources) as hub:
            await until(lambda: "topic filter city/#" in hub.sources.report()["s1"]["reason"])

    run(scenario())


def test_a_peer_that_speaks_no_mqtt_is_an_outage(tmp_path):
    async def script(peer: Peer) -> None:
        await peer.heard(CONNECT)
        peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await asyncio.sleep(0.1)

    async def scenario():
        async with broker(script) as (sources, _), rig(tmp_path, sources) as hub:
            assert await hub.state("s1", "down")

    run(scenario())


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from("ab"), st.booleans()), max_size=40))
def test_one_payload_id_stands_for_one_content(arrivals):
    window, contents = Window(3), {}
    for packet_id, digest, dup in arrivals:
        kept = window.received(packet_id, digest, dup=dup)
        assert contents.setdefault(kept.payload_id, (packet_id, digest)) == (packet_id, digest)
        assert window.received(packet_id, digest, dup=True) is kept
        assert len(window.stored()) <= 3
        restored = Window.of(window.stored(), 3)
        assert restored.received(packet_id, digest, dup=True).payload_id == kept.payload_id


def test_a_cursor_that_is_damaged_is_left_out():
    assert Window.of([[1, "id", "digest", True], ["x"], 7], 9).stored() == [
        [1, "id", "digest", True]
    ]
    assert Window.of("what", 9).stored() == []
