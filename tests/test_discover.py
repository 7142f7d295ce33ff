"""ONVIF devices in a range: what an answer says, and a responder on this machine that answers."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from uuid import UUID, uuid4

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from hub import register
from hub.cli import main
from hub.errors import ConfigError
from hub.onvif import ANSWER_MAX, Found, matches, probe
from hub.probe import addresses_of, discover
from hub.proposal import toml_of

ID = UUID("0a6dc791-2be6-4991-9af1-454778a1917a")
ENDPOINT = "3fa1fe68-b915-4053-a3e1-c006c3afec0e"
AT = datetime(2026, 3, 1, tzinfo=UTC)
SCOPES = (
    "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/Profile/Streaming\n"
    "  onvif://www.onvif.org/hardware/TEST-2CD_1 onvif://www.onvif.org/name/Kim%20M%C3%A3%20%231\n"
    "  onvif://www.onvif.org/location/country/vietnam onvif://www.onvif.org/location/city/hanoi"
)


def match(
    *,
    endpoint="urn:uuid:3FA1FE68-B915-4053-A3E1-C006C3AFEC0E",
    types="tdn:NetworkVideoTransmitter tds:Device",
    scopes=SCOPES,
    services="http://192.0.2.7/onvif/device_service http://[2001:db8::7]/onvif/device_service",
) -> str:
    return (
        f"<d:ProbeMatch><a:EndpointReference><a:Address>{endpoint}</a:Address>"
        f"</a:EndpointReference><d:Types>{types}</d:Types><d:Scopes>{scopes}</d:Scopes>"
        f"<d:XAddrs>{services}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"
    )


def answer(*found: str, related=f"uuid:{ID}", before="") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        '<E:Envelope xmlns:E="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">'
        f"<E:Header><a:RelatesTo>{related}</a:RelatesTo></E:Header>"
        f"<E:Body><d:ProbeMatches>{''.join(found)}</d:ProbeMatches></E:Body></E:Envelope>"
    ).encode()


def only(data: bytes) -> Found:
    (found,) = matches(data, ID, "192.0.2.7")
    return found


def test_an_answer_gives_what_the_device_says_of_itself():
    assert only(answer(match())) == Found(
        address="192.0.2.7",
        endpoint=ENDPOINT,
        name="Kim Mã #1",
        hardware="TEST-2CD_1",
        location="vietnam hanoi",
        services=(
            "http://192.0.2.7/onvif/device_service",
            "http://[2001:db8::7]/onvif/device_service",
        ),
    )


def test_a_proposal_is_imported_as_it_is_and_has_a_name_only_in_the_source_that_is_given():
    found = only(answer(match()))
    text = toml_of((found.remark(), found.entry(AT, source)) for source in ("", "vms"))
    assert text.startswith(
        "# answered from 192.0.2.7, TEST-2CD_1, vietnam hanoi, http://192.0.2.7/"
    )
    first = toml_of([(found.remark(), found.entry(AT))])
    (entry,) = register.read(first, "proposed.toml")
    assert (entry["device_id"], entry["name"]) == (f"onvif-{ENDPOINT}", "Kim Mã #1")
    assert (entry["aliases"], entry["state"]) == ([], "PLANNED")
    (entry,) = register.read(toml_of([("", found.entry(AT, "vms"))]), "proposed.toml")
    assert entry["aliases"] == [{"source_id": "vms", "device_ref": "192.0.2.7"}]


@pytest.mark.parametrize("related", [f"urn:uuid:{ID}", f"uuid:{str(ID).upper()}", f" {ID} "])
def test_the_question_is_known_again_however_it_is_written(related):
    assert only(answer(match(), related=related)).endpoint == ENDPOINT


def test_the_probe_is_one_that_can_be_read_and_asks_for_cameras():
    envelope = fromstring(probe(ID))
    texts = [each.text for each in envelope.iter() if each.text]
    assert f"urn:uuid:{ID}" in texts
    assert "n:NetworkVideoTransmitter" in texts


def test_credentials_in_addresses_are_left_out_and_what_is_no_address_too():
    told = match(services="http://admin:secret@192.0.2.7/x rtsp://192.0.2.7 http:// http://[ x")
    assert only(answer(told)).services == ("http://192.0.2.7/x",)


def test_what_says_nothing_but_its_type_is_found_too():
    found = only(answer(match(scopes="", services="", endpoint="nothing")))
    assert found == Found("192.0.2.7", "", "", "", "", ())
    assert found.entry(AT)["device_id"] == "onvif-192.0.2.7"


HOSTILE = {
    "entities": answer(match(), before='<!DOCTYPE x [<!ENTITY a "aaaa">]>'),
    "a file": answer(match(), before='<!DOCTYPE x SYSTEM "file:///etc/passwd">'),
    "another question": answer(match(), related=f"uuid:{uuid4()}"),
    "no question": answer(match(), related=""),
    "a printer": answer(match(types="i:PrintBasic", scopes="ldap:///ou=x")),
    "cut off": answer(match())[:-9],
    "no XML": b"\xff\x00<",
    "another encoding": answer(match()).replace(b"UTF-8", b"x-none"),
    "too large": answer(match(), before=" " * ANSWER_MAX),
    "no match": answer(),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_anything_else_is_no_device(kind):
    assert matches(HOSTILE[kind], ID, "192.0.2.7") == []


def test_a_device_that_says_too_much_is_cut_short():
    long = "onvif://www.onvif.org/name/" + "x" * 30_000
    found = matches(answer(*[match(scopes=long)] * 2), ID, "192.0.2.7")
    assert {len(each.name) for each in found} == {200}
    many = answer(*[match(scopes="", services="")] * 100)
    assert len(matches(many, ID, "192.0.2.7")) == 16
    escape = match(scopes="onvif://www.onvif.org/name/a%0A%1B%5B31mb")
    assert only(answer(escape)).name == "a  [31mb"


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_at_all_are_an_error(data):
    assert matches(data, ID, "192.0.2.7") == []
    body = answer(match(scopes="X", endpoint="Y", types="Z"))
    for mark in (b"X", b"Y", b"Z"):
        matches(body.replace(mark, data), ID, "192.0.2.7")


# On the wire


@contextmanager
def responding(answer_to: Callable[[UUID], list[bytes]], *, deaf: int = 0) -> Iterator[list]:
    """A device at 127.0.0.1 that misses the first questions; where it is, and what it was asked."""
    asked: list = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        asked.append(udp.getsockname()[1])

        def serve() -> None:
            while True:
                question, sender = udp.recvfrom(65_535)
                if question == b"stop":
                    return
                asked.append(question)
                if len(asked) - 1 > deaf:
                    id_ = question.split(b"MessageID>urn:uuid:")[1][:36].decode()
                    for each in answer_to(UUID(id_)):
                        udp.sendto(each, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(b"stop", ("127.0.0.1", asked[0]))
            thread.join()


def here(port: int, *, timeout_s: float = 10) -> list[Found]:
    return discover([ip_address("127.0.0.1")], port=port, timeout_s=timeout_s)


def test_a_device_that_answers_is_found_once():
    with responding(lambda id_: [answer(match(), related=f"urn:uuid:{id_}")] * 3) as asked:
        (found,) = here(asked[0])
    assert (found.address, found.name) == ("127.0.0.1", "Kim Mã #1")
    assert len(asked) == 2


def test_who_misses_the_first_question_is_asked_again():
    with responding(lambda id_: [answer(match(), related=str(id_))], deaf=1) as asked:
        assert len(here(asked[0], timeout_s=1)) == 1
    assert len(asked) == 3


def test_one_that_answers_other_questions_or_says_too_much_is_bounded():
    def noise(id_: UUID) -> list[bytes]:
        endpoints = (f"urn:uuid:{UUID(int=number)}" for number in range(60))
        many = [answer(match(endpoint=each, scopes=""), related=str(id_)) for each in endpoints]
        return [b"<x/>", answer(match()), *many]

    with responding(noise) as asked:
        assert len(here(asked[0])) == 4


def test_nobody_there_is_nobody_found():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
    assert here(port, timeout_s=0.1) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [("192.0.2.0/28", 14), ("192.0.2.7/28", 14), ("192.0.2.7", 1), ("2001:db8::/126", 3)],
)
def test_a_range_is_its_hosts(text, count):
    assert len(addresses_of(text)) == count


@pytest.mark.parametrize(
    ("text", "large", "told"),
    [
        ("192.0.2", False, "no network range"),
        ("camera.example", False, "no network range"),
        ("10.0.0.0/19", False, "or add --large"),
        ("10.0.0.0/15", True, "ask smaller ranges"),
        ("2001:db8::/64", True, "ask smaller ranges"),
    ],
)
def test_a_range_that_is_none_or_too_large_is_refused(text, large, told):
    with pytest.raises(ConfigError) as caught:
        addresses_of(text, large=large)
    assert told in str(caught.value)
    assert len(addresses_of("10.0.0.0/19", large=True)) == 8190


def test_the_command_lists_and_proposes_and_adds_nothing(capsys):
    with responding(lambda id_: [answer(match(), related=str(id_))]) as asked:
        words = ["device", "discover", "127.0.0.1", "--port", str(asked[0]), "--timeout", "10"]
        assert main(words) == 0
        told = capsys.readouterr().out
        assert main([*words, "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
        assert main([*words, "--toml", "--source", "vms"]) == 0
        proposed = capsys.readouterr().out
    assert f"127.0.0.1  Kim Mã #1  TEST-2CD_1  vietnam hanoi  {ENDPOINT}" in told
    assert (listed["endpoint"], listed["suggested"]["name"]) == (ENDPOINT, "Kim Mã #1")
    (entry,) = register.read(proposed, "proposed.toml")
    assert entry["aliases"] == [{"source_id": "vms", "device_ref": "127.0.0.1"}]


@pytest.mark.parametrize(
    "words", [["10.0.0.0/8"], ["127.0.0.1", "--port", "0"], ["127.0.0.1", "--timeout", "0"],
              ["127.0.0.1", "--source", "no source"]]
)  # fmt: skip
def test_wrong_use_is_told_before_anything_is_sent(words, capsys):
    assert main(["device", "discover", *words]) == 2
    assert "To mend it" in capsys.readouterr().err
