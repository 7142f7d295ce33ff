"""Stamps in local spellings, and JSON as the elements it stands for."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.elements import as_elements
from connectors._formats.spelt import as_iso, iso_of_ms

STAMPS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001 - local
    lambda at: at.replace(microsecond=0)
)


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("21/09/2018 6:30:00 AM", "dmy", "2018-09-21T06:30:00"),
        ("18/02/2018 12:11:00 AM", "dmy", "2018-02-18T00:11:00"),
        ("18/02/2018 12:11:00 PM", "dmy", "2018-02-18T12:11:00"),
        ("21 Sep 2018 16:45", "dmy", "2018-09-21T16:45:00"),
        ("01/21/2012 00:00:21", "mdy", "2012-01-21T00:00:21"),
        ("2026/8/22 下午 02:10:00", "ymd", "2026-08-22T14:10:00"),
        ("2026/8/22 上午 12:10:00", "ymd", "2026-08-22T00:10:00"),
        ("20/11/2026 2:05 CH", "dmy", "2026-11-20T14:05:00"),
        ("20/11/2026 2:05 SA", "dmy", "2026-11-20T02:05:00"),
        ("Fri, 20 Nov 2026 14:05:00 +0700", "dmy", "2026-11-20T14:05:00+0700"),
        ("Fri, 20 Nov 2026 07:05:00 GMT", "dmy", "2026-11-20T07:05:00Z"),
        ("2026-11-20T14:05:00+07:00", "dmy", "2026-11-20T14:05:00+07:00"),
        ("20/11/26 14:05", "dmy", "20/11/26 14:05"),
        ("Fri, 20 Nov 2026 14:05:00 PST", "dmy", "Fri, 20 Nov 2026 14:05:00 PST"),
        ("date:now +1 hour", "ymd", "date:now +1 hour"),
    ],
)
def test_a_stamp_is_rewritten_or_left_as_it_was(text, order, expected):
    assert as_iso(text, order) == expected


@given(STAMPS, st.sampled_from(["%d/%m/%Y %I:%M:%S %p", "%d/%m/%Y %H:%M:%S", "%d %b %Y %H:%M:%S"]))
def test_what_a_clock_prints_comes_back(at, layout):
    text = f"{at:{layout}}"
    assert at == datetime.fromisoformat(as_iso(text, "dmy"))


@given(st.text(max_size=30), st.sampled_from(["ymd", "dmy", "mdy"]))
def test_no_text_raises(text, order):
    assert isinstance(as_iso(text, order), str)


@given(st.integers(1, 253_402_300_799_999))
def test_milliseconds_come_back(ms):
    at = datetime.fromisoformat(iso_of_ms(ms))
    assert round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000) == ms


@pytest.mark.parametrize("value", [None, True, -1, 0, 1.5, "1", 10**18])
def test_what_is_no_milliseconds_is_empty(value):
    assert iso_of_ms(value) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(JSON)
def test_any_json_becomes_elements(value):
    node = as_elements("alert", value)
    assert node.name == "alert"
    assert isinstance(node.value("a/b"), str)


def test_members_become_elements_lists_repeat_and_null_is_left_out():
    value = json.loads('{"a": [1, "x", null], "b": {"c": true}, "@id": "7", "d": 0.5}')
    node = as_elements("root", value)
    assert [child.text for child in node.findall("a")] == ["1", "x"]
    assert (node.value("b/c"), node.attr("id"), node.value("d")) == ("true", "7", "0.5")
    assert len(node.children) == 4
