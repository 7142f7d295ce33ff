from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from hub import codec
from hub.errors import RecordError

TOPIC = "camera.plate_read.v1"
HEADER = {
    "event_id": bytes(range(16)),
    "subject_id": bytes(range(16, 32)),
    "lifecycle": "NEW",
    "status": "LIVE",
    "severity": "SEVERE",
    "time_quality": "DEVICE",
    "replayed": True,
    "received_at": datetime(2026, 3, 1, tzinfo=UTC),
    "source_id": "kim-ma",
    "origin": {"sha256": bytes(32)},
}
PLATE = {"plate": {"text": "30K00001"}}


def encode(restricted=None, body=None):
    codec_ = codec.EventCodec(schemas.built(TOPIC), 77)
    return codec_.encode(HEADER, restricted or {}, body or {})


def test_the_first_fields_stand_at_fixed_places():
    value, _ = encode()
    assert codec.schema_id(value) == 77
    assert value[codec.EVENT_ID] == HEADER["event_id"]
    assert value[codec.SUBJECT_ID] == HEADER["subject_id"]
    places = (codec.LIFECYCLE, codec.STATUS, codec.SEVERITY, codec.TIME_QUALITY, codec.REPLAYED)
    # A zigzag long of one byte is twice the symbol's number.
    assert [value[at] for at in places] == [2, 2, 8, 2, 1]
    at, _ = codec.read_long(value, codec.VARIABLE)
    assert codec.from_micros(at) == HEADER["received_at"]


def test_the_cut_holds_exactly_the_restricted_part():
    value, cut = encode(PLATE)
    empty, cut_empty = encode()
    assert value[: cut.start] == empty[: cut_empty.start]
    assert value[cut.end :] == empty[cut_empty.end :]
    assert (cut.present, cut_empty.present) == (1, 0)
    assert codec.Cut.unpack(cut.pack()) == cut
    assert codec.Cut.unpack(b"other") is None


def test_the_parts_together_are_the_whole_record():
    value, _ = encode(PLATE, {"speed_kmh": 51.5})
    record = codec.RecordCodec(schemas.built(TOPIC), 77).decode(value)
    assert record["restricted"]["plate"]["text"] == "30K00001"
    assert record["body"]["speed_kmh"] == 51.5
    assert codec.RecordCodec(schemas.built(TOPIC), 77).encode(record) == value


@pytest.mark.parametrize(
    "body", [{"speed_kmh": "fast"}, {"lane": 2**40}, {"direction": "SIDEWAYS"}]
)
def test_a_value_that_does_not_fit_is_a_record_error(body):
    with pytest.raises(RecordError) as caught:
        encode(body=body)
    assert caught.value.code == "schema-mismatch"


@pytest.mark.parametrize("value", [None, b"", b"\x00\x00", b"\x01\x00\x00\x00\x07rest"])
def test_a_value_without_the_wire_format_is_refused(value):
    with pytest.raises(RecordError, match="wire format"):
        codec.schema_id(value)


def test_cut_off_bytes_are_refused_and_never_half_decoded():
    value, _ = encode(PLATE)
    decoder = codec.RecordCodec(schemas.built(TOPIC), 77)
    for length in range(5, len(value)):
        with pytest.raises(RecordError):
            decoder.decode(value[:length])


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_long_is_read_as_avro_writes_it(number):
    data = codec.RecordCodec(
        {"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}
    ).encode({"n": number})
    assert codec.read_long(data, 0) == (number, len(data))


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_microseconds_lose_nothing(at):
    assert codec.from_micros(codec.micros(at)) == at
