"""What the law calls an act that a camera saw, and the candidates of Hikvision cameras."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.violations import position_code, under_law
from connectors.hikvision_isapi import Options, parse
from hub import Payload
from hub.discovery import connector
from hub.errors import ConfigError
from hub.law import words
from hub.testing import options_of

AT = datetime(2026, 3, 14, 0, 46, tzinfo=UTC)
WORDS = {"1625": "red_light", "7": "speeding", "8": "stopping", "9": "helmet"}


def law(source_code, category="CAR", at=AT, over_kmh=None):
    found, flags = under_law(source_code, WORDS, category=category, at=at, over_kmh=over_kmh)
    return found["act_word"], found["law_code"], found["law_version"], flags


def test_a_known_act_of_a_known_vehicle_has_its_code():
    assert law("1625") == ("red_light", "16824.6.9.b.01", "168/2024/ND-CP", ())
    assert law("7", "MOTORBIKE", over_kmh=20.5)[1] == "16824.7.8.a"


@pytest.mark.parametrize(
    ("source_code", "category", "over_kmh"),
    [("1625", "UNKNOWN", None), ("1625", "MILITARY", None), ("8", "CAR", None), ("7", "CAR", None)],
)
def test_where_several_codes_fit_none_is_chosen(source_code, category, over_kmh):
    word, code, version, flags = law(source_code, category, over_kmh=over_kmh)
    assert (WORDS[source_code], "", "", ("law_code_open",)) == (word, code, version, flags)


def test_an_act_without_a_provision_for_the_vehicle_says_so():
    assert law("9", "CAR") == ("helmet", "", "", ("law_code_unknown",))
    assert law("7", "CAR", over_kmh=3.0)[3] == ("law_code_unknown",)


def test_a_code_that_nobody_explains_is_an_unknown_act():
    assert law("4711") == ("", "", "", ("act_unknown",))


def test_a_national_code_is_taken_as_it_is_with_the_text_of_its_day():
    assert law("16824.7.4.đ.01") == ("phone", "16824.7.4.đ.01", "168/2024/ND-CP", ())
    assert law("16824.7.4.đ.01", at=datetime(2026, 8, 15, tzinfo=UTC))[2].endswith("238/2026/ND-CP")


def test_a_code_of_a_decree_that_did_not_hold_is_kept_and_flagged():
    assert law("12321.5.3.a.01") == ("", "12321.5.3.a.01", "", ("law_not_in_force",))
    assert law("04522.7.1.a.01") == ("", "04522.7.1.a.01", "", ("law_not_on_record",))


def test_a_code_of_two_acts_names_neither():
    assert law("16824.7.7.a.01")[0] == ""


@given(
    st.text(max_size=20),
    st.sampled_from(["CAR", "MOTORBIKE", "UNKNOWN"]),
    st.none() | st.floats(allow_nan=False),
    st.datetimes(timezones=st.just(UTC)),
)
def test_a_law_has_all_of_namespace_and_code_or_none(source_code, category, over_kmh, at):
    named = dict.fromkeys([source_code], words()[0])
    found, flags = under_law(source_code, named, category=category, at=at, over_kmh=over_kmh)
    assert bool(found["law_namespace"]) == bool(found["law_code"])
    assert found["law_version"] or flags


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Kim Mã - Liễu Giai (VT87)", "VT87"),
        ("VT 5 Trần Duy Hưng", "VT5"),
        ("Km1716+005, Quốc lộ 1A", ""),
        ("CVT12", ""),
    ],
)
def test_the_position_code_is_read_from_a_cameras_name(name, expected):
    assert position_code(name) == expected


# Hikvision


def read(inside, outside="", at="2026-03-14T07:46:00+07:00", plate="30K-123.45", **options):
    body = (
        "<EventNotificationAlert><macAddress>02:00:5E:10:00:07</macAddress>"
        f"<dateTime>{at}</dateTime><eventType>ANPR</eventType>{outside}"
        f"<ANPR><licensePlate>{plate}</licensePlate>{inside}</ANPR></EventNotificationAlert>"
    )
    return list(parse(Payload(body=body.encode(), received_at=AT), Options(**options)))


def illegal(code="1625", name="", more=""):
    info = f"<illegalCode>{code}</illegalCode><illegalName>{name}</illegalName>"
    return f"<illegalInfo>{info}</illegalInfo>{more}"


CAR = "<vehicleType>SUVMPV</vehicleType><twoWheelVehicle>no</twoWheelVehicle>"


def test_an_illegal_passage_is_a_plate_read_and_a_candidate_beside_it():
    plate_read, violation = read(illegal(name="闯红灯", more=CAR))
    assert (plate_read.noun, violation.noun) == ("plate_read", "violation")
    assert plate_read.restricted == violation.restricted
    assert plate_read.quality_flags == ("violation_reported",)
    assert (violation.body["act"], violation.body["law_code"]) == ("闯红灯", "16824.6.9.b.01")
    assert violation.quality_flags == ()


@pytest.mark.parametrize("code", ["0", ""])
def test_a_passage_without_a_code_of_an_act_is_no_candidate(code):
    (event,) = read(illegal(code))
    assert (event.noun, event.quality_flags) == ("plate_read", ())


def test_a_passage_that_comes_again_with_its_pictures_is_a_candidate_then():
    (first,) = read(illegal(more="<hasMoreData>true</hasMoreData>"))
    assert first.quality_flags == ("violation_reported", "evidence_follows")
    assert len(read(illegal(more="<hasMoreData>false</hasMoreData>"))) == 2


def test_speed_limit_time_since_red_and_duration_are_what_the_camera_says():
    more = (
        "<speedLimit>50</speedLimit><vehicleInfo><speed>71</speed></vehicleInfo>"
        "<dwIllegalTime>1500</dwIllegalTime><pictureInfoList>"
        "<pictureInfo><redLightTime>0</redLightTime></pictureInfo>"
        "<pictureInfo><redLightTime>4</redLightTime></pictureInfo></pictureInfoList>"
    )
    body = read(illegal("9", more=more + CAR), acts={"9": "speeding"})[1].body
    assert (body["speed_kmh"], body["speed_limit_kmh"], body["duration_s"]) == (71.0, 50.0, 1.5)
    assert (body["signal_state"], body["red_elapsed_s"]) == ("red", 4.0)
    assert body["law_code"] == "16824.6.6.a"


def test_what_the_camera_does_not_say_is_null():
    body = read(illegal())[1].body
    names = ("speed_kmh", "speed_limit_kmh", "red_elapsed_s", "duration_s", "lane")
    assert [body[name] for name in names] == [None] * 5
    assert (body["signal_state"], body["position_code"]) == ("", "")


def test_the_law_is_that_of_the_act_and_of_receipt_where_the_clock_is_wrong():
    old = illegal("12321.5.3.a.01")
    assert read(old, at="2009-01-01T00:00:00+07:00")[1].quality_flags[-1] == "law_not_in_force"
    replayed = "<isDataRetransmission>true</isDataRetransmission>"
    assert read(illegal(more=CAR), replayed, at="2026-03-12T09:00:00+07:00")[1].replayed


def test_the_words_of_an_act_never_hold_the_plate():
    body = read(illegal(name="xe 30K-123.45 vượt đèn đỏ"))[1].body
    assert body["act"] == ""


def test_acts_in_words_the_hub_does_not_know_are_refused_with_the_words_it_knows():
    with pytest.raises(ConfigError, match="stopping_jam"):
        options_of(connector("hikvision_isapi"), {"acts": {"1039": "parking"}}, where="source.x")
