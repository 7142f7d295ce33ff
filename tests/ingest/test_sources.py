"""The frame of all sources: supervised, apart from one another, and ended in order."""

import asyncio
import json
import logging
import signal
import subprocess
import sys
from collections import Counter

import pytest
from drained import until as threads_until
from hub_process import Hub, polled
from hypothesis import given
from hypothesis import strategies as st
from ingest_support import handle, logged, make_config, post
from sources_rig import http, peer, poll, rig, run, scripted, until

from hub import metrics
from hub.ingest.intake import Arrival
from hub.ingest.sources.backoff import Backoff
from hub.ingest.sources.cursors import Cursors
from hub.ingest.sources.known import Known, pointed

CHANCE = st.floats(0, 1, exclude_max=True)


@given(helds=st.lists(st.floats(0, 100), min_size=1, max_size=40), chance=CHANCE)
def test_pauses_grow_and_are_capped_and_begin_anew_after_a_connection_that_held(helds, chance):
    backoff = Backoff(lambda: chance)
    failures = 0
    for held_s in helds:
        pause_s = backoff.pause_s(held_s=held_s)
        failures = 1 if held_s >= 30 else failures + 1
        longest = min(60, 2 ** (failures - 1))
        assert longest / 2 <= pause_s <= longest


@given(asked=st.floats(-1e9, 1e12, allow_nan=False), chance=CHANCE)
def test_it_never_returns_earlier_than_the_source_asks_within_an_hour(asked, chance):
    pause_s = Backoff(lambda: chance).pause_s(held_s=0, retry_after_s=asked)
    assert min(max(asked, 0), 3_600) <= pause_s <= 3_961


def test_two_sources_that_fail_together_do_not_return_together():
    first, second = (Backoff().pause_s(held_s=0) for _ in range(2))
    assert first != second


async def _stuck(request, writer):
    await asyncio.Event().wait()


@pytest.mark.parametrize("kind", ["silent", "fails", "raises"])
def test_a_source_that_is_stuck_delays_no_other(tmp_path, kind, monkeypatch):
    async def scenario():
        bad = _stuck if kind == "silent" else scripted(http(status="500 Broken"))
        async with (
            peer(bad) as broken,
            peer(scripted(*(http(b"%d" % n) for n in range(6)))) as sound,
        ):
            sources = {f"bad-{n}": poll(broken.url, timeout_s=60) for n in range(20)}
            async with rig(tmp_path, {**sources, "good": poll(sound.url)}) as hub:
                if kind == "raises":
                    for name in sources:
                        monkeypatch.setattr(hub.tasks[name]._transport, "_settings", None)
                assert len(await hub.records(6)) == 6
                assert await hub.state("good", "up") == ""

    run(scenario())


def test_a_transport_that_fails_unforeseen_is_down_and_tried_again(tmp_path, caplog):
    async def scenario():
        async with (
            peer(scripted(http(b"1"))) as server,
            rig(tmp_path, {"feed": poll(server.url)}) as hub,
        ):
            transport, settings = hub.tasks["feed"]._transport, None
            settings, transport._settings = transport._settings, settings
            assert await hub.state("feed", "down") == "failed with AttributeError"
            transport._settings = settings
            await hub.state("feed", "up")
            await hub.records(1)

    with caplog.at_level(logging.INFO, "hub.ingest.sources"):
        run(scenario())
    assert sum("Traceback" in caplog.handler.format(record) for record in caplog.records) == 1


def test_how_each_source_stands_is_on_the_metrics_and_leaves_with_it(tmp_path):
    async def scenario():
        async with (
            peer(scripted(http(b"1"))) as sound,
            peer(scripted(http(status="500 Broken"))) as broken,
        ):
            sources = {"m-up": poll(sound.url), "m-down": poll(broken.url)}
            async with rig(tmp_path, sources) as hub:
                await hub.state("m-up", "up")
                await hub.state("m-down", "down")
                assert metrics.value("hub_source_up", source_id="m-up") == 1
                assert metrics.value("hub_source_up", source_id="m-down") == 0
                since = hub.sources.report()["m-down"]["since"]
                name = "hub_source_state_since_timestamp_seconds"
                assert abs(metrics.value(name, source_id="m-down") - since) < 0.01
        assert b'hub_source_up{source_id="m-' not in metrics.render()

    run(scenario())


def test_payloads_that_are_put_together_keep_their_order_whatever_their_size(tmp_path):
    async def scenario():
        async with (
            peer(_stuck) as server,
            rig(tmp_path, {"feed": poll(server.url)}) as hub,
        ):
            bodies = [b"%d " % n * (1 if n % 3 else 40_000) for n in range(200)]
            arrivals = [Arrival(body, "", {}, f"id-{n}", 1.0) for n, body in enumerate(bodies)]
            await hub.tasks["feed"]._inlet.put_all(arrivals)
            ids = [dict(record.headers)["payload_id"].decode() for record in hub.durable()]
            assert ids == [f"id-{n}" for n in range(200)]

    run(scenario())


def test_a_source_of_defence_is_not_gone_to(tmp_path):
    async def scenario():
        async with peer(scripted(http(b"1"))) as server:
            source = poll(server.url) | {"purpose": "defence"}
            async with rig(tmp_path, {"army": source, "other": poll(server.url)}) as hub:
                await hub.state("army", "not-taken")
                await hub.records(1)
                assert hub.sources.report()["army"]["state"] == "not-taken"

    run(scenario())


def test_a_source_of_another_slot_is_left_to_it(tmp_path):
    async def scenario():
        async with peer(scripted(http(b"1"))) as server:
            sources = {"mine": poll(server.url, slot="test"), "theirs": poll(server.url, slot="b")}
            async with rig(tmp_path, sources) as hub:
                await hub.records(1)
                assert set(hub.sources.report()) == {"mine"}

    run(scenario())


OTHER = """
import sys
from pathlib import Path
from hub.ingest.sources.cursors import Cursors
print(Cursors(Path(sys.argv[1])).claim("feed"), flush=True)
sys.stdin.read()
"""


def test_one_process_at_a_time_reads_a_source_and_another_takes_over_from_a_dead_one(tmp_path):
    own = Cursors(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not own.claim("feed")
        assert own.claim("another")
        other.kill()
        other.wait()
    assert own.claim("feed")
    own.close()


def test_a_task_that_ends_late_does_not_let_go_of_its_successors_source(tmp_path):
    own = Cursors(tmp_path)
    assert own.claim("feed")
    assert own.claim("feed"), "its successor, after a reload"
    for answer in ("False", "True"):
        own.release("feed")
        command = [sys.executable, "-c", OTHER, str(tmp_path)]
        other = subprocess.run(command, input="", capture_output=True, text=True, check=True)
        assert other.stdout == f"{answer}\n"
    own.close()


def test_a_cursor_is_whole_or_not_there(tmp_path):
    cursors = Cursors(tmp_path)
    assert cursors.load("feed") == {}
    cursors.save("feed", {"count": 1})
    assert cursors.load("feed") == {"count": 1}
    for rubbish in (b"", b"{", b"[1]", b"\xff"):
        (tmp_path / "feed.json").write_bytes(rubbish)
        assert cursors.load("feed") == {}
    cursors.close()


@given(
    stored=st.dictionaries(
        st.sampled_from(["asks", "count", "etag", "modified", "cursor", "pages"]),
        st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.text(max_size=3))),
    )
)
def test_whatever_stands_in_a_cursor_file_is_read(stored):
    known = Known.of(stored, asks="x", start="0")
    assert known.asks == "x"
    assert Known.of(known.stored(), asks="x", start="0") == known


@pytest.mark.parametrize(
    ("document", "pointer", "found"),
    [
        ({"a": {"b": 7}}, "/a/b", "7"),
        ({"@iot.nextLink": "x"}, "/@iot.nextLink", "x"),
        ({"a/b": {"c~d": "x"}}, "/a~1b/c~0d", "x"),
        ([{"t": "1"}, {"t": "2"}], "/1/t", "2"),
        ([{"t": "1"}, {"t": "2"}], "/-1/t", "2"),
        ([], "/-1/t", ""),
        ([1], "/5", ""),
        ([1], "/x", ""),
        ({"a": None}, "/a", ""),
        ({"a": True}, "/a", ""),
        ({"a": {}}, "/a", ""),
        (7, "/a", ""),
    ],
)
def test_a_json_pointer_finds_a_text_or_nothing(document, pointer, found):
    assert pointed(json.dumps(document).encode(), pointer) == found


def test_ingest_ends_in_order_while_its_sources_hang(tmp_path):
    async def scenario():
        hub = Hub(tmp_path)
        async with peer(_stuck) as server:
            entries = "".join(polled(f"s{n}", f"{server.url}/{n}") for n in range(50))
            async with hub.running(entries) as process:
                await until(lambda: len(server.requests) == 50)
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
        assert b"ingest ended" in hub.log
        assert b"do not end" not in hub.log
        assert b"is down" not in hub.log

    run(scenario())


@pytest.mark.slow
def test_kill_9_loses_no_page_and_a_page_that_comes_twice_has_one_id(tmp_path):
    """The server gives page n+1 to who has page n; each page is there, repeats under one id."""
    pages = Counter()

    async def following(request, writer):
        after = int(request.target.partition("=")[2])
        pages[after + 1] += 1
        writer.write(http(json.dumps({"last": after + 1}).encode()))

    async def scenario():
        hub = Hub(tmp_path)
        async with peer(following) as server:
            more = 'cursor = "/last"\ncursor_start = "0"'
            entry = polled("feed", server.url + "/?after={cursor}", more).replace("0.05", "0.051")
            for _ in range(4):
                async with hub.running(entry) as process:
                    reached = max(pages, default=0)
                    await until(lambda before=reached: max(pages, default=0) > before + 5)
                    process.kill()
            async with hub.running(entry) as process:
                reached = max(pages)
                await until(lambda: max(pages) > reached + 1)

    run(scenario())
    ids: dict[int, set[bytes]] = {}
    for record in logged(tmp_path / "data", "one", "urgent"):
        ids.setdefault(json.loads(record.value)["last"], set()).add(
            dict(record.headers)["payload_id"]
        )
    assert list(range(1, max(ids) + 1)) == sorted(ids)
    assert {len(each) for each in ids.values()} == {1}
    assert len(ids) >= max(pages) - 1


def test_the_status_page_says_since_when_and_why(tmp_path):
    async def scenario():
        async with peer(scripted(http(status="500 Broken"))) as server:
            config = make_config(tmp_path, {"feed": poll(server.url)})
            with handle(config) as ingest:

                def page(path: str) -> dict:
                    return post(ingest.port, path, None, key=None, method="GET").json

                await asyncio.to_thread(
                    lambda: threads_until(lambda: page("/sources")["feed"]["state"] == "down")
                )
                found = (await asyncio.to_thread(page, "/sources"))["feed"]
                assert found.pop("since") > 1.7e9
                assert found == {
                    "transport": "http_poll",
                    "state": "down",
                    "reason": "it answers 500",
                    "outages": 1,
                }
                ready = await asyncio.to_thread(page, "/readyz")
                assert ready["status"] == "ready", "sources that are down keep nobody out"
                assert ready["sources"] == {"down": 1}

    run(scenario())
