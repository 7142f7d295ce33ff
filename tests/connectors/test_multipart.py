"""The multipart reader: every deviation seen in the field, and independence of chunking."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.multipart import Part, Splitter, split
from hub.errors import PayloadError

XML = b'<?xml version="1.0"?>\n<Alert><id>7</id></Alert>'
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 2 + b"\r\n--not-the-delimiter\n" + b"\xff\xd9"


def block(delimiter, content_type, data, *, length=None, eol=b"\r\n", name=b""):
    head = [delimiter, b"Content-Type: " + content_type]
    if name:
        head.append(b'Content-Disposition: form-data; name="x"; filename="' + name + b'"')
    if length is not None:
        head.append(b"Content-Length: %d" % length)
    return eol.join([*head, b"", data]) + eol


def body(delimiter=b"--frontier", *, eol=b"\r\n", end=True, right=True):
    length = (len) if right else (lambda _: None)
    return (
        block(delimiter, b"application/xml", XML, length=length(XML), eol=eol, name=b"anpr.xml")
        + block(delimiter, b"image/jpeg", JPEG, length=length(JPEG), eol=eol, name=b"plate.jpg")
        + (delimiter + b"--" + eol if end else b"")
    )


def chunked(data, sizes, content_type=""):
    splitter, parts, place = Splitter(content_type), [], 0
    for size in sizes:
        parts += splitter.feed(data[place : place + size])
        place += size
    return parts + splitter.feed(data[place:]) + splitter.close()


DEVIATIONS = {
    "as announced": ("multipart/form-data; boundary=frontier", body()),
    "dashes counted twice": ("multipart/mixed; boundary=--frontier", body(b"--frontier")),
    "four dashes": ("multipart/mixed; boundary=--frontier", body(b"----frontier")),
    "an unrelated boundary": ("multipart/mixed; boundary=other", body(b"--boundary")),
    "a comma": ("multipart/form-data, boundary=frontier", body()),
    "no boundary": ("multipart/form-data", body()),
    "no content type": ("", body()),
    "quoted": ('multipart/mixed; boundary="frontier"', body()),
    "line feeds only": ("multipart/mixed; boundary=frontier", body(eol=b"\n")),
    "no lengths": ("multipart/mixed; boundary=frontier", body(right=False)),
    "no lengths, line feeds only": ("", body(right=False, eol=b"\n")),
    "no end mark": ("multipart/mixed; boundary=frontier", body(end=False)),
    "a doubled delimiter": ("", body().replace(b"--frontier\r\n", b"--frontier\r\n" * 2)),
    "a blank inside the delimiter": (
        "multipart/mixed; boundary=frontier",
        body().replace(b"--frontier", b"-- frontier"),
    ),
    "a blank inside an unannounced delimiter": ("", body().replace(b"--frontier", b"-- frontier")),
    "blanks after the delimiter": ("", body().replace(b"--frontier\r\n", b"--frontier \r\n")),
    "an HTTP answer in front": (
        "",
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/form-data; boundary=frontier\r\n\r\n" + body(),
    ),
    "no line end before the delimiter": ("", body().replace(b"\r\n--frontier", b"--frontier")),
    "lengths too large": ("", body().replace(b"Length: ", b"Length: 9")),
    "lengths of nought": (
        "",
        body(right=False).replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"),
    ),
    "lengths that are words": (
        "",
        body(right=False).replace(b"\r\n\r\n", b"\r\nContent-Length: many\r\n\r\n"),
    ),
    "no blank after the colon": ("", body().replace(b": ", b":")),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_a_deviation_still_gives_the_document_and_the_picture(name):
    content_type, data = DEVIATIONS[name]
    parts = split(data, content_type)
    assert [part.data for part in parts] == [XML, JPEG]
    assert [part.content_type for part in parts] == ["application/xml", "image/jpeg"]


@pytest.mark.parametrize("name", DEVIATIONS)
def test_byte_by_byte_gives_the_same_parts(name):
    content_type, data = DEVIATIONS[name]
    assert split(data, content_type) == chunked(data, [1] * len(data), content_type)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(DEVIATIONS)), sizes=st.lists(st.integers(0, 300), max_size=12))
def test_any_chunking_gives_the_same_parts(name, sizes):
    content_type, data = DEVIATIONS[name]
    assert split(data, content_type) == chunked(data, sizes, content_type)


SHREDS = st.sampled_from(
    [
        b"--b",
        b"--b\r\n",
        b"--b\n",
        b"\r\n",
        b"\n",
        b"--b--",
        b"Content-Length: 9\r\n",
        b"-",
        b"x",
        b"Content-Length: 3\n",
        b"<a>",
        b"</a>",
        b"{}",
        b"\xff\xd8",
        b"\xff\xd9",
        b" ",
        b"A: b\n",
        b"--c\n",
        b"HTTP/1.1 200 OK\r\n",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    shreds=st.lists(SHREDS, max_size=24),
    sizes=st.lists(st.integers(1, 9), max_size=30),
    content_type=st.sampled_from(["", "multipart/mixed; boundary=b", "multipart/x, boundary=--b"]),
)
def test_any_chunking_of_rubbish_gives_the_same_parts(shreds, sizes, content_type):
    data = b"".join(shreds)
    whole = split(data, content_type)
    assert whole == chunked(data, sizes, content_type)
    assert whole == chunked(data, [1] * len(data), content_type)


@given(data=st.binary(max_size=400), content_type=st.text(max_size=60))
@settings(max_examples=80, deadline=None)
def test_no_bytes_and_no_content_type_raise(data, content_type):
    assert all(isinstance(part, Part) for part in split(data, content_type))


def test_a_live_part_with_a_length_is_given_before_the_next_delimiter():
    splitter = Splitter("multipart/mixed; boundary=boundary")
    alive = block(b"--boundary", b"application/xml", XML, length=len(XML))[:-2]
    assert [part.data for part in splitter.feed(alive)] == [XML]
    assert [part.data for part in splitter.feed(b"\r\n" + alive)] == [XML]


def test_a_delimiter_inside_a_picture_is_part_of_it_when_the_length_says_so():
    picture = b"\xff\xd8 noise\r\n--b\r\nnoise \xff\xd9"
    data = block(b"--b", b"image/jpeg", picture, length=len(picture)) + b"--b--\r\n"
    assert [picture] == [part.data for part in split(data)]


def test_a_length_that_cuts_a_document_short_is_not_believed():
    data = block(b"--b", b"text/xml", XML, length=len(XML) - 8) + b"--b--\r\n"
    assert [part.data for part in split(data)] == [XML]


def test_a_cut_body_gives_what_is_left():
    data = body()[:-60]
    parts = split(data)
    assert parts[0].data == XML
    assert JPEG.startswith(parts[1].data)


def test_a_part_says_its_names():
    data = b'--b\r\nContent-Disposition: form-data; name="a.jpg"; filename="b.jpg";\r\n'
    part = split(data + b"Content-ID: c\r\n\r\ndata\r\n--b--")[0]
    assert part.names == ("b.jpg", "a.jpg", "c")


def test_headers_without_a_blank_line_end_at_the_first_line_that_is_none():
    part = split(b"--b\nContent-Type: text/xml\n<a/>\n--b--\n")[0]
    assert (part.data, part.content_type) == (b"<a/>", "text/xml")


def test_a_line_longer_than_any_header_begins_the_body():
    line = b"A: " + b"x" * 9_000
    assert [line] == [part.data for part in split(b"--b\r\n" + line + b"\r\n--b--\r\n")]


def test_a_comment_end_is_no_delimiter():
    assert split(b"-->\r\n\r\n<a/>\r\n") == []


def test_text_without_any_delimiter_gives_no_part():
    assert split(b"nothing of the kind\n" * 100) == []


def test_too_many_parts_are_refused():
    with pytest.raises(PayloadError, match="257 parts"):
        split(b"--b\r\n\r\nx\r\n" * 257 + b"--b--\r\n")


@pytest.mark.parametrize("size", [50, 2_000])
def test_a_too_large_part_is_refused(size):
    splitter = Splitter(max_part_bytes=1_000)
    data = b"--b\r\n\r\n" + b"x" * 1_001 + b"\r\n--b--\r\n"
    chunks = iter([data[place : place + size] for place in range(0, len(data), size)])
    with pytest.raises(PayloadError, match="more than 1000 bytes"):
        list(map(splitter.feed, chunks))
