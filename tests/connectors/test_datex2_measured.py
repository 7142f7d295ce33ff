"""Measured data and signs of DATEX II, and the eight rules of traffic feeds for its situations."""

import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.datex2 import connector, parse
from hub.connector import Event, Nothing, Options, Payload, Rejection
from hub.errors import PayloadError
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
    assert (first.subject, first.native_version) == (("MUM76.h1", "0"), "1.0")
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


def test_the_meaning_of_an_index_is_taken_from_the_table_of_the_same_version_only():
    found = outcomes((ROOT / "tests/samples/datex2/v3_table_and_values.xml").read_bytes())
    known, other = [event for event in found if isinstance(event, Event)]
    assert (known.body["lane"], known.body["vehicle_class"], known.body["period_s"]) == (
        2,
        "lorry",
        60,
    )
    assert (other.body["lane"], other.quality_flags) == (None, ("site_table_missing",))


def test_an_index_that_means_two_things_gives_two_events():
    found = measured(value(speed("40")), value(speed("50")))
    assert [event.native_id for event in found] == ["S1/1", "S1/1#1"]
    assert "index_repeated" in found[1].quality_flags


def test_weather_beside_traffic_costs_no_value_of_traffic():
    weather = value("<temperature><airTemperature>31</airTemperature></temperature>", kind="Temp")
    nothing, event = measured(weather, value(speed("40")))
    assert isinstance(nothing, Nothing)
    assert event.body["speed_kmh"] == 40.0


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
    assert (event.subject, event.body["travel_time_s"]) == (("TL-7", "TravelTimeData"), 90.0)
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


def test_a_version_3_sign_keeps_pages_in_order_and_blanks_as_layout():
    page = (
        '<page pageNumber="{}"><displayAreaSettings xsi:type="v:TextDisplay">'
        '<textLine lineIndex="0">'
        "<textLine><textLine>{}</textLine></textLine></textLine></displayAreaSettings></page>"
    )
    inner = (
        '<vmsControllerStatus><vmsControllerReference id="C1"/><vmsStatus vmsIndex="3"><vmsStatus>'
        "<statusUpdateTime>2026-11-20T11:00:00Z</statusUpdateTime>"
        '<vmsMessage messageIndex="0"><vmsMessage><displayAreaSettings displayAreaIndex="0">'
        f'<displayAreaSettings xsi:type="v:MultiPageDisplay">{page.format(2, "  VÀNH ĐAI 3")}'
        f"{page.format(1, 'ÙN TẮC')}</displayAreaSettings></displayAreaSettings></vmsMessage>"
        "</vmsMessage><vmsLocationOverride><coordinatesForDisplay><latitude>6719449.0</latitude>"
        "<longitude>542373.0</longitude></coordinatesForDisplay></vmsLocationOverride>"
        "</vmsStatus></vmsStatus></vmsControllerStatus>"
    )
    (event,) = outcomes(publication(inner, "VmsPublication"))
    assert [page["lines"] for page in event.body["pages"]] == [["ÙN TẮC"], ["  VÀNH ĐAI 3"]]
    assert (event.position, event.quality_flags) == (None, ("coordinates_projected",))
    assert (event.body["sign_index"], event.body["blank"]) == (3, False)


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
