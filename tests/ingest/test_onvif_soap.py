"""ONVIF's SOAP: what is asked, and what answers say, whatever they say."""

from base64 import b64decode
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.ingest.sources.onvif_soap import (
    Target,
    create,
    envelope,
    fault_of,
    lease_of,
    pull,
    reachable,
    read,
    renew,
    seconds_of,
    system_time,
    target_of,
    token,
    utc,
)


def test_the_digest_of_a_password_is_the_one_of_the_programmers_guide():
    proof = token(
        "user",
        "userpassword",
        created="2010-09-16T07:50:45Z",
        nonce=b64decode("LKqI6G/AikKCQrN0zqZFlg=="),
    )
    assert '#PasswordDigest">tuOSpGlFlIXsozq4HFNeeGeFLEI=</wsse:Password>' in proof


@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])),
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])),
)
def test_whatever_a_camera_or_an_entry_says_a_request_is_a_document(address, user):
    proof = token(user, "p", created="2026-03-14T00:00:00Z", nonce=b"n")
    request = create(("tns1:A//.",), {"tns1": 'http://x/"<&'}, "PT60S")
    target = Target("http://camera/", address)
    for asked in (request, renew("PT60S")):
        root = fromstring(envelope(asked, target, message_id="1", proof=proof))
        names = [str(each.tag).rpartition("}")[2] for each in root.iter()]
        assert names.count("To") == names.count("Username") == names.count("Body") == 1


STAMPS = {
    "2026-03-14T00:46:03Z": 0.0,
    "2026-03-14T00:46:03": 0.0,
    "2026-03-14T00:46:03.5Z": 0.5,
    "2026-03-14T07:46:03+07:00": 0.0,
    "2026-03-14T07:46:03+0700": 0.0,
    "2026-03-13T22:46:03-02:00": 0.0,
    "2026-03-14T00:45:63Z": 0.0,
    "2026-03-13T23:106:03Z": None,
    "2026-03-14T00:61:03Z": 900.0,
    "2026-02-30T00:46:03Z": None,
    "0000-01-01T00:00:00Z": None,
    "PT60S": None,
    "": None,
}


@pytest.mark.parametrize("stamp", STAMPS)
def test_a_stamp_is_read_also_with_minute_61_and_without_a_zone(stamp):
    base, after = datetime(2026, 3, 14, 0, 46, 3, tzinfo=UTC).timestamp(), STAMPS[stamp]
    assert seconds_of(stamp) == (None if after is None else base + after)


@pytest.mark.parametrize(
    ("wait_s", "asked"), [(17.383, "PT17S"), (30.0, "PT30S"), (0.123, "PT0.12S"), (0.0, "PT0S")]
)
def test_an_answer_is_waited_for_in_whole_seconds_as_not_all_cameras_read_others(wait_s, asked):
    assert f"<tev:Timeout>{asked}</tev:Timeout>" in pull(wait_s, 10).body


@given(st.floats(-1e12, 1e15))
def test_a_time_that_is_told_is_the_one_that_is_read_and_no_clock_is_too_wrong(seconds):
    found = seconds_of(utc(seconds))
    assert found == min(max(int(seconds), 0), seconds_of("9999-12-31T23:59:59Z"))


HOST = st.sampled_from(["cam.example", "10.0.0.5", "[fd00::5]"])
PORT = st.sampled_from(["", ":80", ":8080", ":0", ":99999", ":x"])
TOLD = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{}://{}{}{}{}".format,
        st.sampled_from(["http", "https", "HTTP", "file", "gopher", "urn"]),
        st.sampled_from(["", "u:p@", "cam.example@"]),
        st.sampled_from(["", "evil.example", "127.0.0.1", "[::1", "[::1]", "10.0.0.5"]),
        PORT,
        st.text(max_size=20),
    ),
)


@given(told=TOLD, scheme=st.sampled_from(["http", "https"]), host=HOST, port=st.booleans())
def test_whatever_address_a_camera_tells_no_other_host_is_asked(told, scheme, host, port):
    asked = f"{scheme}://{host}{':8000' if port else ''}/onvif/device_service"
    found = urlsplit(reachable(told, asked, peer="10.0.0.5", keep_port=True))
    wanted = urlsplit(asked)
    assert (found.scheme, found.netloc) == (wanted.scheme, wanted.netloc)
    loose = urlsplit(reachable(told, asked, peer="10.0.0.5"))
    assert (loose.scheme, loose.hostname, loose.username) == (scheme, wanted.hostname, None)


@pytest.mark.parametrize(
    ("told", "asked", "found"),
    [
        ("http://10.0.0.5:1024/event-1", "http://10.0.0.5/x", "http://10.0.0.5:1024/event-1"),
        ("http://10.0.0.5:1024/e", "http://cam.example/x", "http://cam.example:1024/e"),
        ("http://10.0.0.5/e", "http://10.0.0.5:8080/x", "http://10.0.0.5:8080/e"),
        ("http://192.168.1.9:80/e?Idx=0", "http://10.0.0.5:8081/x", "http://10.0.0.5:8081/e?Idx=0"),
        ("http://10.0.0.5:80/e", "https://10.0.0.5/x", "https://10.0.0.5/e"),
        ("", "http://10.0.0.5/x", "http://10.0.0.5/x"),
    ],
)
def test_a_path_is_taken_and_a_port_from_the_camera_itself(told, asked, found):
    assert reachable(told, asked, peer="10.0.0.5") == found


def test_how_long_a_subscription_lives_is_by_the_cameras_clock_or_not_known():
    def lease(now: str, ends: str):
        text = f"<r><CurrentTime>{now}</CurrentTime><TerminationTime>{ends}</TerminationTime></r>"
        return lease_of(fromstring(text))

    assert lease("2008-10-10T12:24:58", " 2008-10-10T12:25:58Z\n").left_s == 60
    assert lease("2008-10-10T12:25:58Z", "2008-10-10T12:25:58Z") is None
    assert lease("2008-10-10T12:25:58Z", "2038-01-19T03:14:07Z") is None
    assert lease("", "2008-10-10T12:25:58Z") is None
    renewed = fromstring("<r><TerminationTime>1970-01-01T00:02:00Z</TerminationTime></r>")
    assert lease_of(renewed, now=60.0).left_s == 60


def test_a_camera_that_tells_only_its_local_time_tells_no_clock():
    local = "<r><LocalDateTime><Time><Hour>1</Hour></Time></LocalDateTime></r>"
    assert system_time(fromstring(local)) is None
    broken = "<r><UTCDateTime><Hour>x</Hour></UTCDateTime></r>"
    assert system_time(fromstring(broken)) is None


def test_a_fault_tells_its_codes_and_no_other_words():
    text = (
        "<Envelope><Body><Fault><Code><Value>s:Receiver</Value><Subcode><Value> wsrf-rw:Resource"
        "UnknownFault </Value></Subcode></Code><Reason><Text>of admin</Text></Reason><Detail>"
        "<Text>x</Text></Detail></Fault></Body></Envelope>"
    )
    fault = fault_of(fromstring(text))
    assert fault.codes == ("Receiver", "ResourceUnknownFault")
    assert fault.is_unknown
    assert not fault.is_refusal


@given(st.binary(max_size=200))
def test_bytes_are_a_document_or_not(body):
    root = read(b"<a>" + body)
    assert root is None or root.tag == "a"
    assert read(b"\xef\xbb\xbf\r\n<a/>\0").tag == "a", "blanks and a mark are no part of it"


def test_parameters_are_given_back_as_they_came():
    answer = fromstring(
        '<r xmlns:a="http://www.w3.org/2005/08/addressing"><SubscriptionReference><a:Address>'
        "http://cam/onvif/services</a:Address><a:ReferenceParameters>\n"
        '<d:Id xmlns:d="http://d/" d:kind="x">1 &amp; 2</d:Id>\n<other/></a:ReferenceParameters>'
        "</SubscriptionReference></r>"
    )
    address, parameters = target_of(answer)
    assert address == "http://cam/onvif/services"
    identifier, other = fromstring(f"<h>{parameters}</h>")
    assert (identifier.tag, identifier.text) == ("{http://d/}Id", "1 & 2")
    assert identifier.attrib["{http://d/}kind"] == "x"
    assert other.tag == "other"
