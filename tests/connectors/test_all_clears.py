"""An all clear says when it was published, as its events would, so a stale one is known."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.connector import Nothing, Payload
from hub.discovery import connector

AT = datetime(2026, 3, 14, 0, 45, tzinfo=UTC)
MS = b"1773449100000"
SITUATIONS = (
    b'<payload xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    b' xsi:type="SituationPublication"><publicationTime>2026-03-14T00:45:00Z</publicationTime>'
    b"</payload>"
)
EMPTY = {
    "waze": b'{"alerts": [], "endTimeMillis": ' + MS + b"}",
    "nsw_hazards": b'{"features": [], "lastPublished": ' + MS + b"}",
    "wzdx": b'{"feed_info": {"update_date": "2026-03-14T00:45:00Z"}, "features": []}',
    "gtfs_rt": b'{"header": {"gtfs_realtime_version": "2.0", "timestamp": 1773449100}}',
    "digitraffic": (
        b'{"type": "FeatureCollection", "dataUpdatedTime": "2026-03-14T00:45:00Z", "features": []}'
    ),
    "datex2": SITUATIONS,
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_all_clear_tells_when_it_was_published(name):
    found = connector(name)
    payload = Payload(body=EMPTY[name], received_at=AT + timedelta(minutes=1))
    (outcome,) = found.parse(payload, found.options())
    assert isinstance(outcome, Nothing)
    assert outcome.published_at == AT
