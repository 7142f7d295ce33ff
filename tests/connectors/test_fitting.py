"""What is cut of a body that no record has room for, and what is not."""

from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.fitting import BODY_MAX, fitted, size_of

MOST = 4_000
TEXTS = st.text(max_size=40) | st.text("aứ😀", min_size=500, max_size=3_000)
AREAS = st.fixed_dictionaries(
    {"description": TEXTS, "polygons": st.lists(TEXTS, max_size=4), "altitude_ft": st.none()}
)
BODIES = st.fixed_dictionaries(
    {
        "identifier": st.text(max_size=40),
        "sent_at": st.none(),
        "headline": TEXTS,
        "description": TEXTS,
        "references": st.lists(st.fixed_dictionaries({"identifier": TEXTS}), max_size=5),
        "areas": st.lists(AREAS, max_size=5) | st.lists(AREAS, min_size=65, max_size=70),
    }
)
WHOLE = ("identifier", "references", "polygons")


def subsequence(kept, items):
    rest = iter(items)
    return all(any(each == item for item in rest) for each in kept)


@given(BODIES)
def test_a_body_comes_out_as_it_went_in_or_small_enough_and_flagged(body):
    flags: list[str] = []
    kept = fitted(body, flags, whole=WHOLE, most=MOST)
    assert size_of(kept) <= MOST
    assert (kept == body) == (flags == []) == (size_of(body) <= MOST)
    assert fitted(kept, flags, whole=WHOLE, most=MOST) == kept


@given(BODIES)
def test_what_is_left_is_the_beginning_of_a_text_and_whole_where_it_must_be(body):
    kept = fitted(body, [], whole=WHOLE, most=MOST)
    assert kept.keys() == body.keys()
    assert kept["identifier"] == body["identifier"]
    assert subsequence(kept["references"], body["references"])
    for name in ("headline", "description"):
        assert body[name].startswith(kept[name])
    whole = iter(body["areas"])
    for area in kept["areas"]:
        assert any(
            one["description"].startswith(area["description"])
            and subsequence(area["polygons"], one["polygons"])
            for one in whole
        )


@given(BODIES)
def test_a_size_is_more_than_the_texts_alone_take(body):
    texts = [body["identifier"], *(area["description"] for area in body["areas"])]
    assert size_of(body) > len("".join(texts).encode())


def test_an_outline_that_has_no_room_makes_room_for_the_next():
    areas = [
        {"description": name, "polygons": [name * size]}
        for name, size in (("a", BODY_MAX), ("b", 9))
    ]
    flags: list[str] = []
    kept = fitted({"areas": areas}, flags, whole=("polygons",))
    assert kept["areas"] == [{"description": "a", "polygons": []}, areas[1]]
    assert flags == ["polygons_cut"]


def test_the_second_language_keeps_its_room_beside_a_long_first_one():
    blocks = [{"headline": name, "areas": [{"code": name}] * 90_000} for name in ("vi", "en")]
    kept = fitted({"infos": blocks}, [])["infos"]
    assert [block["headline"] for block in kept] == ["vi", "en"]
    assert min(len(block["areas"]) for block in kept) > 10_000
