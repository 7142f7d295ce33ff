"""What is wrong with an event that can't be written, said to who wrote its connector.

Events are plain dataclasses that nobody checks, as millions pass; one that fails is looked at here.
"""

import dataclasses
from typing import Any, get_type_hints

from pydantic import ConfigDict, ValidationError, create_model

from hub.connector import Event

__all__ = ["wrong_field"]

_FIELDS: dict[str, Any] = {name: (hint, ...) for name, hint in get_type_hints(Event).items()}
_EVENT = create_model("Event", __config__=ConfigDict(strict=True), **_FIELDS)
_TIMES = ("observed_at", "published_at", "version_at")


def wrong_field(event: Event) -> tuple[str, str] | None:
    """Path and fault of the first field that is not of its type; no value of it is told."""
    fields = {each.name: getattr(event, each.name) for each in dataclasses.fields(event)}
    try:
        _EVENT.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return ".".join(map(str, first["loc"])), first["msg"]
    for name in _TIMES:
        if fields[name] is not None and fields[name].tzinfo is None:
            return name, "a time without a zone"
    return None
