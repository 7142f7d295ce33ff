"""Payloads of cameras through their connector and the steps: repeats, replays and wrong clocks."""

import json
from datetime import UTC, datetime

from steps import NOW_US, NUMBERS, Arrival, Steps

import schemas
from hub.codec import RecordCodec, frame
from hub.discovery import connector
from hub.envelope import Canonical
from hub.testing import Sample, dry_run

NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)


class Site(Steps):
    """The steps, fed with payloads."""

    def send(self, name, *documents, second=0, **meta):
        """What a subscriber of the noun gets of payloads that arrive in a second."""
        found = []
        for document in documents:
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            sample = Sample(name="a", body=body, received_at=NOW, meta=meta)
            for result in dry_run(connector(name), sample):
                assert isinstance(result, Canonical)
                value = frame(NUMBERS[result.noun]) + result.value[5:]
                at_ms = NOW_US // 1000 + second * 1000
                arrival = Arrival(result.key, value, result.headers, at_ms)
                found += self.take(result.noun, arrival)
        assert not self.refused
        return [self.told(topic, value) for topic, value, _ in found if topic.startswith("ops.")]

    def told(self, topic, value):
        noun = topic.split(".")[1]
        return RecordCodec(schemas.built(topic), 100 + NUMBERS[noun]).decode(value)


def alert(kind="linedetection", at="07:46:00", state="active", more="", **fields):
    base = {"macAddress": "02:00:5e:10:00:07", "channelID": "1", "activePostCount": "2"}
    base |= {"dateTime": f"2026-03-14T{at}+07:00"} | fields
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in base.items())
    inner += f"<eventType>{kind}</eventType><eventState>{state}</eventState>{more}"
    return f"<EventNotificationAlert>{inner}</EventNotificationAlert>".encode()


def anpr(plate, **fields):
    data = f"<ANPR><licensePlate>{plate}</licensePlate></ANPR>"
    return alert("ANPR", more=data, **fields)


def test_one_passage_on_two_paths_a_second_apart_is_delivered_once():
    def gate(stamp):
        plate = {"PlateNumber": "30K-123.45", "IsExist": True}
        snap = {"AccurateTime": stamp, "DeviceID": "cong-01"}
        return {"Picture": {"Plate": plate, "SnapInfo": snap}}

    site = Site()
    first, second = gate("2026-03-14 07:45:58.263"), gate("2026-03-14 07:45:59.263")
    assert len(site.send("dahua_itsapi", first, {"ParkingInfo": second})) == 1
    assert site.outcomes("plate_read") == {"delivered": 1, "merged": 1}


def test_one_vehicle_before_two_cameras_in_one_second_is_two_passages():
    site = Site()
    site.send("hikvision_isapi", anpr("30K-123.45"), anpr("30K-123.45", channelID="2"))
    assert site.outcomes("plate_read") == {"delivered": 2}


def test_updates_of_an_object_of_frigate_are_one_event_with_the_time_it_was_seen_last():
    began = 1773449150.0

    def seen(kind, second):
        after = {"id": "1-a", "camera": "c", "label": "car", "start_time": began}
        return {"type": kind, "after": after | {"frame_time": began + second}}

    site, told = Site(), []
    for second in range(0, 70, 2):
        kind = "update" if second else "new"
        told += site.send("frigate", seen(kind, second), second=second, mqtt_topic="f/events")
    told += site.send("frigate", seen("end", 70), second=70, mqtt_topic="f/events")
    headers = [each["header"] for each in told]
    assert [each["lifecycle"] for each in headers] == ["UNKNOWN", "UPDATED", "ENDED"]
    assert [each["reports"] for each in told] == [1, 31, 36]
    assert [each["observed_at"].timestamp() - began for each in headers] == [0, 60, 70]
    assert len({each["subject_id"] for each in headers}) == 1


def test_a_state_stamped_years_ahead_does_not_supersede_the_right_ones_after_it():
    site = Site()
    lost = alert("videoloss", dateTime="2034-01-01T00:00:00+07:00")
    found = alert("videoloss", "07:46:08", state="inactive")
    told = site.send("hikvision_isapi", lost)
    later = Sample(name="a", body=found, received_at=NOW.replace(second=9))
    (result,) = dry_run(connector("hikvision_isapi"), later)
    value = frame(NUMBERS["health"]) + result.value[5:]
    site.take("health", Arrival(result.key, value, result.headers))
    assert [each["body"]["state"] for each in told] == ["OFFLINE"]
    assert site.outcomes("health") == {"delivered": 2}


def test_a_passage_stamped_years_ahead_merges_by_its_receipt_and_holds_no_later_one_back():
    site = Site()
    ahead = anpr("30K-123.45", dateTime="2034-01-01T00:00:00+07:00")
    right = anpr("30K-123.45", at="07:46:04")
    site.send("hikvision_isapi", ahead, right)
    assert site.outcomes("plate_read") == {"delivered": 1, "merged": 1}
    later = anpr("30K-123.45", at="07:46:30")
    site.send("hikvision_isapi", anpr("30K-123.46", at="07:46:04"), later)
    assert site.outcomes("plate_read") == {"delivered": 3, "merged": 1}


def test_backlog_does_not_swallow_the_live_alarm_that_follows_it():
    site = Site()
    old = alert(at="07:45:58", more="<isDataRetransmission>true</isDataRetransmission>")
    told = site.send("hikvision_isapi", old) + site.send("hikvision_isapi", alert(at="07:46:00"))
    assert [each["header"]["replayed"] for each in told] == [True, False]


def test_the_state_at_a_subscription_does_not_swallow_the_live_alarm_that_follows_it():
    def state(operation, second):
        source = '<Source><SimpleItem Name="VideoSource" Value="1"/></Source>'
        data = '<Data><SimpleItem Name="State" Value="true"/></Data>'
        at = f'UtcTime="2026-03-14T00:46:0{second}Z" PropertyOperation="{operation}"'
        told = f"<Message><Message {at}>{source}{data}</Message></Message>"
        topic = "<Topic>tns1:VideoSource/MotionAlarm</Topic>"
        note = f"<NotificationMessage>{topic}{told}</NotificationMessage>"
        return f"<MetadataStream><Event>{note}</Event></MetadataStream>".encode()

    told = Site().send("onvif", state("Initialized", 0), state("Changed", 2))
    assert [each["header"]["replayed"] for each in told] == [True, False]


def test_an_alarm_that_is_sent_again_is_not_told_again():
    site = Site()
    again = alert(more="<isDataRetransmission>true</isDataRetransmission>")
    told = site.send("hikvision_isapi", alert(), again)
    assert [each["header"]["replayed"] for each in told] == [False]
    assert site.outcomes("detection") == {"delivered": 1, "duplicate": 1}
