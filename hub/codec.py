"""Avro in the Confluent wire format, and where the parts of an event stand in its bytes.

A value is a zero byte, the writer schema's id (4 bytes, big endian) and the record. An Avro record
is the plain concatenation of its fields, so the fixed-length fields of an event's header stand at
fixed offsets, and everything up to the end of `body` can be copied without being decoded.
"""

import io
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zlib import crc32

import fastavro
from fastavro.schema import parse_schema

import schemas
from hub.errors import RecordError

__all__ = [
    "CUT",
    "EARLIEST_US",
    "EVENT_ID",
    "LATEST_US",
    "LIFECYCLE",
    "MINUTE_US",
    "PREFIX_LENGTH",
    "REPLAYED",
    "SEVERITY",
    "STATUS",
    "SUBJECT_ID",
    "TIME_QUALITY",
    "VARIABLE",
    "Cut",
    "EventCodec",
    "HeadReader",
    "RecordCodec",
    "frame",
    "from_micros",
    "micros",
    "part_encoders",
    "read_long",
    "received_minute",
    "schema_id",
]

PREFIX_LENGTH = 5
# Offsets in a framed event; enumerations below 64 symbols and booleans take one byte.
EVENT_ID = slice(5, 21)
SUBJECT_ID = slice(21, 37)
LIFECYCLE, STATUS, SEVERITY, TIME_QUALITY, REPLAYED = 37, 38, 39, 40, 41
VARIABLE = 42  # received_at and everything after it has a variable length

MINUTE_US = 60_000_000
# The years 1 to 9999: what a time can be.
EARLIEST_US, LATEST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
CUT = struct.Struct(">IIBI")


def micros(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The time of that many microseconds since 1970 (UTC)."""
    return _EPOCH + timedelta(microseconds=value)


def frame(id_: int) -> bytes:
    """The five bytes in front of a record written with that schema."""
    return b"\x00" + id_.to_bytes(4, "big")


def schema_id(value: bytes | None) -> int:
    """Id of the schema a value was written with; `RecordError` when it has no such prefix."""
    if value is None or len(value) < PREFIX_LENGTH or value[0] != 0:
        raise RecordError("no Confluent wire format: the first byte is not 0", code="not-framed")
    return int.from_bytes(value[1:PREFIX_LENGTH], "big")


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """One Avro long (zigzag varint) and the offset after it."""
    byte = data[at]
    at += 1
    value = byte & 0x7F
    shift = 7
    while byte & 0x80:
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
    return (value >> 1) ^ -(value & 1), at


def received_minute(value: bytes | None) -> int:
    """Minute of a framed event's received_at, in µs since 1970; 0 when it can't be read."""
    try:
        at = read_long(value or b"", VARIABLE)[0]
    except (IndexError, ValueError):
        return 0
    return at // MINUTE_US * MINUTE_US if EARLIEST_US <= at <= LATEST_US else 0


class Cut(NamedTuple):
    """Where `restricted` stands in a framed event, and which of its fields hold a value.

    Travels in the Kafka header `cut`, so that a view can withhold without decoding. `check` binds
    it to its event: a cut at the wrong place would show what a view withholds.
    """

    start: int
    end: int
    present: int
    """Bit 0: plate, bit 1: pictures, bit 2: persons."""
    check: int
    """CRC-32 of the event from `received_at` on; ids may be replaced without moving anything."""

    def pack(self) -> bytes:
        """The header's bytes."""
        return CUT.pack(*self)

    @classmethod
    def unpack(cls, data: bytes) -> "Cut | None":
        """Read the header; None when it is not one."""
        return cls._make(CUT.unpack(data)) if len(data) == CUT.size else None


def restricted_fields() -> tuple[str, ...]:
    """Names of the fields of `restricted`, in the order of `Cut.present`."""
    return schemas.restricted_fields()


class RecordCodec:
    """Encodes and decodes one schema."""

    def __init__(self, schema: schemas.Schema, id_: int | None = None) -> None:
        self.schema = parse_schema(schema)
        self._frame = frame(id_) if id_ is not None else b""

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """A framed value (bare when the codec has no id)."""
        out = io.BytesIO()
        out.write(self._frame)
        fastavro.schemaless_writer(out, self.schema, record)
        return out.getvalue()

    def decode(self, value: bytes, writer: schemas.Schema | None = None) -> dict[str, Any]:
        """A record from a framed value, resolved from the writer's schema when it is given."""
        try:
            if writer is None:
                record: Any = fastavro.schemaless_reader(
                    io.BytesIO(memoryview(value)[len(self._frame) :]), self.schema, None
                )
            else:
                record = fastavro.schemaless_reader(
                    io.BytesIO(memoryview(value)[PREFIX_LENGTH:]), writer, self.schema
                )
        except (ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError) as error:
            raise RecordError(f"not readable as Avro: {error}", code="not-avro") from error
        if not isinstance(record, dict):
            raise RecordError("not a record", code="not-avro")
        return record


class EventCodec:
    """Encodes canonical events and says where the cut is."""

    def __init__(self, schema: schemas.Schema, id_: int) -> None:
        names: dict[str, Any] = {}
        fields = {field["name"]: field["type"] for field in schema["fields"]}
        # Parsed one after the other with shared names, as a later part refers to earlier ones.
        self._header = parse_schema(fields["header"], named_schemas=names)
        self._restricted = parse_schema(fields["restricted"], named_schemas=names)
        self._body = parse_schema(fields["body"], named_schemas=names)
        self._frame = frame(id_)
        self._fields = restricted_fields()

    def encode(
        self,
        header: Mapping[str, Any],
        restricted: Mapping[str, Any],
        body: Mapping[str, Any],
    ) -> tuple[bytes, Cut]:
        """The framed event and its cut; `RecordError` when a value does not fit the schema."""
        out = io.BytesIO()
        out.write(self._frame)
        try:
            fastavro.schemaless_writer(out, self._header, header)
            start = out.tell()
            fastavro.schemaless_writer(out, self._restricted, restricted)
            end = out.tell()
            fastavro.schemaless_writer(out, self._body, body)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise RecordError(
                f"does not fit the event's schema: {error}",
                code="schema-mismatch",
                fix="correct the connector; the payload is right",
            ) from error
        present = 0
        for bit, name in enumerate(self._fields):
            if restricted.get(name):
                present |= 1 << bit
        value = out.getvalue()
        return value, Cut(start, end, present, crc32(value[VARIABLE:]))


def part_encoders(schema: schemas.Schema) -> dict[str, Callable[[Any], bytes]]:
    """Encoders of the top-level fields of an event, for records put together from parts."""
    names: dict[str, Any] = {}
    return {
        field["name"]: _part_encoder(parse_schema(field["type"], named_schemas=names))
        for field in schema["fields"]
    }


def _part_encoder(parsed: Any) -> Callable[[Any], bytes]:
    def encode(record: Any) -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, record)
        return out.getvalue()

    return encode


class HeadReader:
    """Decodes the header and `restricted` of a canonical event, and says where the cut is."""

    def __init__(self, schema: schemas.Schema) -> None:
        names: dict[str, Any] = {}
        fields = {field["name"]: field["type"] for field in schema["fields"]}
        self._header = parse_schema(fields["header"], named_schemas=names)
        self._restricted = parse_schema(fields["restricted"], named_schemas=names)
        self._body = parse_schema(fields["body"], named_schemas=names)
        self._fields = restricted_fields()

    def header(self, value: bytes) -> dict[str, Any]:
        """The header alone."""
        return _read(io.BytesIO(memoryview(value)[PREFIX_LENGTH:]), self._header)

    def restricted(self, value: bytes, cut: Cut) -> dict[str, Any]:
        """`restricted` alone, where the cut is known."""
        return _read(io.BytesIO(memoryview(value)[cut.start : cut.end]), self._restricted)

    def body(self, value: bytes, cut: Cut) -> dict[str, Any]:
        """The body alone, where the cut is known."""
        return _read(io.BytesIO(memoryview(value)[cut.end :]), self._body)

    def cut(self, value: bytes) -> Cut:
        """The cut of a record that does not carry it; the whole record is read for it."""
        data = io.BytesIO(memoryview(value)[PREFIX_LENGTH:])
        _read(data, self._header)
        start = data.tell() + PREFIX_LENGTH
        restricted = _read(data, self._restricted)
        present = 0
        for bit, name in enumerate(self._fields):
            if restricted.get(name):
                present |= 1 << bit
        end = data.tell() + PREFIX_LENGTH
        _read(data, self._body)
        if data.tell() + PREFIX_LENGTH != len(value):
            raise RecordError("bytes follow the record", code="not-avro")
        return Cut(start, end, present, crc32(value[VARIABLE:]))


def _read(data: io.BytesIO, parsed: Any) -> dict[str, Any]:
    try:
        record: Any = fastavro.schemaless_reader(data, parsed, None)
    except (ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError) as error:
        raise RecordError(f"not readable as Avro: {error}", code="not-avro") from error
    if not isinstance(record, dict):
        raise RecordError("not a record", code="not-avro")
    return record
