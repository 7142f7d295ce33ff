import pytest

from hub import filter as filter_
from hub.errors import ConfigError

RECORD = {
    "header": {"kind": "vehicle.passage", "source_id": "kim-ma", "native_id": "4711"},
    "body": {"speed_kmh": 82.5, "lane": None, "wet": True},
    "aliases": [{"ref": "a"}, {"ref": "b"}],
    "at": "2026-03-01T01:15:00.000000Z",
}


@pytest.mark.parametrize(
    "text",
    [
        "header.kind = vehicle.passage",
        "header.kind ~ PASSAGE",
        "header.kind != vehicle.stopped",
        "body.speed_kmh > 80 and body.speed_kmh <= 82.5",
        "body.lane = null",
        "body.wet = true",
        "body.nowhere = null",
        'header.source_id="kim-ma"',
        "header.source_id = 'kim-ma' and body.speed_kmh<1e3",
        "header.native_id = 4711",
        "aliases.ref = b",
        "at = 2026-03-01T08:15:00+07:00",
        "at < 2026-03-01T08:15:01+07:00",
    ],
)
def test_a_condition_that_holds_matches(text):
    assert filter_.parse(text).matches(RECORD)


@pytest.mark.parametrize(
    "text",
    [
        "header.kind = vehicle",
        "body.speed_kmh > 82.5",
        "body.speed_kmh > fast",
        "body.lane > 1",
        "body.wet = 1",
        "aliases.ref != b",
        "header.kind = vehicle.passage and body.speed_kmh < 80",
        "header.kind.deeper = x",
    ],
)
def test_a_condition_that_fails_does_not_match(text):
    assert not filter_.parse(text).matches(RECORD)


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ("", "expected a path", 1),
        ("header.kind", "expected one of =", 12),
        ("header.kind =", "expected a value", 14),
        ("header.kind = 'open", "a quote is not closed", 15),
        ("a = 1 or b = 2", "expected `and`", 7),
        ("a = 1 and", "expected `and`", 7),
        ("a < null", "needs a number", 5),
        ("a = 1 andb = 2", "expected `and`", 7),
    ],
)
def test_an_error_points_at_its_column(text, what, column):
    with pytest.raises(ConfigError, match=what) as caught:
        filter_.parse(text)
    assert f"at column {column}" in str(caught.value)


def test_an_expression_is_bounded():
    with pytest.raises(ConfigError, match="longer than"):
        filter_.parse("a = 1 and " * 300)
    with pytest.raises(ConfigError, match="more than 20"):
        filter_.parse(" and ".join(["a = 1"] * 30))


def test_no_expression_holds_for_every_record():
    assert filter_.Where().matches(RECORD)
