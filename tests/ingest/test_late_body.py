"""A body must be kept as long as its record, also when that reaches Kafka late."""

import pytest

from hub.ingest.records import RawRecord, late_body, timestamp

NOW = 1_790_000_000.0
BODY = ("body", b"sha256:" + b"0a" * 32)


def record(*headers, value=b""):
    return RawRecord("raw.cap.v1", b"s", value, list(headers))


@pytest.mark.parametrize(("hours", "late"), [(0, False), (11, False), (13, True), (300, True)])
def test_a_body_whose_record_is_half_a_day_late_is_named(hours, late):
    received = ("received_at", timestamp(NOW - hours * 3600).encode())
    expected = BODY[1].decode() if late else None
    assert late_body(record(received, BODY), NOW) == expected


def test_a_record_that_holds_its_bytes_needs_nothing():
    received = ("received_at", timestamp(NOW - 500_000).encode())
    assert late_body(record(received, value=b"{}"), NOW) is None
    assert late_body(record(BODY), NOW) is None
