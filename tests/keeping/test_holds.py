"""Copies of held things: whole or no hold at all, checked to the byte, readable by themselves."""

import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import RecordError
from hub.evidence.store import files_at
from hub.holds.area import HoldArea
from hub.holds.dossier import Dossier
from hub.holds.holding import Held, verify
from hub.holds.manifest import Manifest, Missing, Part, envelope, parsed, rendered

HOLD = "5b1f0c9e-3d52-8a41-9c7e-0d4f6a2b8e11"
EVENT = "0b1f0c9e-3d52-8a41-9c7e-0d4f6a2b8e11"
AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
texts = st.text(max_size=12)
parts = st.builds(
    Part,
    kind=st.sampled_from(["canonical", "raw", "body", "picture"]),
    value=st.binary(min_size=32, max_size=32).map(bytes.hex),
    size_bytes=st.integers(0, 2**40),
    place=texts,
    record=texts,
    schema=texts,
    event_ids=st.lists(texts, max_size=3).map(tuple),
)


def manifest(**given_):
    usual = {
        "hold_id": HOLD,
        "asked": EVENT,
        "case": "2026/HS-117",
        "by": "Đội 4",
        "run_by": "op@vms",
        "reason": "nhân chứng",
        "until": "",
        "added_at": "2026-03-01T01:15:00.000000Z",
        "event_ids": (EVENT,),
        "subject_ids": (),
        "parts": (),
    }
    return Manifest(**{**usual, **given_})


@given(
    st.lists(parts, max_size=4).map(tuple),
    st.lists(st.builds(Missing, what=texts, why=texts), max_size=3).map(tuple),
    st.lists(texts, max_size=3).map(tuple),
    texts,
)
def test_a_manifest_comes_back_as_it_was_and_gives_the_same_bytes(parts, missing, ids, reason):
    one = manifest(parts=parts, missing=missing, subject_ids=ids, reason=reason)
    assert parsed(rendered(one)) == one
    assert rendered(parsed(rendered(one))) == rendered(one)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"format": "other"}', b'{"format": "hanoi-event-hub hold 1"}', b"\xff"],
)
def test_anything_else_is_no_manifest(data):
    with pytest.raises(ValueError, match=r"format|missing|Expecting|decode"):
        parsed(data)


def test_a_record_is_told_with_its_place_key_and_headers():
    data = envelope(
        "police.plate_read.v1",
        2,
        77,
        appended_at=AT,
        key=b"s/cam",
        headers=[("cut", b"\x00\xff"), ("none", None)],
        value=b"value",
    )
    told = json.loads(data)
    assert (told["topic"], told["partition"], told["offset"]) == ("police.plate_read.v1", 2, 77)
    assert told["appended_at"] == "2026-03-01T01:15:00.000000Z"
    assert base64.b64decode(told["key_base64"]) == b"s/cam"
    assert [each["name"] for each in told["headers"]] == ["cut", "none"]
    assert base64.b64decode(told["headers"][0]["value_base64"]) == b"\x00\xff"
    assert told["headers"][1]["value_base64"] is None
    assert told["value_sha256"] == hashlib.sha256(b"value").hexdigest()


@pytest.fixture(params=["folder", "memory"])
def area(request, tmp_path):
    place = str(tmp_path / "h") if request.param == "folder" else f"memory://{uuid.uuid4()}"
    return HoldArea(files_at(place))


def kept(area, *contents):
    """A whole hold of these pictures, and what hold.v1 says of it."""
    names = [area.put(HOLD, data) for data in contents]
    whole = rendered(
        manifest(parts=tuple(Part("picture", value=name, size_bytes=1) for name in names))
    )
    area.finish(HOLD, whole)
    return Held(HOLD, EVENT, "c", "b", AT, "", (EVENT,), hashlib.sha256(whole).digest())


def test_a_copy_without_its_manifest_is_no_hold(area):
    assert (area.ids(), area.unfinished()) == ([], [])
    area.put(HOLD, b"a picture")
    assert (area.ids(), area.unfinished(), area.stored()) == ([], [HOLD], set())
    kept(area, b"a picture")
    assert (area.ids(), area.unfinished()) == ([HOLD], [])
    assert area.stored() == {hashlib.sha256(b"a picture").hexdigest()}
    area.remove(HOLD)
    assert (area.ids(), area.unfinished()) == ([], [])


def test_every_object_is_hashed_again_and_what_is_damaged_or_gone_is_named(area):
    hold = kept(area, b"one", b"two")
    assert verify(area, hold) == (2, [])
    name = hashlib.sha256(b"one").hexdigest()
    area._files.write(f"{HOLD}/objects/{name}", b"0ne")
    assert verify(area, hold) == (1, [f"object {name} is damaged: its SHA-256 differs"])
    area._files.remove(f"{HOLD}/objects/{name}")
    assert verify(area, hold) == (1, [f"object {name} is gone"])


def test_a_manifest_that_was_changed_is_told_by_the_record_of_the_hold(area):
    hold = kept(area, b"one")
    area.finish(HOLD, rendered(manifest(reason="another")))
    assert verify(area, hold)[1] == ["its manifest is not the one that hold.v1 names"]
    area.finish(HOLD, b"{")
    assert "its manifest is damaged" in verify(area, hold)[1][0]
    # Whoever asks what is held must not go on as if nothing were.
    with pytest.raises(RecordError, match=r"restore manifest\.json"):
        area.stored()
    area.remove(HOLD)
    assert verify(area, hold)[1] == [
        "its copy is gone, or was never finished: run `hub hold add` again"
    ]


def test_a_hold_covers_its_events_and_its_subject_until_it_is_released(area):
    hold = kept(area)
    assert hold.covers({EVENT})
    assert not hold.covers({HOLD})
    assert manifest(asked=HOLD, event_ids=()).covers({HOLD})


def test_a_text_that_repeats_a_plate_is_found_however_it_is_written():
    found = Dossier(b"", secrets={"29A12345"})
    assert found.told_by("owner of 29a-123.45 asked")
    assert found.told_by("29 A 12345")
    assert not found.told_by("case 29A/1234")
    assert "29A12345" not in repr(found)
