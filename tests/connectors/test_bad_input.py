"""Hostile JSON and XML inside what each connector reads: refused, nothing opened, nothing fetched.

`test_json.py` and `test_xml.py` try the readers; here each connector is shown to have no other one.
Cut, huge, deep and otherwise encoded payloads are tried by the conformance suite.
"""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from hub.discovery import connector, connector_names
from hub.envelope import Rejection
from hub.parsing import EVENT_MAX
from hub.testing.samples import DryRun, Sample, decoded, dry_run, samples_in

SAMPLES = Path(__file__).parents[1] / "samples"
OUTSIDE = (
    "socket.connect",
    "socket.getaddrinfo",
    "urllib.Request",
    "subprocess.Popen",
    "os.system",
)
DEFECTS = {"parser-defect", "schema-mismatch", "undeclared-noun"}

JSON = {
    "NaN": (b"NaN", "not-a-number"),
    "Infinity": (b"-Infinity", "not-a-number"),
    "1e400": (b"1e400", "not-a-number"),
    "200,000 nested brackets": (b"[" * 200_000 + b"]" * 200_000, "too-deep"),
    "an integer of 5,000 digits": (b"9" * 5_000, "malformed"),
    "two plates of one name": (b'{"plate": "29A-1", "plate": "29A-2"}', "duplicate-key"),
    "a lone surrogate": (b'"\\ud800"', "encoding"),
}
LAUGHS = b"".join(b'<!ENTITY x%d "%s">' % (n, b"&x%d;" % (n - 1) * 10) for n in range(1, 10))
XML = {
    "a billion laughs": b'<!ENTITY x0 "ha">' + LAUGHS + b'<!ENTITY x "&x9;">',
    "quadratic blow-up": b'<!ENTITY x "' + b"x" * 50_000 + b'">',
    "a file of this machine": b'<!ENTITY x SYSTEM "file:///etc/hostname">',
    "an address of the network": b'<!ENTITY x SYSTEM "http://169.254.169.254/latest/">',
    "a parameter entity from elsewhere": (
        b'<!ENTITY % p SYSTEM "http://127.0.0.1:9/a.dtd"> %p; <!ENTITY x "a">'
    ),
}
XINCLUDE = (
    b'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="/etc/hostname" parse="text"/>'
)

LONG = "Mưa lớn " * 200_000
CAP = (
    "<alert><identifier>A-1</identifier><sender>s@hanoi.example</sender>"
    "<sent>2026-11-20T09:00:00+07:00</sent><status>Actual</status><msgType>Alert</msgType>"
    "<scope>Public</scope>{}<info><event>Mưa</event>{}</info></alert>"
)
AREA = (
    "<area><areaDesc>Phường {0}</areaDesc>"
    "<geocode><valueName>x</valueName><value>{0}</value></geocode></area>"
)
SITUATION = (
    '<payload xsi:type="r:SituationPublication" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><situation id="S1">'
    '<situationRecord xsi:type="x:Accident" id="R1" version="1">{}'
    "</situationRecord></situation></payload>"
)
COMMENT = (
    "<generalPublicComment><comment><values><value>{}</value></values></comment>"
    "</generalPublicComment>"
)
VMS = (
    '<payload xsi:type="r:VmsPublication" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    '<vmsUnit><vmsUnitReference id="U1"/><vms vmsIndex="1"><vms><vmsMessage><vmsMessage>'
    "<textPage><vmsText>{}</vmsText></textPage></vmsMessage></vmsMessage></vms></vms></vmsUnit>"
    "</payload>"
)
INCIDENT = (
    '[{{"name": "I2", "event_date": "2026-11-20T18:40:00+07:00", '
    '"description": "Incident CRASH", "{}": "{}"}}]'
)
# Of each event that no record has room for: connector, payload, flags.
MEGABYTES = {
    "cap text": ("cap", CAP.format("", f"<description>{LONG}</description>"), {"text_cut"}),
    "cap note": ("cap", CAP.format(f"<note>{LONG}</note>", ""), {"text_cut"}),
    "cap polygon": (
        "cap",
        CAP.format("", f"<area><polygon>{'21.001,105.801 ' * 90_000}</polygon></area>"),
        {"polygons_cut"},
    ),
    "cap areas": (
        "cap",
        CAP.format("", "".join(map(AREA.format, range(20_000)))),
        {"areas_cut", "areas_reported_cut"},
    ),
    "cap blocks": (
        "cap",
        CAP.format("", "</info><info>".join(["<event>Mưa</event>"] * 20_000)),
        {"infos_cut"},
    ),
    "datex2 text": ("datex2", SITUATION.format(COMMENT.format(LONG)), {"text_cut"}),
    "datex2 texts": ("datex2", SITUATION.format(COMMENT.format(LONG[:19_000]) * 60), {"text_cut"}),
    "datex2 codes": (
        "datex2",
        SITUATION.format(
            '<locationReference><predefinedLocationReference id="L-1234567890" version="1"/>'
            "</locationReference>" * 40_000
        ),
        {"location_codes_cut"},
    ),
    "datex2 sign": ("datex2", VMS.format(f"<vmsTextLine>{LONG}</vmsTextLine>"), {"text_cut"}),
    "iris detail": ("iris", INCIDENT.format("detail", LONG), {"text_cut"}),
    "iris location": ("iris", INCIDENT.format("location", LONG), {"text_cut"}),
    "vms_multi text": ("vms_multi", f'[{{"id": "S1", "message_text": "{LONG}"}}]', {"text_cut"}),
    "vms_multi lines": (
        "vms_multi",
        f'[{{"id": "S1", "message_text": "{"MƯA LỚN[nl]" * 150_000}"}}]',
        {"lines_cut"},
    ),
    "vms_multi pictures": (
        "vms_multi",
        f'[{{"id": "S1", "message_text": "{"[g123456]" * 150_000}"}}]',
        {"pictograms_cut"},
    ),
}

_DOCTYPE = re.compile(rb"<!DOCTYPE[^>\[]*(\[.*?\])?\s*>", re.DOTALL)


class Watch:
    """Hears of everything that this process opens, while it is told to listen."""

    def __init__(self) -> None:
        self.on = False
        self.heard: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if self.on and (event in OUTSIDE or (event == "open" and "/etc/" in str(arguments[0]))):
            self.heard.append(f"{event} {arguments}")


@cache
def watch() -> Watch:
    """One for all: a hook can't be taken away."""
    return Watch()


@contextmanager
def nothing_outside() -> Iterator[None]:
    """Fails when anything was connected to or started, or read below /etc."""
    watch().heard.clear()
    watch().on = True
    try:
        yield
    finally:
        watch().on = False
    assert watch().heard == []


@cache
def of_form(start: bytes) -> list[tuple[str, Sample]]:
    """One sample of each connector that reads documents which begin so."""
    found = []
    for name in connector_names():
        for sample in samples_in(SAMPLES / name):
            if sample.body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(start):
                found.append((name, sample))
                break
    return found


def codes(name: str, sample: Sample, body: bytes) -> set[str]:
    """Of a payload's refusals; no refusal at all is none."""
    results = list(DryRun(connector(name), sample).results(sample.payload(body)))
    return {result.code for result in results if isinstance(result, Rejection)}


def in_json(sample: Sample, value: bytes) -> bytes:
    return sample.body.replace(b"{", b'{"hostile": ' + value + b", ", 1)


def in_xml(sample: Sample, declared: bytes, inside: bytes) -> bytes:
    body = _DOCTYPE.sub(b"", sample.body, count=1)
    root = re.search(rb"<([A-Za-z_][\w:.-]*)[^>]*[^/>]?>", body)
    assert root is not None
    head, rest = body[: root.start()], body[root.end() :]
    doctype = b"<!DOCTYPE " + root[1] + b" [" + declared + b"]>" if declared else b""
    return head + doctype + root[0] + inside + rest


def unexpected(found: dict[str, set[str]], code: str) -> dict[str, set[str]]:
    """Who did not refuse it so; a stream or lines may be refused piece by piece."""
    return {name: given for name, given in found.items() if code not in given or given & DEFECTS}


@pytest.mark.parametrize("entry", JSON)
def test_hostile_json_is_refused_by_every_connector(entry):
    value, code = JSON[entry]
    assert len(of_form(b"{")) > 15
    with nothing_outside():
        found = {
            name: codes(name, sample, in_json(sample, value)) for name, sample in of_form(b"{")
        }
    assert unexpected(found, code) == {}


@pytest.mark.parametrize("entry", XML)
def test_hostile_xml_is_refused_by_every_connector(entry):
    assert len(of_form(b"<")) > 10
    with nothing_outside():
        found = {
            name: codes(name, sample, in_xml(sample, XML[entry], b"&x;"))
            for name, sample in of_form(b"<")
        }
    assert unexpected(found, "xml-entities") == {}


def test_xinclude_is_an_element_like_any_other_and_includes_nothing():
    with nothing_outside():
        for name, sample in of_form(b"<"):
            assert codes(name, sample, in_xml(sample, b"", XINCLUDE)) & DEFECTS == set(), name


def test_members_named_like_pythons_own_are_members_like_any_other():
    hostile = b'{"__class__": "os", "__proto__": {"plate": 1}, "__init__": null}'
    for name, sample in of_form(b"{"):
        assert codes(name, sample, in_json(sample, hostile)) == codes(name, sample, sample.body), (
            name
        )


@pytest.mark.parametrize("entry", MEGABYTES)
def test_an_event_of_megabytes_fits_into_a_record_of_kafka_with_what_is_too_much_cut(entry):
    name, body, flags = MEGABYTES[entry]
    (found,) = dry_run(connector(name), Sample(name="x", body=body.encode()))
    assert len(found.value) <= EVENT_MAX
    assert flags <= set(decoded(found)["header"]["quality_flags"])


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda: Path("/etc/passwd").read_bytes(),
        lambda: socket.getaddrinfo("127.0.0.1", 9),
    ],
)
def test_the_watch_hears_what_is_opened_and_asked_for(forbidden):
    with pytest.raises(AssertionError, match=r"passwd|getaddrinfo"), nothing_outside():
        forbidden()
