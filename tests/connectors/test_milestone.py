"""`milestone` against the vendor's sample; each trap of the field has a test."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.milestone import Options, parse
from hub import Payload, PayloadError

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/camera/milestone/AnalyticsEvent.xml"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
GUID = "068680AB-5350-4AC7-A47E-652300B16252"


def one(body):
    body = body if isinstance(body, bytes) else body.encode()
    (outcome,) = parse(Payload(body=body, received_at=NOW), Options())
    return outcome


def event(*, id_="", at="2026-03-14T07:45:57+07:00", kind="T", source="", rest=""):
    return (
        f"<AnalyticsEvent><EventHeader><ID>{id_}</ID><Timestamp>{at}</Timestamp><Type>{kind}</Type>"
        f"<Message>Xe dừng</Message><Source>{source}</Source></EventHeader>{rest}</AnalyticsEvent>"
    )


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_template_is_an_event_whose_placeholders_nobody_replaced():
    found = one(SHARED.read_bytes())
    assert (found.device_ref, found.native_id) == ("192.168.0.199", None)
    assert found.body["rule"] == "MyAnalyticsEvent01"
    assert found.body["region"] == "Event location 1"
    assert set(found.quality_flags) == {"time_missing", "template_unfilled"}


def test_a_camera_is_named_by_its_guid_else_by_its_address_with_a_channel():
    guid = f"<Name>10.0.0.7</Name><FQID><ObjectId>{GUID}</ObjectId></FQID>"
    assert one(event(source=guid)).device_ref == GUID.lower()
    assert one(event(source="<Name>10.0.0.7, 2</Name>")).device_ref == "10.0.0.7/2"


def test_an_id_of_zeros_is_none():
    assert one(event(id_="00000000-0000-0000-0000-000000000000")).native_id is None
    assert one(event(id_=GUID)).native_id == GUID.lower()


def test_a_byte_order_mark_and_an_offset_are_read():
    found = one("\ufeff" + event())
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 57, tzinfo=UTC)
    assert found.kind == "camera.xe_dung"


def test_a_plate_is_a_passage():
    rest = "<ObjectList><Object><Type>Car</Type><Value>30K12345</Value></Object></ObjectList>"
    found = one(event(kind="LPR", rest=rest))
    assert found.noun == "plate_read"
    assert found.restricted["plate"]["text"] == "30K12345"


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "empty"), ("<html/>", "no-event"), ("{}", "malformed"),
     ("<AnalyticsEvent><EventHeader/></AnalyticsEvent>", "missing-field")],
)  # fmt: skip
def test_what_is_no_analytics_event_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        one(body)
    assert refused.value.code == code
