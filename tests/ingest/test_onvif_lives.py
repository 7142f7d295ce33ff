"""How a subscription at an ONVIF camera lives: renewed, replaced, forgotten, kept, ended."""

import re
from datetime import datetime

import pytest
from onvif_device import UNKNOWN, UNSUPPORTED, Device, camera, fault, soap, tell, told
from sources_rig import Request, http, peer, rig, run, until

from hub.ingest.sources import onvif_pullpoint
from hub.ingest.sources.onvif_pullpoint import _Point
from hub.ingest.sources.onvif_soap import Lease, Target


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(onvif_pullpoint, "_PACE_S", 0.02)


@pytest.fixture
def soon(monkeypatch):
    """Subscriptions of a minute that are renewed or replaced in their first second."""
    for name, share in (("_RENEW", 0.997), ("_REPLACE", 0.995), ("_NOT_BEFORE", 0.003)):
        monkeypatch.setattr(onvif_pullpoint, name, share)


def _until(request: Request) -> float:
    """Until when a subscription is wanted, in seconds since 1970."""
    found = re.search(rb"TerminationTime>([^<]+)<", request.body)
    return datetime.fromisoformat(found[1].decode()).timestamp()


def test_being_stopped_the_hub_gives_the_camera_its_place_back(tmp_path):
    async def scenario():
        device = Device()
        device.waits_s = 60.0
        async with peer(device.answer) as server:
            async with rig(tmp_path, camera(server.url)):
                await until(lambda: "PullMessages" in device.asked)
                assert len(device.living) == 1
            assert device.asked[-1] == "Unsubscribe"
            assert device.living == {}

    run(scenario())


def test_it_is_renewed_by_the_cameras_own_clock(tmp_path, soon):
    async def scenario():
        device = Device(clock_off_s=-7 * 3_600)
        async with (
            peer(device.answer) as server,
            rig(tmp_path, camera(server.url, lifetime_s=600)) as hub,
        ):
            await until(lambda: "Renew" in device.asked)
            assert 540 < _until(device.of("Renew")[0]) - device.now <= 601, (
                "a time, as older ones take no duration here"
            )
            tell(device, 1)
            await hub.records(1)
            assert device.made == 1
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


def _point(**more) -> _Point:
    return _Point(Target("http://cam/1"), 180.0, 1_000.0, 1_180.0, -25_200.0, 1_000.0, **more)


def test_it_is_renewed_at_half_of_its_life_and_replaced_before_its_end():
    assert _point().due_at == 1_090
    assert _point(renewable=False).due_at == 1_150


def test_an_end_that_moves_is_followed_by_the_cameras_clock_but_does_not_make_it_busy():
    point = _point()
    point.live_on(Lease(now=500.0, ends=620.0), 1_010.0)
    assert (point.ends_at, point.clock_s, point.due_at) == (1_130, -510, 1_045)
    point.live_on(None, 1_020.0)
    assert point.ends_at == 1_130, "an answer may say nothing of it"
    point.live_on(Lease(now=500.0, ends=501.0), 1_020.0)
    assert point.due_at == 1_045, "not before a quarter of its life has passed"


def test_a_life_that_gets_shorter_at_a_renewal_is_renewed_in_time(tmp_path, soon):
    async def scenario():
        device = Device()
        device.lifetime_s = 60.0

        def shorter(request, writer):
            device.lifetime_s = 20.0

        device.instead["Renew"] = shorter
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await until(lambda: device.asked.count("Renew") >= 3)
            point = hub.tasks["cam"]._transport._point
            assert 19 < point.granted_s <= 20
            assert device.made == 1

    run(scenario())


def test_a_renewal_that_refuses_a_time_gets_a_duration(tmp_path, soon):
    async def scenario():
        device = Device()

        def by_duration(request, writer):
            takes = b"TerminationTime>PT180S<" in request.body
            return None if takes else fault("SOAP-ENV:Sender", "ter:InvalidArgVal")

        device.instead["Renew"] = by_duration
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await until(lambda: device.asked.count("Renew") >= 4)
            assert device.made == 1
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


@pytest.mark.parametrize("says", [UNSUPPORTED, UNKNOWN, soap("", "501 Not Implemented")])
def test_a_camera_that_cannot_renew_gets_a_successor_and_the_old_one_is_read_out(
    tmp_path, soon, says
):
    async def scenario():
        device = Device()
        device.instead["Renew"] = says
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:

            def meanwhile(request, writer):
                if device.made:
                    tell(device, device.made)

            device.instead["CreatePullPointSubscription"] = meanwhile
            await until(lambda: device.made >= 3)
            await until(lambda: len(hub.durable()) >= 2)
            assert told(hub.durable())[:2] == [1, 2], "what it held when it was replaced"
            await until(lambda: device.asked.count("Unsubscribe") >= 2 and len(device.living) == 1)
            assert hub.sources.report()["cam"]["outages"] == 0
            assert device.asked.count("SetSynchronizationPoint") >= 2

    run(scenario())


def test_a_camera_with_one_place_only_is_left_before_it_is_asked_for_another(tmp_path, soon):
    async def scenario():
        device = Device()
        device.places, device.instead["Renew"] = 1, UNSUPPORTED
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await until(lambda: device.made >= 2)
            tell(device, 1)
            await hub.records(1)
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


@pytest.mark.parametrize("says", [UNKNOWN, soap("", "404 Not Found")])
def test_a_subscription_that_the_camera_forgot_is_made_anew_without_an_outage(
    tmp_path, monkeypatch, says
):
    monkeypatch.setattr(onvif_pullpoint, "_SETTLED_S", 0.0)

    async def scenario():
        device = Device()
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await hub.state("cam", "up")
            device.instead["PullMessages"] = lambda *_: says if device.made == 1 else None
            await until(lambda: device.made == 2)
            tell(device, 1)
            await hub.records(1)
            assert hub.sources.report()["cam"]["outages"] == 0
            assert device.asked.count("SetSynchronizationPoint") == 2

    run(scenario())


def test_a_subscription_that_is_forgotten_at_once_is_an_outage(tmp_path):
    async def scenario():
        device = Device()
        device.instead["PullMessages"] = UNKNOWN
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            said = await hub.state("cam", "down")
            assert said == "it answers PullMessages with a fault (Receiver, ResourceUnknownFault)"

    run(scenario())


def test_after_a_broken_connection_the_same_subscription_is_read_on(tmp_path):
    async def scenario():
        device = Device()
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await hub.state("cam", "up")

            def cut(request, writer):
                del device.instead["PullMessages"]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<half")
                writer.close()
                return b""

            device.instead["PullMessages"] = cut
            await hub.state("cam", "down")
            tell(device, 1)
            await hub.records(1)
            assert device.made == 1
            assert device.asked.count("SetSynchronizationPoint") == 2, "for the states"

    run(scenario())


def test_after_a_kill_the_next_process_takes_the_subscription_up(tmp_path):
    async def scenario():
        device = Device()
        async with peer(device.answer) as server:
            device.instead["Unsubscribe"] = lambda _, writer: writer.close() or b""
            async with rig(tmp_path, camera(server.url)) as hub:
                await hub.state("cam", "up")
            await until(lambda: not device.busy)
            tell(device, 1)
            del device.instead["Unsubscribe"]
            async with rig(tmp_path, camera(server.url)) as hub:
                await hub.records(1)
            assert device.made == 1
            assert device.living == {}
            async with rig(tmp_path, camera(server.url)) as hub:
                await hub.state("cam", "up")
            assert device.made == 2
            assert device.asked.count("Renew") == 1, "what was ended is not asked for again"

    run(scenario())


def test_what_a_kept_address_leads_to_is_tried_once(tmp_path):
    async def scenario():
        device = Device()
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await hub.state("cam", "up")
            device.instead["Renew"] = lambda _, writer: writer.close() or b""
            device.instead["PullMessages"] = lambda *_: (
                fault("SOAP-ENV:Receiver") if device.made == 1 else None
            )
            await until(lambda: device.made == 2)
            tell(device, 1)
            await hub.records(1)

    run(scenario())


def test_a_camera_that_takes_no_duration_gets_a_time_of_its_clock(tmp_path):
    async def scenario():
        device = Device(clock_off_s=86_400)

        def by_time(request, writer):
            return UNSUPPORTED if b">PT180S<" in request.body else None

        device.instead["CreatePullPointSubscription"] = by_time
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await hub.state("cam", "up")
            asked = device.of("CreatePullPointSubscription")[1]
            assert 120 < _until(asked) - device.now <= 181

    run(scenario())


@pytest.mark.parametrize("says", [b"", http(), UNSUPPORTED])
@pytest.mark.parametrize("asked", ["SetSynchronizationPoint", "Unsubscribe", "Renew"])
def test_what_a_camera_cannot_do_it_need_not_do(tmp_path, soon, asked, says):
    """Whatever it does instead: ends the connection, says nothing, or that it can't."""

    def instead(request, writer):
        if not says:
            writer.close()
        return says

    async def scenario():
        device = Device()
        device.instead[asked] = instead
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await hub.state("cam", "up")
            await until(lambda: asked in device.asked or asked == "Unsubscribe")
            tell(device, 1)
            await hub.records(1)
            assert hub.sources.report()["cam"]["outages"] == 0
        assert asked in device.asked

    run(scenario())
