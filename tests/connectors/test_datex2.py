# more than 400 lines: every trap of one format, in one place
"""Situations of DATEX II: envelopes, copies, ends, places, and hostile bytes."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import fastavro
import pytest
from fastavro.validation import validate
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.datex2 import Options, connector, parse
from hub.connector import Event, Nothing, Payload, Position, Rejection
from hub.errors import PayloadError

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/datex2"
SHARED = ROOT.parent / "shared/samples/traffic/datex2"
AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def _schema(noun):
    named: dict = {}
    files = [ROOT / f"schemas/avro/{name}.avsc" for name in ("header", noun)]
    return [fastavro.parse_schema(json.loads(file.read_text()), named) for file in files][-1]


SCHEMAS = {noun: _schema(noun) for noun in connector.emits}


def outcomes(body, received_at=AT):
    body = body if isinstance(body, bytes) else body.encode()
    found = list(parse(Payload(body=body, received_at=received_at), Options()))
    for event in found:
        if isinstance(event, Event):
            assert validate(event.body, SCHEMAS[event.noun])
            assert event.subject[0]
            str((event.kind, event.body)).encode()
    return found


def event_of(body):
    (event,) = outcomes(body)
    return event


def record(inner="", *, name="R1", version="1", at="07:30", kind="Accident", validity="", **times):
    texts = {
        "situationRecordCreationTime": "2026-11-20T07:30:00Z",
        "situationRecordVersionTime": f"2026-11-20T{at}:00Z" if at else "",
    } | times
    fields = "".join(f"<{key}>{value}</{key}>" for key, value in texts.items() if value)
    return (
        f'<situationRecord id="{name}" version="{version}" xsi:type="any:{kind}">{fields}'
        f"<validity>{validity}</validity>{inner}</situationRecord>"
    )


def situation(*records, name="S1", version="1", header="", inner=""):
    header = f"<headerInformation>{header}</headerInformation>"
    records = "".join(records)
    return f'<situation id="{name}" version="{version}">{inner}{header}{records}</situation>'


def publication(*situations, tag="situationPublication", more=""):
    return (
        f'<{tag} {XSI} lang="vi" {more}><publicationTime>2026-11-20T07:59:00Z</publicationTime>'
        f"{''.join(situations)}</{tag}>"
    )


def located(inner, tag="locationReference"):
    return event_of(publication(situation(record(f"<{tag}>{inner}</{tag}>"))))


def point(lat, lon):
    return (
        "<pointCoordinates>"
        f"<latitude>{lat}</latitude><longitude>{lon}</longitude></pointCoordinates>"
    )


@pytest.mark.parametrize(
    "wrap",
    [
        "<d2LogicalModel>{}</d2LogicalModel>",
        "<Envelope xmlns='urn:e'><Body><d2LogicalModel>{}</d2LogicalModel></Body></Envelope>",
        "<x:messageContainer xmlns:x='urn:x'>{}</x:messageContainer>",
        "<wrapper><request/>{}</wrapper>",
    ],
)
@pytest.mark.parametrize("kind", ['xsi:type="a:SituationPublication"', ""])
def test_every_envelope_is_taken_off(wrap, kind):
    for tag in ("payloadPublication", "payload"):
        inner = publication(situation(record()), tag=tag, more=kind)
        assert event_of(wrap.format(inner)).subject == ("S1", "R1")


def test_the_publication_may_be_the_root():
    for tag in ("situationPublication", "payload"):
        assert event_of(publication(situation(record()), tag=tag)).kind == "road.accident"


@pytest.mark.parametrize(
    "body",
    [
        publication(),
        publication(tag="payload", more='xsi:type="v:VmsPublication"'),
        "<d2LogicalModel><payloadPublication><sites/></payloadPublication></d2LogicalModel>",
        "<d2LogicalModel><exchange><keepAlive>true</keepAlive></exchange></d2LogicalModel>",
        '{"payload": {"vmsVmsPublication": {"publicationTime": "2026-11-20T07:59:00Z"}}}',
    ],
)
def test_a_document_without_situations_rightly_gives_nothing(body):
    assert isinstance(outcomes(body)[0], Nothing)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<html><body>Login</body></html>", "not-datex2"),
        ('{"alerts": []}', "not-datex2"),
        (
            "<Envelope><Body><Fault><faultstring>no</faultstring></Fault></Body></Envelope>",
            "soap-fault",
        ),
    ],
)
def test_another_document_is_refused_as_such(body, code):
    assert outcomes(body)[0].code == code


def test_copies_of_a_record_are_folded_to_the_newest_by_time():
    old = situation(record(at="07:30", version="9"), version="9")
    new = situation(record(at="07:40", version="9"), version="9")
    for order in ([old, new], [new, old]):
        event = event_of(publication(*order))
        assert event.version_at == datetime(2026, 11, 20, 7, 40, tzinfo=UTC)


def test_at_one_time_the_version_decides_as_a_number():
    copies = [situation(record(version=version), version=version) for version in ("61", "9", "")]
    assert event_of(publication(*copies)).native_version == "61"


def test_at_one_time_and_version_the_last_in_the_document_is_taken():
    copies = [situation(record(f"<severity>{word}</severity>")) for word in ("low", "high")]
    assert event_of(publication(*copies)).severity == "SEVERE"


def test_records_that_only_an_older_copy_has_are_dropped():
    old = situation(record(at="07:30"), record(name="R2", at="07:30"))
    new = situation(record(at="07:40"))
    for order in ([old, new], [new, old]):
        assert event_of(publication(*order)).subject == ("S1", "R1")


def test_what_has_no_id_is_refused_alone():
    body = publication(
        situation(record(name=""), record(name="R2")),
        situation(record(), name=""),
    )
    first, second, event = sorted(outcomes(body), key=lambda o: isinstance(o, Event))
    assert first.path == "situationPublication/situation[0]/situationRecord[0]/@id"
    assert second.path == "situationPublication/situation[1]/@id"
    assert event.subject == ("S1", "R2")


END = "<validityStatus>{}</validityStatus><validityTimeSpecification><overallEndTime>{}"
END += "</overallEndTime></validityTimeSpecification>"
MANAGED = "<management><lifeCycleManagement><{0}>true</{0}></lifeCycleManagement></management>"


@pytest.mark.parametrize(
    ("inner", "validity", "expected"),
    [
        ("", "", "UNKNOWN"),
        (MANAGED.format("end"), "<validityStatus>active</validityStatus>", "ENDED"),
        (MANAGED.format("cancel"), "", "CANCELLED"),
        ("<informationManagement>cancel</informationManagement>", "", "CANCELLED"),
        ("<informationManagement>close</informationManagement>", "", "ENDED"),
        ("<informationManagement>odd</informationManagement>", "", "UNKNOWN"),
        ("", END.format("active", "2026-11-20T07:59:00Z"), "ENDED"),
        ("", END.format("active", "2026-11-20T07:59:01Z"), "UNKNOWN"),
        ("", END.format("suspended", "2026-11-20T07:59:30Z"), "ENDED"),
        ("", END.format("suspended", "2026-11-20T09:00:00Z"), "UNKNOWN"),
    ],
)
def test_the_end_is_found_in_all_its_spellings(inner, validity, expected):
    event = event_of(publication(situation(record(inner, validity=validity))))
    assert event.lifecycle == expected


def test_an_end_hours_before_its_own_version_is_an_end():
    validity = END.format("definedByValidityTimeSpec", "2026-11-20T02:00:00Z")
    assert event_of(publication(situation(record(validity=validity)))).lifecycle == "ENDED"


def test_a_version_made_before_its_creation_keeps_its_time():
    times = {"situationRecordCreationTime": "2026-11-20T07:30:00.029Z"}
    event = event_of(publication(situation(record(**times))))
    assert (event.version_at.microsecond, event.quality_flags) == (0, ())


@pytest.mark.parametrize(
    ("word", "expected", "flags"),
    [
        ("real", "LIVE", ()),
        ("", "LIVE", ()),
        ("test", "TEST", ()),
        ("securityExercise", "EXERCISE", ()),
        ("technicalExercise", "EXERCISE", ()),
        ("rehearsal", "UNKNOWN", ("information_status_unknown",)),
    ],
)
def test_tests_and_exercises_have_their_own_status(word, expected, flags):
    header = f"<informationStatus>{word}</informationStatus>"
    event = event_of(publication(situation(record(), header=header)))
    assert (event.status, event.quality_flags) == (expected, flags)


@pytest.mark.parametrize(
    ("own", "overall", "expected"),
    [
        ("lowest", "", "INFO"),
        ("", "low", "MINOR"),
        ("medium", "highest", "MODERATE"),
        ("", "high", "SEVERE"),
        ("highest", "", "EXTREME"),
        ("unknown", "high", "UNKNOWN"),
        ("", "", "UNKNOWN"),
    ],
)
def test_the_record_s_own_severity_goes_first(own, overall, expected):
    inner = f"<overallSeverity>{overall}</overallSeverity>"
    body = publication(situation(record(f"<severity>{own}</severity>"), inner=inner))
    assert event_of(body).severity == expected


def test_the_version_time_of_the_situation_stands_in():
    inner = "<situationVersionTime>2026-11-20T07:35:00Z</situationVersionTime>"
    event = event_of(publication(situation(record(at=""), inner=inner)))
    assert event.version_at == event.observed_at == datetime(2026, 11, 20, 7, 35, tzinfo=UTC)
    event = event_of(publication(situation(record(at=""))))
    assert (event.version_at, event.time_quality) == (None, "RECEIVED")
    assert event.quality_flags == ("version_time_missing",)


def test_works_first_seen_years_ago_are_told_at_the_time_of_their_version():
    times = {"situationRecordObservationTime": "2019-01-01T00:00:00.002308656Z\n "}
    event = event_of(publication(situation(record(**times))))
    assert event.observed_at == datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
    assert event.time_quality == "DEVICE"


def test_versions_are_given_as_they_came():
    assert event_of(publication(situation(record(version="1781367030299")))).native_version == (
        "1781367030299"
    )
    assert event_of(publication(situation(record(version=""), version="14"))).native_version == "14"
    assert event_of(publication(situation(record(version=""), version=""))).native_version is None


@pytest.mark.parametrize(
    ("kind", "inner", "detail"),
    [
        ("Accident", "<accidentType>a</accidentType><accidentType>b</accidentType>", "a,b"),
        ("MaintenanceWorks", "<roadMaintenanceType>repair</roadMaintenanceType>", "repair"),
        ("Accident", "<sourceType>police</sourceType>", ""),
    ],
)
def test_the_detail_is_the_sub_type(kind, inner, detail):
    assert event_of(publication(situation(record(inner, kind=kind)))).body["detail"] == detail


def test_a_record_without_a_type_is_kept_with_a_flag():
    event = event_of(publication(situation(record(kind=""))))
    assert (event.kind, event.quality_flags) == ("road.situation", ("record_type_missing",))


def test_public_texts_keep_language_and_role_and_operators_texts_are_dropped():
    values = "<comment><values><value>Ngập sâu</value><value lang='en'>Deep</value></values>"
    inner = f"<generalPublicComment>{values}</comment><commentType>description</commentType>"
    inner += "</generalPublicComment><nonGeneralPublicComment><comment><values>"
    inner += "<value>Gọi ông Z</value></values></comment></nonGeneralPublicComment>"
    event = event_of(publication(situation(record(inner))))
    assert event.body["texts"] == [
        {"language": "vi", "text": "Ngập sâu", "role": "description"},
        {"language": "en", "text": "Deep", "role": "description"},
    ]


def test_contacts_in_public_comments_are_masked():
    comment = "<comment><values><value>Gọi 024 3888 8888</value></values></comment>"
    inner = f"<generalPublicComment>{comment}</generalPublicComment>"
    event = event_of(publication(situation(record(inner))))
    assert [text["text"] for text in event.body["texts"]] == ["Gọi […]"]
    assert event.quality_flags == ("contact_masked",)


def test_the_source_is_an_organisation_never_an_address():
    inner = "<source><sourceIdentification>{}</sourceIdentification></source>"
    for given_name, kept in (("Cục CSGT", "Cục CSGT"), ("a.b@hanoi.example", "")):
        event = event_of(publication(situation(record(inner.format(given_name)))))
        assert event.body["source_name"] == kept


def test_the_record_overrides_the_confidentiality():
    header = "<confidentiality>noRestriction</confidentiality>"
    inner = "<confidentialityOverride>internalUse</confidentialityOverride>"
    for own, expected in (("", "noRestriction"), (inner, "internalUse")):
        event = event_of(publication(situation(record(own), header=header)))
        assert event.body["confidentiality"] == expected


@pytest.mark.parametrize(
    ("text", "limit", "flags"),
    [
        ("40.0", 40.0, ()),
        ("", None, ()),
        ("slow", None, ("speed_limit_invalid",)),
        ("nan", None, ("speed_limit_invalid",)),
        ("-5", None, ("speed_limit_invalid",)),
    ],
)
def test_a_speed_limit_is_a_speed(text, limit, flags):
    inner = f"<temporarySpeedLimit>{text}</temporarySpeedLimit>"
    event = event_of(publication(situation(record(inner))))
    assert (event.body["speed_limit_kmh"], event.quality_flags) == (limit, flags)


@pytest.mark.parametrize("tag", ["groupOfLocations", "locationReference"])
def test_points_are_kept_in_order_and_the_first_is_the_position(tag):
    event = located(point(21.01, 105.8) + point(21.02, 105.81), tag)
    assert event.position == Position(lat=21.01, lon=105.8)
    assert event.body["points"] == [{"lat": 21.01, "lon": 105.8}, {"lat": 21.02, "lon": 105.81}]


def test_the_point_for_display_is_the_position():
    display = "<locationForDisplay><latitude>21.05</latitude><longitude>105.85</longitude>"
    event = located(point(21.01, 105.8) + display + "</locationForDisplay>")
    assert event.position == Position(lat=21.05, lon=105.85)


def test_a_gml_line_lists_latitude_first():
    event = located("<gmlLineString><posList>21.01 105.8 21.02 105.81 7</posList></gmlLineString>")
    assert [p["lat"] for p in event.body["points"]] == [21.01, 21.02]


@pytest.mark.parametrize(
    ("inner", "flag"),
    [
        (point("2324871.4", "587431.9"), "coordinates_projected"),
        (point("105.85", "21.03"), "axes_swapped_suspect"),
        (point("", "105.8"), "coordinates_invalid"),
        ("<latitude>21.0</latitude>", "coordinates_invalid"),
    ],
)
def test_what_can_not_be_degrees_is_no_position(inner, flag):
    event = located(inner)
    assert (event.position, event.body["points"], event.quality_flags) == (None, [], (flag,))


def test_a_place_outside_hanoi_is_kept_with_a_flag():
    event = located(point(10.77, 106.7))
    assert (event.position, event.quality_flags) == (
        Position(lat=10.77, lon=106.7),
        ("outside_hanoi",),
    )


def test_a_line_of_thousands_of_points_is_cut():
    event = located(f"<posList>{'21.01 105.8 ' * 3_000}</posList>")
    assert (len(event.body["points"]), event.quality_flags) == (2_000, ("points_cut",))


def test_codes_name_their_scheme_and_table():
    event = located(
        "<alertCPoint><alertCLocationCountryCode>V</alertCLocationCountryCode>"
        "<alertCLocationTableNumber>1</alertCLocationTableNumber>"
        "<alertCLocationTableVersion>2</alertCLocationTableVersion><alertCLocation>"
        "<specificLocation>77</specificLocation></alertCLocation></alertCPoint>"
        "<openlr><openlrBinary>Cw\nRb</openlrBinary></openlr>"
        '<predefinedLocationReference id="L7" version="3"/>'
        "<linearWithinLinearElement><linearElement><roadNumber>QL1A</roadNumber></linearElement>"
        "<fromPoint><distanceAlong>10</distanceAlong></fromPoint><toPoint><fromReferent>"
        "<referentIdentifier>Km9</referentIdentifier></fromReferent></toPoint>"
        "</linearWithinLinearElement>"
        "<pointAlongLinearElement><distanceAlongLinearElement/></pointAlongLinearElement>",
    )
    assert [tuple(code.values()) for code in event.body["location_codes"]] == [
        ("alert-c", "V-1-2", "77"),
        ("openlr", "", "CwRb"),
        ("predefined", "3", "L7"),
        ("linear", "", "QL1A 10"),
        ("linear", "", "QL1A Km9+0"),
    ]
    assert event.body["road"] == "QL1A"


def test_direction_and_lanes_are_in_the_source_s_words():
    event = located(
        "<lane>lane1</lane><lane><laneNumber>2</laneNumber></lane><lane>lane1</lane>"
        "<tpegDirection>northBound</tpegDirection>"
    )
    assert (event.body["direction"], event.body["lanes"]) == ("northBound", ["lane1", "2"])


def test_the_road_may_be_the_name_of_a_link():
    name = "<name><descriptor><values><value>{}</value></values></descriptor>"
    name += "<tpegOtherPointDescriptorType>{}</tpegOtherPointDescriptorType></name>"
    event = located(
        name.format("Hà Đông", "townName")
        + name.format("Quang Trung", "linkName")
        + "<openlrBinary/><roadName/>"
    )
    assert (event.body["road"], event.body["location_codes"]) == ("Quang Trung", [])
    assert located(name.format("Hà Đông", "townName")).body["road"] == ""


def test_utf_16_is_read_in_both_encodings():
    for file in ("v3_container_ngap.xml", "v3_cau_long_bien.json"):
        body = (OWN / file).read_bytes()
        assert outcomes(body) == outcomes(body.decode().encode("utf-16"))


def test_json_has_the_same_events_as_xml():
    value = {
        "idG": "S1",
        "headerInformation": {"informationStatus": {"value": "test"}},
        "situationRecord": [
            {
                "situationAccident": {
                    "idG": "R1",
                    "versionG": 1,
                    "situationRecordCreationTime": "2026-11-20T07:30:00Z",
                    "situationRecordVersionTime": "2026-11-20T07:30:00Z",
                    "accidentType": [{"value": "collision"}],
                    "management": {"lifeCycleManagement": {"end": True}},
                    "locationReference": {
                        "locationReferencingPointLocation": {
                            "pointCoordinates": {"latitude": 21.01, "longitude": 105.8}
                        }
                    },
                    "severity": None,
                }
            }
        ],
    }
    for document in (
        {"payload": {"modelBaseVersionG": "3", "situationSituationPublication": {}}},
        {"situationPublication": {}},
    ):
        inner = document.get("payload", document)
        inner[list(inner)[-1]] |= {"publicationTime": "2026-11-20T07:59:00Z", "situation": [value]}
        event = event_of(json.dumps(document))
        assert (event.subject, event.kind, event.native_version) == (
            ("S1", "R1"),
            "road.accident",
            "1",
        )
        assert (event.status, event.lifecycle) == ("TEST", "ENDED")
        assert (event.body["detail"], event.position) == (
            "collision",
            Position(lat=21.01, lon=105.8),
        )


def samples():
    files = [*OWN.glob("*"), *SHARED.glob("*")]
    return sorted(
        f for f in files if f.suffix in {".json", ".xml"} and not f.name.endswith(".meta.json")
    )


def test_own_samples_give_what_they_were_written_for():
    found = {f.name: outcomes(f.read_bytes()) for f in samples() if f.parent == OWN}
    ends = [event.lifecycle for event in found["v2_end_and_cancel.xml"]]
    assert ends == ["ENDED", "CANCELLED"]
    refused, accident, jam = found["v2_soap_giai_phong.xml"]
    assert isinstance(refused, Rejection)
    assert (accident.native_version, accident.body["road"]) == ("9", "Giải Phóng")
    assert jam.kind == "road.abnormal_traffic"
    flood, exercise = found["v3_container_ngap.xml"]
    assert (flood.severity, exercise.status) == ("EXTREME", "EXERCISE")
    assert found["v3_cau_long_bien.json"][0].kind == "road.maintenance_works"


IN_FI = "GUID5000705301", "GUID5000705302"
EVERY_RECORD = {
    # file: record, kind, lifecycle, severity, version, version time, detail
    "v2_fi_GUID50006914_1.xml": [
        (IN_FI[0], "road.accident", "UNKNOWN", "UNKNOWN", "1", "2016-11-16T22:30:39.519",
         "accidentInvolvingBuses"),
        (IN_FI[1], "road.road_or_carriageway_or_lane_management", "UNKNOWN", "UNKNOWN", "1",
         "2016-11-16T22:30:39.519", "laneClosures"),
    ],
    "v2_fi_GUID50006914_2.xml": [
        (IN_FI[0], "road.accident", "UNKNOWN", "UNKNOWN", "1", "2016-11-17T00:32:57.412",
         "accidentInvolvingBuses"),
        (IN_FI[1], "road.road_or_carriageway_or_lane_management", "UNKNOWN", "UNKNOWN", "1",
         "2016-11-17T00:32:57.412", "laneClosures"),
    ],
    "v2_fi_GUID50006914_3.xml": [
        (IN_FI[0], "road.accident", "ENDED", "UNKNOWN", "1", "2016-11-17T01:20:32.039", "other"),
    ],
    "v2_fi_ice_road_v61.xml": [
        ("GUID5039508001", "road.road_or_carriageway_or_lane_management", "UNKNOWN", "MINOR", "61",
         "2022-02-15T12:17:40.180", "other"),
    ],
    "v2_fi_waze_two_situation_elements.xml": [
        ("GUID5039603001", "road.weather_related_road_conditions", "UNKNOWN", "MINOR", "14",
         "2022-03-03T10:22:43.875", "surfaceWater"),
        ("GUID5039603002", "road.road_or_carriageway_or_lane_management", "UNKNOWN", "MINOR", "14",
         "2022-03-03T10:22:43.875", "laneClosures"),
    ],
    "v2_fr_event_vehicle_obstruction.xml": [
        ("260724-000456-1", "road.vehicle_obstruction", "UNKNOWN", "MODERATE", "1",
         "2026-07-24T06:06:04.287", "brokenDownVehicle"),
    ],
    "v3_en_accident_example.json": [
        ("2322", "road.accident", "UNKNOWN", "UNKNOWN", "1", "2018-10-11T12:32:00",
         "accidentInvolvingHeavyLorries"),
    ],
    "v3_fi_GUID50456943_transit.xml": [
        ("GUID5046133001", "road.transit_information", "UNKNOWN", "SEVERE", "1",
         "2025-11-27T06:24:59.065", "ferry"),
    ],
    "v3_fi_GUID50459771_event_v11.xml": [
        ("GUID5046248001", "road.public_event", "ENDED", "SEVERE", "11",
         "2025-12-31T22:59:52.937", "majorEvent"),
    ],
    "v3_7_fi_vms_situation_tm35fin.xml": [
        ("KRM038851", "road.speed_management", "UNKNOWN", "SEVERE", "1781367030299",
         "2026-06-13T16:10:30.299", "speedRestrictionInOperation"),
    ],
}  # fmt: skip
ELSEWHERE = {"v2_fr_measured_speeds.xml", "v3_7_fi_vms_publication.xml"}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", EVERY_RECORD)
def test_each_shared_situation_gives_what_stands_in_it(name):
    found = [
        (
            event.body["record_ref"],
            event.kind,
            event.lifecycle,
            event.severity,
            event.native_version,
            event.version_at.replace(tzinfo=None),
            event.body["detail"],
        )
        for event in outcomes((SHARED / name).read_bytes())
    ]
    expected = [(*row[:5], datetime.fromisoformat(row[5]), row[6]) for row in EVERY_RECORD[name]]
    assert expected == found


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_no_shared_sample_is_left_out():
    files = {file.name for file in SHARED.iterdir() if file.suffix in {".xml", ".json"}}
    assert files == EVERY_RECORD.keys() | ELSEWHERE


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_shared_situations_are_where_they_say():
    (sign,) = outcomes((SHARED / "v3_7_fi_vms_situation_tm35fin.xml").read_bytes())
    assert (sign.position, sign.quality_flags) == (None, ("coordinates_projected",))
    assert sign.body["speed_limit_kmh"] == 100.0
    (accident,) = outcomes((SHARED / "v3_en_accident_example.json").read_bytes())
    assert accident.body["location_codes"][0]["code"] == "1234"
    (vehicle,) = outcomes((SHARED / "v2_fr_event_vehicle_obstruction.xml").read_bytes())
    assert (vehicle.position.lat, vehicle.body["road"]) == (48.821583, "A0004")
    assert vehicle.body["impact"] == "lanesBlocked"


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


JUNK = st.sampled_from(["", "<x/>", "-1", "1e999", "nan", "9999-12-31T23:59:59-14:00", "\x85"])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_text_of_any_kind_anywhere_costs_at_most_its_record(data):
    files = [file for file in samples() if file.suffix == ".xml"]
    text = data.draw(st.sampled_from(files)).read_text()
    spans = [found.span(1) for found in re.finditer(r'>([^<>]*)<|="([^"]*)"', text)]
    start, end = data.draw(st.sampled_from([span for span in spans if span[0] >= 0]))
    body = text[:start] + data.draw(JUNK) + text[end:]
    try:
        outcomes(body)
    except PayloadError as error:
        assert error.code  # noqa: PT017 - the other outcomes are as good


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["payload", "situation", "situationRecord", "idG", "value", "latitude", "\x00 "]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_json_gives_outcomes_or_a_payload_error(value):
    body = json.dumps({"payload": {"situationSituationPublication": {"situation": value}}})
    try:
        outcomes(body)
    except PayloadError as error:
        assert error.code  # noqa: PT017 - the other outcome is as good


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"<d2LogicalModel>" * 100_000,
        b"<payload>" * 65,
        b"ab" * 500_000,
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///dev/null">]><a>&x;</a>',
    ],
)
def test_hostile_bytes_are_a_payload_error(body):
    with pytest.raises(PayloadError):
        outcomes(body)


def test_the_connector_says_what_it_emits():
    assert (connector.name, connector.emits, connector.lane) == (
        "datex2",
        ("situation", "measurement", "sign_message"),
        "urgent",
    )
