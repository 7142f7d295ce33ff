"""MQTT from a broker that is not ours: taken once, acknowledged when durable."""

import asyncio
import gc
import signal

import pytest
from mosquitto import mosquitto, needs_mosquitto, publisher, subscribed
from sources_rig import headers_of, rig, run, until
from test_source_tls import certificate

pytestmark = needs_mosquitto
COUNT = 100
VERSIONS = pytest.mark.parametrize("version", ["3.1.1", "5"])


def body(number: int) -> bytes:
    return b"%d" % number * 8_000


def ids(hub) -> set[tuple[bytes, str]]:
    return {(record.value, headers_of(record)["payload_id"]) for record in hub.durable()}


def bodies(hub) -> set[bytes]:
    return {record.value for record in hub.durable()}


@VERSIONS
def test_a_message_comes_with_its_topic_and_once(tmp_path, version):
    async def scenario():
        with mosquitto(tmp_path / "broker") as broker, publisher(broker) as device:
            source = subscribed(broker.url, "city/+/plates", "city/signals/#", version=version)
            async with rig(tmp_path, {"s1": source | {"shard": "mqtt_topic"}}) as hub:
                await hub.state("s1", "up")
                device.send("city/a/plates", b"1")
                device.send("city/signals/7", b"")
                device.send("city/a/private", b"not asked for")
                device.send("city/b/plates", b"2")
                records = await hub.records(3)
                found = {headers_of(r)["meta.mqtt_topic"]: r for r in records}
                assert {topic: r.value for topic, r in found.items()} == {
                    "city/a/plates": b"1",
                    "city/signals/7": b"",
                    "city/b/plates": b"2",
                }
                assert len({r.key for r in records}) == 3, "one shard a topic"
                assert "meta.mqtt_retained" not in headers_of(records[0])

    run(scenario())


def test_content_type_and_the_attributes_of_a_cloud_event_are_handed_on(tmp_path):
    async def scenario():
        with mosquitto(tmp_path / "broker") as broker, publisher(broker) as device:
            async with rig(tmp_path, {"s1": subscribed(broker.url)}) as hub:
                await hub.state("s1", "up")
                attributes = [("specversion", "1.0"), ("type", "vn.x"), ("x-key", "secret")]
                device.send(
                    "city/e", b"{}", ContentType="application/json", UserProperty=attributes
                )
                device.send("city/e", b"[]", UserProperty=[("id", "7"), ("traceparent", "00-1")])
                event, other = map(headers_of, await hub.records(2))
                assert event["content_type"] == "application/json"
                assert event["meta.header.ce-specversion"] == "1.0"
                assert event["meta.header.ce-type"] == "vn.x"
                assert other["meta.header.traceparent"] == "00-1"
                assert not any("secret" in text for text in event.values())
                assert not any("ce-" in name for name in other)

    run(scenario())


@VERSIONS
def test_what_is_published_while_the_hub_is_away_comes_when_it_is_back(tmp_path, version):
    async def scenario():
        with mosquitto(tmp_path / "broker") as broker, publisher(broker) as device:
            sources = {"s1": subscribed(broker.url, version=version)}
            async with rig(tmp_path, sources) as hub:
                await hub.state("s1", "up")
            for number in range(COUNT):
                device.begin("city/x", body(number))
            device.send("city/x", b"last")
            async with rig(tmp_path, sources) as hub:
                await hub.records(COUNT + 1)

    run(scenario())


@VERSIONS
def test_what_is_retained_comes_once_and_is_marked(tmp_path, version):
    async def scenario():
        with mosquitto(tmp_path / "broker") as broker, publisher(broker) as device:
            device.send("city/state", b"kept", retain=True)
            sources = {"s1": subscribed(broker.url, version=version)}
            async with rig(tmp_path, sources) as hub:
                (record,) = await hub.records(1)
                assert headers_of(record)["meta.mqtt_retained"] == "true"
            async with rig(tmp_path, sources) as hub:
                await hub.state("s1", "up")
                device.send("city/state", b"new", retain=True)
                records = await hub.records(2)
                assert "meta.mqtt_retained" not in headers_of(records[1])

    run(scenario())


def test_an_entry_that_names_other_topics_ends_what_it_no_longer_names(tmp_path):
    async def scenario():
        with mosquitto(tmp_path / "broker") as broker, publisher(broker) as device:
            for topics in (["old", "both"], ["both", "new"]):
                async with rig(tmp_path, {"s1": subscribed(broker.url, *topics)}) as hub:
                    await hub.state("s1", "up")
            for topic in ("old", "new", "both"):
                device.send(topic, topic.encode())
            async with rig(tmp_path, {"s1": subscribed(broker.url, "both", "new")}) as hub:
                await hub.records(2)
                assert bodies(hub) == {b"both", b"new"}

    run(scenario())


@VERSIONS
def test_what_is_not_durable_is_not_acknowledged_and_comes_again_under_the_same_id(
    tmp_path, version
):
    async def scenario():
        with mosquitto(tmp_path / "broker") as broker, publisher(broker) as device:
            sources = {"s1": subscribed(broker.url, version=version)}
            async with rig(tmp_path, sources, log_max_bytes=2**20) as hub:
                await hub.state("s1", "up")
                for number in range(COUNT):
                    device.begin("city/x", body(number))
                await until(lambda: not hub.services.intake.logs["bulk"].has_room)
                assert len(bodies(hub)) < COUNT
            # It ends here with records that are durable and not acknowledged, as in a crash.
            async with rig(tmp_path, sources) as hub:
                await until(lambda: bodies(hub) == {body(number) for number in range(COUNT)})
                assert len(ids(hub)) == COUNT

    run(scenario())


@VERSIONS
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_broker_that_ends_in_mid_stream_is_connected_to_again(tmp_path, version, how):
    async def scenario():
        with mosquitto(tmp_path / "broker", saves=True) as broker, publisher(broker) as device:
            sources = {"s1": subscribed(broker.url, version=version)}
            async with rig(tmp_path, sources) as hub:
                await hub.state("s1", "up")
                for number in range(COUNT):
                    device.begin("city/x", b"%d" % number)
                await until(lambda: len(hub.durable()) > COUNT // 10)
                await asyncio.to_thread(broker.end, how)
                await hub.state("s1", "down")
                await asyncio.to_thread(broker.start)
                await hub.state("s1", "up")
                await asyncio.to_thread(device.send, "city/x", b"last")
                await until(lambda: b"last" in bodies(hub))
                if how == signal.SIGTERM:  # a killed one may forget what it took
                    wanted = {b"%d" % number for number in range(COUNT)} | {b"last"}
                    await until(lambda: bodies(hub) == wanted)

    run(scenario())


def test_a_wrong_password_is_an_outage_and_in_no_message(tmp_path, monkeypatch):
    passwords = tmp_path / "passwords"
    # The file holds a hash that fits nothing.
    passwords.write_text(
        "hub:$7$101$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    )
    monkeypatch.setenv("WORD", "my-word")
    settings = f"allow_anonymous false\npassword_file {passwords}"

    async def scenario():
        with mosquitto(tmp_path / "broker", settings) as broker:
            for version, said in (("5", "Not authorized"), ("3.1.1", "uthor")):
                source = subscribed(broker.url, version=version, user="hub", secret="WORD")
                async with rig(tmp_path, {"s1": source}) as hub:
                    reason = await hub.state("s1", "down")
                    assert said in reason
                    assert "my-word" not in reason

    run(scenario())


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_tls_trusts_the_brokers_own_certificate_and_no_other(tmp_path):
    own, other = certificate(tmp_path, "broker"), certificate(tmp_path, "another")
    settings = f"allow_anonymous true\ncertfile {own}\nkeyfile {own}"

    async def scenario():
        with mosquitto(tmp_path / "broker-data", settings) as broker:
            for pinned, word in ((own, "up"), (other, "down")):
                url = broker.url.replace("mqtt:", "mqtts:")
                source = subscribed(url, tls={"ca": str(pinned)})
                async with rig(tmp_path, {"s1": source}) as hub:
                    reason = await hub.state("s1", word)
                    assert ("verify failed" in reason) == (word == "down")

    run(scenario())
    gc.collect()
