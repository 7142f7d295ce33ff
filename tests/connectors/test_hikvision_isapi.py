# more than 400 lines: every trap of one format, in one place
"""Hikvision ISAPI: from bytes to events, by every way in."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastavro import validation
from fastavro.schema import parse_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import hikvision_isapi
from connectors._formats.multipart import Part
from connectors._formats.pictures import a_box, is_picture, take_pictures
from connectors.hikvision_isapi import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "samples" / "hikvision_isapi"
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "hikvision_isapi"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
OWN_FILES = sorted(p for p in OWN.iterdir() if not p.name.endswith((".meta.json", ".jsonl")))
SHARED_FILES = sorted(SHARED.glob("*.*")) if SHARED.is_dir() else []
SHARED_OUTCOMES = {
    "anpr_deepinview_v58.xml": "plate_read",
    "anpr_uae_parsed_1.json": "plate_read",
    "anpr_v2.xml": "plate_read",
    "config_httpHosts_list.xml": "configuration, not an event",
    "duration_wraps_fielddetection.xml": "detection",
    "fielddetection_human.xml": "detection",
    "heartbeat_bad_offset.xml": "heartbeat (videoloss, inactive)",
    "heartbeat_nvr_channel0.xml": "heartbeat (videoloss, inactive)",
    "io_cam1.xml": "detection",
    "manual_arming_multipart.txt": "ANPR",
    "manual_listening_push_template.txt": "EventNotificationAlert/eventType",
    "multipart_part_duration.txt": "detection",
    "nvr_fielddetection_psia.xml": "detection",
    "plates_poll_minimal_no_ns.xml": "plate_read",
    "plates_poll_one.xml": "plate_read",
    "vmd_dvr_no_offset.xml": "detection",
}


def payload(body, content_type="", received_at=NOW):
    body = body if isinstance(body, bytes) else body.encode()
    return Payload(body=body, content_type=content_type, received_at=received_at)


def read(body, content_type="", **options):
    return list(parse(payload(body, content_type), Options(**options)))


def own(name):
    meta = json.loads((OWN / f"{name}.meta.json").read_text())
    received_at = datetime.fromisoformat(meta["received_at"])
    return payload((OWN / name).read_bytes(), meta["content_type"], received_at)


def one(body, content_type="", **options):
    outcomes = read(body, content_type, **options)
    assert len(outcomes) == 1, outcomes
    return outcomes[0]


def alert(kind="VMD", state="active", more="", **fields):
    base = {"macAddress": "02:00:5E:10:00:07", "channelID": "1", "ipAddress": "10.20.30.7"}
    base |= {"dateTime": "2026-03-14T07:46:00+07:00", "activePostCount": "1"} | fields
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in base.items())
    inner += f"<eventType>{kind}</eventType><eventState>{state}</eventState>{more}"
    return f"<EventNotificationAlert>{inner}</EventNotificationAlert>"


def anpr(plate="30K-123.45", more="", **fields):
    data = f"<ANPR><licensePlate>{plate}</licensePlate>{more}</ANPR>"
    return alert("ANPR", more=data, **fields)


def gives_only_outcomes(given_payload):
    try:
        outcomes = list(parse(given_payload, Options()))
    except PayloadError:
        return
    assert all(isinstance(outcome, Event | Rejection | Nothing) for outcome in outcomes)


@pytest.fixture(scope="session")
def schemas():
    named = {}
    folder = ROOT / "schemas" / "avro"
    loaded = {}
    for name in ("header", "restricted", "plate_read", "detection", "violation", "health"):
        raw = json.loads((folder / f"{name}.avsc").read_text())
        shared = {key: value for key, value in named.items() if key.startswith("hanoi.hub.Sha")}
        loaded[name] = parse_schema(raw, named_schemas=named if name == "header" else shared)
    return loaded


def filled(schema, given_values):
    defaults = {f["name"]: f["default"] for f in schema["fields"] if "default" in f}
    assert set(given_values) <= {f["name"] for f in schema["fields"]}
    return defaults | dict(given_values)


@pytest.mark.skipif(not SHARED_FILES, reason="the shared samples are not beside the project")
@pytest.mark.parametrize("path", SHARED_FILES, ids=lambda path: path.name)
def test_every_shared_sample_gives_what_is_written_of_it(path):
    if path.suffix == ".tsv":
        assert path.name == "SOURCES.tsv"
        return
    (outcome,) = read(path.read_bytes())
    told = {Event: "noun", Nothing: "why", Rejection: "path"}[type(outcome)]
    assert SHARED_OUTCOMES[path.name] == getattr(outcome, told)


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.name)
def test_bodies_and_plates_fit_the_schemas(path, schemas):
    for outcome in parse(own(path.name), Options()):
        if isinstance(outcome, Event):
            schema = schemas[outcome.noun]
            validation.validate(filled(schema, outcome.body), schema, strict=True)
            restricted = schemas["restricted"]
            validation.validate(filled(restricted, outcome.restricted), restricted, strict=True)
            assert outcome.noun in connector.emits


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.name)
def test_parsing_twice_gives_the_same(path):
    assert list(parse(own(path.name), Options())) == list(parse(own(path.name), Options()))


def test_a_push_keeps_plate_and_scene_and_drops_the_driver():
    (event,) = parse(own("anpr_push_with_pictures.bin"), Options())
    assert [picture.role for picture in event.pictures] == ["plate", "scene"]
    assert all(picture.data.endswith(b"\xff\xd9") for picture in event.pictures)
    assert event.quality_flags == ("person_picture_dropped",)
    assert {"raw": "29C-483.16", "text": "29C48316", "colour": "YELLOW"}.items() <= (
        event.restricted["plate"].items()
    )


def test_a_passage_takes_its_milliseconds_from_the_picture():
    (event,) = parse(own("anpr_push_with_pictures.bin"), Options())
    assert datetime(2026, 3, 14, 0, 45, 12, 318_000, tzinfo=UTC) == event.observed_at
    assert tuple(event.body[k] for k in ("speed_kmh", "speed_limit_kmh", "lane")) == (47.0, 60.0, 2)
    assert (round(event.position.lat, 5), round(event.position.lon, 5)) == (21.00717, 105.80033)
    assert tuple(event.body["plate_box"][key] for key in ("scale", "picture_width_px")) == (
        "UNKNOWN",
        2560,
    )


def test_an_unread_retransmitted_motorbike_is_a_replayed_passage_without_a_plate():
    (event,) = parse(own("anpr_motorbike_unread_retransmitted.xml"), Options())
    plate = event.restricted["plate"]
    assert (
        plate["raw"],
        plate["text"],
        plate["category"],
        plate["confidence"],
    ) == ("unknown", "", "MOTORBIKE", None)
    assert event.replayed
    assert "plate_unread" in event.quality_flags


def test_a_stream_with_line_feeds_and_wrong_lengths_gives_all_its_parts():
    outcomes = list(parse(own("alert_stream_line_feeds.txt"), Options()))
    assert isinstance(outcomes[0], Nothing)
    assert [event.kind for event in outcomes[1:]] == [
        "camera.fielddetection",
        "camera.linedetection",
        "camera.io",
    ]
    assert [event.body["state"] for event in outcomes[1:]] == ["STARTED", "ONGOING", "STOPPED"]
    assert (
        outcomes[1].body["target"],
        outcomes[1].body["region"],
        outcomes[1].body["polygon_scale"],
        outcomes[1].body["box"]["scale"],
        outcomes[3].body["input_ref"],
    ) == ("vehicle", "2", "PERMILLE", "UNIT", "4")


def test_one_bad_document_is_rejected_and_its_neighbours_pass():
    outcomes = list(parse(own("recorder_health_documents.xml"), Options()))
    assert [
        outcome.code if isinstance(outcome, Rejection) else outcome.body["state"]
        for outcome in outcomes
    ] == ["OFFLINE", "DEGRADED", "malformed", "ONLINE", "DEGRADED"]
    assert outcomes[2].path == "document[2]"
    assert outcomes[1].subject == ("02:00:5e:10:00:50", "storage")
    assert outcomes[4].time_quality == "SUSPECT"


def test_the_poll_gives_one_passage_for_each_plate():
    first, second, third = parse(own("plates_poll.xml"), Options())
    assert tuple(event.restricted["plate"]["text"] for event in (first, second, third)) == (
        "30K25658",
        "29H112345",
        "",
    )
    assert (second.native_id, second.body["lane"]) == ("202603140744480000017", 2)
    assert (third.observed_at, third.time_quality) == (None, "RECEIVED")


def test_json_gives_the_same_event_as_xml():
    (event,) = parse(own("anpr_push.json"), Options())
    assert (
        event.kind,
        event.device_ref,
        event.restricted["plate"]["confidence"],
    ) == ("vehicle.passage", "02:00:5e:10:00:44/1", 0.91)
    flat = {"eventType": "IO", "eventState": "active", "inputIOPortID": 2, "channelID": 3}
    assert one(json.dumps(flat)).body["input_ref"] == "2"
    several = {"EventNotificationAlert": [flat, flat | {"eventType": "VMD"}]}
    assert [event.kind for event in read(json.dumps([several]))] == ["camera.io", "camera.vmd"]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("videoloss", "inactive"),
        ("heartBeat", "active"),
        ("heartbeat", ""),
        ("VideoLoss", "inactive"),
    ],
)
def test_a_heartbeat_is_nothing(kind, state):
    assert isinstance(one(alert(kind, state, channelID="0")), Nothing)


@pytest.mark.parametrize("kind", sorted(hikvision_isapi.HEALTH))
def test_a_trouble_of_the_device_is_health(kind):
    event = one(alert(kind.upper(), "active"))
    component, state = hikvision_isapi.HEALTH[kind]
    assert ("health", component, state) == (
        event.noun,
        event.body["component"],
        event.body["state"],
    )
    assert ("02:00:5e:10:00:07/1", component) == event.subject


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            "<SubscribeEventResponse><id>1</id></SubscribeEventResponse>",
            "answer to the subscription",
        ),
        ("<HttpHostNotificationList/>", "configuration"),
        ("<Plates/>", "no new plate"),
    ],
)
def test_what_is_no_event_says_why(body, why):
    assert why in one(body).why


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ("<DeviceInfo><model>x</model></DeviceInfo>", "unknown-document", "DeviceInfo"),
        (alert(kind=""), "event-type-missing", "EventNotificationAlert/eventType"),
        (alert("ANPR"), "anpr-missing", "ANPR"),
        ("<Plates><Plate/></Plates>", "plate-empty", "Plates/Plate/plateNumber"),
        ("{]", "malformed", "document[0]"),
        ("[7]", "wrong-type", "EventNotificationAlert"),
        ("plain words", "unknown-format", "document[0]"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml-entities", "document[0]"),
        (b"\xff\xd8\xff\xe0 a picture \xff\xd9", "no-event", "part[0]"),
    ],
)
def test_what_cannot_be_read_is_rejected_by_field(body, code, path):
    rejection = one(body)
    assert (code, path) == (rejection.code, rejection.path)


@pytest.mark.parametrize("body", [b"", b" \r\n", b"\xef\xbb\xbf", b"\0\0"])
def test_an_empty_body_is_a_payload_error(body):
    with pytest.raises(PayloadError, match="empty"):
        read(body)


def test_too_many_documents_end_with_a_rejection():
    outcomes = read(alert() * 300)
    assert (len(outcomes), outcomes[-1].code) == (257, "too-many-documents")


@pytest.mark.parametrize(
    ("fields", "options", "device_ref"),
    [
        ({}, {}, "02:00:5e:10:00:07/1"),
        ({"channelID": "0"}, {}, "02:00:5e:10:00:07"),
        ({"channelID": ""}, {}, "02:00:5e:10:00:07"),
        ({"channelID": "", "dynChannelID": "34"}, {}, "02:00:5e:10:00:07/34"),
        ({}, {"device_ref": "ip"}, "10.20.30.7/1"),
        ({"channelID": "10"}, {"device_ref": "channel"}, "10"),
        ({"channelID": "0"}, {"device_ref": "channel"}, "02:00:5e:10:00:07"),
        ({"macAddress": ""}, {}, "10.20.30.7/1"),
        ({"macAddress": "00:00:00:00:00:00", "ipAddress": "0.0.0.0"}, {}, "1"),
        ({"macAddress": "", "Extensions": "<serialNumber>S7</serialNumber>"}, {}, "S7/1"),
    ],
)
def test_a_device_keeps_one_name(fields, options, device_ref):
    assert device_ref == one(alert(**fields), **options).device_ref


def test_a_device_without_any_name_is_flagged():
    event = one(alert(macAddress="", ipAddress="", channelID=""))
    assert (event.device_ref, "device_unnamed" in event.quality_flags) == ("", True)


@pytest.mark.parametrize(
    "namespace", ["http://www.std-cgi.com/ver10/XMLSchema", "urn:psialliance-org"]
)
def test_prefixes_and_namespaces_do_not_matter(namespace):
    body = alert().replace("<", "<ns1:").replace("<ns1:/", "</ns1:")
    body = body.replace("Alert>", f'Alert xmlns:ns1="{namespace}">', 1)
    assert one(body).kind == "camera.vmd"


def test_a_body_is_known_by_its_first_byte_and_not_by_its_content_type():
    assert one(alert(), "multipart/form-data; boundary=x").kind == "camera.vmd"
    assert one(b"\xef\xbb\xbf" + alert().encode(), "application/json").kind == "camera.vmd"
    assert one(alert().encode("utf-16"), "application/xml").kind == "camera.vmd"
    assert one("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + alert()).kind == "camera.vmd"


def test_the_plate_stands_nowhere_but_in_the_restricted_part():
    event = one(anpr(UUID="20260314-30K-123.45-0001"))
    assert event.native_id is None
    assert "native_id_withheld" in event.quality_flags
    open_part = (event.native_id, event.quality_flags, event.kind, event.device_ref, event.body)
    assert "12345" not in repr(open_part).replace(".", "")


def test_a_masked_uuid_is_no_id():
    event = one(anpr(UUID="x"))
    assert (event.native_id, event.quality_flags) == (None, ("native_id_too_short",))


def test_history_data_is_replayed_and_may_be_old():
    event = one(anpr(more="<alarmDataType>1</alarmDataType>", dateTime="2026-03-11T07:46:00+07:00"))
    assert (event.replayed, event.time_quality) == (True, "DEVICE")


def test_a_letter_kept_apart_from_the_plate_is_flagged():
    assert one(anpr(more="<category>M</category>")).quality_flags == ("plate_category_apart",)


def test_a_passage_without_a_date_takes_the_time_of_its_picture():
    info = "<pictureInfo><absTime>20260314074600250</absTime></pictureInfo>"
    event = one(anpr(more=f"<pictureInfoList>{info}</pictureInfoList>", dateTime=""))
    assert datetime(2026, 3, 14, 0, 46, 0, 250_000, tzinfo=UTC) == event.observed_at
    assert event.quality_flags == ("time_missing",)


def test_a_picture_of_another_second_lends_no_milliseconds():
    info = "<pictureInfo><absTime>20260314074559250</absTime></pictureInfo>"
    event = one(anpr(more=f"<pictureInfoList>{info}</pictureInfoList>"))
    assert datetime(2026, 3, 14, 0, 46, tzinfo=UTC) == event.observed_at


@pytest.mark.parametrize(
    ("lat", "lon", "located"),
    [
        ("", "", False),
        ("<degree>21</degree>", "<degree>105</degree><minute>48</minute>", True),
        ("<degree>x</degree>", "<degree>905</degree>", False),
    ],
)
def test_a_position_is_believed_only_when_plausible(lat, lon, located):
    gps = f"<latitudeType>N</latitudeType><Latitude>{lat}</Latitude>"
    gps += f"<longitudeType>E</longitudeType><Longitude>{lon}</Longitude>"
    event = one(alert(more=f"<DeviceGPSInfo>{gps}</DeviceGPSInfo>"))
    assert located == (event.position is not None) == (not event.quality_flags)


def test_two_regions_are_two_events():
    entry = "<DetectionRegionEntry><regionID>{}</regionID></DetectionRegionEntry>"
    entries = f"<DetectionRegionList>{entry.format(1)}{entry.format(2)}</DetectionRegionList>"
    assert [event.body["region"] for event in read(alert(more=entries))] == ["1", "2"]


def test_the_type_of_a_traffic_incident_is_taken_from_inside():
    event = one(
        alert("AID", more="<AID><illegalTrafficEvent>vehicleExist</illegalTrafficEvent></AID>")
    )
    assert (event.kind, event.body["rule"]) == ("camera.vehicleexist", "vehicleExist")


def multipart(*parts):
    head = '--b\r\nContent-Disposition: form-data; name="{}"\r\nContent-Type: {}\r\n\r\n'
    return b"".join(head.format(n, t).encode() + d + b"\r\n" for n, t, d in parts) + b"--b--\r\n"


def test_an_unnamed_picture_beside_a_face_event_is_dropped():
    jpeg = b"\xff\xd8\xff\xe0 face \xff\xd9"
    body = multipart(("x", "text/xml", alert("faceCapture").encode()), ("y", "image/jpeg", jpeg))
    event = one(body)
    assert (event.pictures, event.quality_flags) == ((), ("person_picture_dropped",))


def test_pictures_belong_to_the_document_before_them():
    jpeg = b"\xff\xd8\xff\xe0 %d \xff\xd9"
    parts = [("e", "text/xml", alert().encode()), ("p", "image/jpeg", jpeg % 1)]
    parts += [("e", "text/xml", alert("IO").encode()), ("p", "application/octet-stream", jpeg % 2)]
    first, second = read(multipart(*parts))
    assert [jpeg % 1] == [picture.data for picture in first.pictures]
    assert [jpeg % 2] == [picture.data for picture in second.pictures]


def test_a_part_that_only_claims_to_be_a_picture_is_left_out_with_a_flag():
    parts = [Part(b"Picture Data", {"content-type": "image/jpeg"}), Part(b"\xff\xd8\xff cut")]
    assert all(is_picture(part) for part in parts)
    pictures, flags = take_pictures(parts, {})
    assert (
        [picture.data for picture in pictures],
        flags,
    ) == ([b"\xff\xd8\xff cut"], ("picture_unreadable", "picture_truncated"))


def test_a_box_without_an_area_is_none_and_one_out_of_scale_is_unknown():
    assert a_box([1.0, 1.0, 0.0, 5.0], "UNIT") is None
    assert a_box([0.1, 0.1, 0.5, 5.0], "UNIT")["scale"] == "UNKNOWN"


@pytest.mark.parametrize("path", [*OWN_FILES, *SHARED_FILES], ids=lambda path: path.name)
def test_a_cut_payload_never_gives_a_traceback(path):
    body = path.read_bytes()
    for end in range(0, len(body), 64):
        gives_only_outcomes(payload(body[:end], "multipart/mixed; boundary=boundary"))


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(OWN_FILES),
    flips=st.lists(st.tuples(st.integers(0, 6_000), st.integers(0, 7)), min_size=1, max_size=12),
    content_type=st.sampled_from(["", "text/xml", "application/json", "multipart/x; boundary=b"]),
)
def test_flipped_bits_never_give_a_traceback(path, flips, content_type):
    body = bytearray(path.read_bytes())
    for place, bit in flips:
        body[place % len(body)] ^= 1 << bit
    gives_only_outcomes(payload(bytes(body), content_type))


@settings(max_examples=80, deadline=None)
@given(body=st.binary(max_size=300), content_type=st.text(max_size=30))
def test_no_bytes_give_a_traceback(body, content_type):
    gives_only_outcomes(payload(body, content_type))


@settings(max_examples=80, deadline=None)
@given(
    fields=st.dictionaries(
        st.sampled_from(
            ["channelID", "dateTime", "activePostCount", "macAddress", "UUID", "alarmDataType"]
        ),
        st.text(max_size=30),
    ),
    plate=st.text(max_size=20),
    level=st.one_of(st.integers(), st.floats(), st.none(), st.booleans(), st.text(max_size=9)),
)
def test_no_values_give_a_traceback(fields, plate, level, schemas):
    inner = {"licensePlate": plate, "confidenceLevel": level, "plateCharBelieve": level}
    inner |= {"line": level, "vehicleInfo": {"speed": level, "color": [level, plate]}}
    given_payload = payload(json.dumps({**fields, "eventType": "ANPR", "ANPR": inner}))
    for outcome in parse(given_payload, Options()):
        if isinstance(outcome, Event):
            schema = schemas[outcome.noun]
            validation.validate(filled(schema, outcome.body), schema, strict=True)


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" * 100_000,
        b"<a " * 300_000,
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"--b\r\n\r\n" * 150_000,
        b"x" * 1_000_000,
        b"\n-" * 500_000,
        bytes(range(256)) * 4_000,
        alert(more="<x>" * 500 + "</x>" * 500).encode(),
    ],
    ids=["deep", "open", "brackets", "braces", "delimiters", "junk", "dashes", "binary", "nested"],
)
def test_a_megabyte_of_junk_never_gives_a_traceback(body):
    gives_only_outcomes(payload(body))


def test_the_plates_poll_goes_on_at_the_newest_picture_whatever_the_order():
    sample = OWN / "plates_poll.xml"
    assert connector.cursor(sample.read_bytes()) == "202603140744509200"
    assert connector.cursor(b"<Plates><Plate><picName>x</picName></Plate></Plates>") == ""
    assert connector.cursor(b"<Plates/>") == ""
