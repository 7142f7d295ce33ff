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
from hub.testing.samples import DryRun, Sample, samples_in

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
