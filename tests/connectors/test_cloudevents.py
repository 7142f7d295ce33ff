"""CloudEvents: modes, what names an event, what is handed on, and what is refused."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.cloudevents import connector
from hub.connector import Nothing, Rejection
from hub.discovery import connector as connector_named
from hub.discovery import options_of
from hub.envelope import Canonical, InnerRejection
from hub.errors import ConfigError
from hub.testing import Sample, decoded, dry_run

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples"
SHARED = ROOT.parent / "shared" / "samples" / "alert" / "cloudevents"
AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
MAPPING = {
    "name": "apps",
    "title": "apps",
    "format": "json",
    "identity": ["body.rule"],
    "event": {
        "noun": "detection",
        "kind": {"constant": "app.event"},
        "device_ref": {"meta": "ce.source"},
    },
    "body": {"rule": {"path": "rule", "required": True}},
}
OPTIONS = {"connector": "mapping", "options": {"mapping": MAPPING}}


def cloud_event(**more):
    attributes = {"specversion": "1.0", "type": "t", "source": "/s", "id": "1"}
    return {**attributes, "data": {"rule": "r"}, **more}


def without(event, *names):
    return {name: value for name, value in event.items() if name not in names}


def results(value, *, options=None, content_type="application/cloudevents+json", meta=None):
    body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    sample = Sample(
        name="s",
        body=body,
        content_type=content_type,
        received_at=AT,
        options=options or OPTIONS,
        meta=meta or {},
    )
    return list(dry_run(connector, sample))


def event(value, **more):
    (found,) = results(value, **more)
    assert isinstance(found, Canonical), found
    return decoded(found)


def header(value, **more):
    return event(value, **more)["header"]


def test_source_and_id_name_an_event_wherever_it_is_sent_again():
    alone = header(cloud_event())["event_id"]
    other = cloud_event(id="2", data={"rule": "x"})
    in_a_batch = [decoded(each)["header"]["event_id"] for each in results([other, cloud_event()])]
    assert in_a_batch[1] == alone
    assert header(cloud_event(source="/t"))["event_id"] != alone
    assert header(cloud_event(id="2"))["event_id"] != alone


def test_an_event_twice_in_a_batch_is_read_once_and_one_with_other_data_is_kept():
    first, again, other = results([cloud_event(), cloud_event(), cloud_event(data={"rule": "x"})])
    assert again == Nothing(why="the same CloudEvent again")
    assert decoded(first)["header"]["event_id"] != decoded(other)["header"]["event_id"]


def test_the_time_is_for_reports_that_tell_none():
    found = header(cloud_event(time="2026-03-01T01:14:00Z"))
    assert found["observed_at"] == datetime(2026, 3, 1, 1, 14, tzinfo=UTC)
    assert (found["time_quality"], found["quality_flags"]) == ("DEVICE", ["time_of_envelope"])
    assert found["event_id"] == header(cloud_event())["event_id"]
    warning = (SAMPLES / "cap" / "1_alert.xml").read_text("utf-8")
    wrapped = cloud_event(
        time="2020-01-01T00:00:00Z", datacontenttype="application/xml", data=warning
    )
    own = header(wrapped, options={"connector": "cap"})
    assert own["observed_at"] == datetime(2026, 11, 20, 7, 5, tzinfo=UTC)
    assert "time_of_envelope" not in own["quality_flags"]


@pytest.mark.parametrize("time", [None, "", "not yet"])
def test_a_time_that_is_absent_or_unreadable_costs_nothing_else(time):
    found = header(cloud_event(time=time))
    assert (found["observed_at"], found["time_quality"]) == (None, "RECEIVED")


@pytest.mark.parametrize("name", ["subject", "time", "dataschema", "anextension"])
def test_null_is_as_good_as_absent(name):
    assert event(cloud_event(**{name: None})) | {"header": 0} == event(cloud_event()) | {
        "header": 0
    }


def test_the_ids_and_refusals_are_of_the_connector_inside():
    found = header(cloud_event())["origin"]
    assert (found["connector"], found["connector_version"]) == ("mapping", "1+apps.1")
    (refused,) = results([cloud_event(data={"rule": None})])
    assert isinstance(refused, InnerRejection)
    assert (refused.component, refused.path) == ("mapping", "[0]/data/rule")


def test_what_is_inside_gives_the_same_ids_as_without_the_envelope():
    body = (SAMPLES / "spat" / "frame_giai_phong.json").read_bytes()
    received = datetime(2026, 11, 20, 1, 15, 20, tzinfo=UTC)
    bare = Sample(name="s", body=body, content_type="application/json", received_at=received)
    (plain,) = dry_run(connector_named("spat"), bare)
    (inside,) = results(cloud_event(data=json.loads(body)), options={"connector": "spat"})
    assert decoded(inside)["header"]["event_id"] == decoded(plain)["header"]["event_id"]


def test_every_event_of_a_batch_is_refused_alone():
    found = results([cloud_event(id=""), 7, cloud_event(), cloud_event(specversion="0.3")])
    assert [type(each) for each in found] == [Rejection, Rejection, Canonical, Rejection]
    assert [each.path for each in found if isinstance(each, Rejection)] == [
        "[0]/id",
        "[1]",
        "[3]/specversion",
    ]


def test_an_empty_batch_holds_no_record():
    assert results([]) == [Nothing(why="the payload holds no record")]


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"id": None}, "missing-field", "id"),
        ({"id": 7}, "wrong-type", "id"),
        ({"source": ""}, "missing-field", "source"),
        ({"type": []}, "wrong-type", "type"),
        ({"specversion": None}, "missing-field", "specversion"),
        ({"specversion": "2.0"}, "unsupported-version", "specversion"),
        ({"data_base64": "e30="}, "ambiguous", ""),
        ({"data": None, "data_base64": "{}"}, "encoding", "data_base64"),
        ({"datacontenttype": "text/xml"}, "wrong-type", "data"),
        ({"anextension": "x" * 5_000}, "too-large", "anextension"),
        ({f"ext{n}": "x" for n in range(80)}, "too-many", ""),
    ],
)
def test_what_is_no_cloud_event_is_refused_with_its_place(changes, code, path):
    (refused,) = results(cloud_event(**changes))
    assert (refused.code, refused.path) == (code, path)


def test_data_are_json_unless_their_type_says_otherwise():
    text = {"connector": "cap"}
    warning = (SAMPLES / "cap" / "1_alert.xml").read_text("utf-8")
    as_text = cloud_event(datacontenttype="application/cap+xml", data=warning)
    as_bytes = without(as_text, "data") | {
        "data_base64": base64.b64encode(warning.encode()).decode()
    }
    assert event(as_text, options=text)["body"] == event(as_bytes, options=text)["body"]
    # A text without a type is a JSON text, not a document.
    (refused,) = results(without(as_text, "datacontenttype"), options=text)
    assert isinstance(refused, InnerRejection)


@pytest.mark.parametrize(
    "type_", ["application/json", "application/json; charset=utf-8", "application/vnd.x+json"]
)
def test_json_by_any_name_is_json(type_):
    assert event(cloud_event(datacontenttype=type_))["body"]["rule"] == "r"


def test_an_event_without_data_is_nothing():
    assert results(without(cloud_event(), "data")) == [Nothing(why="a CloudEvent without data")]


HEADERS = {"header.ce-specversion": "1.0", "header.ce-type": "t", "header.ce-id": "1"}


def test_binary_mode_is_the_same_event_and_its_content_type_may_be_missing():
    meta = {**HEADERS, "header.ce-source": "/s"}
    for type_ in ("application/json", ""):
        found = header({"rule": "r"}, content_type=type_, meta=meta)
        assert found["event_id"] == header(cloud_event())["event_id"]
    kafka = {name.replace("ce-", "ce_"): text for name, text in meta.items()}
    assert header({"rule": "r"}, content_type="", meta=kafka)["device_ref"] == "/s"


@pytest.mark.parametrize(
    ("written", "read"),
    [("/gi%E1%BA%A3i-ph%C3%B3ng", "/giải-phóng"), ('"a \\"b\\""', 'a "b"'), ("100%25", "100%")],
)
def test_headers_are_unquoted_and_percent_decoded_once(written, read):
    meta = {**HEADERS, "header.ce-source": written}
    assert header({"rule": "r"}, content_type="", meta=meta)["device_ref"] == read


def test_a_header_that_is_no_utf8_behind_the_percent_signs_is_refused():
    (refused,) = results(
        {"rule": "r"}, content_type="", meta={**HEADERS, "header.ce-source": "%C0%A0"}
    )
    assert (refused.code, refused.path) == ("encoding", "source")


def test_binary_mode_without_a_mandatory_header_is_refused():
    (refused,) = results({"rule": "r"}, content_type="application/json", meta=HEADERS)
    assert (refused.code, refused.path) == ("missing-field", "source")


@pytest.mark.parametrize("type_", ["", "application/json", "text/plain"])
def test_a_mode_that_is_announced_wrongly_is_told_by_the_body(type_):
    assert event(cloud_event(), content_type=type_)["body"]["rule"] == "r"
    batch = [cloud_event(), cloud_event(id="2")]
    assert len(results(batch, content_type=type_)) == 2
    assert len(results(batch)) == 2


def test_another_format_of_the_envelope_is_refused_as_such():
    (refused,) = results(b"\0\1", content_type="application/cloudevents+avro")
    assert refused.code == "unsupported-format"


def test_the_type_chooses_the_connector_and_the_longest_beginning_wins():
    other = {**MAPPING, "event": {**MAPPING["event"], "kind": {"constant": "other"}}}
    options = {
        **OPTIONS,
        "types": {
            "vn.*": {"connector": "mapping", "options": {"mapping": other}},
            "vn.hanoi.*": {"connector": "mapping", "options": {"mapping": MAPPING}},
        },
        "ignore": ["vn.hanoi.ping"],
    }
    assert header(cloud_event(type="vn.x"), options=options)["kind"] == "other"
    assert header(cloud_event(type="vn.hanoi.x"), options=options)["kind"] == "app.event"
    assert header(cloud_event(type="t"), options=options)["kind"] == "app.event"
    (ignored,) = results(cloud_event(type="vn.hanoi.ping"), options=options)
    assert isinstance(ignored, Nothing)
    (unknown,) = results(cloud_event(type="t"), options={"types": options["types"]})
    assert (unknown.code, unknown.path) == ("unknown-type", "type")


def test_cloud_events_in_cloud_events_end_at_the_third():
    options = {"connector": "cap"}
    value = {}
    for _ in range(4):
        options = {"connector": "cloudevents", "options": options}
        value = cloud_event(data=value)
    (refused,) = results(value, options=options["options"])
    assert refused.code == "too-deep"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "no connector is named that reads what is inside"),
        ({"connector": "capp"}, "no connector is named 'capp'"),
        ({"connector": "cap", "options": {"zonne": "x"}}, "connector cap has no option 'zonne'"),
        ({"types": {"t": {"connector": "mapping"}}}, "it needs file"),
        (
            {"types": {"t": {"connector": "spat", "options": {"zone": "Mars"}}}},
            "types.t.options zone",
        ),
    ],
)
def test_a_wrong_entry_is_wrong_configuration(options, said):
    with pytest.raises(ConfigError) as caught:
        options_of(connector, options, where="source.x.options")
    assert said in str(caught.value)


def test_the_zone_of_the_source_is_that_of_what_is_inside():
    timed = {**MAPPING, "event": {**MAPPING["event"], "observed_at": "at"}}
    options = {"connector": "mapping", "options": {"mapping": timed}, "zone": "Asia/Tokyo"}
    found = header(cloud_event(data={"rule": "r", "at": "2026-03-01 10:14:00"}), options=options)
    assert found["observed_at"] == datetime(2026, 3, 1, 1, 14, tzinfo=UTC)


APP = {**MAPPING, "body": {"rule": "appinfoA"}}
EXPECTED = {
    # Files of the specification: data that is an object gives one event; a text or bytes of a
    # format nobody reads is refused by the connector inside; "…" is no base64.
    "http_binary_1.txt": ["malformed"],
    "http_binary_3.txt": ["abc"],
    "http_binary_5.txt": ["nothing-mapped"],
    "json_format_1.json": ["encoding"],
    "json_format_3.json": ["abc"],
    "json_format_5.json": ["nothing-mapped"],
    "json_format_7.json": ["encoding", "abc"],
}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", EXPECTED)
def test_shared_samples_give_what_the_specification_says(name):
    body, meta, type_ = (SHARED / name).read_bytes(), {}, "application/cloudevents+json"
    if name.startswith("http"):
        head, _, body = body.partition(b"\n\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        type_ = headers.pop("content-type")
        meta = {f"header.{key}": text for key, text in headers.items()}
    options = {"connector": "mapping", "options": {"mapping": APP}}
    found = results(body, options=options, content_type=type_, meta=meta)
    assert [
        decoded(each)["body"]["rule"] if isinstance(each, Canonical) else each.code
        for each in found
    ] == EXPECTED[name]
    times = [
        decoded(each)["header"]["observed_at"] for each in found if isinstance(each, Canonical)
    ]
    assert all(at.year == 2018 for at in times)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_every_shared_sample_is_expected():
    assert {path.name for path in SHARED.iterdir()} - {"SOURCES.tsv"} == set(EXPECTED)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(
        ["specversion", "id", "source", "type", "time", "data", "datacontenttype", "x"]
    ),
    st.none() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=2),
)
def test_an_attribute_of_any_kind_costs_at_most_its_event(name, junk):
    first, _, third = results(
        [cloud_event(), {**cloud_event(id="2"), name: junk}, cloud_event(id="3")]
    )
    assert isinstance(first, Canonical)
    assert isinstance(third, Canonical)
