# more than 400 lines: every rule of a poll, in one place
"""HTTP poll against real sockets: what is new is taken once, in the order and at the pace asked."""

import asyncio
import gzip
import json
import logging
import os
from email.utils import formatdate

import pytest
from ingest_support import make_config
from sources_rig import Request, headers_of, http, peer, poll, rig, run, scripted, until

from hub import metrics
from hub.ingest.intake import Source
from hub.ingest.sources import http_poll, runner
from hub.ingest.sources.http_poll import Poll


def dropped(source_id: str, reason: str) -> float:
    return metrics.value("hub_records_dropped_total", source_id=source_id, reason=reason)


def test_an_answer_is_in_the_log_as_received(tmp_path):
    async def scenario():
        async with (
            peer(scripted(http(b'{"a": 1}', headers={"ETag": '"1"'}))) as server,
            rig(tmp_path, {"feed": poll(server.url + "/feed?area=hn")}) as hub,
        ):
            (record,) = await hub.records(1)
            assert await hub.state("feed", "up") == ""
            assert (record.topic, record.key, record.value) == (
                "raw.plain_test.v1",
                b"feed",
                b'{"a": 1}',
            )
            headers = headers_of(record)
            assert headers["transport"] == "http_poll"
            assert headers["content_type"] == "application/json"
            assert headers["meta.header.etag"] == '"1"'
            assert server.requests[0].target == "/feed?area=hn"
            assert server.requests[0].headers["accept-encoding"] == "gzip"

    run(scenario())


def test_the_second_request_asks_for_news_only_in_the_servers_own_words(tmp_path):
    odd = "Sat, 28 Nov 2026 5:1:9 GMT+7"  # no date that a parser takes: it is theirs

    async def scenario():
        fresh = http(b"1", headers={"ETag": 'W/"x"', "Last-Modified": odd})
        async with (
            peer(scripted(fresh, http(status="304 Not Modified"))) as server,
            rig(tmp_path, {"feed": poll(server.url)}) as hub,
        ):
            await until(lambda: len(server.requests) > 3)
            assert len(hub.durable()) == 1
            first, second = server.requests[:2]
            assert "if-none-match" not in first.headers
            assert "if-modified-since" not in first.headers
            assert second.headers["if-none-match"] == 'W/"x"'
            assert second.headers["if-modified-since"] == odd

    run(scenario())


def test_a_304_that_is_wrong_for_ever_ends_at_the_forced_refresh(tmp_path):
    async def stuck(request: Request, writer):
        conditional = "if-none-match" in request.headers
        body = b"old" if len(server.requests) == 1 else b"new"
        writer.write(
            http(status="304 Not Modified") if conditional else http(body, headers={"ETag": '"1"'})
        )

    async def scenario():
        nonlocal server
        async with (
            peer(stuck) as server,
            rig(tmp_path, {"feed": poll(server.url, refresh_s=0.3)}) as hub,
        ):
            old, new = await hub.records(2)
            assert (old.value, new.value) == (b"old", b"new")

    server = None
    run(scenario())


def test_the_same_bytes_are_taken_once_when_the_server_knows_no_conditions(tmp_path):
    async def scenario():
        async with (
            peer(scripted(http(b"1"), http(b"1"), http(b"1"), http(b"2"))) as server,
            rig(tmp_path, {"same": poll(server.url)}) as hub,
        ):
            assert [record.value for record in await hub.records(2)] == [b"1", b"2"]
            assert dropped("same", "unchanged") >= 2

    run(scenario())


def test_gzip_with_another_time_inside_is_the_same_content(tmp_path):
    def packed(at: int) -> bytes:
        return http(gzip.compress(b"{}", mtime=at), headers={"Content-Encoding": "gzip"})

    async def scenario():
        async with (
            peer(scripted(packed(1), packed(2))) as server,
            rig(tmp_path, {"feed": poll(server.url)}) as hub,
        ):
            await until(lambda: len(server.requests) > 3)
            (record,) = hub.durable()
            assert gzip.decompress(record.value) == b"{}"
            assert headers_of(record)["meta.header.content-encoding"] == "gzip"

    run(scenario())


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("7", 7, 7), ("", None, None), ("soon", None, None), ("-5", None, None), ("9" * 30, 1e6, 1e9)],
)
def test_retry_after_is_what_the_source_asks_for(tmp_path, text, least, most):
    async def scenario():
        wait = http(status="429 Too Many Requests", headers={"Retry-After": text})
        async with (
            peer(scripted(wait, http(b"1"))) as server,
            rig(tmp_path, {"feed": poll(server.url)}) as hub,
        ):
            await hub.records(1)
            (asked,) = hub.tasks["feed"]._backoff.asked
            assert asked is least if least is None else least <= asked <= most

    run(scenario())


def test_retry_after_may_be_a_date(tmp_path):
    async def scenario():
        at = formatdate(usegmt=True, timeval=None)
        wait = http(status="503 Busy", headers={"Retry-After": at})
        async with (
            peer(scripted(wait, http(b"1"))) as server,
            rig(tmp_path, {"feed": poll(server.url)}) as hub,
        ):
            await hub.records(1)
            (asked,) = hub.tasks["feed"]._backoff.asked
            assert asked == 0, "a date that has passed"

    run(scenario())


def test_an_outage_is_one_line_and_its_end_another(tmp_path, caplog):
    async def scenario():
        broken = http(status="500 Broken")
        async with (
            peer(scripted(broken, broken, broken, http(b"1"))) as server,
            rig(tmp_path, {"feed": poll(server.url)}) as hub,
        ):
            await hub.records(1)
            await hub.state("feed", "up")
            assert len(server.requests) >= 4

    with caplog.at_level(logging.INFO, "hub.ingest.sources"):
        run(scenario())
    # A drainer of another test may still speak of its own.
    mine = (record for record in caplog.records if record.name.startswith("hub.ingest.sources"))
    lines = [record.getMessage() for record in mine]
    assert [line.split(":")[0] for line in lines] == ["source is down", "source is back"]
    assert "source=feed" in lines[0]


def test_all_pages_are_taken_each_once_and_the_last_one_is_complete(tmp_path):
    async def pages(request: Request, writer):
        number = int(request.target.partition("=")[2] or 1)
        body = json.dumps({"page": number, "@iot.nextLink": f"/x?p={number + 1}" * (number < 3)})
        writer.write(http(body.encode()))

    async def scenario():
        async with peer(pages) as server:
            source = poll(server.url + "/x", next="/@iot.nextLink") | {"snapshot": True}
            async with rig(tmp_path, {"feed": source}) as hub:
                await until(lambda: len(hub.durable()) >= 3)
                first = [headers_of(record) for record in hub.durable()[:3]]
        assert [(h["page"], h["complete"]) for h in first] == [
            ("1", "false"),
            ("2", "false"),
            ("3", "true"),
        ]
        assert len({h["snapshot"] for h in first}) == 1
        assert len({h["payload_id"] for h in first}) == 3

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "complete"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "true"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "true"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", "false"),
    ],
)
def test_a_snapshot_whose_end_cannot_be_checked_is_not_complete(tmp_path, answer, complete):
    async def once(request: Request, writer):
        writer.write(answer)
        writer.close()

    async def scenario():
        async with peer(once) as server:
            source = poll(server.url) | {"snapshot": True}
            async with rig(tmp_path, {"feed": source}) as hub:
                (record,) = await hub.records(1)
                assert headers_of(record)["complete"] == complete

    run(scenario())


def test_pages_that_were_taken_are_left_out_of_a_feed_that_is_no_snapshot(tmp_path):
    async def pages(request: Request, writer):
        if request.target == "/x":
            link = '</x?p=2>; rel="next", </x>; rel="first"'
            writer.write(http(b"same", headers={"Link": link}))
        else:
            writer.write(http(str(len(server.requests) // 6).encode()))

    async def scenario():
        nonlocal server
        async with (
            peer(pages) as server,
            rig(tmp_path, {"feed": poll(server.url + "/x", next="link")}) as hub,
        ):
            await until(lambda: len(server.requests) > 12)
            values = [record.value for record in hub.durable()]
            assert values.count(b"same") == 1
            assert values[1:4] == [b"0", b"1", b"2"][: len(values) - 1]

    server = None
    run(scenario())


def test_a_page_that_fails_does_not_bring_the_ones_before_it_again(tmp_path):
    async def pages(request: Request, writer):
        if request.target == "/x":
            writer.write(http(b'{"next": "/y"}'))
        elif len(server.requests) < 8:
            writer.write(http(status="500 Broken"))
        else:
            writer.write(http(b'{"next": null}'))

    async def scenario():
        nonlocal server
        async with (
            peer(pages) as server,
            rig(tmp_path, {"feed": poll(server.url + "/x", next="/next")}) as hub,
        ):
            await hub.state("feed", "up")
            assert [r.value for r in await hub.records(2)] == [b'{"next": "/y"}', b'{"next": null}']

    server = None
    run(scenario())


def test_a_cursor_is_kept_with_the_data_and_goes_on_after_a_restart(tmp_path):
    async def since(request: Request, writer):
        after = int(request.target.partition("=")[2])
        writer.write(http(json.dumps({"last": {"id": min(after + 1, 3)}}).encode()))

    source = {"cursor": "/last/id", "cursor_start": "0"}

    async def scenario():
        async with peer(since) as server:
            url = server.url + "/x?after={cursor}"
            async with rig(tmp_path, {"feed": poll(url, **source)}) as hub:
                await hub.records(3)
                await until(lambda: server.requests[-1].target.endswith("=3"))
            before = len(server.requests)
            async with rig(tmp_path, {"feed": poll(url, **source)}) as hub:
                await until(lambda: len(server.requests) > before)
                assert server.requests[before].target == "/x?after=3"
                await hub.records(3)

    run(scenario())


def test_a_connector_says_where_to_go_on_in_an_answer_that_only_it_can_read(tmp_path):
    async def since(request: Request, writer):
        last = int(request.body.split(b"<t>")[1].split(b"<")[0] or 0)
        answers = [b"<last>1</last>", b"no answer of that kind", b"<last>2</last>"]
        writer.write(http(answers[min(len(server.requests) - 1, 2)] + b"!" * last))

    async def scenario():
        nonlocal server
        async with peer(since) as server:
            source = poll(server.url, method="POST", body="<a><t>{cursor}</t></a>")
            async with rig(tmp_path, {"feed": source | {"connector": "cursor_test"}}) as hub:
                await until(lambda: len(server.requests) > 4)
                bodies = [request.body for request in server.requests[:4]]
                assert bodies == [
                    b"<a><t></t></a>",
                    b"<a><t>1</t></a>",
                    b"<a><t>1</t></a>",
                    b"<a><t>2</t></a>",
                ]
                assert server.requests[0].line.startswith("POST / ")
                values = [record.value for record in hub.durable()]
                assert b"no answer of that kind!" in values, "it is taken all the same"

    server = None
    run(scenario())


def test_a_page_that_comes_again_after_a_crash_has_the_same_payload_id(tmp_path):
    async def scenario():
        async with peer(scripted(http(b"1"))) as server:
            sources = {"feed": poll(server.url)}
            async with rig(tmp_path, sources) as hub:
                (first,) = await hub.records(1)
                await hub.state("feed", "up")
            # As if the process had died between the log and the cursor.
            (tmp_path / "sources/feed.json").unlink()
            async with rig(tmp_path, sources) as hub:
                _, second = await hub.records(2)
        assert headers_of(first)["payload_id"] == headers_of(second)["payload_id"]

    run(scenario())


def test_an_entry_that_asks_for_something_else_begins_anew(tmp_path):
    async def scenario():
        async with peer(scripted(http(b"1", headers={"ETag": '"1"'}))) as server:
            async with rig(tmp_path, {"feed": poll(server.url + "/a")}) as hub:
                await hub.records(1)
                await hub.state("feed", "up")
            async with rig(tmp_path, {"feed": poll(server.url + "/b")}) as hub:
                await hub.records(2)
                first = next(r for r in server.requests if r.target == "/b")
                assert "if-none-match" not in first.headers

    run(scenario())


def test_the_log_being_full_holds_a_source_back_and_loses_nothing(tmp_path):
    async def scenario():
        answers = [http(bytes([65 + n]) * 60_000) for n in range(30)]
        async with (
            peer(scripted(*answers)) as server,
            rig(tmp_path, {"feed": poll(server.url)}, log_max_bytes=2**20) as hub,
        ):
            log = hub.services.intake.logs["bulk"]
            await until(lambda: not log.has_room)
            await asyncio.sleep(0.2)
            asked, taken = len(server.requests), len(hub.durable())
            assert asked <= taken + 2, "a page is asked for once the one before is durable"
            entries, _ = log.read(log.start(), max_records=10**6, max_bytes=2**40)
            log.release(entries[-1][0])
            await until(lambda: len(server.requests) > asked + 2)

    run(scenario())


def test_an_environment_proxy_is_not_used(tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:1")

    async def scenario():
        async with (
            peer(scripted(http(b"1"))) as server,
            rig(tmp_path, {"feed": poll(server.url)}) as hub,
        ):
            await hub.records(1)

    run(scenario())


def test_polls_of_one_period_do_not_stay_in_step(tmp_path, monkeypatch):
    config = make_config(tmp_path, {"feed": poll("http://127.0.0.1:1/", every_s=60, jitter=0.1)})
    transport = runner.transport_of(Source("feed", config.source["feed"]))
    pauses: list[float] = []

    class Inlet:
        async def cursor(self):
            return {}

        def up(self):
            pass

    async def asked(_self, _client, _inlet, known):
        return known

    async def slept(seconds):
        pauses.append(seconds)
        if len(pauses) == 50:
            raise asyncio.CancelledError

    monkeypatch.setattr(Poll, "_ask", asked)
    monkeypatch.setattr(http_poll.asyncio, "sleep", slept)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(transport.run(Inlet()))
    assert all(54 <= pause <= 66 for pause in pauses)
    assert max(pauses) - min(pauses) > 1
    assert len(set(pauses)) > 40


def test_a_server_that_wants_to_know_who_asks_is_told_with_every_request(tmp_path):
    async def strict(request: Request, writer):
        told = request.headers.get("digitraffic-user") and "gzip" in request.headers.get(
            "accept-encoding", ""
        )
        number = str(len(server.requests)).encode()
        writer.write(http(number) if told else http(status="406 Not Acceptable"))

    async def scenario():
        nonlocal server
        async with (
            peer(strict) as server,
            rig(tmp_path, {
                "named": poll(server.url, headers={"Digitraffic-User": "hanoi"}),
                "nameless": poll(server.url),
            }) as hub,
        ):  # fmt: skip
            assert "406" in await hub.state("nameless", "down")
            await until(lambda: len(hub.durable()) >= 3)
            assert {record.key for record in hub.durable()} == {b"named"}

    server = None
    run(scenario())


def test_a_feed_of_13_megabytes_stands_beside_its_record(tmp_path):
    async def scenario():
        async with (
            peer(scripted(http(b"x" * 13_000_000))) as server,
            rig(tmp_path, {"feed": poll(server.url)}) as hub,
        ):
            (record,) = await hub.records(1)
            assert record.value == b""
            assert headers_of(record)["body"].startswith("sha256:")

    run(scenario())
