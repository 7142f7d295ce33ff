# more than 400 lines: every trap of measured data, and the rules of feeds, in one place
"""Measured data of DATEX II, and the eight rules of traffic feeds for its situations."""

import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.datex2 import Options, connector, parse
from hub.connector import Event, Nothing, Payload, Rejection
from hub.errors import ConfigError, PayloadError
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/traffic/datex2"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
TIME = "<measurementTimeDefault>2026-11-20T11:59:00Z</measurementTimeDefault>"


def outcomes(body, received_at=AT):
    body = body if isinstance(body, bytes) else body.encode()
    return list(parse(Payload(body=body, received_at=received_at), Options()))


def publication(inner, kind="MeasuredDataPublication", at="12:00:00", status="real"):
    return (
        f'<payload xsi:type="r:{kind}" {XSI}><publicationTime>2026-11-20T{at}Z</publicationTime>'
        f"<headerInformation><informationStatus>{status}</informationStatus></headerInformation>"
        f"{inner}</payload>"
    )


def value(inner, index="1", kind="TrafficSpeed", tag="measuredValue"):
    basic = f'<basicData xsi:type="{kind}">{inner}</basicData>'
    return f'<{tag} index="{index}"><{tag}>{basic}</{tag}></{tag}>'


def site(*values, name="S1", version="1"):
    reference = f'<measurementSiteReference id="{name}" version="{version}"/>'
    return f"<siteMeasurements>{reference}{TIME}{''.join(values)}</siteMeasurements>"


def speed(text, attributes=""):
    return f"<averageVehicleSpeed {attributes}><speed>{text}</speed></averageVehicleSpeed>"


def flow(text):
    return f"<vehicleFlow><vehicleFlowRate>{text}</vehicleFlowRate></vehicleFlow>"


def measured(*values):
    return outcomes(publication(site(*values)))


def situation(*, name="S1", record="R1", version="1", at="11:00:00", inner="", header="real"):
    record = (
        f'<situationRecord xsi:type="x:Accident" id="{record}" version="{version}">'
        f"<situationRecordVersionTime>2026-11-20T{at}Z</situationRecordVersionTime>{inner}"
        "</situationRecord>"
    )
    status = f"<informationStatus>{header}</informationStatus>"
    header = f"<headerInformation>{status}</headerInformation>"
    return f'<situation id="{name}">{header}{record}</situation>'


def situations(*inner, at="12:00:00"):
    return publication("".join(inner), "SituationPublication", at)


def ids(body, source="ttgt", received_at=AT):
    identity = Identity(b"k" * 32, connector, source)
    events = outcomes(body, received_at)
    return [identity.event(event, payload_id="p", index=0) for event in events]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_published_speeds_and_sign_give_what_stands_in_them():
    found = outcomes((SHARED / "v2_fr_measured_speeds.xml").read_bytes())
    first, second = found[:2]
    assert [event.noun for event in found] == ["measurement"] * len(found)
    assert (first.subject, first.native_version) == (
        ("MUM76.h1", "1.0", "0"),
        "1.0",
    )
    assert (first.body["flow_veh_h"], first.body["speed_kmh"]) == (1010.0, 112.0)
    assert first.observed_at == datetime(2026, 7, 25, 6, 30, tzinfo=UTC)
    assert (second.device_ref, second.body["flow_veh_h"]) == ("A0001011200", 1420.0)
    (sign,) = outcomes((SHARED / "v3_7_fi_vms_publication.xml").read_bytes())
    assert (sign.noun, sign.subject, sign.body["blank"]) == (
        "sign_message",
        ("VME01M304", "0"),
        True,
    )
    assert sign.observed_at == datetime(2026, 6, 15, 0, 10, 39, 53000, tzinfo=UTC)


def test_a_speed_of_no_vehicles_is_none_and_not_0():
    (event,) = measured(value(speed("0", 'numberOfInputValuesUsed="0"')))
    assert (event.body["speed_kmh"], event.quality_flags[0]) == (None, "no_vehicles")


def test_a_flow_of_no_vehicles_is_0():
    (event,) = measured(value(flow("0"), kind="TrafficFlow"))
    assert event.body["flow_veh_h"] == 0.0


@pytest.mark.parametrize(
    ("inner", "flag"),
    [
        ("<averageVehicleSpeed><dataError>true</dataError><speed>80</speed></averageVehicleSpeed>",
         "data_error"),
        (speed("-1"), "speed_missing"),
        (speed(""), "speed_missing"),
        (speed("451"), "speed_invalid"),
        (speed("NaN"), "speed_missing"),
    ],
)  # fmt: skip
def test_sentinels_and_data_errors_become_null_with_a_flag(inner, flag):
    (event,) = measured(value(inner))
    assert (event.body["speed_kmh"], event.quality_flags[0]) == (None, flag)


def test_a_fault_of_a_quantity_of_version_3_is_a_data_error():
    inner = value(speed("80"), tag="physicalQuantity")
    fault = "<physicalQuantityFault><faultIdentifier/></physicalQuantityFault><basicData"
    (event,) = measured(inner.replace("<basicData", fault))
    assert (event.body["speed_kmh"], event.quality_flags[0]) == (None, "data_error")


def test_occupancy_is_a_share_and_a_period_stands_beside_the_value():
    inner = "<measurementOrCalculationPeriod>60</measurementOrCalculationPeriod>"
    (event,) = measured(value(f"{inner}<occupancy><percentage>12.5</percentage></occupancy>"))
    assert (event.body["occupancy_ratio"], event.body["period_s"]) == (0.125, 60.0)


def test_no_flow_and_always_occupied_at_one_index_is_a_stuck_detector():
    full = "<occupancy><percentage>100</percentage></occupancy>"
    stuck, jam, alone = measured(
        value(flow("0") + speed("0") + full), value(flow("60") + full, "2"), value(full, "3")
    )
    names = ("flow_veh_h", "speed_kmh", "occupancy_ratio")
    assert [stuck.body[name] for name in names] == [None, None, None]
    assert "detector_stuck" in stuck.quality_flags
    for event in (jam, alone):
        assert event.body["occupancy_ratio"] == 1.0
        assert "detector_stuck" not in event.quality_flags


def test_the_meaning_of_an_index_is_taken_from_the_table_of_the_same_version_only():
    found = outcomes((ROOT / "tests/samples/datex2/v3_table_and_values.xml").read_bytes())
    known, other = [event for event in found if isinstance(event, Event)]
    assert (known.body["lane"], known.body["vehicle_class"], known.body["period_s"]) == (
        2,
        "lorry",
        60,
    )
    assert (other.body.get("lane"), other.quality_flags) == (None, ("site_table_missing",))


def test_an_index_that_means_two_things_gives_two_events():
    found = measured(value(speed("40")), value(speed("50")))
    assert [event.native_id for event in found] == ["S1/1", "S1/1#1"]
    assert "index_repeated" in found[1].quality_flags


def test_weather_beside_traffic_costs_no_value_of_traffic():
    weather = value("<temperature><airTemperature>31</airTemperature></temperature>", kind="Temp")
    event, nothing = measured(weather, weather, value(speed("40")))
    assert event.body["speed_kmh"] == 40.0
    assert nothing == Nothing(why="values that are not read: 2 Temp")


def test_elaborated_data_belong_to_their_coded_place():
    place = '<predefinedLocationReference id="TL-7" version="3"/>'
    inner = (
        '<elaboratedData><basicData xsi:type="x:TravelTimeData">'
        "<measurementOrCalculationTime>2026-11-20T11:58:00Z</measurementOrCalculationTime>"
        f"<pertinentLocation>{place}</pertinentLocation>"
        "<travelTime><duration>90</duration></travelTime></basicData></elaboratedData>"
        '<elaboratedData><basicData xsi:type="x:TrafficFlow">'
        "<vehicleFlow><vehicleFlowRate>9</vehicleFlowRate></vehicleFlow></basicData></elaboratedData>"
    )
    event, refused = outcomes(publication(inner, "ElaboratedDataPublication"))
    assert (event.subject, event.body["travel_time_s"]) == (
        ("TL-7", "", "TravelTimeData"),
        90.0,
    )
    assert event.observed_at == datetime(2026, 11, 20, 11, 58, tzinfo=UTC)
    assert (refused.code, refused.path) == (
        "missing-field", "elaboratedData[1]/basicData/pertinentLocation",
    )  # fmt: skip


def test_json_of_version_3_has_the_same_values_as_xml():
    body = """{"payload": {"roadTrafficDataMeasuredDataPublication": {
      "publicationTime": "2026-11-20T12:00:00Z", "headerInformation":
      {"informationStatus": {"value": "real"}}, "siteMeasurements": [{
      "measurementSiteReference": {"idG": "S1", "versionG": "1"},
      "measurementTimeDefault": {"timeValue": "2026-11-20T11:59:00Z"},
      "physicalQuantity": [{"index": 1, "physicalQuantity": {
      "roadTrafficDataSinglePhysicalQuantity": {"basicData": {"roadTrafficDataTrafficSpeed":
      {"averageVehicleSpeed": {"speed": 40.0}}}}}}]}]}}}"""
    xml = publication(site(value(speed("40.0"), tag="physicalQuantity")))
    assert outcomes(body) == outcomes(xml)


def test_the_same_index_of_another_version_is_another_subject():
    subjects = {
        outcomes(publication(site(value(speed("40")), version=version)))[0].subject
        for version in ("4", "5")
    }
    assert subjects == {("S1", "4", "1"), ("S1", "5", "1")}


def test_a_class_of_vehicles_beside_the_value_is_its_own_series():
    lorries = "<forVehiclesWithCharacteristicsOf><vehicleType>lorry</vehicleType>"
    lorries += "</forVehiclesWithCharacteristicsOf>"
    everyone = lorries.replace("lorry", "anyVehicle")
    all_, heavy = measured(
        value(everyone + flow("60"), kind="TrafficFlow"),
        value(lorries + flow("9"), kind="TrafficFlow"),
    )
    assert (all_.native_id, all_.body["vehicle_class"]) == ("S1/1", "")
    assert (heavy.native_id, heavy.body["vehicle_class"]) == ("S1/1/lorry", "lorry")


def test_values_of_a_frozen_archive_are_told_by_their_own_time():
    body = publication(site(value(speed("40"))))
    (event,) = outcomes(body, AT + timedelta(days=17))
    assert (event.time_quality, event.quality_flags[0]) == ("SUSPECT", "clock_suspect")


def test_values_without_any_time_are_kept_with_a_flag():
    (event,) = outcomes(publication(site(value(speed("40"))).replace(TIME, "")))
    assert (event.observed_at, event.quality_flags[0]) == (None, "time_missing")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T18:59:00.000+07:00", (11, 59, 0)),
        ("2026-11-20T11:59:00.002308656Z", (11, 59, 2308)),
        ("\n  2026-11-20T11:59:00Z\n ", (11, 59, 0)),
        ("2026-11-19T24:00:00+07:00", (17, 0, 0)),
        ("2026-11-20T18:59:00", (11, 59, 0)),
    ],
)
def test_times_have_offsets_nanoseconds_blanks_and_24_hours(text, expected):
    body = publication(site(value(speed("40")))).replace("2026-11-20T11:59:00Z", text)
    at = outcomes(body)[0].observed_at
    assert (at.hour, at.minute, at.microsecond) == expected


def test_values_in_soap_with_a_type_on_every_element_are_read():
    inner = site(value(flow("60"), kind="x:TrafficFlow"))
    typed = inner.replace("<vehicleFlow>", '<vehicleFlow xsi:type="x:VehicleFlowValue">')
    typed = typed.replace("<siteMeasurements>", '<siteMeasurements xsi:type="x:SiteMeasurements">')
    body = (
        f'<S:Envelope xmlns:S="urn:soap" {XSI}><S:Body><d2LogicalModel '
        f'xsi:type="x:D2LogicalModel">{publication(typed)}</d2LogicalModel></S:Body></S:Envelope>'
    )
    assert [event.body["flow_veh_h"] for event in outcomes(body)] == [60.0]


def test_a_value_that_stands_twice_is_told_once():
    assert len(measured(value(speed("40")), value(speed("40")))) == 1


def test_a_value_without_an_index_is_flagged():
    (event,) = measured(value(speed("40")).replace(' index="1"', ""))
    assert "index_missing" in event.quality_flags


@pytest.mark.parametrize("tag", ["elaboratedData", "physicalQuantity"])
@pytest.mark.parametrize(("default", "own", "expected"), [
    ("", "", False), ("true", "", True), ("true", "false", False), ("", "1", True),
])  # fmt: skip
def test_a_forecast_is_no_measurement_of_now(tag, default, own, expected):
    head = f"<forecastDefault>{default}</forecastDefault>" if default else ""
    head += "<periodDefault>300</periodDefault><timeDefault>2026-11-20T11:58:00Z</timeDefault>"
    own = f"<forecast>{own}</forecast>" if own else ""
    place = "<pertinentLocation><predefinedLocationReference id='TL-7'/></pertinentLocation>"
    basic = f'<basicData xsi:type="x:TrafficSpeed">{place}{speed("40")}</basicData>'
    inner = f"{head}<{tag}>{own}{basic}</{tag}>"
    (event,) = outcomes(publication(inner, "ElaboratedDataPublication"))
    assert (event.kind, "forecast" in event.subject) == (
        "traffic.forecast" if expected else "traffic.flow",
        expected,
    )
    assert (event.body["period_s"], event.observed_at.minute) == (300.0, 58)


def test_of_a_time_that_is_a_period_its_end_counts():
    period = "<period><startOfPeriod>2026-11-20T11:50:00Z</startOfPeriod>"
    period += "<endOfPeriod>2026-11-20T11:55:00Z</endOfPeriod></period>"
    inner = f"<measurementOrCalculationTime>{period}</measurementOrCalculationTime>"
    (event,) = measured(value(inner + speed("40")))
    assert event.observed_at == datetime(2026, 11, 20, 11, 55, tzinfo=UTC)


TABLE = (
    '<d2LogicalModel><payloadPublication xsi:type="MeasurementSiteTablePublication" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><measurementSiteTable id="HN">'
    '<measurementSiteRecord id="S1" version="1"><measurementSpecificCharacteristics index="1">'
    "<measurementSpecificCharacteristics><period>60</period><specificLane>lane2</specificLane>"
    "<specificMeasurementValueType>trafficSpeed</specificMeasurementValueType>"
    "<specificVehicleCharacteristics><lengthCharacteristic><comparisonOperator>greaterThan"
    "</comparisonOperator><vehicleLength>5.6</vehicleLength></lengthCharacteristic>"
    "</specificVehicleCharacteristics></measurementSpecificCharacteristics>"
    "</measurementSpecificCharacteristics><measurementSiteLocation><locationForDisplay>"
    "<latitude>21.02</latitude><longitude>105.85</longitude></locationForDisplay>"
    "</measurementSiteLocation></measurementSiteRecord>{}</measurementSiteTable>"
    "</payloadPublication></d2LogicalModel>"
)


def with_table(tmp_path, body, sites=""):
    file = tmp_path / "sites.xml.gz"
    file.write_bytes(gzip.compress(TABLE.format(sites).encode()))
    payload = Payload(body=body.encode(), received_at=AT)
    return list(parse(payload, Options(site_table=str(file))))


def test_a_table_that_came_apart_is_named_by_an_option(tmp_path):
    (event,) = with_table(tmp_path, publication(site(value(speed("40")))))
    assert (event.body["lane"], event.body["vehicle_class"]) == (2, "greaterThan 5.6 m")
    assert (event.body["period_s"], event.position.lat) == (60.0, 21.02)
    assert event.quality_flags == ()
    (other,) = with_table(tmp_path, publication(site(value(speed("40")), version="2")))
    assert (other.quality_flags, other.position) == (("site_table_missing",), None)


def test_a_table_that_says_another_kind_of_value_is_doubted(tmp_path):
    (event,) = with_table(tmp_path, publication(site(value(flow("60"), kind="TrafficFlow"))))
    assert event.quality_flags == ("site_table_contradicts",)


def test_a_site_without_an_id_costs_the_table_only_itself(tmp_path):
    bad = '<measurementSiteRecord version="1"/>'
    rejection, nothing = outcomes(TABLE.format(bad))
    assert (rejection.code, rejection.path) == ("missing-field", "measurementSiteRecord[1]/@id")
    assert nothing.why.startswith("a table of measurement sites")
    body = publication(site(value(speed("40"))))
    (event,) = with_table(tmp_path, body, bad)
    assert event.body["lane"] == 2


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "can't read it"),
        (b"<html/>", "0 measurement sites"),
        (b"<a", "no well-formed XML"),
        (gzip.compress(b"<a>" * 99, mtime=0)[:30], "gzip"),
    ],
)
def test_a_table_that_can_not_be_read_stops_the_source_and_names_the_file(tmp_path, content, what):
    file = tmp_path / "sites.xml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=what) as caught:
        Options(site_table=str(file))
    assert str(file) in str(caught.value)


def long_document(sites):
    one = site(value(flow("60"), kind="TrafficFlow"), value(speed("40")))
    head, tail = publication("|").split("|")
    return head.encode() + one.encode() * sites + tail.encode()


def test_a_long_file_passes_in_slices_with_flat_memory():
    peaks = []
    for sites in (600, 2_400):
        body = gzip.compress(long_document(sites), 1)
        payload = Payload(body=body, received_at=AT)
        tracemalloc.start()
        assert sum(1 for _ in parse(payload, Options())) == sites
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.25
    assert peaks[1] < 8_000_000


def test_slices_give_the_same_events_as_the_whole():
    body = (ROOT / "tests/samples/datex2/v2_measured_vanh_dai_3.xml").read_bytes()
    assert outcomes(gzip.compress(body)) == outcomes(body)


def test_json_is_read_however_long_and_gzip():
    body = (ROOT / "tests/samples/datex2/v3_cau_long_bien.json").read_bytes()
    assert outcomes(gzip.compress(body)) == outcomes(body)
    assert outcomes(b" " * (4 * 1024 * 1024) + body) == outcomes(body)


def test_a_truncated_gzip_is_an_error_and_no_all_clear():
    body = gzip.compress(situations(situation()).encode())
    with pytest.raises(PayloadError) as caught:
        outcomes(body[: len(body) // 2])
    assert caught.value.code == "gzip-truncated"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml-entities"),
        (b"<a>" * 100 + b"</a>" * 100, "too-deep"),
        (b"<a><b></a>", "malformed"),
        (b"", "malformed"),
    ],
)
def test_hostile_documents_are_refused_in_slices_too(body, code):
    with pytest.raises(PayloadError) as caught:
        outcomes(gzip.compress(body))
    assert caught.value.code == code


def test_rule_1_an_id_is_its_source_s_alone():
    body = situations(situation())
    assert ids(body, "ttgt") != ids(body, "csgt")


def test_rule_2_a_change_of_content_without_a_change_of_version_is_an_update():
    changed = situation(inner="<severity>high</severity><impact><trafficConstrictionType>"
                        "roadBlocked</trafficConstrictionType></impact>")  # fmt: skip
    assert ids(situations(situation())) != ids(situations(changed))


def test_rule_2_versions_order_by_time_then_as_numbers():
    copies = [situation(version="9", at="11:00:00"), situation(version="61", at="11:00:00")]
    assert outcomes(situations(*copies))[0].native_version == "61"
    copies = [situation(version="1", at="11:30:00"), situation(version="1", at="11:00:00")]
    assert outcomes(situations(*copies))[0].version_at == datetime(2026, 11, 20, 11, 30, tzinfo=UTC)


def test_rule_3_a_poll_of_the_same_record_gives_the_same_id():
    again = situations(situation(), at="12:01:00")
    assert ids(situations(situation())) == ids(again, received_at=AT + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("inner", "lifecycle"),
    [
        ("<management><lifeCycleManagement><end>true</end></lifeCycleManagement></management>",
         "ENDED"),
        ("<management><lifeCycleManagement><cancel>true</cancel></lifeCycleManagement></management>",
         "CANCELLED"),
        ("", "UNKNOWN"),
    ],
)  # fmt: skip
def test_rule_4_an_end_is_no_cancel_and_silence_is_neither(inner, lifecycle):
    assert outcomes(situations(situation(inner=inner)))[0].lifecycle == lifecycle


def test_rule_5_an_empty_publication_is_all_clear_and_a_login_page_is_refused():
    assert isinstance(outcomes(situations())[0], Nothing)
    assert outcomes("<html><body>login</body></html>")[0].code == "not-datex2"


def test_rule_6_version_and_publication_keep_their_own_times():
    (event,) = outcomes(situations(situation()))
    assert event.version_at == datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert event.published_at == datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_rule_7_one_bad_record_of_three_costs_only_itself():
    found = outcomes(situations(situation(name="A"), situation(name=""), situation(name="B")))
    assert [type(one) for one in found] == [Rejection, Event, Event]


@pytest.mark.parametrize(("word", "status"), [("test", "TEST"), ("exercise", "EXERCISE")])
def test_rule_8_tests_and_exercises_are_apart_from_the_first_byte(word, status):
    assert outcomes(situations(situation(header=word)))[0].status == status
    body = publication(site(value(speed("40"))), status=word)
    assert outcomes(body)[0].status == ("TEST" if word == "test" else "EXERCISE")
