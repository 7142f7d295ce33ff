"""The kit must bite: connectors with one fault each, and each fault by its rule."""

import json
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from hub import Connector, Event, Nothing, PayloadError, Rejection
from hub.testing import Sample, check_connector, samples_in, update_expected
from hub.testing.odd import odd_values
from hub.testing.spoilt import cut_alike, huge, respelt, spoilt

AT = datetime(2026, 3, 1, 1, 14, tzinfo=UTC)
PLATE = "30K-555.55"


def plate_read(**more):
    fields = {"kind": "vehicle.passage", "observed_at": AT, "body": {}}
    return Event(noun="plate_read", restricted={"plate": {"raw": PLATE}}, **fields | more)


def problems(tmp_path, parse, *, body=None, sidecar=None, identity=("restricted.plate.raw",)):
    (tmp_path / "a.json").write_bytes(body or json.dumps({"p": PLATE, "at": "x" * 200}).encode())
    if sidecar:
        (tmp_path / "a.json.meta.json").write_text(json.dumps(sidecar))
    faulty = Connector(
        name="faulty",
        title="f",
        parse=parse,
        emits=("plate_read",),
        identity={"plate_read": identity},
    )
    update_expected(faulty, tmp_path)
    return [str(problem) for problem in check_connector(faulty, tmp_path)]


def test_a_connector_without_fault_has_no_problem(tmp_path):
    assert problems(tmp_path, lambda *_: [plate_read()]) == []


def by_receipt(payload, _options):
    yield plate_read(observed_at=payload.received_at)


def only_with_a_right_clock(payload, _options):
    if abs(payload.received_at - AT) < timedelta(days=365):
        yield plate_read()


def in_its_own_zone(_payload, _options):
    yield plate_read(time_quality="ASSUMED_ZONE")


def shifts_what_has_an_offset(_payload, options):
    local = datetime(2026, 3, 1, 8, 14, tzinfo=options.tzinfo)
    yield plate_read(observed_at=local.astimezone(UTC), time_quality="DEVICE")


def stumbles_over_a_mark(payload, _options):
    if not payload.body.startswith(b"{"):
        raise PayloadError("no JSON")
    yield plate_read()


def refuses_in_capitals(_payload, _options):
    yield plate_read()
    yield Rejection(code="Bad_Row", message="m")


def shows_the_plate_in_an_error(_payload, _options):
    yield plate_read()
    yield Rejection(code="bad", message=f"no category for {PLATE}")


def shows_the_plate_when_it_is_no_text(payload, _options):
    try:
        value = json.loads(payload.body)["p"]
    except (ValueError, KeyError, TypeError) as error:
        raise PayloadError("no JSON") from error
    if not isinstance(value, str):
        raise PayloadError(f"{value} is no text")
    yield plate_read()


def shows_the_plate_when_cut(payload, _options):
    try:
        json.loads(payload.body)
    except ValueError as error:
        raise PayloadError(f"no JSON: {payload.body[:40]!r}") from error
    yield plate_read()


def names_the_device_by_the_plate(_payload, _options):
    yield plate_read(device_ref=f"car/{PLATE}")


def logs_the_plate(_payload, _options):
    logging.getLogger("x").debug("read %s", PLATE)
    yield plate_read()


def fails_on_a_long_text(payload, _options):
    if len(payload.body) > 1_000_000:
        raise MemoryError
    yield plate_read()


@pytest.mark.parametrize(
    ("parse", "rule"),
    [
        (by_receipt, "repeatable: received 2 s later"),
        (only_with_a_right_clock, "clocks: with a clock years behind"),
        (in_its_own_zone, "zones: event 0 is ASSUMED_ZONE"),
        (shifts_what_has_an_offset, "zones: event 0 is DEVICE"),
        (stumbles_over_a_mark, "spelling: a byte order mark"),
        (refuses_in_capitals, "sound: outcome 1: a code is kebab-case"),
        (shows_the_plate_in_an_error, "nothing personal: an error holds a personal text"),
        (shows_the_plate_when_it_is_no_text, "nothing personal: an error holds a personal text"),
        (shows_the_plate_when_cut, "hostile input: cut after 64 bytes: malformed: the error holds"),
        (names_the_device_by_the_plate, "nothing personal: header or body holds"),
        (logs_the_plate, "nothing personal: a log line holds"),
        (fails_on_a_long_text, "hostile input: 10 MB of one letter: MemoryError"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_fault_is_found_by_its_rule(tmp_path, parse, rule):
    found = problems(tmp_path, parse)
    assert any(rule in problem for problem in found), found


def test_a_misspelt_field_is_named_with_what_there_is(tmp_path):
    def parse(_payload, _options):
        plate = {"raw": PLATE, "txt": PLATE}
        yield replace(plate_read(body={"lanne": 2}), restricted={"plate": plate})

    found = problems(tmp_path, parse)
    assert sum("body.lanne: no field of PlateReadBody; use " in each for each in found) == 1
    (plate,) = [each for each in found if "restricted.plate.txt: no field of Plate; use" in each]
    assert "a.json: sound: " in plate
    assert "raw" in plate
    assert PLATE not in plate


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("body.lanne", "body.lanne: no field of PlateReadBody; use "),
        ("restricted.plate.rawr", "restricted.plate.rawr: no field of Plate; use "),
        ("header.kind", "header.kind: begin with restricted or body"),
        ("restricted.persons.role", "restricted.persons has no fields by name; name it as a whole"),
    ],
)
def test_an_identity_that_leads_nowhere_is_named(tmp_path, path, why):
    found = problems(tmp_path, lambda *_: [plate_read()], identity=("restricted.plate.raw", path))
    assert any("-: sound: identity of plate_read: " in each and why in each for each in found)


def test_events_with_one_id_are_named_by_their_places_and_the_id_as_it_is_printed(tmp_path):
    found = problems(tmp_path, lambda *_: [plate_read(), Nothing(why="w"), plate_read()])
    (told,) = [each for each in found if "unique ids" in each]
    assert re.search(r"outcomes 0 and 2 have the id [0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-", told)
    assert "or yield a repeated record once" in told


def test_a_parser_that_fails_is_told_its_own_line_and_none_of_the_data(tmp_path):
    def parse(payload, _options):
        if len(payload.body) < 200:
            int(PLATE)
        yield plate_read()

    found = problems(tmp_path, parse)
    (told,) = [each for each in found if "hostile input" in each]
    assert "ValueError at test_kit.py:" in told
    assert told.endswith(", in parse: int(PLATE)")


def test_no_problem_repeats_the_personal_text(tmp_path):
    for parse in (shows_the_plate_in_an_error, names_the_device_by_the_plate, logs_the_plate):
        found = [each for each in problems(tmp_path, parse) if "nothing personal" in each]
        assert found
        assert not any(PLATE in each for each in found)


def test_a_sidecar_names_what_else_is_personal(tmp_path):
    def parse(_payload, _options):
        yield plate_read(body={"vehicle_make": "reported by Trần Thị Thử"})

    assert problems(tmp_path, parse) == []
    named = problems(tmp_path, parse, sidecar={"personal": ["Trần Thị Thử"]})
    assert any("nothing personal: header or body holds" in each for each in named)


def test_line_ends_may_not_change_what_is_read(tmp_path):
    def parse(payload, _options):
        for line in payload.body.split(b"\r\n"):
            if line:
                yield plate_read(native_id=str(len(line)), kind="vehicle.passage")

    found = problems(tmp_path, parse, body=b'{"a": 1,\r\n"b": 2}\r\n')
    assert any("spelling: line ends LF" in each for each in found)


def test_a_large_sample_is_spoilt_no_more_often_than_its_bytes_allow():
    small, large = (Sample(name="s", body=b'{"a": 1}' * (size // 8)) for size in (4_096, 2**20))
    assert 150 > len(list(spoilt(small))) > len(list(spoilt(large))) > 16
    assert {64, 128, 4_032} <= {len(payload.body) for _, payload in spoilt(small)}


def test_every_bad_shape_is_tried(tmp_path):
    (tmp_path / "a.xml").write_text("<a>\n<b/>\n</a>\n")
    (sample,) = samples_in(tmp_path)
    tried = {name.split("'")[0].strip() for name, _ in (*spoilt(sample), *huge(sample))}
    assert {"an empty body", "blanks alone", "content type", "encoded as utf-16"} <= tried
    assert {"10 MB of one tag", "10 MB of blanks in it", "100000 elements below its root"} <= tried
    assert [name for name, _ in respelt(sample)] == ["a byte order mark", "line ends CR LF"]


def test_an_odd_value_stands_alone_in_place_of_one_of_the_samples(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, "b"], "c": {"d": null}}')
    (tmp_path / "a.xml").write_text('<a b="1"><c>2</c></a>')
    (tmp_path / "a.txt").write_text("a[0].b=1\nc=2\n")
    lists, text, xml = samples_in(tmp_path)
    assert (lists.name, text.name, xml.name) == ("a.json", "a.txt", "a.xml")

    def all_of(sample):
        return {payload.body for _, payload in odd_values(sample, 9_999)}

    assert all_of(lists) >= {
        b'{"a": [NaN, "b"], "c": {"d": null}}',
        b'{"a": [1, "\\ud800"], "c": {"d": null}}',
        b'{"a": [1, "b"], "c": {"d": []}}',
    }
    assert all_of(xml) >= {b'<a b="1"><c>-1</c></a>', b'<a b=""><c>2</c></a>'}
    assert all_of(text) >= {b"a[0].b=NaN\nc=2\n", b"a[0].b=1\nc=true\n"}
    few = list(odd_values(lists, 7))
    assert len(few) == 7
    assert few == list(odd_values(lists, 7))


def test_an_odd_value_that_makes_an_event_absurd_is_told(tmp_path):
    def parse(payload, _options):
        yield plate_read(body={"speed_kmh": json.loads(payload.body)["v"]})

    found = problems(tmp_path, parse, body=b'{"v": 3.5}')
    assert any(
        "-1 in place of the value at byte 6" in each and "body.speed_kmh is -1" in each
        for each in found
    )
    assert any("parser-defect" in each or "JSONDecodeError" in each for each in found)


class Lines:
    """Splits at line ends; `forgets` drops what a chunk leaves unfinished."""

    def __init__(self, _content_type, _max_bytes, *, forgets=False):
        self.rest, self.forgets = b"", forgets

    def feed(self, data):
        *whole, rest = (self.rest + data).split(b"\n")
        self.rest = b"" if self.forgets else rest
        return whole

    def close(self):
        return [self.rest] if self.rest else []


@pytest.mark.parametrize("body", [b"", b"a", b"a\nbc\n" * 50 + b"end"])
def test_a_stream_may_come_in_any_chunks(body):
    sample = Sample(name="s", body=body)
    assert cut_alike(Lines, sample)
    if len(body) > 1:
        assert not cut_alike(partial(Lines, forgets=True), sample)
