"""HTTP streams: an answer that never ends, cut into payloads, from devices that misbehave."""

import asyncio

import pytest
from ingest_support import make_config
from sources_rig import (
    HEAD,
    JPEG,
    alert,
    headers_of,
    http,
    part,
    peer,
    rig,
    run,
    scripted,
    stream,
    streaming,
    until,
)

from hub.errors import ConfigError
from hub.evidence import EvidenceStore
from hub.ingest.intake import Source
from hub.ingest.sources import runner


def test_each_part_is_a_payload_and_the_last_one_does_not_wait_for_another(tmp_path):
    async def scenario():
        async with (
            peer(streaming(part(alert(1)), part(alert(2)), part(alert(3)))) as server,
            rig(tmp_path, {"nvr": stream(server.url + "/alertStream")}) as hub,
        ):
            records = await hub.records(3)
            assert [record.value for record in records] == [alert(1), alert(2), alert(3)]
            assert headers_of(records[0])["content_type"] == "application/xml"
            assert headers_of(records[0])["transport"] == "http_stream"
            assert await hub.state("nvr", "up") == ""
            assert len(server.requests) == 1, "one connection for the whole recorder"

    run(scenario())


def test_a_document_keeps_its_pictures(tmp_path):
    async def scenario():
        shown = part(alert(1)) + part(JPEG, b"image/jpeg")
        async with (
            peer(streaming(shown[:60], shown[60:100], shown[100:], part(alert(2)))) as server,
            rig(tmp_path, {"nvr": stream(server.url)}) as hub,
        ):
            first, second = await hub.records(2)
            assert (first.value, second.value) == (b"", alert(2))
            store = EvidenceStore.open(str(tmp_path / "evidence"))
            body = store.get(headers_of(first)["body"])
            assert JPEG in body
            assert alert(1) in body
            assert headers_of(first)["content_type"].startswith("multipart/mixed")

    run(scenario())


@pytest.mark.parametrize("then", ["stay", "close"])
def test_what_is_under_way_when_the_hub_ends_is_kept(tmp_path, then):
    async def scenario():
        slowly = {"per_second": 5, "burst": 1}
        async with peer(streaming(part(alert(1)) + part(alert(2)), then=then)) as server:
            entry = stream(server.url) | {"limits": slowly}
            async with rig(tmp_path, {"nvr": entry}) as hub:
                await hub.records(1)
                await hub.sources.stop()
                assert hub.budget.used == 0
                assert [record.value for record in hub.durable()] == [alert(1), alert(2)]

    run(scenario())


def test_it_connects_again_after_every_end_and_takes_what_comes_then(tmp_path):
    answers = [
        streaming(part(alert(1)), then="close"),
        streaming(part(alert(2)), b"--boundary\r\nContent-Length: 900\r\n\r\n<half", then="reset"),
        streaming(part(alert(3))),
    ]

    async def scenario():
        async def answer(request, writer):
            await answers[min(len(server.requests), 3) - 1](request, writer)

        async with (
            peer(answer) as server,
            rig(tmp_path, {"nvr": stream(server.url)}) as hub,
        ):
            values = [record.value for record in await hub.records(3)]
            assert values == [alert(1), alert(2), alert(3)], "half a part is no payload"
            assert hub.sources.report()["nvr"]["outages"] == 2

    run(scenario())


def test_silence_is_an_outage_and_any_part_ends_it(tmp_path):
    beats = [item for n in range(8) for item in (part(alert(n)), 0.15)]

    async def scenario():
        async with (
            peer(streaming(*beats)) as server,
            rig(tmp_path, {"nvr": stream(server.url, silence_s=0.6)}) as hub,
        ):
            await until(lambda: len(hub.durable()) >= 8)
            assert len(server.requests) == 1, "what beats more often than the limit is not silent"
            await until(lambda: len(server.requests) > 1)
            assert hub.sources.report()["nvr"]["outages"] >= 1

    run(scenario())


def test_bytes_that_never_become_a_part_do_not_feed_the_watchdog(tmp_path):
    drip = [item for _ in range(400) for item in (b"x", 0.02)]

    async def scenario():
        async with (
            peer(streaming(b"--boundary\r\n\r\n", *drip)) as server,
            rig(tmp_path, {"nvr": stream(server.url, silence_s=0.5)}) as hub,
        ):
            assert "nothing for 0.5 s" in await hub.state("nvr", "down")

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (scripted(http(b"<ResponseStatus/>", "403 Forbidden")), "refuses the credentials"),
        (scripted(http(b"busy", "503 Busy")), "answers 503"),
        (scripted(http(b"", "204 No Content")), "not with a stream"),
        (scripted(http(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})), "not with a stream"),
        (streaming(b"--boundary\r\n\r\n" + b"x" * 30_000), "more than 20000 bytes"),
        (streaming(part(alert(1)) + part(JPEG * 900, b"image/jpeg") * 2), "pictures"),
    ],
)
def test_a_wrong_stream_is_an_outage_and_nothing_is_taken(tmp_path, answer, reason):
    async def scenario():
        async with peer(answer) as server:
            source = stream(server.url) | {"limits": {"body_bytes": 20_000}}
            async with rig(tmp_path, {"nvr": source}) as hub:
                assert reason in await hub.state("nvr", "down")
                assert hub.durable() == []

    run(scenario())


def test_a_flood_is_read_no_faster_than_it_becomes_durable(tmp_path):
    async def flood(request, writer):
        writer.write(HEAD)
        data = part(b"<a>" + b"x" * 50_000 + b"</a>")
        for _ in range(2_000):
            writer.write(data)
            await writer.drain()

    async def scenario():
        async with (
            peer(flood) as server,
            rig(tmp_path, {"nvr": stream(server.url)}, log_max_bytes=2**20) as hub,
        ):
            log = hub.services.intake.logs["bulk"]
            await until(lambda: not log.has_room)
            await asyncio.sleep(0.2)
            assert hub.budget.used < 2**20, "what is not durable is held, and no more is read"
            assert hub.sources.report()["nvr"]["outages"] == 0

    run(scenario())


def test_two_entries_may_not_open_the_same_stream(tmp_path):
    sources = {"a": stream("http://10.0.0.1/x?y=1"), "b": stream("http://10.0.0.1/x?y=2")}
    config = make_config(tmp_path, sources)
    with pytest.raises(ConfigError, match="a and b open the same stream"):
        runner.check(Source(id_, config.source[id_]) for id_ in sources)


def test_a_connector_without_a_split_reads_no_streams(tmp_path):
    source = stream("http://10.0.0.1/x") | {"connector": "plain_test"}
    config = make_config(tmp_path, {"s": source})
    with pytest.raises(ConfigError, match="plain_test reads no streams"):
        runner.transport_of(Source("s", config.source["s"]))
