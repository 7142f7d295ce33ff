"""What a source's entry may say: wrong ones name the key, and secrets stand elsewhere."""

import pytest
from ingest_support import make_config
from sources_rig import http, peer, poll, rig, run, scripted

from hub.config import load
from hub.errors import ConfigError
from hub.ingest.intake import Source
from hub.ingest.sources import runner


def test_secrets_come_from_the_environment_or_a_folder_and_are_in_no_message(tmp_path, monkeypatch):
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "API_KEY").write_text("key-7\n")
    monkeypatch.setenv("HUB_SECRETS_DIR", str(folder))
    monkeypatch.setenv("FEED_TOKEN", "token-9")

    async def scenario():
        async with peer(scripted(http(b"1"))) as server:
            source = poll(
                server.url + "/x?area=hn",
                auth={"kind": "bearer", "secret": "FEED_TOKEN"},
                headers={"Digitraffic-User": "hanoi"},
                secret_headers={"X-Api-Key": "API_KEY"},
                secret_query={"key": "API_KEY"},
            )
            async with rig(tmp_path / "data", {"feed": source}) as hub:
                await hub.records(1)
            sent = server.requests[0].headers
            assert sent["authorization"] == "Bearer token-9"
            assert sent["x-api-key"] == "key-7"
            assert server.requests[0].target == "/x?area=hn&key=key-7"
            assert sent["digitraffic-user"] == "hanoi"

    run(scenario())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"auth": {"kind": "basic", "secret": "NOT_SET"}}, "the secret NOT_SET is not set"),
        ({"tls": {"ca": "/nowhere/ca.pem"}}, "no certificates"),
        ({"headers": {"X": "a\r\nY: b"}}, "no header can hold"),
        ({"url": "http://127.0.0.1/{cursor}"}, "nothing says where"),
    ],
)
def test_settings_that_cannot_work_are_said_before_anything_runs(tmp_path, more, said):
    source = poll("http://127.0.0.1:1/")
    source["transport"] |= more
    config = make_config(tmp_path, {"feed": source})
    with pytest.raises(ConfigError, match=said) as caught:
        runner.transport_of(Source("feed", config.source["feed"]))
    assert "source.feed.transport" in str(caught.value)


@pytest.mark.parametrize(
    ("transport", "said"),
    [
        ('kind = "http_pull"', "transport: kind is one of http_push"),
        ('kind = "http_poll"', "transport.url: Field required"),
        ('kind = "http_poll"\nurl = "ftp://x/"', "transport.url: an http:// or https:// URL"),
        ('kind = "http_poll"\nurl = "http://u:p@x/"', "transport.url: credentials in a URL"),
        ('kind = "http_poll"\nurl = "http://x/"\nevery = 5', "transport.every: unknown key"),
        (
            'kind = "http_poll"\nurl = "http://x/"\ntls = { check_name = false }',
            "transport.tls.check_name: without the host's name",
        ),
        ('kind = "drop_folder"', "transport.folder: Field required"),
        ('url = "http://x/"', "transport.url: unknown key"),
    ],
)
def test_a_wrong_entry_names_the_key_as_the_file_has_it(tmp_path, transport, said):
    file = tmp_path / "hub.toml"
    file.write_text(f'[source.s1]\nconnector = "cap"\n[source.s1.transport]\n{transport}\n')
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert f"source.s1.{said}" in str(caught.value).replace("(and 1 more)", "")
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('url = "mqtt://b"\ntopics = []', "transport.topics: Tuple should have at least 1 item"),
        ('url = "mqtt://b"\ntopics = ["a/#/b"]', "transport.topics: 'a/#/b' is no topic filter"),
        ('url = "mqtt://b"\ntopics = ["a+/b"]', "transport.topics: 'a+/b' is no topic filter"),
        ('url = "mqtt://b"\ntopics = [""]', "transport.topics: '' is no topic filter"),
        ('url = "tcp://b"\ntopics = ["a"]', "transport.url: mqtt://host:port or mqtts://"),
        ('url = "mqtt://u:p@b"\ntopics = ["a"]', "transport.url: credentials in a URL"),
        ('url = "mqtt://b"\ntopics = ["a"]\nversion = "3.1"', "transport.version: "),
    ],
)
def test_a_wrong_mqtt_entry_names_the_key(tmp_path, more, said):
    file = tmp_path / "hub.toml"
    head = '[source.s1]\nconnector = "cap"\n[source.s1.transport]\nkind = "mqtt"\n'
    file.write_text(head + more + "\n")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert f"source.s1.{said}" in str(caught.value)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "transport.url: Field required"),
        ('url = "rtsp://c"', "transport.url: an http:// or https:// URL"),
        ('url = "http://u:p@c"', "transport.url: credentials in a URL"),
        ('url = "http://c"\ntopics = ["RuleEngine"]', "transport.topics: 'RuleEngine' is no topic"),
        ('url = "http://c"\ntopics = ["tns1:A//"]', "transport.topics: 'tns1:A//' is no topic"),
        ('url = "http://c"\ntopics = ["tns1:A/x:B"]', "transport.prefixes: no namespace of 'x'"),
        ('url = "http://c"\nprefixes = { "1" = "u" }', "transport.prefixes: '1' is no prefix"),
        ('url = "http://c"\nevents = "http://x/"', "transport.events: "),
        ('url = "http://c"\nlifetime_s = 5', "transport.lifetime_s: "),
        ('url = "http://c"\nauth = { kind = "digest" }', "transport.auth: unknown key"),
    ],
)
def test_a_wrong_onvif_entry_names_the_key(tmp_path, more, said):
    file = tmp_path / "hub.toml"
    head = '[source.s1]\nconnector = "onvif"\n[source.s1.transport]\nkind = "onvif_pullpoint"\n'
    file.write_text(head + more + "\n")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert f"source.s1.{said}" in str(caught.value)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("half", [{"user": "hub"}, {"secret": "CAMERA"}])
def test_who_asks_a_camera_has_a_name_and_a_password(tmp_path, monkeypatch, half):
    monkeypatch.setenv("CAMERA", "word")
    transport = {"kind": "onvif_pullpoint", "url": "http://c", **half}
    config = make_config(tmp_path, {"s1": {"connector": "plain_test", "transport": transport}})
    with pytest.raises(ConfigError, match="`user` and `secret` go together") as caught:
        runner.transport_of(Source("s1", config.source["s1"]))
    assert "source.s1.transport" in str(caught.value)


def test_a_password_of_a_broker_stands_elsewhere(tmp_path):
    transport = {"kind": "mqtt", "url": "mqtt://b", "topics": ["a"], "secret": "NOT_SET"}
    config = make_config(tmp_path, {"s1": {"connector": "plain_test", "transport": transport}})
    with pytest.raises(ConfigError, match="the secret NOT_SET is not set"):
        runner.transport_of(Source("s1", config.source["s1"]))


@pytest.mark.parametrize(
    ("transport", "said"),
    [
        ({"kind": "mqtt", "url": "mqtt://b", "topics": ["a"], "client_id": "x"}, "client_id"),
        ({"kind": "onvif_pullpoint", "url": "http://10.0.0.1"}, "url"),
        ({"kind": "rsmp_tcp", "port": 12_111, "site": "s"}, "port"),
    ],
)
def test_two_entries_that_would_end_each_others_connection_are_refused(tmp_path, transport, said):
    entry = {"connector": "plain_test", "transport": transport}
    config = make_config(tmp_path, {"a": entry, "b": entry})
    with pytest.raises(ConfigError, match=f"source.b.transport.{said}: a and b "):
        runner.check(Source(name, each) for name, each in config.source.items())
