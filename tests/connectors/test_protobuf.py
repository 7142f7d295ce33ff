"""Protocol Buffers read by a table of field numbers: what was written, and never anything else."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.protobuf import Member, fields_of, read_message
from hub import PayloadError

INNER = {1: Member("text", "text"), 2: Member("number", "integer")}
FIELDS = {
    1: Member("name", "text"),
    2: Member("count", "integer"),
    3: Member("one", INNER),
    4: Member("some", INNER, many=True),
}
TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N"]), max_size=300)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
INNERS = st.fixed_dictionaries({}, optional={"text": TEXTS, "number": NUMBERS})
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "name": TEXTS,
        "count": NUMBERS,
        "one": INNERS,
        "some": st.lists(INNERS, min_size=1, max_size=4),
    },
)


def varint(number):
    number %= 2**64
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def bytes_field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def written(message, fields=FIELDS):
    data = b""
    for number, (name, kind, many) in fields.items():
        for value in [] if name not in message else message[name] if many else [message[name]]:
            if kind == "integer":
                data += varint(number << 3) + varint(value)
            elif kind == "text":
                data += bytes_field(number, value.encode())
            else:
                data += bytes_field(number, written(value, kind))
    return data


@given(MESSAGES)
def test_what_was_written_is_read(message):
    def composed(value):
        if isinstance(value, str):
            return normalize("NFC", value)
        if isinstance(value, dict):
            return {name: composed(each) for name, each in value.items()}
        return [composed(each) for each in value] if isinstance(value, list) else value

    assert read_message(written(message), FIELDS) == composed(message)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data):
    try:
        assert isinstance(read_message(data, FIELDS), dict)
    except PayloadError as error:
        assert error.code in {"malformed", "truncated", "encoding", "wrong-type"}  # noqa: PT017 - a message is as good


@given(MESSAGES, st.data())
def test_fields_that_nobody_named_are_skipped(message, data):
    unknown = data.draw(
        st.sampled_from(
            [
                varint(1001 << 3) + varint(7),
                bytes_field(99, b"\xff\xfe"),
                varint(9 << 3 | 1) + bytes(8),
                varint(9 << 3 | 5) + bytes(4),
            ]
        )
    )
    before, after = unknown + written(message), written(message) + unknown
    assert read_message(before, FIELDS) == read_message(after, FIELDS)
    assert read_message(before, FIELDS) == read_message(written(message), FIELDS)


def test_a_message_in_two_pieces_is_one():
    data = bytes_field(3, written({"text": "a"}, INNER)) + bytes_field(
        3, written({"number": 7}, INNER)
    )
    assert read_message(data, FIELDS) == {"one": {"text": "a", "number": 7}}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (bytes_field(1, b"abc")[:-1], "truncated"),
        (b"\x0a", "truncated"),
        (b"\x10\xff", "truncated"),
        (b"\x10" + b"\xff" * 10 + b"\x01", "malformed"),
        (b"\x0b\x0c", "malformed"),  # a group
        (b"\x02\x01a", "malformed"),  # field 0
        (bytes_field(1, b"\xff"), "encoding"),
        (bytes_field(2, b"7"), "wrong-type"),
        (b"\x08\x07", "wrong-type"),
    ],
)
def test_what_is_no_message_is_refused(data, code):
    with pytest.raises(PayloadError) as refused:
        read_message(data, FIELDS)
    assert code == refused.value.code


def test_what_stands_before_the_end_is_given_first():
    fields = fields_of(bytes_field(1, b"a") + b"\x0a\x7f")
    assert next(fields) == (1, b"a")
    with pytest.raises(PayloadError, match="ends within the field at byte 3"):
        next(fields)
