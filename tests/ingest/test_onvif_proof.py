"""How the hub proves to an ONVIF camera who it is, in time with the camera's clock."""

import pytest
from onvif_device import PASSWORD, Device, camera, tell
from sources_rig import peer, rig, run, until

from hub.ingest.sources import onvif_pullpoint


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(onvif_pullpoint, "_PACE_S", 0.02)
    monkeypatch.setenv("CAMERA", PASSWORD)
    monkeypatch.setenv("WRONG", "wrong password")


def entry(url: str, **more) -> dict:
    return camera(url, **{"user": "hub", "secret": "CAMERA", **more})


@pytest.mark.parametrize("hours", [7, -7, 24 * 365 * -20])
def test_a_camera_whose_clock_is_hours_off_is_asked_in_its_own_time(tmp_path, hours):
    async def scenario():
        device = Device(proof="token", clock_off_s=hours * 3_600)
        async with peer(device.answer) as server, rig(tmp_path, entry(server.url)) as hub:
            tell(device, 1)
            await hub.records(1)
            assert device.refused["token"] == 0
            first = device.of("GetSystemDateAndTime")[0].body
            assert b"Security" not in first, "the clock is asked for without a proof"

    run(scenario())


def test_a_camera_that_does_not_tell_its_clock_has_it_in_the_headers(tmp_path):
    async def scenario():
        device = Device(proof="token", clock_off_s=-7_000)
        device.tells_clock = False
        async with peer(device.answer) as server, rig(tmp_path, entry(server.url)) as hub:
            tell(device, 1)
            await hub.records(1)
            assert device.refused["token"] == 0

    run(scenario())


def test_a_clock_that_jumps_is_read_again_at_the_refusal_without_an_outage(tmp_path):
    async def scenario():
        device = Device(proof="token")
        async with peer(device.answer) as server, rig(tmp_path, entry(server.url)) as hub:
            await hub.state("cam", "up")
            device.clock_off_s = -3_600.0
            await until(lambda: device.refused["token"] == 1)
            tell(device, 1)
            await hub.records(1)
            assert device.asked.count("GetSystemDateAndTime") == 2
            assert device.refused["token"] == 1
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


def test_every_request_has_a_nonce_of_its_own(tmp_path):
    async def scenario():
        device = Device(proof="token")
        async with peer(device.answer) as server, rig(tmp_path, entry(server.url)):
            await until(lambda: device.asked.count("PullMessages") > 5)
            assert device.refused["token"] == 0, "it refuses one that it has seen"

    run(scenario())


def test_a_camera_that_challenges_gets_http_digest_and_no_token_besides(tmp_path):
    async def scenario():
        device = Device(proof="digest")
        async with peer(device.answer) as server, rig(tmp_path, entry(server.url)) as hub:
            tell(device, 1)
            await hub.records(1)
            await until(lambda: device.asked.count("PullMessages") > 3)
            assert device.refused["digest"] == 2, "the challenge is foreseen from then on"
            assert b"UsernameToken" not in device.of("PullMessages")[-1].body

    run(scenario())


def test_a_stale_nonce_is_followed_by_a_new_one_without_an_outage(tmp_path):
    async def scenario():
        device = Device(proof="digest")
        async with peer(device.answer) as server, rig(tmp_path, entry(server.url)) as hub:
            await hub.state("cam", "up")
            before = device.refused["digest"]
            device.nonce = "nonce-2"
            await until(lambda: device.refused["digest"] == before + 1)
            tell(device, 1)
            await hub.records(1)
            assert device.refused["digest"] == before + 1
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


def test_a_camera_that_wants_both_gets_both(tmp_path):
    async def scenario():
        device = Device(proof="both", clock_off_s=7 * 3_600)
        async with peer(device.answer) as server, rig(tmp_path, entry(server.url)) as hub:
            tell(device, 1)
            await hub.records(1)
            assert device.refused == {"digest": 2, "token": 1}
            device.nonce = "nonce-2"
            tell(device, 2)
            await hub.records(2)
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


@pytest.mark.parametrize(("proof", "most"), [("token", 2), ("digest", 3), ("both", 3)])
def test_a_wrong_password_is_said_after_few_tries_and_is_in_no_log(tmp_path, caplog, proof, most):
    async def scenario():
        device = Device(proof=proof)
        async with (
            peer(device.answer) as server,
            rig(tmp_path, entry(server.url, secret="WRONG")) as hub,
        ):
            said = await hub.state("cam", "down")
            assert said.startswith("it refuses the credentials (40")
            assert hub.durable() == []
            backoff = hub.tasks["cam"]._backoff
        assert device.asked.count("GetCapabilities") <= most * (len(backoff.asked) + 1)

    run(scenario())
    assert "wrong password" not in caplog.text
    assert sum("source is down" in record.getMessage() for record in caplog.records) == 1


def test_a_camera_that_asks_for_a_password_that_none_was_given_for_is_an_outage(tmp_path):
    async def scenario():
        device = Device(proof="digest")
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            assert "refuses the credentials (401)" in await hub.state("cam", "down")

    run(scenario())


@pytest.mark.parametrize(
    "challenge", ['Digest realm="x"', "Digest =,=", 'Digest realm="x", nonce="y", algorithm=ROT13']
)
def test_a_challenge_that_is_none_is_an_outage(tmp_path, challenge):
    async def scenario():
        device = Device()
        answer = b"HTTP/1.1 401 No\r\nWWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n"
        device.instead["CreatePullPointSubscription"] = answer % challenge.encode()
        async with peer(device.answer) as server, rig(tmp_path, entry(server.url)) as hub:
            said = await hub.state("cam", "down")
            assert "failed with" not in said, "foreseen"

    run(scenario())
