"""A change outside the body is an update: severity, and whether it is meant."""

import json
from datetime import UTC, datetime

import pytest

from connectors.cap import connector as cap
from connectors.datex2 import connector as datex2
from connectors.open511 import connector as open511
from hub.testing import Sample, dry_run

NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)


def event_id(connector, body, received_at=NOW):
    body = json.dumps(body).encode() if isinstance(body, dict) else body.encode()
    (found,) = dry_run(connector, Sample(name="x", body=body, received_at=received_at))
    return found.value[5:21]


def open511_event(**more):
    base = {"id": "hn/1", "status": "ACTIVE", "event_type": "INCIDENT"}
    return {"events": [base | {"updated": "2026-03-14T07:30:00+07:00"} | more]}


def situation(severity="low", status="real"):
    return (
        '<payload xsi:type="r:SituationPublication" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        "<publicationTime>2026-03-14T00:45:00Z</publicationTime><situation id='S1'>"
        f"<headerInformation><informationStatus>{status}</informationStatus></headerInformation>"
        '<situationRecord xsi:type="x:Accident" id="R1" version="1">'
        "<situationRecordVersionTime>2026-03-14T00:30:00Z</situationRecordVersionTime>"
        f"<severity>{severity}</severity></situationRecord></situation></payload>"
    )


def alert(status):
    return (
        "<alert><identifier>A-1</identifier><sender>s@hanoi.example</sender>"
        f"<sent>2026-03-14T07:00:00+07:00</sent><status>{status}</status>"
        "<msgType>Alert</msgType><scope>Public</scope></alert>"
    )


@pytest.mark.parametrize(
    ("connector", "before", "after"),
    [
        (open511, open511_event(severity="MINOR"), open511_event(severity="MAJOR")),
        (datex2, situation("low"), situation("highest")),
        (datex2, situation(status="test"), situation(status="real")),
        (cap, alert("Test"), alert("Actual")),
    ],
    ids=["open511 severity", "datex2 severity", "datex2 test to real", "cap test to actual"],
)
def test_a_change_of_severity_or_status_alone_is_an_update(connector, before, after):
    assert event_id(connector, before) != event_id(connector, after)
