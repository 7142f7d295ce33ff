"""RSMP over TCP: a site of our own connects to the hub, as the standard says."""

import asyncio
import json
import ssl
import uuid
from contextlib import asynccontextmanager

import pytest
from hub_process import free_port
from hypothesis import given
from hypothesis import strategies as st
from sources_rig import headers_of, rig, run, until
from test_source_tls import certificate

from hub.errors import ConfigError
from hub.ingest.sources.rsmp_messages import Frames, common_version

SITE = "HN+10025=881TL001"


def entry(port: int, **more) -> dict:
    settings = {"kind": "rsmp_tcp", "port": port, "site": SITE, **more}
    return {"s1": {"connector": "plain_test", "transport": settings}}


def message(type_: str, **more) -> dict:
    return {"mType": "rSMsg", "type": type_, "mId": str(uuid.uuid4()), **more}


def version(site: str = SITE, *versions: str, sxl: str = "1.1") -> dict:
    offered = [{"vers": each} for each in versions or ("3.1.4", "3.2")]
    return message("Version", RSMP=offered, siteId=[{"sId": site}], SXL=sxl)


class Site:
    """One connection to the hub."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, *messages: dict | bytes) -> None:
        for each in messages:
            data = each if isinstance(each, bytes) else json.dumps(each).encode()
            self._writer.write(data + b"\x0c")

    async def heard(self, type_: str) -> dict:
        """The next message of this type; others are passed over."""
        while True:
            found = json.loads((await self._reader.readuntil(b"\x0c"))[:-1])
            if found["type"] == type_:
                return found

    async def ended(self) -> None:
        while await self._reader.read(1_000):
            pass


@asynccontextmanager
async def site(port: int, greeting: dict, **tls):
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, **tls)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
    made = Site(reader, writer)
    try:
        made.say(b"", greeting, message("Watchdog"))
        yield made
    finally:
        writer.close()


def test_versions_first_then_every_message_is_acknowledged_when_durable(tmp_path):
    async def scenario():
        port = await free_port()
        wanted = {"component": "C1", "code": "S0001", "names": ["signalgroupstatus"]}
        async with rig(tmp_path, entry(port, statuses=[wanted])) as hub:
            greeting = version()
            async with site(port, greeting) as there:
                assert (await there.heard("MessageAck"))["oMId"] == greeting["mId"]
                answer = await there.heard("Version")
                assert answer["siteId"] == [{"sId": SITE}]
                assert answer["SXL"] == "1.1"
                assert (await there.heard("Watchdog"))["wTs"].endswith("Z")
                asked = await there.heard("StatusSubscribe")
                assert asked["cId"] == "C1"
                name = "signalgroupstatus"
                assert asked["sS"] == [{"n": name, "sCI": "S0001", "uRt": "0", "sOc": True}]
                await hub.state("s1", "up")
                update = message("StatusUpdate", sS=[])
                there.say(update)
                await there.heard("MessageAck")  # of the site's watchdog
                assert (await there.heard("MessageAck"))["oMId"] == update["mId"]
                (record,) = hub.durable()
                assert json.loads(record.value) == update
            assert "ended the connection" in await hub.state("s1", "down")

    run(scenario())


def test_a_message_that_comes_again_after_a_reconnect_is_taken_once(tmp_path):
    async def scenario():
        port = await free_port()
        alarm = message("Alarm", aCId="A0001")
        async with rig(tmp_path, entry(port)) as hub:
            for _ in range(2):
                async with site(port, version()) as there:
                    await there.heard("Watchdog")
                    await there.heard("MessageAck")
                    there.say(alarm)
                    assert (await there.heard("MessageAck"))["oMId"] == alarm["mId"]
            await hub.records(1)
            first = headers_of(hub.durable()[0])["payload_id"]
        async with rig(tmp_path, entry(port)) as hub, site(port, version()) as there:
            await there.heard("Watchdog")
            there.say(alarm)
            await there.heard("MessageAck")
            await there.heard("MessageAck")
            again = await hub.records(2)
            assert headers_of(again[1])["payload_id"] == first

    run(scenario())


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (version("another"), "another site"),
        (version(SITE, "2.0"), "are supported"),
        (version(sxl="0.1"), "SXL 1.1 is wanted"),
        (message("Watchdog"), "first message"),
    ],
)
def test_whoever_is_not_the_site_is_turned_away_with_the_reason(tmp_path, greeting, reason):
    async def scenario():
        port = await free_port()
        async with rig(tmp_path, entry(port, sxl="1.1")), site(port, greeting) as there:
            refusal = await there.heard("MessageNotAck")
            assert refusal["oMId"] == greeting["mId"]
            assert reason in refusal["rea"]
            await there.ended()

    run(scenario())


def test_what_is_no_rsmp_is_not_acknowledged_and_the_connection_stays(tmp_path):
    async def scenario():
        port = await free_port()
        async with rig(tmp_path, entry(port)) as hub, site(port, version()) as there:
            await there.heard("Watchdog")
            there.say(b"{", {"mType": "other", "mId": "m1"}, message("Alarm"))
            assert (await there.heard("MessageNotAck"))["rea"] == "not JSON"
            assert (await there.heard("MessageNotAck"))["oMId"] == "m1"
            await there.heard("MessageAck")
            await hub.records(1)

    run(scenario())


def test_a_site_that_answers_nothing_or_falls_silent_is_an_outage(tmp_path):
    async def scenario():
        for more, said in (
            ({"timeout_s": 0.2}, "answers nothing"),
            ({"silence_s": 0.2}, "in time"),
        ):
            port = await free_port()
            async with rig(tmp_path, entry(port, **more)) as hub:
                async with site(port, version()) as there:
                    await there.ended()
                assert said in await hub.state("s1", "down")

    run(scenario())


def test_watchdogs_are_sent_again_and_again(tmp_path):
    async def scenario():
        port = await free_port()
        async with rig(tmp_path, entry(port, watchdog_s=0.05)), site(port, version()) as there:
            for _ in range(4):
                await there.heard("Watchdog")

    run(scenario())


def test_a_site_that_connects_again_ends_its_older_connection(tmp_path):
    async def scenario():
        port = await free_port()
        async with rig(tmp_path, entry(port)) as hub, site(port, version()) as older:
            await older.heard("Watchdog")
            async with site(port, version("another")) as stranger:
                await stranger.ended()
            async with site(port, version()) as newer:
                await older.ended()
                newer.say(message("Alarm"))
                await hub.records(1)
                await until(lambda: hub.sources.report()["s1"]["state"] == "up")

    run(scenario())


def test_a_refused_subscription_leaves_the_connection_up(tmp_path, caplog):
    async def scenario():
        port = await free_port()
        wanted = {"component": "C1", "code": "S9999", "names": ["x"]}
        async with (
            rig(tmp_path, entry(port, statuses=[wanted])) as hub,
            site(port, version(SITE, "3.1.4")) as there,
        ):
            asked = await there.heard("StatusSubscribe")
            assert "sOc" not in asked["sS"][0], "older sites do not know it"
            refusal = {"mType": "rSMsg", "type": "MessageNotAck", "oMId": asked["mId"]}
            there.say(refusal | {"rea": "no S9999"}, message("Alarm"))
            await hub.records(1)
            assert "no S9999" in caplog.text

    run(scenario())


def test_with_a_certificate_the_hub_speaks_tls(tmp_path):
    own = certificate(tmp_path, "hub")

    async def scenario():
        port = await free_port()
        trusting = ssl.create_default_context(cafile=own)
        more = {"tls": {"certificate": str(own)}}
        async with (
            rig(tmp_path / "data", entry(port, **more)) as hub,
            site(port, version(), ssl=trusting) as there,
        ):
            there.say(message("Alarm"))
            await hub.records(1)
        with pytest.raises(ConfigError, match="no certificates"):
            async with rig(tmp_path / "x", entry(port, tls={"certificate": "/nowhere.pem"})):
                pass

    run(scenario())


@given(st.lists(st.binary(min_size=1).filter(lambda b: b.strip() and b"\x0c" not in b)), st.data())
def test_frames_are_the_same_however_they_are_cut(messages, data):
    stream = b"\x0c" + b"".join(each + b"\x0c\x0c" for each in messages)
    frames, found = Frames(10_000), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += frames.feed(stream[:size])
        stream = stream[size:]
    assert found == messages


def test_the_latest_common_version_is_chosen_and_bad_lists_have_none():
    assert common_version(version(SITE, "3.1.2", "3.1.5", "9.9")) == "3.1.5"
    assert common_version({"RSMP": "3.1.5"}) == ""
    assert common_version({"RSMP": [3, {"vers": 3}]}) == ""
    with pytest.raises(ValueError, match="too large"):
        Frames(3).feed(b"1234")
