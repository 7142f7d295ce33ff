"""What is wrong with one record of a JSON document costs that record alone, in every connector."""

import json
from pathlib import Path

import pytest

from connectors._formats.flaws import Broken
from connectors._formats.json import a_list, a_number, a_text, an_integer, an_object, parse_json
from hub.discovery import connector
from hub.envelope import Canonical, Rejection
from hub.errors import PayloadError
from hub.testing.samples import DryRun, samples_in

SAMPLES = Path(__file__).parents[1] / "samples"
TWICE = b'{"x": 1, "a": 1, "a": 2}'
FLAWS = {
    "duplicate-key": TWICE,
    "encoding": b'{"x": ["\\ud800"]}',
    "not-a-number": b"NaN",
}
LISTS = {
    "cap": ("warnings",),
    "cifs": ("incidents",),
    "cloudevents": (),
    "dahua_cgi": ("params", "eventList"),
    "datex2": ("payload", "situationSituationPublication", "situation"),
    "deepstream": (),
    "digitraffic": ("features",),
    "frigate": (),
    "gat1400": ("MotorVehicleListObject", "MotorVehicleObject"),
    "genetec": (),
    "gtfs_rt": ("entity",),
    "hikvision_isapi": (),
    "iris": (),
    "lilin": ("INFORMATION",),
    "mapping": ("data", "stations", 0, "lanes"),
    "milesight": (),
    "ngsi": ("data",),
    "nsw_hazards": ("features",),
    "nsw_rfs": ("features",),
    "nws": ("features",),
    "open311": (),
    "open511": ("events",),
    "openalpr": ("results",),
    "plate_recognizer": ("data", "results"),
    "sensorthings": ("value",),
    "survision": (),
    "taiwan_tisv": ("VDLives",),
    "tomtom": ("incidents", "features"),
    "vms_multi": (),
    "waze": ("alerts",),
    "wzdx": ("features",),
}


def found_in(document, path):
    try:
        for step in path:
            document = document[step]
    except (KeyError, IndexError, TypeError):
        return None
    return document


def with_list(name):
    """A sample of the connector that has the list, and its document."""
    for sample in samples_in(SAMPLES / name):
        try:
            document = json.loads(sample.body)
        except ValueError:
            continue
        if not LISTS[name] and isinstance(document, dict):
            document = [document]
        if isinstance(found_in(document, LISTS[name]), list):
            return sample, document
    return None


def results(name, sample, document, hostile=b""):
    body = json.dumps(document).encode().replace(b'"HOSTILE"', hostile)
    return list(DryRun(connector(name), sample).results(sample.payload(body)))


@pytest.mark.parametrize("code", FLAWS)
@pytest.mark.parametrize("name", LISTS)
def test_a_record_with_a_flaw_is_refused_and_no_other(name, code):
    known = with_list(name)
    assert known is not None, "no sample has the list"
    sample, document = known
    before = [each for each in results(name, sample, document) if isinstance(each, Canonical)]
    found_in(document, LISTS[name]).append("HOSTILE")
    after = results(name, sample, document, FLAWS[code])
    assert [each.key for each in after if isinstance(each, Canonical)] == [
        each.key for each in before
    ]
    refused = [each for each in after if isinstance(each, Rejection) and each.code == code]
    assert len(refused) == 1
    assert refused[0].path


def test_a_mapping_refuses_what_stands_around_records_with_all_of_them_but_no_neighbour():
    sample, document = with_list("mapping")
    stations = document["data"]["stations"]
    before = results("mapping", sample, document)
    stations.insert(0, "HOSTILE")
    first, *others = results("mapping", sample, document, TWICE)
    assert (first.code, first.path) == ("duplicate-key", "data/stations[0]/a")
    assert [type(each) for each in others] == [type(each) for each in before]


RECORDS = [("rows",)]


def read(body: bytes, records=RECORDS):
    return parse_json(body, records=records)


def test_a_broken_record_names_what_is_wrong_and_where_from_the_record_on():
    rows = read(b'{"rows": [{"a": 1}, {"b": [0, {"c": 1, "c": 2}]}, {"d": "\\udc00"}]}')["rows"]
    assert rows[0] == {"a": 1}
    assert rows[1:] == [
        Broken("duplicate-key", "the key 'c' stands twice", "/b[1]/c"),
        Broken("encoding", "a lone surrogate in a JSON text", "/d"),
    ]


@pytest.mark.parametrize("access", [an_object, a_list, a_text, a_number])
def test_every_typed_access_refuses_a_broken_record_with_its_cause(access):
    (row,) = read(b'{"rows": [' + TWICE + b"]}")["rows"]
    with pytest.raises(PayloadError) as caught:
        access(row, ("rows", 0))
    assert (caught.value.code, caught.value.path) == ("duplicate-key", "rows[0]/a")
    with pytest.raises(PayloadError, match="stands twice"):
        an_integer(row, ("rows", 0), 0, 9)


def test_a_number_of_a_record_that_is_none_is_null():
    body = b'{"rows": [{"a": NaN, "b": [-Infinity, 1], "c": 1e400, "d": 2.5}]}'
    (row,) = read(body)["rows"]
    assert row == {"a": None, "b": [None, 1], "c": None, "d": 2.5}


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("duplicate-key", b'{"rows": [], "rows": []}'),
        ("duplicate-key", b'{"head": {"a": 1, "a": 2}, "rows": []}'),
        ("not-a-number", b'{"time": NaN, "rows": [{}]}'),
        ("not-a-number", b'{"rows": NaN}'),
        ("encoding", b'{"rows": [{}], "\\ud800": 1}'),
        ("encoding", b'{"rows": [{"a": "\xed\xa0\x80"}]}'),
        ("malformed", b'{"rows": [{"a": 1, "a": 2}, {]}'),
        ("too-deep", b'{"rows": [{"a": NaN}, ' + b"[" * 80 + b"]" * 80 + b"]}"),
    ],
)
def test_what_is_wrong_beside_the_records_refuses_the_document(code, body):
    with pytest.raises(PayloadError) as caught:
        read(body)
    assert caught.value.code == code


def test_no_list_that_was_not_named_holds_records():
    with pytest.raises(PayloadError, match="stands twice"):
        read(b'{"others": [' + TWICE + b"]}")
    with pytest.raises(PayloadError, match="stands twice"):
        read(b'{"rows": [' + TWICE + b"]}", ())


def test_lists_in_lists_and_in_places_of_lists_are_found():
    body = b'{"a": [{"b": [' + TWICE + b", 1]}, {}, 2]}"
    assert isinstance(read(body, [("a", None, "b")])["a"][0]["b"][0], Broken)
    assert isinstance(read(body, [("a", 0, "b")])["a"][0]["b"][0], Broken)
    with pytest.raises(PayloadError):
        read(body, [("a", 1, "b")])
    with pytest.raises(PayloadError):
        read(body, [("a", 7, "b")])


def test_no_path_of_a_refusal_holds_what_no_encoder_takes():
    with pytest.raises(PayloadError) as caught:
        read(b'{"\\ud800": 1, "\\ud800": 2}')
    assert f"{caught.value.path} {caught.value.what}".encode()
    rows = read(b'{"rows": [{"\\ud800": {"a": 1, "a": 2}}]}')["rows"]
    assert f"{rows[0].path} {rows[0].what}".encode()
