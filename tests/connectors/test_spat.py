# more than 400 lines: every trap of one format, in one place
"""SPaT: times around the hour, groups refused alone, every encoding, and hostile bytes."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fastavro
import pytest
from fastavro.validation import validate
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.j2735 import (
    controller_flags,
    instant_in_minute,
    instant_in_year,
    instant_of_mark,
    intersections_of_map,
    phase,
)
from connectors.spat import connector, parse
from hub.connector import Event, Nothing, Options, Payload, Rejection
from hub.errors import PayloadError

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/spat"
SHARED = ROOT.parent / "shared/samples/traffic/spat_map"
AT = datetime(2026, 11, 20, 2, 59, 58, 500_000, tzinfo=UTC)
MOY = (AT - datetime(2026, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)
TEN_MINUTES = timedelta(minutes=10)


def _schema():
    named: dict = {}
    files = [ROOT / f"schemas/avro/{name}.avsc" for name in ("header", "signal_state")]
    return [fastavro.parse_schema(json.loads(file.read_text()), named) for file in files][-1]


SCHEMA = _schema()


def outcomes(body, received_at=AT):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    found = list(parse(Payload(body=body, received_at=received_at), Options()))
    for event in found:
        if isinstance(event, Event):
            assert validate(event.body, SCHEMA)
            json.dumps([event.device_ref, event.quality_flags], ensure_ascii=False).encode()
    return found


def spat(timing=None, *, state="STOP_AND_REMAIN", moy=MOY, ms=58_200, **more):
    event = {"eventState": state, "timing": timing}
    group = {"signalGroup": 2, "state_time_speed": {"movementEventList": [event]}}
    item = {"id": {"region": 84, "id": 7}, "revision": 1, "moy": moy, "timeStamp": ms}
    item |= {"status": None, "states": {"movementList": [group]}} | more
    return {
        "metadata": {"payloadType": "us.dot.its.jpo.ode.model.OdeSpatPayload"},
        "payload": {"data": {"intersectionStateList": {"intersectionStatelist": [item]}}},
    }


def item_of(document):
    return document["payload"]["data"]["intersectionStateList"]["intersectionStatelist"][0]


def group_of(document, received_at=AT):
    (event,) = outcomes(document, received_at)
    return event.body["groups"][0]


def test_a_mark_just_after_the_hour_belongs_to_the_next_hour():
    group = group_of(spat({"minEndTime": 15, "maxEndTime": 35_999}))
    assert group["min_end_at"] == datetime(2026, 11, 20, 3, 0, 1, 500_000, tzinfo=UTC)
    assert group["max_end_at"] == datetime(2026, 11, 20, 2, 59, 59, 900_000, tzinfo=UTC)


def test_a_start_lies_in_the_past_and_an_end_in_the_future():
    group = group_of(spat({"startTime": 30_000, "minEndTime": 20_000}))
    assert group["start_at"] == datetime(2026, 11, 20, 2, 50, tzinfo=UTC)
    assert group["min_end_at"] == datetime(2026, 11, 20, 3, 33, 20, tzinfo=UTC)


def test_repeats_of_a_state_have_equal_bodies_across_the_hour():
    timing = {"startTime": 35_500, "minEndTime": 35_995, "maxEndTime": 120, "likelyTime": 60}
    bodies = []
    for tenth in range(0, 200, 3):
        at = AT - timedelta(seconds=5) + timedelta(milliseconds=100 * tenth)
        start = datetime(2026, 1, 1, tzinfo=UTC)
        minute, rest = divmod(at - start, timedelta(minutes=1))
        document = spat(timing, moy=minute, ms=rest // timedelta(milliseconds=1))
        (event,) = outcomes(document, at + timedelta(milliseconds=40))
        bodies.append(event.body)
    assert all(body == bodies[0] for body in bodies)


@pytest.mark.parametrize("mark", [36_000, 36_001, 36_110, 36_111, None])
def test_unknown_and_more_than_an_hour_are_null_without_a_flag(mark):
    (event,) = outcomes(spat({"minEndTime": mark}))
    assert "min_end_at" not in event.body["groups"][0]
    assert event.quality_flags == ()


@pytest.mark.parametrize("mark", [-1, 36_002, 40_000, "abc", 1.5, True, [], {}])
def test_a_mark_out_of_range_is_null_with_a_flag(mark):
    (event,) = outcomes(spat({"minEndTime": mark, "maxEndTime": 10}))
    assert "min_end_at" not in event.body["groups"][0]
    assert "max_end_at" in event.body["groups"][0]
    assert event.quality_flags == ("time_mark_out_of_range",)


def test_the_year_is_the_one_nearest_to_the_receipt():
    received_at = datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC)
    (event,) = outcomes(spat({"minEndTime": 20}, moy=525_599, ms=59_900), received_at)
    assert event.observed_at == datetime(2026, 12, 31, 23, 59, 59, 900_000, tzinfo=UTC)
    assert event.body["groups"][0]["min_end_at"] == datetime(2027, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert event.time_quality == "DEVICE"
    ahead = instant_in_year(0, 500, datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert ahead == datetime(2027, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_without_a_minute_the_receipt_gives_it():
    (event,) = outcomes(spat({"minEndTime": 15}, moy=None, ms=59_900), AT + timedelta(seconds=3))
    assert event.observed_at == datetime(2026, 11, 20, 2, 59, 59, 900_000, tzinfo=UTC)
    assert event.time_quality == "RECEIVED"
    assert event.body["groups"][0]["min_end_at"].hour == 3


def test_without_any_time_the_receipt_is_taken():
    (event,) = outcomes(spat({}, moy=None, ms=None))
    assert (event.observed_at, event.time_quality) == (AT, "RECEIVED")


def test_the_minute_of_the_whole_message_counts_only_when_it_can_be_true():
    document = spat({}, moy=None, ms=1_000)
    document["payload"]["data"]["timeStamp"] = MOY - 3
    assert outcomes(document)[0].observed_at == datetime(2026, 11, 20, 2, 56, 1, tzinfo=UTC)
    document["payload"]["data"]["timeStamp"] = 0
    assert outcomes(document)[0].observed_at == datetime(2026, 11, 20, 3, 0, 1, tzinfo=UTC)


def test_a_clock_that_is_days_off_is_suspect():
    (event,) = outcomes(spat({}), AT + timedelta(days=5))
    assert (event.time_quality, event.quality_flags) == ("SUSPECT", ("clock_suspect",))


def test_milliseconds_that_can_not_be_are_flagged():
    assert outcomes(spat({}, ms=70_000))[0].quality_flags == ("message_time_invalid",)
    assert outcomes(spat({}, ms=65_535))[0].quality_flags == ()


def test_an_unknown_phase_is_unknown_and_flagged():
    (event,) = outcomes(spat({}, state="FLASHING_PURPLE"))
    assert event.body["groups"][0]["state"] == "UNKNOWN"
    assert event.quality_flags == ("phase_unknown",)


@pytest.mark.parametrize("name", ["STOP_AND_REMAIN", "stop-And-Remain", "stopAndRemain", 3])
def test_phases_are_known_in_every_spelling(name):
    assert phase(name) == "STOP_AND_REMAIN"


def test_controller_flags_come_as_booleans_bits_or_names():
    expected = (["failure_flash", "off"], True)
    assert controller_flags({"failureFlash": True, "off": True, "failureMode": False}) == expected
    assert controller_flags("0010000001000000") == expected
    assert controller_flags(["off", "FAILUREFLASH"]) == expected
    assert controller_flags(None) == ([], True)
    assert controller_flags("a-new-flag") == ([], False)
    assert outcomes(spat({}, status="a-new-flag"))[0].quality_flags == (
        "controller_status_unknown",
    )


def test_an_absent_region_is_written_as_zero_but_kept_null():
    for region in (None, -1):
        (event,) = outcomes(spat({}, id={"region": region, "id": 7}))
        assert (event.device_ref, event.subject) == ("0/7", ("0/7",))
        assert event.body["region"] is None
    (event,) = outcomes(spat({}, id={"region": 0, "id": 7}))
    assert (event.device_ref, event.body["region"]) == ("0/7", 0)
    assert outcomes(spat({}, id=7))[0].device_ref == "0/7"


def test_a_revision_that_can_not_be_is_dropped_with_a_flag():
    (event,) = outcomes(spat({}, revision=128))
    assert (event.native_version, event.quality_flags) == (None, ("revision_invalid",))
    assert outcomes(spat({}))[0].native_version == "1"


def test_a_confidence_that_can_not_be_is_dropped_with_a_flag():
    assert group_of(spat({"confidence": 15}))["confidence"] == 15
    assert outcomes(spat({"confidence": 16}))[0].quality_flags == ("confidence_invalid",)


def test_groups_are_ordered_by_number_and_a_repeated_one_is_refused():
    document = spat({"minEndTime": 1})
    groups = item_of(document)["states"]["movementList"]
    groups += [groups[0] | {"signalGroup": 1}, groups[0]]
    rejection, event = outcomes(document)
    assert [group["signal_group"] for group in event.body["groups"]] == [1, 2]
    assert (rejection.code, event.quality_flags) == ("duplicate-group", ("groups_rejected",))


def test_a_bad_intersection_is_refused_alone_with_its_field():
    document = spat({})
    items = document["payload"]["data"]["intersectionStateList"]["intersectionStatelist"]
    for change in ({"id": None}, {"id": {"id": 70_000}}, {"states": None}, {"states": []}):
        items.append(items[0] | change)
    items.append("junk")
    event, *rejections = outcomes(document)
    assert isinstance(event, Event)
    base = "payload/data/intersectionStateList/intersectionStatelist"
    assert [rejection.path for rejection in rejections] == [
        f"{base}[1]/id/id",
        f"{base}[2]/id/id",
        f"{base}[3]/states",
        f"{base}[4]/states",
        f"{base}[5]",
    ]


def test_an_intersection_without_a_usable_group_gives_no_event():
    (rejection,) = outcomes(spat({}, states=[{"signalGroup": 999}]))
    assert rejection.path.endswith("states[0]/signalGroup")


def test_a_list_without_its_wrapper_is_read():
    document = spat({})
    lists = document["payload"]["data"]["intersectionStateList"]
    document["payload"]["data"]["intersectionStateList"] = lists["intersectionStatelist"]
    assert isinstance(outcomes(document)[0], Event)


def test_a_processed_spat_may_carry_milliseconds_since_1970():
    ms = int(AT.timestamp() * 1000)
    timing = {"minEndTime": ms + 1_000}
    states = [{"signalGroup": 1, "stateTimeSpeed": [{"eventState": "DARK", "timing": timing}]}]
    (event,) = outcomes({"intersectionId": 3, "utcTimeStamp": ms, "states": states})
    assert event.observed_at == AT
    assert event.body["groups"][0]["min_end_at"] == AT + timedelta(seconds=1)
    (event,) = outcomes({"intersectionId": 3, "utcTimeStamp": "soon", "states": states})
    assert event.time_quality == "RECEIVED"


def test_a_naked_message_frame_is_read():
    body = (OWN / "xer_kim_ma.xml").read_bytes()
    frame = body[body.index(b"<MessageFrame>") : body.index(b"</data>")]
    assert outcomes(frame)[0].device_ref == "0/1108"
    assert outcomes(frame.decode().encode("utf-16"))[0].device_ref == "0/1108"
    states = [{"signalGroup": 1, "state-time-speed": [{"eventState": 1}]}]
    value = {"intersections": [{"id": {"id": 4}, "states": states}]}
    (event,) = outcomes({"messageId": 19, "value": value})
    assert event.body["groups"][0]["state"] == "DARK"


def with_type(name, data):
    return {"metadata": {"payloadType": name}, "payload": {"data": data}}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (with_type("x.OdeMapPayload", {}), Nothing),
        (with_type("x.OdeBsmPayload", {"coreData": {}}), Nothing),
        (with_type("x.OdeMessageFramePayload", {"messageId": 18, "value": {}}), Nothing),
        (with_type("x.OdeMessageFramePayload", {"messageId": 31, "value": {}}), Nothing),
        ({"messageId": 18}, Nothing),
        ({"mapFeatureCollection": {}}, Nothing),
        (with_type("x.OdeSpatPayload", {"intersectionStateList": []}), Nothing),
        (with_type("x.Invalid", {}), "unknown-payload-type"),
        ({"a": 1}, "unknown-payload-type"),
        ({"messageType": "TIM"}, "unknown-payload-type"),
        (with_type("x.OdeAsn1Payload", {"bytes": "0381"}), "opaque"),
        (b"038100400380" + b"5a" * 40, "opaque"),
        (with_type("x.OdeStatus", {"code": "E", "message": "m"}), "decode-failed"),
    ],
)
def test_what_is_no_spat_says_so(document, expected):
    (outcome,) = outcomes(document)
    if isinstance(expected, str):
        assert outcome.code == expected
    else:
        assert isinstance(outcome, expected)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b'{"metadata": 1}', b'{"metadata": {}}', b"<a", b"\x00\x13\x38"]
)
def test_what_can_not_be_read_at_all_is_a_payload_error(body):
    with pytest.raises(PayloadError):
        outcomes(body)


def samples():
    return [
        f
        for f in [*OWN.glob("*"), *SHARED.glob("*")]
        if f.suffix in {".json", ".xml"} and not f.name.endswith(".meta.json")
    ]


GEOMETRY = {"id": {"region": 84, "id": 7}, "revision": 3, "refPoint": {"lat": 1, "long": 1}}
XER_MAP = (
    b"<OdeAsn1Data><metadata><payloadType>us.dot.its.jpo.ode.model.OdeAsn1Payload</payloadType>"
    b"</metadata><payload><data><MessageFrame><messageId>18</messageId><value><MapData>"
    b"<intersections><IntersectionGeometry><id><region>84</region><id>7</id></id>"
    b"<revision>3</revision></IntersectionGeometry></intersections></MapData></value>"
    b"</MessageFrame></data></payload></OdeAsn1Data>"
)


@pytest.mark.parametrize(
    "document",
    [
        with_type("x.OdeMapPayload", {"intersections": {"intersectionGeometry": [GEOMETRY]}}),
        with_type(
            "x.OdeMessageFramePayload",
            {"messageId": 18, "value": {"MapData": {"intersections": [GEOMETRY]}}},
        ),
        XER_MAP,
        {
            "mapFeatureCollection": {"type": "FeatureCollection", "features": []},
            "properties": {"region": 84, "intersectionId": 7, "revision": 3},
        },
    ],
)
def test_a_map_message_of_any_generation_is_geometry_of_an_intersection_and_no_state(document):
    why = "a MAP message of 84/7 (revision 3): geometry, not a state"
    assert outcomes(document) == [Nothing(why=why)]


JUNK_OF_MAP = [
    None,
    1,
    "x",
    [],
    {},
    [1],
    {"id": 1},
    {"id": {"id": "7"}},
    {"intersectionGeometry": 1},
]


@pytest.mark.parametrize("junk", JUNK_OF_MAP)
def test_a_map_message_that_names_nothing_is_still_no_state(junk):
    for data in ({"intersections": junk}, {"intersections": [junk]}, {"properties": junk}):
        (nothing,) = outcomes({"mapFeatureCollection": {}} | data)
        assert nothing.why.startswith("a MAP message of ")


def test_an_intersection_of_a_map_has_the_name_that_its_states_have():
    assert intersections_of_map({"intersections": [{"id": {"id": 7}}]}) == ["0/7"]
    assert outcomes(spat({}, id={"id": 7}))[0].device_ref == "0/7"


def test_remarks_of_the_converter_are_flags_and_cost_no_state():
    states = [{"signalGroup": 1, "stateTimeSpeed": [{"eventState": "DARK"}]}]
    remarks = [{"message": "m", "jsonPath": "$.payload.data.timeStamp"}, "x", 7]
    document = {"intersectionId": 3, "states": states, "cti4501Conformant": False}
    (event,) = outcomes(document | {"validationMessages": remarks})
    assert event.quality_flags[:2] == ("cti4501_nonconformant", "source_invalid_time_stamp")
    assert event.body["groups"][0]["state"] == "DARK"


@pytest.mark.parametrize(
    ("word", "flagged"), [("False", True), (False, True), ("True", False), (True, False)]
)
def test_false_as_a_text_is_a_message_that_does_not_conform(word, flagged):
    states = [{"signalGroup": 1, "stateTimeSpeed": [{"eventState": "DARK"}]}]
    (event,) = outcomes({"intersectionId": 3, "states": states, "cti4501Conformant": word})
    assert ("cti4501_nonconformant" in event.quality_flags) is flagged


def test_what_a_document_is_says_its_payload_type_and_never_its_topic():
    frame = json.loads((OWN / "frame_giai_phong.json").read_bytes())
    payload = Payload(
        body=json.dumps(frame).encode(), received_at=AT, meta={"kafka_topic": "topic.OdeMapJson"}
    )
    assert isinstance(next(iter(parse(payload, Options()))), Event)


def test_own_samples_give_what_their_names_say():
    kinds = {
        file.name: [type(outcome).__name__ for outcome in outcomes(file.read_bytes())]
        for file in samples()
        if file.parent == OWN
    }
    assert kinds == {
        "frame_giai_phong.json": ["Event"],
        "ode_nga_tu_so.json": ["Event", "Rejection", "Event"],
        "processed_trang_thi.json": ["Event"],
        "signed.json": ["Rejection"],
        "xer_kim_ma.xml": ["Event"],
    }


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_shared_samples_give_events_reasons_or_a_documented_nothing():
    found = {file.name: outcomes(file.read_bytes()) for file in SHARED.glob("*.[jx]*")}
    (failed,) = found["decoder_output_failed.xml"]
    assert (failed.code, failed.path) == ("decode-failed", "payload/data/code")
    assert "INVALID_DATA_TYPE_ERROR" in failed.message
    (xer,) = found["decoder_output_spat.xml"]
    (ode,) = found["ode_spat_valid.json"]
    assert [len(event.body["groups"]) for event in (xer, ode)] == [6, 6]
    assert xer.device_ref == ode.device_ref == "0/12111"
    assert isinstance(found["processed_map_docs.json"][0], Nothing)
    (processed,) = found["processed_spat.json"]
    assert processed.quality_flags[0] == "cti4501_nonconformant"
    no_number, no_event, rest = found["ode_spat_invalid.json"]
    assert no_number.path.endswith("movementList[0]/signalGroup")
    assert no_event.path.endswith("movementList[1]/state_time_speed/movementEventList")
    assert len(rest.body["groups"]) == 4


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 35_999), st.datetimes(datetime(2026, 1, 2), datetime(2027, 12, 30)))  # noqa: DTZ001
def test_a_mark_means_one_instant_in_the_hour_around_the_message(mark, naive):
    message_at = naive.replace(tzinfo=UTC)
    at, legal = instant_of_mark(mark, message_at, TEN_MINUTES)
    assert legal
    assert -TEN_MINUTES <= at - message_at < timedelta(minutes=50)
    hour = at.replace(minute=0, second=0, microsecond=0)
    assert at - hour == timedelta(milliseconds=100 * mark)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 60_999), st.datetimes(datetime(2026, 1, 2), datetime(2027, 12, 30)))  # noqa: DTZ001
def test_milliseconds_are_placed_within_half_a_minute_of_the_receipt(ms, naive):
    reference = naive.replace(tzinfo=UTC)
    at = instant_in_minute(ms, reference)
    assert abs(at - reference) <= timedelta(seconds=30)


@pytest.mark.parametrize("file", samples(), ids=lambda file: file.name)
def test_broken_bytes_never_raise_anything_but_a_payload_error(file):
    body = file.read_bytes()
    broken = [body[:end] for end in range(0, len(body), 64)]
    broken += [body[:i] + bytes([body[i] ^ 4]) + body[i + 1 :] for i in range(0, len(body), 61)]
    broken += [b"\xef\xbb\xbf" + body, body * 2, body.decode().encode("utf-16")]
    for one in broken:
        try:
            outcomes(one)
        except PayloadError as error:
            assert error.code  # noqa: PT017 - the other outcomes are as good


JUNK = st.sampled_from([None, True, -1, 2**70, 1.5, "x", "", [], {}, [[]], {"id": {}}, "\x00"])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_value_of_any_type_anywhere_costs_its_record_only(data):
    document = copy.deepcopy(
        data.draw(
            st.sampled_from([json.loads(f.read_bytes()) for f in samples() if f.suffix == ".json"])
        )
    )
    node = document
    while True:
        steps = list(node) if isinstance(node, dict) else list(range(len(node)))
        step = data.draw(st.sampled_from(steps))
        if isinstance(node[step], dict | list) and node[step] and data.draw(st.integers(0, 5)):
            node = node[step]
            continue
        node[step] = data.draw(JUNK)
        break
    try:
        outcomes(document)
    except PayloadError as error:
        assert error.code  # noqa: PT017 - the other outcomes are as good


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"<a>" * 100_000, b"ab" * 500_000, b"\x00" * 1_000_000, b'{"a":' * 50],
)
def test_hostile_bytes_are_refused_quickly(body):
    try:
        assert isinstance(outcomes(body)[0], Rejection)
    except PayloadError as error:
        assert error.code  # noqa: PT017 - the other outcome is as good


def test_the_connector_says_what_it_emits():
    assert (connector.name, connector.emits, connector.lane) == ("spat", ("signal_state",), "bulk")
