"""An endless multipart as payloads: however it is cut, each document with the pictures after it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.multipart import split
from connectors._formats.streams import MultipartStream
from hub import PayloadError

JPEG = b"\xff\xd8\xff\xe0 picture \xff\xd9"
CONTENT_TYPE = "multipart/mixed; boundary=boundary"


def part(data: bytes, content_type: bytes, *, length: bool = True) -> bytes:
    announced = b"Content-Length: %d\r\n" % len(data) if length else b""
    head = b"--boundary\r\nContent-Type: " + content_type + b"\r\n"
    return head + announced + b"\r\n" + data + b"\r\n"


def document(number: int, *, length: bool = True) -> bytes:
    return part(b"<a><n>%d</n></a>" % number, b"application/xml", length=length)


def picture(*, length: bool = True) -> bytes:
    return part(JPEG, b"image/jpeg", length=length)


def fed(data: bytes, sizes: list[int], limit: int = 10_000) -> list:
    stream, pieces = MultipartStream(CONTENT_TYPE, limit), []
    for size in sizes:
        pieces += stream.feed(data[:size])
        data = data[size:]
    pieces += stream.feed(data)
    return pieces + stream.pause()


@given(sizes=st.lists(st.integers(0, 90), max_size=20), length=st.booleans())
@settings(max_examples=80, deadline=None)
def test_any_chunking_gives_the_same_payloads(sizes, length):
    kinds = [document(1, length=length), picture(length=length), picture(length=length)]
    data = b"".join([*kinds, document(2, length=length), document(3, length=length)])
    pieces = fed(data, sizes)
    assert [p.body for p in pieces[1:]] == [b"<a><n>2</n></a>", b"<a><n>3</n></a>"]
    parts = split(pieces[0].body, pieces[0].content_type)
    assert [p.data for p in parts] == [b"<a><n>1</n></a>", JPEG, JPEG]
    assert [p.content_type for p in parts] == ["application/xml", "image/jpeg", "image/jpeg"]
    assert pieces == fed(data, [])


def test_a_document_waits_for_its_pictures_and_not_for_the_next_document():
    stream = MultipartStream(CONTENT_TYPE, 10_000)
    assert stream.feed(document(1)) == []
    assert [piece.body for piece in stream.pause()] == [b"<a><n>1</n></a>"]
    assert stream.feed(picture()[:40]) == []
    assert stream.pause() == [], "a picture is on its way"
    assert stream.feed(document(2)) == []


@pytest.mark.parametrize("length", [True, False])
def test_the_last_document_is_given_when_the_stream_pauses_and_once_only(length):
    stream = MultipartStream(CONTENT_TYPE, 10_000)
    first = stream.feed(document(1, length=length)) + stream.pause()
    assert [piece.body for piece in first] == [b"<a><n>1</n></a>"]
    assert stream.pause() == []
    second = stream.feed(document(2, length=length)) + stream.pause()
    assert [piece.body for piece in second] == [b"<a><n>2</n></a>"]


def test_a_part_that_goes_on_after_a_pause_loses_nothing():
    stream = MultipartStream(CONTENT_TYPE, 10_000)
    data = document(1, length=False)
    pieces = stream.feed(data) + stream.pause()
    pieces += stream.feed(b"<b>late</b>\r\n" + document(2, length=False)) + stream.pause()
    assert [p.body for p in pieces] == [b"<a><n>1</n></a>", b"<b>late</b>", b"<a><n>2</n></a>"]


@pytest.mark.parametrize("data", [b"<a><n>1</n></a>", b'{"n": {}}', b"Code=A;index=0;data={}"])
def test_a_document_whose_length_is_too_large_is_not_heard_one_part_late(data):
    stream = MultipartStream(CONTENT_TYPE, 10_000)
    pieces = stream.feed(part(data, b"").replace(b"Length: ", b"Length: 9")) + stream.pause()
    assert [piece.body for piece in pieces] == [data]
    assert [piece.body for piece in stream.feed(document(2)) + stream.pause()] == [
        b"<a><n>2</n></a>"
    ]


def test_a_picture_that_holds_a_smaller_one_is_waited_for():
    stream = MultipartStream(CONTENT_TYPE, 10_000)
    large = JPEG + b" and more of the larger one \xff\xd9"
    data = document(1) + part(large, b"image/jpeg")
    cut = data.index(JPEG) + len(JPEG)
    assert stream.feed(data[:cut]) + stream.pause() == []
    (piece,) = stream.feed(data[cut:]) + stream.pause()
    assert split(piece.body, piece.content_type)[1].data == large


def test_half_a_document_is_no_payload_however_long_the_pause():
    stream = MultipartStream(CONTENT_TYPE, 10_000)
    half, rest = document(1, length=False)[:55], document(1, length=False)[55:]
    assert stream.feed(half) == stream.pause() == []
    assert len(stream.feed(rest) + stream.pause()) == 1


def test_what_is_whole_when_the_stream_ends_is_given_and_what_is_half_is_not():
    stream = MultipartStream(CONTENT_TYPE, 10_000)
    assert stream.feed(document(1) + picture()[:-9]) == []
    assert [piece.body for piece in stream.close()] == [b"<a><n>1</n></a>"]


@pytest.mark.parametrize(
    "data",
    [
        document(1) + picture() * 40,
        document(1) + picture() * 10,
        b"--boundary\r\n\r\n" + b"x" * 400,
        b"--boundary\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 400,
    ],
)
def test_memory_is_bounded(data):
    with pytest.raises(PayloadError):
        fed(data, [7] * 60, limit=150)


def test_it_says_what_it_holds():
    stream = MultipartStream(CONTENT_TYPE, 10_000)
    stream.feed(document(1) + picture()[:50])
    assert stream.buffered > 0
    stream.feed(picture()[50:] + document(2))
    stream.pause()
    assert stream.buffered < 4, "at most the end of a line"
