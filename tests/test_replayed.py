import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.codec import EVENT_ID, LIFECYCLE, REPLAYED, SUBJECT_ID
from hub.connector import Nothing, Rejection
from hub.errors import RecordError
from hub.replay.compare import Old
from hub.replay.live import corrected
from hub.replay.records import restored
from hub.replayed import Indexes, as_sent, marked, only
from hub.tables import Decoder

places = st.integers(0, 30)
indexes = st.one_of(
    places.map(Indexes.only),
    places.map(Indexes.onwards),
    st.sets(places, min_size=1).map(lambda each: Indexes.union(map(Indexes.only, each))),
)


@pytest.mark.parametrize(
    ("text", "held", "others"),
    [
        ("3", [3], [2, 4]),
        ("3,7-9,12-", [3, 7, 8, 9, 12, 500], [0, 4, 6, 10, 11]),
        ("0-", [0, 1, 10_000], []),
    ],
)
def test_places_are_read_as_they_are_written(text, held, others):
    found = Indexes.parse(text)
    assert text == str(found)
    assert all(place in found for place in held)
    assert not any(place in found for place in others)


@pytest.mark.parametrize("text", ["", "a", "-3", "3,", "1-2-3", "9999999999", "1 - 2"])
def test_places_that_nobody_wrote_are_refused(text):
    with pytest.raises(RecordError) as told:
        Indexes.parse(text)
    assert told.value.code == "bad-raw-record"


@given(st.lists(indexes, min_size=1, max_size=6), places)
def test_a_union_holds_what_any_of_them_holds(many, place):
    found = Indexes.union(many)
    assert any(place in each for each in many) is (place in found)
    assert found == Indexes.parse(str(found))


@given(indexes, indexes, places)
def test_within_holds_what_both_hold(one, other, place):
    assert (place in one and place in other) is (place in one.within(other))


def test_a_refusal_that_hides_what_follows_is_never_left_out():
    whole = Rejection(code="malformed", message="")
    defect = Rejection(code="parser-defect", message="")
    mine, other = Rejection(code="mine", message=""), Rejection(code="other", message="")
    nothing = Nothing(why="a heartbeat")
    assert list(only([(None, whole)], Indexes.only(3))) == [(None, whole)]
    outcomes = [(0, other), (1, nothing), (2, mine), (3, nothing), (4, defect)]
    assert list(only(outcomes, Indexes.parse("2-3"))) == [(2, mine), (3, nothing), (4, defect)]


EVENT = bytes(5) + b"E" * 16 + b"E" * 16 + bytes((2, 2, 0, 2, 0)) + b"the rest"


def test_an_event_sent_again_is_marked_as_backlog_and_else_the_same():
    found = marked(EVENT)
    assert found[REPLAYED] == 1
    assert found[:REPLAYED] + b"\0" + found[REPLAYED + 1 :] == EVENT


def test_a_correction_is_an_update_of_the_same_subject():
    old = Old("plate_read", b"O" * 16, b"S" * 16)
    found = corrected(EVENT, old)
    assert (found[EVENT_ID], found[SUBJECT_ID]) == (b"E" * 16, b"S" * 16)
    assert found[LIFECYCLE] >> 1 == 2
    assert found[LIFECYCLE + 1 :] == EVENT[LIFECYCLE + 1 :]
    # What has a subject of its own, or says how it stands with it, is believed.
    ended = EVENT[:21] + b"J" * 16 + bytes((6,)) + EVENT[38:]
    assert corrected(ended, old) == ended


def test_what_a_connector_gives_is_restated_as_what_a_replay_sent():
    old = Old("plate_read", b"O" * 16, b"S" * 16)
    assert as_sent(EVENT, corrected(marked(EVENT), old)) == corrected(marked(EVENT), old)
    assert as_sent(EVENT, marked(EVENT)) == marked(EVENT)


def letter(**other):
    return {
        "stage": "normalise",
        "topic": "raw.cap.v1",
        "partition": 1,
        "offset": 7,
        "source_id": "s",
        "body": b"<alert/>",
        "truncated": False,
        "record_headers": [{"name": "sha256", "value": b"of other bytes"}],
        **other,
    }


@pytest.fixture
def decoder():
    # It is asked for no schema: nothing here is framed.
    return Decoder(None)


def test_a_record_is_restored_from_its_letter(decoder):
    found = restored(letter(), decoder)
    assert (found.topic, found.partition, found.offset) == ("raw.cap.v1", 1, 7)
    assert (found.key, found.value) == (b"s", b"<alert/>")
    assert restored(letter(truncated=True), decoder) is None


def test_bytes_that_were_inflated_are_not_inflated_once_more(decoder):
    gzip = {"name": "meta.header.content-encoding", "value": b"gzip"}
    digest = {"name": "sha256", "value": b"of the packed bytes"}
    found = restored(letter(record_headers=[digest, gzip]), decoder)
    assert list(found.headers) == [("sha256", b"of the packed bytes")]


def test_canonical_bytes_that_are_no_event_have_no_key(decoder):
    found = restored(letter(stage="process", topic="area.alert.v1"), decoder)
    assert found.key is None
