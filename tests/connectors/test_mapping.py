# more than 400 lines: every rule of a mapping, in one place
"""Mappings: what they read, what they refuse, and what is said of a wrong one."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mapping import Options, connector
from connectors.mapping.tree import hops_of, path_of
from hub.cli import main
from hub.config import TEST_ID_KEY
from hub.connector import Nothing, Payload, Rejection
from hub.envelope import Canonical, Envelope, InnerRejection, RawRef
from hub.errors import ConfigError
from hub.testing import Sample, decoded, dry_run, options_of

SAMPLES = Path(__file__).parents[1] / "samples" / "mapping"
AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
FLOW = """
name = "flow"
title = "flow"
format = "json"
records = "rows[]"
identity = ["body.vehicle_count"]
[event]
noun = "measurement"
kind = { constant = "traffic.flow" }
subject = ["id"]
observed_at = "t"
[body]
vehicle_count = "n"
"""


def options(text=FLOW, **changes):
    content = tomllib.loads(text)
    for path, value in changes.items():
        *steps, last = path.split("__")
        target = content
        for step in steps:
            target = target.setdefault(step, {})
        target[last] = value
    return {"mapping": content}


def results(body, given=None, **more):
    body = json.dumps(body).encode() if not isinstance(body, bytes) else body
    sample = Sample(name="s", body=body, received_at=AT, options=given or options(), **more)
    return list(dry_run(connector, sample))


def event(body, given=None, **more):
    (found,) = results(body, given, **more)
    assert isinstance(found, Canonical), found
    return decoded(found)


def row(**more):
    return {"rows": [{"id": "L1", "t": "2026-03-01T08:14:00+07:00", "n": 3, **more}]}


def fault(given):
    with pytest.raises(ConfigError) as caught:
        options_of(connector, given, where="source.x.options")
    return str(caught.value)


def test_a_file_and_its_content_in_the_entry_give_the_same_events():
    body, meta = ((SAMPLES / name).read_bytes() for name in ("loops.json", "loops.json.meta.json"))
    content = tomllib.loads((SAMPLES / "loops.toml").read_text("utf-8"))
    received = datetime.fromisoformat(json.loads(meta)["received_at"])
    both = [
        list(dry_run(connector, Sample(name="s", body=body, received_at=received, options=given)))
        for given in ({"file": str(SAMPLES / "loops.toml")}, {"mapping": content})
    ]
    assert both[0] == both[1]


def test_the_content_of_the_file_is_frozen_with_the_options(tmp_path):
    file = tmp_path / "flow.toml"
    file.write_text(FLOW)
    given = Options(file=str(file))
    file.unlink()
    payload = Payload(body=json.dumps(row()).encode(), received_at=AT)
    (inner,) = connector.parse(payload, given)
    (found,) = inner.connector.parse(payload, inner.options)
    assert found.body == {"vehicle_count": 3}
    with pytest.raises(ValueError, match="frozen"):
        given.file = "other.toml"


def test_the_identity_is_the_mappings_own():
    one, other = (
        event(row(v=speed), options(body__speed_kmh={"path": "v", "unit": "km/h"}))["header"]
        for speed in (10, 20)
    )
    assert one["event_id"] == other["event_id"]
    identity = ["body.vehicle_count", "body.speed_kmh"]
    told = options(body__speed_kmh={"path": "v", "unit": "km/h"}, identity=identity)
    one, other = (event(row(v=speed), told)["header"]["event_id"] for speed in (10, 20))
    assert one != other


def test_events_say_which_mapping_read_them():
    origin = event(row(), options(version="3"))["header"]["origin"]
    assert (origin["connector"], origin["connector_version"]) == ("mapping", "1+flow.3")


def test_a_record_is_refused_alone_with_its_place_and_without_its_value():
    rows = [row()["rows"][0], {**row()["rows"][0], "n": "30K-555.55"}, row()["rows"][0]]
    first, second, third = results({"rows": rows})
    assert isinstance(first, Canonical)
    assert isinstance(third, Canonical)
    assert isinstance(second, InnerRejection)
    assert (second.code, second.path) == ("wrong-type", "rows[1]/n")
    assert second.component == "mapping"
    assert "30K" not in str(second)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "login"}, "missing-field"),
        ({"rows": {"id": "L1"}}, "wrong-type"),
        ({"rows": [{"message": "login"}]}, "missing-field"),
        ({"rows": [None]}, "missing-field"),
        (b"<html/>", "malformed"),
        (b"", "empty"),
    ],
)
def test_another_document_is_refused_and_not_taken_for_an_empty_one(body, code):
    (found,) = results(body)
    assert isinstance(found, Rejection)
    assert found.code == code


def test_an_empty_list_is_no_record():
    assert results({"rows": []}) == [Nothing(why="the payload holds no record")]


def test_a_record_without_anything_that_is_mapped_is_refused():
    given = options(event__noun="detection", event__subject=[], body={"rule": "r"}, identity=[])
    (found,) = results({"rows": [{"message": "login"}]}, given)
    assert found.code == "nothing-mapped"


@pytest.mark.parametrize("value", [-1, "-1", "-1.0", -1.0, "n/a", "N/A"])
def test_a_sentinel_is_none_however_it_is_written(value):
    rule = {"path": "n", "sentinels": [-1, "n/a"], "flag": "count_none"}
    found = event(row(n=value), options(body__vehicle_count=rule))
    assert found["body"]["vehicle_count"] is None
    assert found["header"]["quality_flags"] == ["count_none"]


@pytest.mark.parametrize(
    "value", [80, "80", 80.0, -99, "unknown", "Not available", " NOT AVAILABLE"]
)
def test_80_km_h_and_words_for_nothing_are_none_where_the_mapping_says_so(value):
    none = [80, -1, -99, "UNKNOWN", "Not available"]
    rule = {"path": "n", "unit": "km/h", "sentinels": none, "flag": "speed_missing"}
    found = event(row(n=value), options(body={"speed_kmh": rule}, identity=["body.speed_kmh"]))
    assert found["body"]["speed_kmh"] is None
    assert found["header"]["quality_flags"] == ["speed_missing"]


@pytest.mark.parametrize("value", [None, "", "  "])
def test_null_and_an_empty_text_are_none(value):
    assert event(row(n=value))["body"]["vehicle_count"] is None


def test_what_is_required_refuses_its_record():
    (found,) = results(row(n=None), options(body__vehicle_count={"path": "n", "required": True}))
    assert (found.code, found.path) == ("missing-field", "rows[0]/n")


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ({"unit": "m/s"}, 10, 36.0),
        ({"unit": "mph"}, 10, 16.09344),
        ({"unit": "km/h", "scale": 0.1}, 415, 41.5),
        ({"unit": "km/h", "offset": -256}, 300, 44.0),
        ({"unit": "km/h", "decimal": ","}, "1.041,5", 1041.5),
        ({"unit": "km/h", "least": 0, "most": 250}, 655.35, None),
        ({"unit": "km/h", "default": 0}, None, 0.0),
    ],
)
def test_numbers_come_in_the_unit_of_their_field(rule, value, expected):
    found = event(row(v=value), options(body__speed_kmh={"path": "v", **rule}))
    assert found["body"]["speed_kmh"] == expected


@pytest.mark.parametrize(
    ("format_", "text", "expected"),
    [
        ("", "2026-03-01 08:14:00", datetime(2026, 3, 1, 1, 14, tzinfo=UTC)),
        ("%d/%m/%Y %H:%M", "01/03/2026 08:14", datetime(2026, 3, 1, 1, 14, tzinfo=UTC)),
        ("%d/%m/%Y %H:%M %z", "01/03/2026 08:14 +0000", datetime(2026, 3, 1, 8, 14, tzinfo=UTC)),
        ("unix_s", "1772327640", datetime(2026, 3, 1, 1, 14, tzinfo=UTC)),
        ("unix_ms", 1772327640123, datetime(2026, 3, 1, 1, 14, 0, 123000, tzinfo=UTC)),
        ("unix_ms", 10**30, None),
        ("unix_s", "soon", None),
        ("%d/%m/%Y", "31/02/2026", None),
    ],
)
def test_times_are_read_in_their_format_and_never_drop_an_event(format_, text, expected):
    header = event(row(t=text), options(event__observed_at={"path": "t", "format": format_}))[
        "header"
    ]
    assert header["observed_at"] == expected
    assert ("time_unreadable" in header["quality_flags"]) == (expected is None)


def test_a_stamp_without_an_offset_is_of_the_sources_zone():
    given = options(event__observed_at={"path": "t", "format": "%Y%m%d%H%M"}) | {
        "zone": "Asia/Tokyo"
    }
    header = event(row(t="202603011014"), given)["header"]
    assert header["observed_at"] == datetime(2026, 3, 1, 1, 14, tzinfo=UTC)
    assert header["time_quality"] == "ASSUMED_ZONE"


def test_a_value_may_come_from_the_transport():
    rule = {"meta": "mqtt_topic", "split": "/", "part": -1}
    found = event(row(), options(event__device_ref=rule), meta={"mqtt_topic": "hn/loops/L7"})
    assert found["header"]["device_ref"] == "L7"


def test_a_list_of_lists_is_read_with_what_stands_around_each():
    given = options(
        records="areas[]/loops[]", event__device_ref="../code", event__drill_id="/drill"
    )
    loop = row()["rows"][0]
    body = {
        "drill": "D7",
        "areas": [{"code": "A", "loops": [loop]}, {"code": "B", "loops": [loop]}],
    }
    found = [decoded(each)["header"] for each in results(body, given)]
    assert [(each["device_ref"], each["drill_id"]) for each in found] == [("A", "D7"), ("B", "D7")]


def test_a_document_may_be_the_list_itself():
    loop = row()["rows"][0]
    assert event([loop], options(records="[]"))["body"]["vehicle_count"] == 3
    nested = options(records="[]/lanes[]", event__subject=["../id"], event__observed_at="../t")
    (refused,) = results([{"id": "A", "t": loop["t"], "lanes": [{"n": "x"}]}], nested)
    assert refused.path == "[0]/lanes[0]/n"


def test_quoted_steps_and_places_in_lists_are_read():
    given = options(body__vehicle_count='"n/[1]"/list[1]')
    assert event(row(**{"n/[1]": {"list": [1, 5]}}), given)["body"]["vehicle_count"] == 5


def test_an_id_that_spells_the_plate_is_withheld():
    given = options(
        event__noun="plate_read",
        event__subject=[],
        event__native_id="ref",
        body={},
        plate={"raw": "p"},
        identity=["restricted.plate.raw"],
    )
    header = event(row(p="30K-555.55", ref="x-30K55555-1"), given)["header"]
    assert header["native_id"] is None
    assert "native_id_withheld" in header["quality_flags"]


def test_groups_of_a_signal_are_a_list_of_records():
    given = options(
        event__noun="signal_state",
        identity=["body.groups"],
        body={
            "intersection": "id",
            "groups": {
                "each": "g",
                "fields": {
                    "signal_group": "nr",
                    "state": {
                        "path": "c",
                        "table": {"red": "STOP_AND_REMAIN", "green": "PERMISSIVE_MOVEMENT_ALLOWED"},
                    },
                    "min_end_at": {"path": "end", "format": "unix_s"},
                    "name": "../id",
                },
            },
        },
    )
    groups = [{"nr": 1, "c": "red", "end": 1772327650}, {"nr": 2, "c": "green"}]
    body = event(row(id=7, g=groups), given)["body"]
    assert [(g["signal_group"], g["state"], g["name"]) for g in body["groups"]] == [
        (1, "STOP_AND_REMAIN", "7"),
        (2, "PERMISSIVE_MOVEMENT_ALLOWED", "7"),
    ]
    assert body["groups"][0]["min_end_at"] == datetime(2026, 3, 1, 1, 14, 10, tzinfo=UTC)
    (refused,) = results(row(id=7, g=[{"c": "red"}]), given)
    assert refused.code == "missing-field"


def test_an_item_of_a_list_is_named_by_its_place():
    given = options(
        event__noun="plate_read",
        event__subject=[],
        body={"character_confidences": "c"},
        identity=[],
    )
    assert event(row(c=["0.5", 1]), given)["body"]["character_confidences"] == [0.5, 1.0]
    (refused,) = results(row(c=[0.5, "high"]), given)
    assert (refused.code, refused.path) == ("wrong-type", "rows[0]/c[1]")


def test_an_xml_answer_of_another_root_is_no_empty_list():
    given = options(format="xml", root="rows", records="row[]")
    (found,) = results(b"<html><body/></html>", given)
    assert found.code == "other-document"
    assert results(b"<rows/>", given) == [Nothing(why="the payload holds no record")]


def test_a_row_with_other_columns_is_refused_alone():
    given = options(format="csv", records="")
    lines = "id,t,n\nA,2026-03-01 08:14:00,1\nB,2026-03-01 08:14:00\nC,2026-03-01 08:14:00,3,\n"
    first, second, third = results(lines.encode(), given)
    assert (decoded(first)["body"]["vehicle_count"], decoded(third)["body"]["vehicle_count"]) == (
        1,
        3,
    )
    assert (second.code, second.path) == ("wrong-columns", "row[2]")


def test_columns_may_be_named_and_a_mark_before_them_is_none():
    given = options(format="csv", records="", csv={"columns": ["id", "t", "n"], "delimiter": "\t"})
    for encoding in ("utf-8-sig", "utf-16"):
        line = "Ngã Tư Sở\t2026-03-01 08:14:00\t4\r\n".encode(encoding)
        found = event(line, given | {"zone": "Asia/Ho_Chi_Minh"})
        assert found["body"]["vehicle_count"] == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "yaml"}, "mapping: format: Input should be 'json', 'jsonl', 'xml' or 'csv'"),
        ({"recordz": "x[]"}, "mapping: recordz: no such key"),
        ({"identity": ["body.lane"]}, "mapping: identity[0]: 'body.lane' is filled by no rule"),
        ({"records": "rows"}, "mapping: records: 'rows' must end with []"),
        ({"format": "xml"}, "root names the document element"),
        ({"format": "csv"}, "records has no meaning in csv"),
        ({"event__noun": "accident"}, "mapping: event.noun: Input should be 'plate_read'"),
        ({"event__kind": {"path": "k"}}, "mapping: event.kind: a kind is the hub's word"),
        ({"event__kind": {"constant": "Traffic Flow"}}, "'Traffic Flow' is no kind"),
        ({"event__subject": []}, "mapping: event.subject: a measurement is a state"),
        (
            {"event__lifecycle": {"constant": "OPEN"}},
            "mapping: event.lifecycle: expected one of UNKNOWN, NEW",
        ),
        ({"event__observed_at": {"path": "t", "format": "iso"}}, "'iso' is no format of a time"),
        ({"body__sped_kmh": "v"}, "mapping: body.sped_kmh: no field of MeasurementBody"),
        (
            {"body__speed_kmh": "v"},
            "body.speed_kmh: the source's unit is not said: add unit, one of",
        ),
        ({"body__speed_kmh": {"path": "v", "unit": "mp/h"}}, "'mp/h' is no unit of it: use one of"),
        (
            {"body__lane": {"path": "l", "table": {"left": "one"}}},
            "body.lane: expected a whole number",
        ),
        ({"body__lane": {"path": "l", "constant": 1}}, "it comes from path and constant"),
        ({"body__lane": {}}, "it comes from nothing"),
        ({"body__lane": {"path": "l", "part": 1}}, "part needs split"),
        ({"body__lane": "a[]/b"}, "has [] where one value is meant"),
        ({"body__lane": "a[/b"}, "is no path"),
        ({"body__lane": {"each": "l", "fields": {}}}, "mapping: body.lane: it holds one value"),
        ({"plate": {"raw": "p", "text": "p"}}, "mapping: plate.text: no such field"),
        ({"position": {"lat": "y"}}, "one of lat and lon is missing"),
    ],
)
def test_a_wrong_mapping_is_named_by_its_key_with_the_mend(changes, said):
    told = fault(options(**changes))
    assert said in told
    assert "To mend it: " in told


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.toml", None, "m.toml: can't read it"),
        ("m.yaml", "a: 1", "m.yaml: a mapping is a TOML file"),
        ("m.toml", "a = ", "m.toml: not TOML"),
        (
            "m.toml",
            FLOW.replace("identity", "identities"),
            "m.toml: identity: it is missing (and 1 more)",
        ),
    ],
)
def test_a_wrong_file_is_named(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_text(content)
    assert said in fault({"file": str(tmp_path / name)})


def test_a_source_without_a_mapping_is_wrong_configuration():
    assert "it needs file" in fault({})
    assert "it needs file" in fault({"file": "x.toml", **options()})


def test_a_wrong_mapping_of_a_source_is_a_refusal_of_its_payloads_not_a_crash(tmp_path):
    with pytest.raises(ConfigError):
        Options(file=str(tmp_path / "gone.toml"))


def test_the_mapping_is_tried_and_tested_by_its_file(capsys):
    file = f"file={SAMPLES / 'loops.toml'}"
    words = [str(SAMPLES / "loops.json"), "--received-at", "2026-03-01T08:15:00+07:00"]
    assert main(["connector", "try", "mapping", *words, "--set", file]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [set(line) - {"payload", "topic"} for line in lines[2:4]] == [{"rejected"}, {"nothing"}]
    assert main(["connector", "try", "mapping", words[0], "--set", "file=nowhere.toml"]) == 2
    assert "nowhere.toml: can't read it" in capsys.readouterr().err


def test_the_tests_of_a_mapping_stand_beside_it(capsys, tmp_path):
    (tmp_path / "flow.toml").write_text(FLOW)
    (tmp_path / "rows.json").write_text(json.dumps(row()))
    words = ["mapping", "--samples", str(tmp_path), "--set", f"file={tmp_path / 'flow.toml'}"]
    assert main(["connector", "test", *words, "--update"]) == 0
    assert main(["connector", "test", *words]) == 0
    (tmp_path / "flow.toml").write_text(FLOW.replace('["body.vehicle_count"]', "[]"))
    capsys.readouterr()
    assert main(["connector", "test", *words]) == 1  # the identity is frozen by what is expected
    assert "/event/header/event_id" in capsys.readouterr().out


def test_one_envelope_reads_many_payloads_with_one_mapping():
    given = options_of(connector, options(), where="x")
    envelope = Envelope(connector, given, "s", key=TEST_ID_KEY, codecs={})
    payload = Payload(body=json.dumps({"rows": []}).encode(), received_at=AT)
    for _ in range(3):
        assert list(envelope.results(payload, RawRef(bytes(32)))) == [
            Nothing(why="the payload holds no record")
        ]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
GIVEN = options(
    event__lifecycle={"path": "s", "table": {"on": "NEW"}, "otherwise": "UNKNOWN"},
    body__speed_kmh={"path": "v", "unit": "m/s", "sentinels": [-1]},
    body__lane={"path": "l", "split": "/", "part": 1},
    position={"lat": "p[0]", "lon": "p[1]"},
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["id", "t", "n", "s", "v", "l", "p"]), JUNK)
def test_a_value_of_any_kind_costs_at_most_its_record(name, junk):
    good = {**row()["rows"][0], "s": "on", "v": 3, "l": "a/2", "p": [21.0, 105.8]}
    first, second, third = results({"rows": [good, {**good, name: junk}, good]}, GIVEN)
    assert isinstance(first, Canonical)
    assert isinstance(third, Canonical)
    if isinstance(second, Rejection):
        assert second.code in {"wrong-type", "missing-field", "unknown-value"}
        assert second.path.startswith(f"rows[1]/{name}")


@given(st.text(max_size=20))
def test_a_path_is_one_or_is_told_to_be_none(text):
    for read in (path_of, hops_of):
        try:
            read(text)
        except ValueError as error:
            assert str(error)  # noqa: PT017 - a path is as good


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_give_outcomes(body):
    for given_ in (
        options(),
        options(format="csv", records=""),
        options(format="jsonl", records=""),
        options(format="xml", root="a", records="b[]"),
    ):
        assert results(body, given_)
