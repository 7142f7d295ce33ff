"""The JSON reader: strict where Python is lax, and errors that name the field."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.json import (
    a_list,
    a_number,
    a_text,
    an_integer,
    an_object,
    parse_json,
    shown,
)
from hub.errors import PayloadError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


def error_of(function, *arguments):
    with pytest.raises(PayloadError) as caught:
        function(*arguments)
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_every_unicode_encoding_is_read(encoding):
    assert parse_json('{"phố": "Hàng Bạc"}'.encode(encoding)) == {"phố": "Hàng Bạc"}


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("empty", b""),
        ("empty", b" \n"),
        ("malformed", b"{"),
        ("malformed", b"{'a': 1}"),
        ("malformed", b'{"a": 006}'),
        ("malformed", b"1 2"),
        ("malformed", b"9" * 5_000),
        ("not-a-number", b"[NaN]"),
        ("not-a-number", b"[-Infinity]"),
        ("not-a-number", b"[1e400]"),
        ("duplicate-key", b'{"a": {"plate": 1, "x": 2, "plate": 3}}'),
        ("encoding", b'"\\ud800"'),
        ("encoding", b'{"\\uDC00": 1}'),
        ("encoding", b'"\xed\xa0\x80"'),
        ("encoding", b"\xff\xfe\x00"),
        ("too-deep", b"[" * 200_000),
        ("too-deep", b"[" * 200_000 + b"]" * 200_000),
        ("too-deep", b'{"a":' * 65 + b"1" + b"}" * 65),
        ("too-deep", b"[" * 400 + b"]" * 400),
    ],
)
def test_a_document_is_refused_with_a_code(code, body):
    assert error_of(parse_json, body).code == code


@pytest.mark.parametrize(
    "body", [b'{"a": 1} // as the manual', b'{/* as the manual */ "a": 1}', b'{"a": 1,}', b"[1,]"]
)
def test_comments_and_trailing_commas_of_vendors_documents_are_no_json(body):
    assert error_of(parse_json, body).code == "malformed"


def test_size_is_limited():
    with pytest.raises(PayloadError, match="at most 10"):
        parse_json(b'"0123456789"', max_bytes=10)


def test_brackets_in_texts_are_no_depth():
    assert parse_json(b"[" * 64 + b"]" * 64)
    assert parse_json(json.dumps({"a": "[" * 100, 'b"': ["{" * 100 + "\\"]}).encode())


def test_a_pair_of_surrogates_is_a_letter():
    assert parse_json(b'"\\ud83d\\ude8c"') == "\U0001f68c"


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_what_python_writes_is_read_back(value):
    assert parse_json(json.dumps(value).encode()) == value


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text('[]{}",:\\ud8e1-.nul ', max_size=60).map(str.encode))
def test_only_payload_errors_leave_the_reader(body):
    try:
        parse_json(body)
    except PayloadError as error:
        assert error.code  # noqa: PT017 - the other outcome is as good


def test_a_path_is_shown_as_errors_name_it():
    assert shown(("payload", "states", 2, "signalGroup")) == "payload/states[2]/signalGroup"
    assert shown(()) == ""


def test_typed_access_returns_the_value():
    path = ("a",)
    assert an_object({"b": 1}, path) == {"b": 1}
    assert a_list([1], path) == [1]
    assert an_integer(255, path, 0, 255) == 255
    assert a_number(2, path) == 2.0
    assert a_text(" Ha\u0300\x00 ", path) == "Hà"
    assert a_text(None, path) == ""


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (an_object, ([], ("a", 1))),
        (a_list, ({}, ("a", 1))),
        (an_integer, (True, ("a", 1), 0, 9)),
        (an_integer, ("1", ("a", 1), 0, 9)),
        (an_integer, (10, ("a", 1), 0, 9)),
        (an_integer, (1.0, ("a", 1), 0, 9)),
        (a_number, (False, ("a", 1))),
        (a_number, ("1", ("a", 1))),
        (a_number, (10**400, ("a", 1))),
        (a_text, (1, ("a", 1))),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_path(function, arguments):
    error = error_of(function, *arguments)
    assert (error.code, error.path) == ("wrong-type", "a[1]")


def test_a_missing_value_has_its_own_code():
    assert error_of(an_integer, None, ("a",), 0, 1).code == "missing-field"
