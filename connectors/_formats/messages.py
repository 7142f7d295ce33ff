"""A JSON document that is one message, or a list of them: each has its own outcome."""

from collections.abc import Callable, Iterator
from typing import Any

from connectors._formats.json import an_object, parse_json
from hub import Nothing, Outcome, PayloadError, Rejection

__all__ = ["each_message"]


def each_message(
    body: bytes, outcome: Callable[[dict[str, Any]], Outcome], *, what: str
) -> Iterator[Outcome]:
    """The outcome of each message; a bad one of a list is refused, with its place, and no other.

    `what` names the messages, in the plural, where a list is empty. Raises `PayloadError` for what
    is no JSON, and for a message alone that is none.
    """
    document = parse_json(body, records=[()])
    if not isinstance(document, list):
        yield outcome(an_object(document, ()))
        return
    if not document:
        yield Nothing(why=f"a list without {what}")
    for place, message in enumerate(document):
        try:
            yield outcome(an_object(message, (place,)))
        except PayloadError as error:
            path = error.path if error.path.startswith("[") else f"[{place}]/{error.path}"
            yield Rejection.of(error, path=path)
