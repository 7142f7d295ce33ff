"""ONVIF PullPoint at a camera of our own: what it tells is in the log, and how it is asked."""

import asyncio
import logging
from datetime import datetime

import pytest
from ingest_support import make_config
from onvif_device import UNSUPPORTED, Device, camera, fault, tell, told
from sources_rig import headers_of, peer, rig, run, until
from test_source_tls import certificate, serving

from connectors.onvif import connector as onvif
from hub.connector import Event, Payload
from hub.errors import ConfigError
from hub.ingest.intake import Source
from hub.ingest.sources import onvif_pullpoint, runner


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(onvif_pullpoint, "_PACE_S", 0.02)


def test_an_answer_is_in_the_log_as_it_came_before_the_next_is_asked(tmp_path):
    async def scenario():
        device = Device()
        seen: list[int] = []
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:

            def before(request, writer):
                seen.append(len(hub.durable()))

            device.instead["PullMessages"] = before
            tell(device, 1, 2)
            (first,) = await hub.records(1)
            asked = len(seen)
            tell(device, 3)
            _, second = await hub.records(2)
            await until(lambda: len(seen) > asked + 2)
            assert (told([first]), told([second])) == ([1, 2], [3])
            assert seen == sorted(seen), "what was told was durable at every later request"
            assert seen[-1] == 2
            headers = headers_of(first)
            assert headers["transport"] == "onvif_pullpoint"
            assert headers["content_type"] == "application/soap+xml; charset=utf-8"
            assert await hub.state("cam", "up") == ""
            received = datetime.fromisoformat(headers["received_at"])
            payload = Payload(body=first.value, received_at=received, source_id="cam")
            outcomes = list(onvif.parse(payload, onvif.options()))
            assert [outcome.body["rule"] for outcome in outcomes if isinstance(outcome, Event)] == [
                "RuleEngine/LineDetector/Crossed"
            ] * 2
        start = ["GetSystemDateAndTime", "GetCapabilities", "CreatePullPointSubscription"]
        assert device.asked[:5] == [*start, "SetSynchronizationPoint", "PullMessages"]

    run(scenario())


def test_an_answer_without_a_notification_is_a_heartbeat_and_no_payload(tmp_path):
    async def scenario():
        device = Device()
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await hub.state("cam", "up")
            await until(lambda: device.asked.count("PullMessages") > 3)
            assert hub.durable() == []
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


def test_a_camera_that_does_not_wait_is_not_asked_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(onvif_pullpoint, "_PACE_S", 60.0)

    async def scenario():
        device = Device()
        device.waits_s = 0.0
        async with (
            peer(device.answer) as server,
            rig(tmp_path, camera(server.url, wait_s=60)) as hub,
        ):
            await hub.state("cam", "up")
            await asyncio.sleep(0.2)
            assert device.asked.count("PullMessages") == 1

    run(scenario())


def test_a_fault_in_mid_stream_is_one_line_and_its_end_another(tmp_path, caplog):
    async def scenario():
        device = Device()
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            tell(device, 1)
            await hub.records(1)
            device.instead["PullMessages"] = fault("SOAP-ENV:Receiver", "ter:Action")
            await hub.state("cam", "down")
            tries = device.made
            await until(lambda: device.made > tries + 2)
            assert len(device.living) <= 1, "no place is left behind"
            del device.instead["PullMessages"]
            tell(device, 2)
            await hub.records(2)

    with caplog.at_level(logging.INFO, "hub.ingest.sources"):
        run(scenario())
    down, up = [record.getMessage() for record in caplog.records]
    assert "source is down: source=cam by=onvif_pullpoint: it answers PullMessages" in down
    assert "(Receiver, Action)" in down
    assert "source is back: source=cam" in up
    assert "secret words" not in caplog.text


def test_a_camera_that_ends_the_connection_when_nothing_happened_is_up(tmp_path):
    async def scenario():
        device = Device()

        def hangs_up(request, writer):
            if device.to_tell.empty():
                writer.close()
                return b""
            return None

        device.instead["PullMessages"] = hangs_up
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await until(lambda: device.asked.count("PullMessages") > 4)
            tell(device, 1)
            await hub.records(1)
            assert hub.sources.report()["cam"] | {"since": 0} == {
                "transport": "onvif_pullpoint",
                "state": "up",
                "since": 0,
                "reason": "",
                "outages": 0,
            }
            assert device.made == 1

    run(scenario())


def test_a_camera_that_ends_the_connection_after_each_answer_is_up(tmp_path):
    async def scenario():
        device = Device()

        async def answer(request, writer):
            await device.answer(request, writer)
            await writer.drain()
            writer.close()

        async with peer(answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await until(lambda: device.asked.count("PullMessages") > 4)
            tell(device, 1)
            await hub.records(1)
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


def test_a_camera_that_can_do_less_is_asked_for_less(tmp_path):
    async def scenario():
        device = Device()

        def limited(request, writer):
            if b"PT5S" in request.body and b"MessageLimit>10<" in request.body:
                return None
            detail = (
                "<tev:PullMessagesFaultResponse><tev:MaxTimeout>PT5S</tev:MaxTimeout>"
                "<tev:MaxMessageLimit>10</tev:MaxMessageLimit></tev:PullMessagesFaultResponse>"
            )
            return fault("SOAP-ENV:Sender", detail=detail)

        device.instead["PullMessages"] = limited
        device.instead["SetSynchronizationPoint"] = UNSUPPORTED
        onvif_first = {"wait_s": 20}
        async with (
            peer(device.answer) as server,
            rig(tmp_path, camera(server.url, **onvif_first)) as hub,
        ):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(onvif_pullpoint, "_FIRST_S", 20.0)
                tell(device, 1)
                await hub.records(1)
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


def test_only_the_wanted_topics_are_subscribed_to(tmp_path):
    async def scenario():
        device = Device()
        more = {
            "topics": ["tns1:RuleEngine//.", "tns1:Device/tnsaxis:IO/Port"],
            "prefixes": {"tnsaxis": "http://www.axis.com/2009/event/topics"},
        }
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url, **more)) as hub:
            await hub.state("cam", "up")
        request = device.of("CreatePullPointSubscription")[0].body.decode()
        assert (
            '<tev:Filter><wsnt:TopicExpression Dialect="http://www.onvif.org/ver10/tev/'
            'topicExpression/ConcreteSet" xmlns:tns1="http://www.onvif.org/ver10/topics" '
            'xmlns:tnsaxis="http://www.axis.com/2009/event/topics">'
            "tns1:RuleEngine//.|tns1:Device/tnsaxis:IO/Port</wsnt:TopicExpression></tev:Filter>"
        ) in request

    run(scenario())


def test_a_camera_is_trusted_by_its_own_certificate(tmp_path):
    own = certificate(tmp_path, "camera")

    async def scenario():
        device = Device()
        async with peer(device.answer, ssl=serving(own)) as server:
            url = f"https://127.0.0.1:{server.port}"
            async with rig(tmp_path / "a", camera(url, tls={"ca": str(own)})) as hub:
                tell(device, 1)
                await hub.records(1)
            async with rig(tmp_path / "b", camera(url)) as hub:
                assert "self-signed" in await hub.state("cam", "down")

    run(scenario())


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://10.0.0.1/onvif/device_service"])
def test_two_entries_may_not_subscribe_at_the_same_camera(tmp_path, url):
    entry = camera(url)["cam"]
    other = camera("http://10.0.0.1", topics=["tns1:VideoSource//."])["cam"]
    config = make_config(tmp_path, {"a": entry, "b": other})
    with pytest.raises(ConfigError, match="a and b subscribe at the same camera"):
        runner.check(Source(id_, config.source[id_]) for id_ in ("a", "b"))
