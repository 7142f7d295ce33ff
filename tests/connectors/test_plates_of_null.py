"""A plate of null, from every connector of JSON that reads plates, is none."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hub import Payload, discovery

NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
NULLS: dict[str, dict[str, Any]] = {
    "axis": {"plateUTF8": None, "plateText": None, "carID": "1"},
    "dahua_cgi": {"Code": "TrafficJunction", "Data": {"TrafficCar": {"PlateNumber": None}}},
    "dahua_itsapi": {"Picture": {"Plate": {"PlateNumber": None}}},
    "deepstream": {"object": {"id": "1", "vehicle": {"license": None}}, "event": {"type": "exit"}},
    "frigate": {"type": "lpr", "id": "1-a", "camera": "c", "plate": None},
    "gat1400": {"MotorVehicleListObject": {"MotorVehicleObject": [{"DeviceID": "d"} | {
        "MotorVehicleID": "1", "PlateNo": None}]}},
    "genetec": {"Plate": None, "CameraName": "c"},
    "hikvision_isapi": {"EventNotificationAlert": {"eventType": "ANPR", "ANPR": {
        "licensePlate": None}}},
    "lilin": {"INFORMATION": [{"TS": "1773449157899288", "LPR": None}]},
    "milesight": {"device": "c", "plate": None},
    "openalpr": {"data_type": "alpr_group", "best_plate_number": None},
    "plate_recognizer": {"hook": {"event": "recognition"}, "data": {"results": [{"plate": None}]}},
    "survision": {"anpr": {"@date": "1773449157098", "decision": {"@plate": None}}},
}  # fmt: skip


@pytest.mark.parametrize("name", NULLS)
def test_a_plate_of_null_is_a_passage_without_a_reading(name):
    connector = discovery.connector(name)
    payload = Payload(body=json.dumps(NULLS[name]).encode(), received_at=NOW)
    passage = list(connector.parse(payload, connector.options()))[-1]
    plate = passage.restricted["plate"]
    assert (passage.noun, plate["raw"], plate["text"]) == ("plate_read", "", "")
    assert plate["confidence"] is None
    assert "plate_unread" in passage.quality_flags
