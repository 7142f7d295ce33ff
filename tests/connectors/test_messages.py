"""A document that is one message or a list of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.messages import each_message
from hub import Nothing, PayloadError, Rejection

MESSAGES = st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=2)
OTHERS = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none(), max_size=1)


def outcome(message):
    if "a" in message:
        raise PayloadError("no a", code="no-a", path="a")
    return Nothing(why=json.dumps(message))


def outcomes(document):
    return list(each_message(json.dumps(document).encode(), outcome, what="messages"))


@given(st.lists(MESSAGES | OTHERS, min_size=1))
def test_each_message_of_a_list_has_one_outcome_and_a_bad_one_names_its_place(document):
    found = outcomes(document)
    assert len(found) == len(document)
    for place, (message, each) in enumerate(zip(document, found, strict=True)):
        if isinstance(message, dict) and "a" not in message:
            assert each == Nothing(why=json.dumps(message))
        else:
            assert isinstance(each, Rejection)
            assert each.path == (f"[{place}]/a" if isinstance(message, dict) else f"[{place}]")


@given(MESSAGES.filter(lambda message: "a" not in message))
def test_a_message_alone_is_one_too(message):
    assert outcomes(message) == [Nothing(why=json.dumps(message))]


def test_a_list_without_messages_says_so():
    assert outcomes([]) == [Nothing(why="a list without messages")]


@pytest.mark.parametrize("document", [7, None, "text", {"a": 1}])
def test_what_is_no_message_and_stands_alone_is_refused_as_a_whole(document):
    with pytest.raises(PayloadError):
        outcomes(document)
