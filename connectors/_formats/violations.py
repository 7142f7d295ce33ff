"""What the law calls an act that a camera saw: the hub's word, the code, the text of its day.

Nothing is guessed: where the vehicle's category, the speed or the decree leaves several codes open,
the code stays empty and a flag says why. People choose, not the hub.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import Field, field_validator

from hub.connector import Options
from hub.errors import PayloadError
from hub.law import NATIONAL, Code, category_of, lookup, named, parse, text_at, texts_of, words

__all__ = ["COMMON_CODES", "ActOptions", "position_code", "under_law"]

COMMON_CODES: Final = {"1301": "wrong_way", "1625": "red_light"}
"""Codes of the list that cameras of several makers come with, and the hub's words for the acts."""

_POSITION = re.compile(r"\bVT\s?([0-9]{1,4})\b")


class ActOptions(Options):
    """Options of a source that names acts by codes of its own."""

    acts: Mapping[str, str] = Field(
        default_factory=dict,
        description="What the cameras' own codes of acts mean, in the hub's words (`hub violation "
        'act` lists them): `{"1039": "stopping"}`; of the list that cameras come with, 1301 and '
        "1625 are known",
    )

    @field_validator("acts")
    @classmethod
    def _known_acts(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for code, word in value.items():
            if word not in words():
                raise ValueError(f"{word!r} ({code}) is none of {', '.join(words())}")
        return value


def under_law(
    source_code: str,
    meanings: Mapping[str, str],
    *,
    category: str,
    at: datetime,
    over_kmh: float | None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`act_word`, `law_namespace`, `law_code` and `law_version` of a body, and quality flags.

    `source_code` is a national code where a site has taught its cameras so; else `meanings` says
    what act the source's codes mean. `category` is the plate's, `at` when the act was.
    """
    code = _national(source_code)
    if code is not None:
        acts = {rule.act for rule in named(code, at)}
        word = acts.pop() if len(acts) == 1 else ""
        return _named(word, code, at)
    word = meanings.get(source_code, "")
    if not word:
        return _open(""), ("act_unknown",)
    found = lookup(word, category=category_of(category), at=at, over_kmh=over_kmh)
    codes = {rule.code for rule in found}
    if len(codes) != 1:
        return _open(word), ("law_code_open" if codes else "law_code_unknown",)
    return _named(word, codes.pop(), at)


def position_code(text: str) -> str:
    """The number of a camera's position in a name such as `Kim Mã - Liễu Giai (VT87)`."""
    found = _POSITION.search(text)
    return f"VT{found[1]}" if found else ""


def _national(source_code: str) -> Code | None:
    try:
        return parse(source_code)
    except PayloadError:
        return None


def _open(word: str) -> dict[str, Any]:
    return {"act_word": word, "law_namespace": "", "law_code": "", "law_version": ""}


def _named(word: str, code: Code, at: datetime) -> tuple[dict[str, Any], tuple[str, ...]]:
    text = text_at(code, at)
    law = {
        "act_word": word,
        "law_namespace": NATIONAL,
        "law_code": str(code),
        "law_version": text.version if text else "",
    }
    if text is not None:
        return law, ()
    return law, ("law_not_in_force" if texts_of(code) else "law_not_on_record",)
