"""What is of defence: known however it is spelt, at the event's time, and nowhere else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.codec import micros
from hub.dead_letter import Refused, dead_letter
from hub.defence import Defence, is_defence

FOREVER_US = 2**62
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def camera(purpose: str = "defence", *refs: str, source: str = "vms"):
    aliases = [{"source_id": source, "device_ref": ref} for ref in refs or ("cam-9",)]
    return {"purpose": purpose, "aliases": aliases}


@pytest.mark.parametrize("purpose", ["defence", "Defense", " DEFENCE ", "quốc phòng", "Quốc_phòng",
                                     "quo\u0302\u0301c pho\u0300ng"])  # fmt: skip
def test_defence_is_known_however_it_is_spelt(purpose):
    assert is_defence(purpose)


@pytest.mark.parametrize("purpose", ["", "traffic", "security", "flood defences", "fence"])
def test_other_purposes_are_none(purpose):
    assert not is_defence(purpose)


def test_a_device_is_of_defence_from_when_to_when_the_register_says_so():
    known = Defence()
    known.put(b"a", camera(), micros(NOON), micros(NOON) + 10)
    known.put(b"b", camera("traffic"), micros(NOON) + 10, FOREVER_US)
    times = (-1, 0, 9, 10)
    found = [known.holds("vms", "cam-9", micros(NOON) + us) for us in times]
    assert found == [False, True, True, False]
    assert not known.holds("vms", "cam-8", micros(NOON))
    assert not known.holds("other", "cam-9", micros(NOON))


@pytest.mark.parametrize(
    ("observed", "quality", "expected"),
    [
        (NOON, "DEVICE", True),
        (NOON - timedelta(days=9), "DEVICE", False),
        (NOON - timedelta(days=9), "SUSPECT", True),
        (NOON - timedelta(days=9), "RECEIVED", True),
        (None, "UNKNOWN", True),
    ],
)
def test_a_clock_that_can_not_be_trusted_hides_nothing(observed, quality, expected):
    known = Defence()
    known.put(b"a", camera(), micros(NOON) - 1, FOREVER_US)
    asked = {"observed_at": observed, "time_quality": quality, "received_at": NOON}
    assert known.reported("vms", "cam-9", **asked) is expected
    assert not known.reported("vms", "cam-8", **asked)


entries = st.tuples(
    st.sampled_from([b"a", b"b", b"c"]),
    st.none()
    | st.builds(
        lambda purpose, refs, source: camera(purpose, *refs, source=source),
        st.sampled_from(["defence", "traffic"]),
        st.lists(st.sampled_from(["1", "2", "3"]), max_size=3),
        st.sampled_from(["x", "y"]),
    ),
)


@settings(deadline=None)
@given(changes=st.lists(entries, max_size=12))
def test_a_register_that_changes_ends_as_one_that_is_read_at_the_end(changes):
    changed, fresh = Defence(), Defence()
    for key, device in changes:
        changed.put(key, device, 0, FOREVER_US)
    for key, device in dict(changes).items():
        fresh.put(key, device, 0, FOREVER_US)
    for source in ("x", "y"):
        assert changed.shares(source) == fresh.shares(source)
        for ref in ("1", "2", "3"):
            assert changed.holds(source, ref, 5) == fresh.holds(source, ref, 5)


def test_a_bare_letter_says_where_its_bytes_are_and_holds_none():
    refused = Refused(
        stage="normalise", topic="raw.x.v1", partition=0, offset=7, value=b"29A-123.45",
        headers=[("source_id", b"vms"), ("meta.path", b"cam-9.json")], source_id="vms",
        sha256=b"s" * 32, bare=True,
    )  # fmt: skip
    letter = dead_letter(b"k", refused, code="malformed", message="no JSON", failed_at=NOON)
    assert (letter["body"], letter["truncated"]) == (b"", True)
    assert (letter["topic"], letter["offset"], letter["sha256"]) == ("raw.x.v1", 7, b"s" * 32)
    assert [each["name"] for each in letter["record_headers"]] == ["source_id"]
