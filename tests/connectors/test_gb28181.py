"""`gb28181` against the standard's public texts; each trap of the field has a test."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.gb28181 import Options, parse
from hub import Nothing, Payload, PayloadError

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/camera/gb_standards/gb28181_alarm_videoloss.xml"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)


def one(body):
    body = body if isinstance(body, bytes) else body.encode()
    (outcome,) = parse(Payload(body=body, received_at=NOW), Options())
    return outcome


def alarm(method="5", inner="", priority="2", head=""):
    return (
        f"{head}<Notify><CmdType>Alarm</CmdType><SN>17</SN><DeviceID>D1</DeviceID>"
        f"<AlarmPriority>{priority}</AlarmPriority><AlarmMethod>{method}</AlarmMethod>"
        f"<AlarmTime>2026-03-14T07:45:57</AlarmTime>{inner}</Notify>"
    )


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_alarm_is_a_loss_of_video():
    found = one(SHARED.read_bytes())
    assert (found.noun, found.body["component"], found.body["state"]) == (
        "health", "video", "OFFLINE",
    )  # fmt: skip
    assert found.observed_at == datetime(2026, 6, 5, 3, 30, tzinfo=UTC)
    assert (found.severity, found.device_ref) == ("SEVERE", "34020000001320000001")


def test_method_and_type_say_together_what_an_alarm_means():
    assert one(alarm("5", "<AlarmType>6</AlarmType>")).kind == "camera.intrusion"
    assert one(alarm("2", "<AlarmType>3</AlarmType>")).body["component"] == "storage"
    assert one(alarm("6", "<AlarmType>2</AlarmType>")).body["detail"] == "fan fault"


def test_a_type_may_stand_inside_info_or_be_absent():
    assert one(alarm("5", "<Info><AlarmType>7</AlarmType></Info>")).kind == "camera.wrong_way"
    assert one(alarm("5")).kind == "camera.alarm_video"
    assert one(alarm("9")).kind == "camera.alarm_other"


def test_time_is_local():
    found = one(alarm())
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 57, tzinfo=UTC)
    assert found.time_quality == "ASSUMED_ZONE"


@pytest.mark.parametrize("head", ["", '<?xml version="1.0" encoding="GB2312"?>',
                                  '<?xml version="1.0" encoding="UTF-8"?>'])  # fmt: skip
def test_bytes_are_gb_2312_whatever_is_declared(head):
    inner = "<AlarmType>1</AlarmType><AlarmDescription>视频丢失</AlarmDescription>"
    found = one(alarm("2", inner, head=head).encode("gb2312"))
    assert found.body["detail"] == "视频丢失"


def test_priority_one_is_the_highest():
    found = [one(alarm(priority=priority)).severity for priority in ("1", "2", "3", "4", "9")]
    assert found == ["SEVERE", "MODERATE", "MINOR", "INFO", "UNKNOWN"]


@pytest.mark.parametrize("command", ["Keepalive", "Catalog", "MobilePosition", "DeviceStatus"])
def test_the_protocol_itself_is_no_event(command):
    assert isinstance(one(f"<Notify><CmdType>{command}</CmdType></Notify>"), Nothing)


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "empty"), ("<Notify/>", "no-event"), ("INVITE sip:x", "malformed"),
     ("<Notify><AlarmMethod>5</AlarmMethod></Notify>", "missing-field")],
)  # fmt: skip
def test_what_is_no_alarm_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        one(body)
    assert refused.value.code == code
