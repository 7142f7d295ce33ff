"""What makes an update of a state: times and versions as sources really give them."""

import json
from datetime import datetime, timedelta

import pytest
import steps
from steps import Steps, arrival
from told import HEARD, delivered, event

from connectors.ngsi import connector as ngsi
from connectors.nsw_rfs import connector as nsw_rfs
from connectors.open511 import connector as open511
from hub.codec import frame
from hub.testing import Sample, dry_run


def polled(connector, document, at: datetime):
    """The one event of a poll, as process reads it."""
    body = json.dumps(document).encode()
    (found,) = dry_run(connector, Sample(name="x", body=body, received_at=at))
    number = steps.NUMBERS[found.noun]
    value = frame(number) + found.value[5:]
    return arrival(steps.Canonical(found.noun, found.topic, found.key, value, found.cut))


def test_at_one_time_versions_order_as_numbers_and_what_is_none_orders_nothing():
    hub = Steps()
    versions = ["9", "61", "10", "1781367030299", "61"]
    got = delivered(
        hub,
        "situation",
        *(
            arrival(event("situation", {"detail": f"{n}"}, native_version=each))
            for n, each in enumerate(versions)
        ),
    )
    assert [each["header"]["native_version"] for each in got] == ["9", "61", "1781367030299"]
    for none in ("", "v2", None):
        hub = Steps()
        made = [event("situation", {"detail": d}, native_version=none) for d in ("a", "b")]
        assert len(delivered(hub, "situation", *map(arrival, made))) == 2


def test_a_version_that_stays_1_does_not_hold_newer_times_back():
    hub = Steps()
    made = [
        event("situation", {"detail": f"{n}"}, HEARD + timedelta(minutes=n), native_version="1")
        for n in range(3)
    ]
    assert len(delivered(hub, "situation", *map(arrival, made))) == 3


def incident(pub_date: str):
    facts = "ALERT LEVEL: Advice <br />LOCATION: Ba Vì <br />STATUS: Under control"
    properties = {"title": "Ba Vì", "guid": "g-1", "pubDate": pub_date, "category": "Advice",
                  "description": facts}  # fmt: skip
    return {"features": [{"geometry": None, "properties": properties}]}


def warning(at: str):
    return {"id": "urn:a", "type": "Alert", "category": "weather", "severity": "high",
            "description": "Mưa", "dateIssued": at}  # fmt: skip


@pytest.mark.parametrize(
    ("connector", "documents"),
    [
        (nsw_rfs, [incident(f"20/11/2026 12:{m}:00 AM") for m in (10, 20, 30)]),
        (ngsi, [warning(f"2026-11-20T00:{m}:00Z") for m in (10, 20, 30)]),
    ],
    ids=["nsw_rfs", "ngsi"],
)
def test_a_warning_whose_time_alone_moves_is_a_keep_alive(connector, documents):
    polls = [
        polled(connector, each, HEARD.replace(minute=minute))
        for each, minute in zip(documents, (11, 21, 31), strict=True)
    ]
    assert len(delivered(Steps(), "alert", *polls)) == 1


def test_an_event_whose_updated_alone_moves_is_a_keep_alive():
    def document(minute: int):
        base = {"id": "hn/1", "status": "ACTIVE", "event_type": "INCIDENT"}
        return {"events": [base | {"updated": f"2026-11-20T00:{minute}:00Z"}]}

    polls = [polled(open511, document(m), HEARD.replace(minute=m)) for m in (10, 20, 30)]
    assert len(delivered(Steps(), "situation", *polls)) == 1
