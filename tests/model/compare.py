"""Holds what a topic has against what it should have."""

import json
from collections import Counter
from typing import Any

import schemas
from hub.codec import RecordCodec

__all__ = ["compare"]

_LETTERS = "dead_letter.v1"


def compare(name: Any, expected: list[bytes], found: list[bytes]) -> None:
    if name[0] == _LETTERS:
        expected, found = [_letter(each) for each in expected], [_letter(each) for each in found]
        expected.sort()
        found.sort()
    lost, added = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    assert not lost, f"lost {lost.total()} of {len(expected)} on {name}"
    assert not added, f"delivered {added.total()} too many on {name}"
    assert found == expected, f"the order on {name} is another one"


def _letter(value: bytes) -> bytes:
    """A dead letter without the time it was written at."""
    record = RecordCodec(schemas.built(_LETTERS), 0).decode(value)
    return json.dumps([record["topic"], record["partition"], record["offset"]]).encode()
