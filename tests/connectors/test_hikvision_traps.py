# more than 400 lines: every trap of one format, in one place
"""Hikvision ISAPI: the traps of the field, each a test whose name says it."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hikvision_isapi import Options, connector, parse
from hub import Event, Nothing, Payload, Rejection
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "hikvision_isapi"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200)) + b"\xff\xd9"
ALERT = "EventNotificationAlert"


def payload(body, content_type="", received_at=NOW):
    body = body if isinstance(body, bytes) else body.encode()
    return Payload(body=body, content_type=content_type, received_at=received_at)


def read(body, content_type="", **options):
    return list(parse(payload(body, content_type), Options(**options)))


def one(body, content_type="", **options):
    (outcome,) = read(body, content_type, **options)
    return outcome


def ids(*bodies):
    identity = Identity(b"k" * 32, connector, "cam-kim-ma")
    return [identity.event(one(body), payload_id=str(n), index=0) for n, body in enumerate(bodies)]


def alert(kind="fielddetection", state="active", more="", **fields):
    base = {"macAddress": "02:00:5e:10:00:07", "channelID": "1", "ipAddress": "10.20.30.7"}
    base |= {"dateTime": "2026-03-14T07:46:00+07:00", "activePostCount": "1"} | fields
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in base.items())
    inner += f"<eventType>{kind}</eventType><eventState>{state}</eventState>{more}"
    return f"<{ALERT}>{inner}</{ALERT}>"


def anpr(plate="30K-123.45", more="", outside="", **fields):
    data = f"<ANPR><licensePlate>{plate}</licensePlate>{more}</ANPR>{outside}"
    return alert("ANPR", more=data, **fields)


def part(data, headers=(), *, delimiter="--boundary", eol="\r\n", length=None):
    data = data if isinstance(data, bytes) else data.encode()
    lines = [delimiter, *headers]
    if length is not None:
        lines.append(f"Content-Length: {length if length >= 0 else len(data)}")
    return eol.join([*lines, "", ""]).encode() + data + eol.encode()


def pushed(*pictures, event=None):
    """A push: the event, then pictures by name."""
    head = 'Content-Disposition: form-data; name="{0}"; filename="{0}"'
    body = part(event or anpr(), [head.format("anpr.xml"), "Content-Type: text/xml"], length=-1)
    for name in pictures:
        body += part(JPEG, [head.format(name), "Content-Type: image/pjpeg"], length=-1)
    return body + b"--boundary--\r\n"


# Heartbeats


@pytest.mark.parametrize(
    "body",
    [
        alert("videoloss", "inactive", activePostCount="0"),
        alert("videoloss", "inactive", activePostCount="0", channelID="0"),
        alert("videoloss", "inactive", activePostCount="", channelID=""),
        alert("heartBeat", "active"),
        json.dumps({ALERT: {"eventType": "heartBeat", "eventState": "active"}}),
    ],
    ids=["alertStream", "of a recorder", "empty channel", "subscribeEvent", "JSON"],
)
def test_a_heartbeat_of_any_way_in_is_no_alarm(body):
    assert isinstance(one(body), Nothing)


def test_a_loss_of_video_that_is_active_is_one_and_its_end_is_no_heartbeat():
    lost = one(alert("videoloss", "active", channelID="3"))
    found = one(alert("videoloss", "inactive", channelID="3", activePostCount="2"))
    assert [each.body["state"] for each in (lost, found)] == ["OFFLINE", "ONLINE"]
    assert lost.subject == found.subject == ("02:00:5e:10:00:07/3", "video")


def test_the_first_part_of_subscribe_event_is_its_answer():
    answer = "<SubscribeEventResponse><id>7</id></SubscribeEventResponse>"
    outcomes = read(part(answer) + part(alert("heartBeat")) + part(alert()))
    assert [type(each) for each in outcomes] == [Nothing, Nothing, Event]


# Repeats


def test_an_alarm_posted_once_a_second_is_started_once_and_goes_on():
    states = [one(alert(activePostCount=str(n))).body["state"] for n in (1, 2, 3)]
    assert states == ["STARTED", "ONGOING", "ONGOING"]


@pytest.mark.parametrize("count", ["174", "4268"])
def test_a_count_that_never_begins_anew_is_no_sequence(count):
    body = one(alert(activePostCount=count)).body
    assert (body["state"], body["post_count"]) == ("ONGOING", int(count))


def test_a_count_of_nought_counts_nothing():
    assert one(alert(activePostCount="0")).body["post_count"] is None


def test_the_count_of_posts_is_no_id():
    first, second = ids(alert(activePostCount="1"), alert(activePostCount="2", state="active"))
    again, _ = ids(alert(activePostCount="1"), alert())
    assert first == again
    assert first != second  # one began, the other went on


def test_one_part_posted_several_times_in_a_row_is_one_event():
    first, second = ids(alert("duration", more=DURATION), alert("duration", more=DURATION))
    assert first == second


def test_an_alarm_that_never_ends_is_left_open():
    assert one(alert("VMD", channelID="4")).lifecycle == "UNKNOWN"


DURATION = (
    "<DurationList><Duration><relationEvent>fielddetection</relationEvent></Duration>"
    "</DurationList>"
)


def test_a_duration_is_the_event_it_wraps():
    assert one(alert("duration", more=DURATION)).body["rule"] == "fielddetection"
    assert one(alert("duration")).kind == "camera.duration"


# Multipart

XML_PART = ["Content-Type: application/xml", 'Content-Disposition: form-data; name="a.xml"']
JPEG_PART = ["Content-Type: image/jpeg"]


def stream(**how):
    event = part(alert(), XML_PART, **how)
    return event + part(JPEG, JPEG_PART, **how) + part(alert("IO"), XML_PART, **how)


STREAMS = {
    "as announced": ("multipart/mixed; boundary=boundary", stream(length=-1)),
    "dashes counted twice": ("multipart/mixed; boundary=--boundary", stream(length=-1)),
    "MIME_boundary": (
        "multipart/mixed; boundary=MIME_boundary",
        stream(delimiter="--MIME_boundary", length=-1),
    ),
    "four dashes": (
        "multipart/mixed; boundary=--MIME_boundary",
        stream(delimiter="----MIME_boundary", length=-1),
    ),
    "an unrelated boundary": ("multipart/mixed; boundary=abc123", stream(length=-1)),
    "a bogus second delimiter after the XML": (
        "multipart/mixed; boundary=boundary",
        stream(length=-1).replace(b"Alert>\r\n", b"Alert>\r\n--boundary\r\n"),
    ),
    "a doubled delimiter": (
        "multipart/mixed; boundary=boundary",
        stream(length=-1).replace(b"--boundary\r\n", b"--boundary\r\n--boundary\r\n"),
    ),
    "line feeds alone": ("multipart/mixed; boundary=boundary", stream(eol="\n", length=-1)),
    "a comma in the header": ("multipart/form-data, boundary=boundary", stream(length=-1)),
    "no length": ("multipart/mixed; boundary=boundary", stream()),
    "a length of nought": ("multipart/mixed; boundary=boundary", stream(length=0)),
    "a length too large": ("multipart/mixed; boundary=boundary", stream(length=60_000)),
    "a length that counts other line ends": (
        "multipart/mixed; boundary=boundary",
        stream(eol="\n", length=-1).replace(b"Length: ", b"Length: 1"),
    ),
    "the answer of HTTP in front": (
        "",
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=boundary\r\n\r\n" + stream(),
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_multipart_that_standard_parsers_refuse_gives_its_events(name):
    content_type, body = STREAMS[name]
    first, second = read(body, content_type)
    assert (first.kind, second.kind) == ("camera.fielddetection", "camera.io")
    assert [picture.data for picture in first.pictures] == [JPEG]
    assert second.pictures == ()


def pieces(content_type, body, places):
    live = connector.split(content_type, 1 << 20)
    found = []
    for start, end in pairwise([0, *places, len(body)]):
        found += live.feed(body[start:end])
    return [*found, *live.close()]


def kinds(found):
    return [each.kind for piece in found for each in read(piece.body, piece.content_type)]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_without_an_end_mark_is_cut_alike_byte_by_byte(name):
    content_type, body = STREAMS[name]
    assert kinds(pieces(content_type, body, range(1, len(body)))) == [
        "camera.fielddetection",
        "camera.io",
    ]


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(STREAMS)),
    places=st.lists(st.integers(1, 900), max_size=8, unique=True).map(sorted),
)
def test_a_stream_is_cut_alike_whatever_the_chunks(name, places):
    content_type, body = STREAMS[name]
    places = [place for place in places if place < len(body)]
    assert pieces(content_type, body, places) == pieces(content_type, body, [])


@pytest.mark.parametrize("name", ["anpr.xml", "ANPR.xml", "fielddetection", ""])
@pytest.mark.parametrize("kind", ["application/xml", "text/xml", "application/octet-stream", ""])
def test_the_xml_part_may_have_any_name_and_any_type(name, kind):
    headers = [f'Content-Disposition: form-data; name="{name}";', f"Content-Type: {kind}"]
    assert one(part(alert(), headers) + b"--boundary--").kind == "camera.fielddetection"


@pytest.mark.parametrize("kind", ["image/jpeg", "image/pjpeg", "application/octet-stream"])
def test_a_picture_is_known_by_its_bytes_whatever_its_type_and_without_a_name(kind):
    body = part(alert(), XML_PART) + part(JPEG, [f"Content-Type: {kind}"]) + b"--boundary--"
    assert [each.data for each in one(body).pictures] == [JPEG]


def test_an_event_in_json_may_stand_in_a_part_between_pictures():
    event = json.dumps({"eventType": "IO", "channelID": 2, "inputIOPortID": 5})
    body = part(event, ["Content-Type: application/json"]) + part(JPEG, JPEG_PART)
    found = one(body, "multipart/form-data; boundary=boundary")
    assert (found.body["input_ref"], len(found.pictures)) == ("5", 1)


# XML


@pytest.mark.parametrize(
    "namespace",
    [
        "http://www.hikvision.com/ver10/XMLSchema",
        "http://www.hikvision.com/ver20/XMLSchema",
        "http://www.isapi.org/ver20/XMLSchema",
        "http://www.isapi.com/ver20/XMLSchema",
        "http://www.std-cgi.com/ver10/XMLSchema",
        "http://www.std-cgi.com/ver20/XMLSchema",
        "urn:psialliance-org",
    ],
)
def test_any_of_the_namespaces_is_the_same_message(namespace):
    plain = alert()
    spelt = plain.replace(f"<{ALERT}>", f'<{ALERT} version="2.0" xmlns="{namespace}">')
    assert one(spelt) == one(plain)


def test_a_recorder_that_forwards_may_prefix_every_name():
    body = alert().replace("<", "<ns1:").replace("<ns1:/", "</ns1:")
    body = body.replace(f"<ns1:{ALERT}>", f'<ns1:{ALERT} xmlns:ns1="urn:x">')
    assert one(body) == one(alert())


@pytest.mark.parametrize(
    "spelt",
    ["<eventDescription>ANPR alarm<eventDescription>", "<eventDescription>ANPR alarm\n"],
    ids=["opened twice", "never closed"],
)
def test_a_description_that_is_not_closed_as_in_the_manual_is_read(spelt):
    body = alert(more=f"{spelt}<channelName>x</channelName>")
    outcomes = read(body + alert("IO"))
    assert [each.kind for each in outcomes] == ["camera.fielddetection", "camera.io"]
    assert [each.quality_flags for each in outcomes] == [("xml_repaired",), ()]


def test_one_broken_document_ends_no_stream():
    broken = f"<{ALERT}><eventType>VMD</eventTyp></{ALERT}>"
    outcomes = read(part(alert()) + part(broken) + part(alert("IO")))
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]


def test_one_broken_event_of_a_list_in_json_hides_no_other_one():
    good = {"eventType": "IO", "channelID": 2, "inputIOPortID": [5]}
    outcomes = read(json.dumps([good, 7, {ALERT: [good, good]}]))
    assert [type(each) for each in outcomes] == [Event, Rejection, Event, Event]
    assert {each.body["input_ref"] for each in outcomes if isinstance(each, Event)} == {"5"}


def test_an_entity_is_fetched_from_nowhere():
    body = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>{alert(more="&x;")}'
    assert one(body).code == "xml-entities"


def test_what_is_broken_otherwise_stays_refused_though_its_description_could_be_mended():
    body = alert(more="<eventDescription>a<eventDescription><b></c>")
    assert one(body).code == "malformed"


def test_json_deeper_than_any_event_is_read_as_far_as_events_go():
    deep = {"eventType": "IO", "x": 1}
    for _ in range(61):
        deep = {"eventType": "IO", "x": deep}
    assert one(json.dumps(deep)).kind == "camera.io"


def test_misspelt_names_are_the_contract():
    rect = "<{0}><X>10</X><Y>20</Y><width>30</width><height>15</height></{0}>"
    more = "<vehicleInfo><vehileModel>0</vehileModel></vehicleInfo><pictureInfoList><pictureInfo>"
    more += rect.format("plateRect") + rect.format("vehicelRect")
    more += "<PilotRect><x>1</x><y>2</y></PilotRect></pictureInfo></pictureInfoList>"
    gat = "<VehicleGATInfo><palteTypeByGAT>2</palteTypeByGAT></VehicleGATInfo>"
    box = one(anpr(more=more, outside=gat)).body["plate_box"]
    assert (box["x"], box["y"], box["width"], box["height"]) == (10, 20, 30, 15)


# Times


@pytest.mark.parametrize(
    ("stamp", "at", "quality", "flags"),
    [
        ("2026-03-14T07:46:00+07:00", "2026-03-14T00:46:00", "DEVICE", ()),
        ("2026-03-14T07:46:00.847+07:00", "2026-03-14T00:46:00.847", "DEVICE", ()),
        ("2026-03-14T07:46:00", "2026-03-14T00:46:00", "ASSUMED_ZONE", ()),
        ("2026-03-13T16:46:00-8:00", "2026-03-14T00:46:00", "DEVICE", ()),
        ("2026-03-14T07:46:0007:00", "2026-03-14T00:46:00", "ASSUMED_ZONE", ("time_repaired",)),
        ("2026-03-14T07:46+07:00", "2026-03-14T00:46:00", "DEVICE", ()),
        ("2034-01-01T00:00:00+07:00", "2033-12-31T17:00:00", "SUSPECT", ("clock_suspect",)),
        ("2009-01-01T00:00:11+07:00", "2008-12-31T17:00:11", "SUSPECT", ("clock_suspect",)),
    ],
    ids=["offset", "milliseconds", "no offset", "one digit", "lost sign", "no seconds", "2034",
         "2009"],
)  # fmt: skip
def test_a_stamp_of_any_spelling_is_read_and_says_how_good_it_is(stamp, at, quality, flags):
    found = one(alert(dateTime=stamp))
    assert found.observed_at == datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert (found.time_quality, found.quality_flags) == (quality, flags)


def picture_at(text):
    info = f"<pictureInfo><absTime>{text}</absTime></pictureInfo>"
    return f"<pictureInfoList>{info}</pictureInfoList>"


def test_utc_written_with_the_zones_offset_is_contradicted_by_the_pictures_time():
    found = one(anpr(more=picture_at("20260314074600123"), dateTime="2026-03-14T00:46:00+07:00"))
    assert found.quality_flags == ("times_disagree",)
    assert found.observed_at == datetime(2026, 3, 13, 17, 46, tzinfo=UTC)


@pytest.mark.parametrize("stamp", ["2026-03-14T00:46:00Z", "2026-03-14T07:46:00+09:00"])
def test_a_picture_of_the_same_time_in_another_zone_contradicts_nothing(stamp):
    found = one(anpr(more=picture_at("20260314074600123"), dateTime=stamp))
    assert "times_disagree" not in found.quality_flags


# Backlog and retransmission


@pytest.mark.parametrize(
    ("more", "outside", "replayed"),
    [
        ("", "<isDataRetransmission>true</isDataRetransmission>", True),
        ("", "<isDataRetransmission>false</isDataRetransmission>", False),
        ("<alarmDataType>1</alarmDataType>", "", True),
        ("<alarmDataType>0</alarmDataType>", "", False),
        ("", "", False),
    ],
    ids=["retransmitted", "not retransmitted", "history", "live", "nothing is said"],
)
def test_a_retransmission_is_marked_and_never_dropped(more, outside, replayed):
    assert one(anpr(more=more, outside=outside)).replayed == replayed


def test_backlog_after_a_reconnect_is_marked_where_a_site_says_how_old_it_is():
    late = alert(dateTime="2026-03-14T07:35:00+07:00")
    assert [one(late, backlog_s=seconds).replayed for seconds in (0, 600, 900)] == [
        False,
        True,
        False,
    ]
    assert not one(alert(dateTime=""), backlog_s=1).replayed


def test_a_push_that_is_sent_again_has_the_same_id():
    first, second = (anpr(UUID="20260314074600123M1G8PZT6f") for _ in range(2))
    assert len(set(ids(first, second))) == 1


def test_the_same_plate_in_the_same_second_on_two_channels_is_no_duplicate():
    assert len(set(ids(anpr(channelID="1"), anpr(channelID="2")))) == 2


# Plates


@pytest.mark.parametrize("raw", ["", "unknown", "Unknown", "--", "-", "noplate", "unlicensed"])
def test_a_passage_without_a_reading_is_no_plate(raw):
    found = one(anpr(raw, more="<confidenceLevel>0</confidenceLevel>"))
    plate = found.restricted["plate"]
    assert (plate["raw"], plate["text"], plate["confidence"]) == (raw, "", None)
    assert "plate_unread" in found.quality_flags


@pytest.mark.parametrize(
    ("level", "confidence"), [("97", 0.97), ("100", 1.0), ("0", None), ("", None), ("200", None)]
)
def test_a_confidence_is_of_a_hundred_and_nought_is_none(level, confidence):
    found = one(anpr(more=f"<confidenceLevel>{level}</confidenceLevel>"))
    assert found.restricted["plate"]["confidence"] == confidence


def test_one_weak_character_shows_under_a_strong_plate():
    more = "<plateCharBelieve>99,99,99,61,99</plateCharBelieve>"
    assert min(one(anpr(more=more)).body["character_confidences"]) == 0.61


@pytest.mark.parametrize(
    ("more", "flag"),
    [
        ("<category>M</category><area>DXB</area>", "plate_category_apart"),
        ("<tailandStateID>14</tailandStateID>", "plate_province_apart"),
    ],
    ids=["UAE", "Thailand"],
)
def test_what_of_a_plate_stands_apart_is_flagged(more, flag):
    assert one(anpr("22805", more=more)).quality_flags == (flag,)


def test_a_province_of_nought_is_none():
    assert one(anpr(more="<tailandStateID>0</tailandStateID>")).quality_flags == ()


def test_the_scale_of_a_plates_box_is_not_declared_and_not_guessed():
    rect = "<X>430</X><Y>275</Y><width>106</width><height>65</height>"
    box = one(anpr(more=f"<plateRect>{rect}</plateRect>")).body["plate_box"]
    assert (box["scale"], box["x"], box["width"]) == ("UNKNOWN", 430, 106)


def test_words_for_not_known_are_no_types_and_no_colours():
    more = "<vehicleType>unknown</vehicleType><vehicleInfo><color>unknown</color></vehicleInfo>"
    body = one(anpr(more=more)).body
    assert (body["vehicle_type"], body["vehicle_colour"]) == ("", "")


def test_a_code_of_nought_named_normal_is_no_violation():
    more = "<illegalInfo><illegalCode>0</illegalCode><illegalName>Normal</illegalName>"
    assert one(anpr(more=f"{more}</illegalInfo>")).noun == "plate_read"


# The plates poll


def poll(*plates):
    rows = "".join(
        f"<Plate><captureTime>{at}</captureTime><plateNumber>{text}</plateNumber>"
        f"<picName>{name}</picName></Plate>"
        for at, text, name in plates
    )
    return f"<Plates>{rows}</Plates>"


def test_a_poll_that_repeats_the_last_plate_gives_the_same_id():
    plate = ("20260314T0746000000", "30K-123.45", "202603140746008800")
    first, again = ids(poll(plate), poll(plate))
    assert first == again


def test_names_of_pictures_beyond_64_bits_stay_texts():
    names = ["2026031407460088000000001", "2026031407460088000000002"]
    rows = [("20260314T0746000000", "30K-123.45", name) for name in names]
    assert [each.native_id for each in read(poll(*rows))] == names


def test_a_capture_time_whose_last_digits_may_be_ms_or_an_offset_loses_them():
    found = one(poll(("20260314T0746000700", "30K-123.45", "202603140746008800")))
    assert found.observed_at == datetime(2026, 3, 14, 0, 46, tzinfo=UTC)
    assert (found.time_quality, found.quality_flags) == (
        "ASSUMED_ZONE",
        ("time_repaired", "device_unnamed"),
    )


def test_the_order_of_a_poll_is_not_guaranteed_so_it_goes_on_at_the_newest():
    rows = [("", "", name) for name in ("202603140746010000", "202603140746028800", "x")]
    assert connector.cursor(poll(*rows).encode()) == "202603140746028800"


# Who it was


@pytest.mark.parametrize(
    ("fields", "more", "named"),
    [
        ({"channelID": "34"}, "", "02:00:5e:10:00:07/34"),
        ({"channelID": "0"}, "", "02:00:5e:10:00:07"),
        ({"macAddress": "", "ipAddress": ""}, "<deviceUUID>DS-T 2022</deviceUUID>", "DS-T 2022/1"),
        ({"macAddress": "", "ipAddress": ""}, "<deviceID>88</deviceID>", "88/1"),
        (
            {"macAddress": "", "ipAddress": ""},
            "<monitoringSiteID>VT87</monitoringSiteID>",
            "VT87/1",
        ),
        (
            {"macAddress": "", "ipAddress": "", "channelID": "34"},
            "<Extensions><eventPush>VMD&amp;&amp;DS-7608/S01,2026,34,1.0</eventPush></Extensions>",
            "DS-7608/S01/34",
        ),
        ({"macAddress": "", "ipAddress": ""}, "<ipv6Address>::</ipv6Address>", "1"),
    ],
    ids=["NVR", "recorder", "deviceUUID", "deviceID", "site", "eventPush", "no address"],
)
def test_a_device_is_known_by_what_it_says_of_itself(fields, more, named):
    assert one(alert(more=more, **fields)).device_ref == named


def test_channel_nought_and_an_empty_one_are_the_recorder_as_a_whole():
    found = [one(alert("diskfull", channelID=channel)) for channel in ("0", "", "00")]
    assert {each.device_ref for each in found} == {"02:00:5e:10:00:07"}
    assert one(alert(channelID="1")).device_ref == "02:00:5e:10:00:07/1"


def test_channels_of_a_recorders_own_network_cameras_begin_at_33_and_keep_their_number():
    assert one(alert(channelID="33")).device_ref == "02:00:5e:10:00:07/33"
    assert one(alert(more="<dynChannelID>34</dynChannelID>", channelID="")).device_ref == (
        "02:00:5e:10:00:07/34"
    )


def test_a_stream_url_in_a_heartbeat_may_carry_a_password_and_goes_nowhere():
    url = "<Extensions><url>rtsp://admin:mat-khau-7@10.20.30.7/101</url></Extensions>"
    assert "mat-khau" not in repr(one(alert("videoloss", "inactive", url, activePostCount="0")))
    assert "mat-khau" not in repr(one(alert("videoloss", "active", url)))


def test_an_event_type_that_nobody_lists_is_passed_on_as_it_is():
    found = one(alert("throwingObject.v2"))
    assert (found.kind, found.body["rule"]) == ("camera.throwingobject.v2", "throwingObject.v2")


def test_the_objects_box_and_the_regions_corners_have_scales_of_their_own():
    corner = "<RegionCoordinates><positionX>572</positionX><positionY>995</positionY>"
    more = f"<RegionCoordinatesList>{corner}</RegionCoordinates></RegionCoordinatesList>"
    more += "<TargetRect><X>0.6</X><Y>0.2</Y><width>0.1</width><height>0.5</height></TargetRect>"
    entry = f"<DetectionRegionEntry>{more}</DetectionRegionEntry>"
    body = one(alert(more=f"<DetectionRegionList>{entry}</DetectionRegionList>")).body
    assert (body["box"]["scale"], body["polygon_scale"]) == ("UNIT", "PERMILLE")


# Pictures and persons


def test_pictures_of_the_driver_and_the_co_driver_are_dropped_before_anything_is_stored():
    names = ["licensePlatePicture.jpg", "pilotPicture.jpg", "copilotPicture.jpg"]
    found = one(pushed(*names, "vehiclePicture.jpg", "detectionPicture.jpg"))
    assert [each.role for each in found.pictures] == ["plate", "vehicle", "scene"]
    assert "person_picture_dropped" in found.quality_flags


@pytest.mark.parametrize(
    "kind", ["faceCapture", "facesnap", "humanRecognition", "AccessControllerEvent", "peopleList"]
)
def test_a_picture_without_a_telling_name_beside_an_event_of_persons_is_dropped(kind):
    found = one(pushed("Picture", event=alert(kind)))
    assert (found.pictures, found.quality_flags) == ((), ("person_picture_dropped",))


def test_a_picture_beside_a_heartbeat_is_no_event():
    assert isinstance(one(pushed("a.jpg", event=alert("heartBeat"))), Nothing)


def test_names_of_people_at_a_door_go_nowhere():
    who = "<AccessControllerEvent><name>Trần Văn An</name><employeeNoString>7</employeeNoString>"
    found = one(alert("AccessControllerEvent", more=f"{who}</AccessControllerEvent>"))
    assert "Trần" not in repr(found)


def test_a_push_with_a_picture_of_many_megabytes_is_read():
    big = JPEG[:-2] + bytes(4_000_000) + JPEG[-2:]
    body = part(anpr(), XML_PART, length=-1) + part(big, JPEG_PART, length=-1) + b"--boundary--"
    assert [len(each.data) for each in one(body).pictures] == [len(big)]


def test_a_plate_in_an_id_of_the_camera_stands_nowhere_else():
    found = one(anpr(UUID="30K12345-20260314074600", more=picture_at("20260314074600000")))
    assert found.native_id is None
    assert "30K" not in repr((found.quality_flags, found.body, found.device_ref))


# The samples that others recorded, and what must come of each


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "anpr_v2.xml",
            ("d4:e8:53:bc:4c:02/1", "2024-01-19T03:17:19.654Z", "PECT600", "DEPARTING", 2),
        ),
        (
            "anpr_uae_parsed_1.json",
            ("24:32:ae:a8:ba:96/1", "2023-06-01T11:12:26.951Z", "22805", "APPROACHING", 1),
        ),
        (
            "anpr_deepinview_v58.xml",
            ("192.168.1.64/1", "2026-07-05T19:44:40Z", "WX1234A", "DEPARTING", 1),
        ),
        ("plates_poll_one.xml", ("", "2020-04-24T09:16:27Z", "DK18HVX", "APPROACHING", 1)),
        ("plates_poll_minimal_no_ns.xml", ("", "2024-04-28T06:00:00Z", "ABC1234", "APPROACHING",
         None)),
    ],
)  # fmt: skip
def test_a_shared_plate_read_says_what_its_file_says(name, wanted):
    found = one((SHARED / name).read_bytes())
    device, at, text, direction, lane = wanted
    assert (found.device_ref, found.observed_at) == (device, datetime.fromisoformat(at))
    assert found.restricted["plate"]["text"] == text
    assert (found.body["direction"], found.body["lane"]) == (direction, lane)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize(
    ("name", "device", "at", "rule", "state"),
    [
        ("fielddetection_human.xml", "ac:b9:2f:49:44:75/1", "2022-01-31T12:53:05Z",
         "fielddetection", "STARTED"),
        ("duration_wraps_fielddetection.xml", "a6:63:9e:f8:01:09/1", "2023-01-23T22:27:25Z",
         "fielddetection", "STARTED"),
        ("multipart_part_duration.txt", "58:50:ed:21:f0:9b/1", "2020-07-23T16:30:20Z",
         "fielddetection", "STARTED"),
        ("nvr_fielddetection_psia.xml", "DS-7608NXI-I0/0P/S0000000000CCRRJ00000000WCVU/34",
         "2023-01-13T18:16:39Z", "fielddetection", "ONGOING"),
        ("io_cam1.xml", "4f:e4:2f:81:cd:1b/1", "2024-11-19T15:53:28Z", "IO", "STARTED"),
        ("vmd_dvr_no_offset.xml", "3c:1b:f8:38:ba:23/4", "2026-09-09T10:02:45Z", "VMD",
         "STARTED"),
    ],
)  # fmt: skip
def test_a_shared_alarm_says_what_its_file_says(name, device, at, rule, state):
    found = one((SHARED / name).read_bytes())
    assert (found.device_ref, found.observed_at) == (device, datetime.fromisoformat(at))
    assert (found.body["rule"], found.body["state"]) == (rule, state)
    assert abs(found.observed_at - NOW) < timedelta(days=1) or found.time_quality == "SUSPECT"


def test_documents_of_a_stream_may_each_begin_with_a_byte_order_mark_and_a_declaration():
    marked = '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n' + alert()
    found = read(f"{marked}\r\n{marked}\r\n") + read(part(marked) + part(marked))
    assert found == [one(alert())] * 4


@pytest.mark.parametrize(
    "body", [anpr(""), json.dumps({ALERT: {"eventType": "ANPR", "ANPR": {"licensePlate": None}}})]
)
def test_a_plate_of_null_is_that_of_an_empty_one(body):
    plate = one(body).restricted["plate"]
    assert (plate["raw"], plate["text"], plate["confidence"]) == ("", "", None)


def test_two_vehicles_without_a_reading_are_told_apart_by_the_pictures_milliseconds():
    first, second = (
        anpr("unknown", more=picture_at(f"20260314074600{ms}")) for ms in ("123", "560")
    )
    assert len(set(ids(first, second))) == 2


def test_two_cameras_behind_one_address_are_told_apart():
    first, second = (
        one(alert(ipAddress="203.0.113.9", macAddress=mac))
        for mac in ("02:00:5e:10:00:07", "02:00:5e:10:00:08")
    )
    assert first.device_ref != second.device_ref
    assert "203.0.113.9" not in first.device_ref


def test_an_answer_of_the_plates_poll_names_no_camera_and_says_so():
    found = one(poll(("20260314T074600", "30K-123.45", "202603140746008800")))
    assert (found.device_ref, found.quality_flags) == ("", ("device_unnamed",))
    named = one(poll(("20260314T074600", "30K-123.45", "202603140746008800")), device="cong-01")
    assert (named.device_ref, named.quality_flags) == ("cong-01", ())
