"""ONVIF PullPoint at cameras that say wrong things: bounded, one reason, and to no other host."""

import asyncio
import gzip

import pytest
from onvif_device import UNSUPPORTED, Device, camera, fault, soap, tell, told
from sources_rig import http, peer, rig, run, until

from hub.ingest.sources import onvif_pullpoint


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(onvif_pullpoint, "_PACE_S", 0.02)


ELSEWHERE = [
    "http://192.168.1.10/onvif/subscription/{id}",
    "http://192.168.1.10:8899/onvif/subscription/{id}",
    "http:///onvif/subscription/{id}",
    "http://169.254.169.254/onvif/subscription/{id}",
    "https://evil.example/onvif/subscription/{id}",
    "http://hub:word@evil.example/onvif/subscription/{id}#x",
    "HTTP://[::ffff:10.0.0.1]:1/onvif/subscription/{id}",
]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_an_address_behind_nat_or_of_another_host_is_asked_for_at_the_configured_host(
    tmp_path, address
):
    async def scenario():
        device = Device()
        device.address = address
        device.service = address.replace("subscription/{id}", "event_service")
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            tell(device, 1)
            await hub.records(1)
            request = device.of("PullMessages")[0]
            assert request.target == "/onvif/subscription/1"
            own_words = address.format(id=1)
            assert f"<wsa:To>{own_words}</wsa:To>" in request.body.decode(), "in its own words"
        assert device.living == {}

    run(scenario())


def test_an_address_that_is_no_url_is_asked_for_at_the_event_service(tmp_path):
    async def scenario():
        device = Device()
        device.address = "urn:uuid:5f5a69c2-e0ae-504f-829b-28f366d8f9a2"
        device.parameters = (
            '<wsa5:ReferenceParameters><d:SubscriptionId xmlns:d="http://www.axis.com/2009/event">'
            "{id}</d:SubscriptionId></wsa5:ReferenceParameters>"
        )
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            tell(device, 1)
            await hub.records(1)
            request = device.of("PullMessages")[0]
            assert request.target == "/onvif/event_service"
            text = request.body.decode()
            assert f"<wsa:To>{device.address}</wsa:To>" in text
            assert 'IsReferenceParameter="true">1<' in text, "it is given back what it wants"

    run(scenario())


def test_another_port_of_the_same_host_is_taken_unless_it_is_forwarded(tmp_path):
    async def scenario():
        device = Device()

        async def nobody(request, writer):
            raise AssertionError("a port that was forwarded for another camera")

        async with peer(device.answer) as first, peer(device.answer) as second:
            device.address = second.url + "/onvif/subscription/{id}"
            async with rig(tmp_path / "a", camera(first.url)) as hub:
                tell(device, 1)
                await hub.records(1)
            assert {request.line.split()[1] for request in second.requests} == {
                "/onvif/subscription/1"
            }
            await until(lambda: not device.busy)
            async with peer(nobody) as third:
                device.address = third.url + "/onvif/subscription/{id}"
                async with rig(tmp_path / "b", camera(first.url, keep_port=True)) as hub:
                    tell(device, 2)
                    assert told(await hub.records(1)) == [2]
                assert third.requests == []

    run(scenario())


def test_the_event_service_is_found_by_get_services_or_as_the_entry_says(tmp_path):
    async def scenario():
        device = Device()
        device.instead["GetCapabilities"] = UNSUPPORTED
        async with peer(device.answer) as server:
            async with rig(tmp_path / "a", camera(server.url + "/onvif/device")) as hub:
                await hub.state("cam", "up")
            assert device.of("GetServices")[0].target == "/onvif/device"
            assert device.of("CreatePullPointSubscription")[0].target == "/onvif/event_service"
            device.asked.clear()
            async with rig(tmp_path / "b", camera(server.url, events="/onvif/Ev?x=1")) as hub:
                await hub.state("cam", "up")
            assert device.of("CreatePullPointSubscription")[1].target == "/onvif/Ev?x=1"
            assert "GetCapabilities" not in device.asked
            device.instead["GetServices"] = soap("<tds:GetServicesResponse/>")
            async with rig(tmp_path / "c", camera(server.url)) as hub:
                said = await hub.state("cam", "down")
                assert said == "it names no event service: if it has one, write `events`"

    run(scenario())


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    b"<Envelope><Body>&b;<SubscriptionReference><Address>http://x/</Address>"
    b"</SubscriptionReference></Body></Envelope>"
)
DEEP = b"<Envelope><Body>" + b"<a>" * 200_000 + b"</a>" * 200_000 + b"</Body></Envelope>"
XML = {"Content-Type": "application/soap+xml"}


def _endless(request, writer):
    async def pour():
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer.pouring = asyncio.create_task(pour())
    return b""


WRONG = {
    "a page to log in at": (http(b"<html><body>Login"), "its answer to {} is no SOAP"),
    "an empty answer": (http(b""), "its answer to {} is no SOAP"),
    "entities": (http(BOMB, headers=XML), "its answer to {} is no SOAP"),
    "bytes that end the connection": (b"SSH-2.0-OpenSSH_9\r\n\r\n", "it ended the connection"),
    "an answer without end": (_endless, "more than 1000000 bytes"),
    "gzip that was not asked for": (
        http(gzip.compress(b"0" * 2**24), headers={"Content-Encoding": "gzip"}),
        "encoding that was not asked for",
    ),
    "a redirect": (
        http(status="302 Found", headers={"Location": "http://169.254.169.254/"}),
        "it has moved (302)",
    ),
    "an error": (http(b"broken", "500 Broken"), "it answers {} with 500"),
    "busy": (http(b"busy", "503 Busy", {"Retry-After": "7"}), "it answers 503"),
    "a fault with status 200": (
        fault("SOAP-ENV:Sender", "ter:InvalidArgVal", status="200 OK"),
        "it answers {} with a fault (Sender, InvalidArgVal)",
    ),
    "a fault of SOAP 1.1": (
        http(
            b"<E><Body><Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring>x"
            b"</faultstring></Fault></Body></E>",
            "500 Broken",
        ),
        "it answers {} with a fault (Client)",
    ),
    "a fault whose words are none": (
        fault("SOAP-ENV:Sender\r\n2026 forged line"),
        "it answers {} with a fault (without a code)",
    ),
}


@pytest.mark.parametrize("asked", ["CreatePullPointSubscription", "PullMessages"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_is_an_outage_with_its_reason(tmp_path, caplog, asked, wrong):
    says, reason = WRONG[wrong]

    async def scenario():
        device = Device()
        device.instead[asked] = says
        if asked == "PullMessages":
            device.instead["Renew"] = UNSUPPORTED
        async with peer(device.answer) as server:
            source = camera(server.url)
            source["cam"]["limits"] = {"body_bytes": 1_000_000}
            async with rig(tmp_path, source) as hub:
                said = await hub.state("cam", "down")
                assert reason.format(asked) in said
                assert hub.durable() == []
        assert "secret words" not in caplog.text
        assert "forged" not in caplog.text

    run(scenario())


TOO_DEEP = (
    "<tev:SubscriptionReference><wsa5:Address>/x</wsa5:Address><wsa5:ReferenceParameters>"
    f"{'<x>' * 5_000}{'</x>' * 5_000}</wsa5:ReferenceParameters></tev:SubscriptionReference>"
)
TOO_MANY = (
    "<tev:SubscriptionReference><wsa5:Address>/x</wsa5:Address><wsa5:ReferenceParameters><x>"
    f"{'y' * 5_000}</x></wsa5:ReferenceParameters></tev:SubscriptionReference>"
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<tev:CreatePullPointSubscriptionResponse/>", "can't be used: no address"),
        (TOO_MANY, "can't be used: too many parameters"),
        (TOO_DEEP, "can't be used: parameters that are too deep"),
    ],
)
def test_a_subscription_that_cannot_be_used_is_an_outage(tmp_path, body, reason):
    async def scenario():
        device = Device()
        device.instead["CreatePullPointSubscription"] = soap(body)
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            assert reason in await hub.state("cam", "down")

    run(scenario())


def test_notifications_that_only_a_more_patient_reader_reads_are_handed_on(tmp_path):
    async def scenario():
        device = Device()
        torn = b"<Envelope><Body><wsnt:NotificationMessage>&oops;<Topic>x</wsnt:Notifi"
        answers = [http(torn)]
        device.instead["PullMessages"] = lambda *_: answers.pop() if answers else None
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            (record,) = await hub.records(1)
            assert record.value == torn, "its dead letter says what is wrong with it"
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


def test_an_answer_of_two_hundred_thousand_levels_is_read_and_holds_up_nobody(tmp_path):
    async def scenario():
        device = Device()
        answers = [http(DEEP)]
        device.instead["PullMessages"] = lambda *_: answers.pop() if answers else None
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await until(lambda: not answers)
            tell(device, 1)
            await hub.records(1)
            assert hub.sources.report()["cam"]["outages"] == 0, "a heartbeat, if an odd one"

    run(scenario())


def test_an_element_named_fault_in_a_notification_is_no_fault(tmp_path):
    async def scenario():
        device = Device()
        device.to_tell.put_nowait(
            "<wsnt:NotificationMessage><wsnt:Topic>tns1:Device/HardwareFailure</wsnt:Topic>"
            "<wsnt:Message><tt:Fault><tt:Value>ter:NotAuthorized</tt:Value></tt:Fault>"
            "</wsnt:Message></wsnt:NotificationMessage>"
        )
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await hub.records(1)
            assert hub.sources.report()["cam"]["outages"] == 0

    run(scenario())


def test_a_camera_that_never_answers_is_an_outage(tmp_path):
    async def scenario():
        device = Device()

        async def silent(request, writer):
            if b"PullMessages>" in request.body:
                await asyncio.Event().wait()
            await device.answer(request, writer)

        more = {"wait_s": 0.1, "timeout_s": 0.2}
        async with peer(silent) as server, rig(tmp_path, camera(server.url, **more)) as hub:
            assert "no answer in time" in await hub.state("cam", "down")

    run(scenario())


def test_times_that_cannot_be_are_not_believed(tmp_path):
    async def scenario():
        device = Device()
        body = (
            "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><wsa5:Address>"
            "/x</wsa5:Address></tev:SubscriptionReference><wsnt:CurrentTime>{}</wsnt:CurrentTime>"
            "<wsnt:TerminationTime>1970-01-01T00:00:61Z</wsnt:TerminationTime></tev:Create"
            "PullPointSubscriptionResponse>"
        )
        stamp = "2026-03-14T00:46:03"
        device.instead["CreatePullPointSubscription"] = soap(body.format(stamp))
        device.living["event_service"] = device.now + 60
        async with peer(device.answer) as server, rig(tmp_path, camera(server.url)) as hub:
            await hub.state("cam", "up")
            tell(device, 1)
            await hub.records(1)
            assert "Renew" not in device.asked, "the life that was asked for is assumed"

    run(scenario())
