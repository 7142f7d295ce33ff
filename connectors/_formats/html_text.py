"""The text of HTML fragments that feeds put into their members: no tags, no entities, but lines."""

import re
from html import unescape
from typing import Final

from connectors._formats.text import clean

__all__ = ["html_text"]

_HIDDEN: Final = re.compile(r"<(/?)(script|style)\b[^<>]{0,1000}>", re.IGNORECASE)
_BREAK: Final = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])\b[^<>]{0,1000}>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[/!a-zA-Z][^<>]{0,10000}>")
_BLANKS: Final = re.compile(r"[^\S\n]+")
_LINES: Final = re.compile(r" ?\n[ \n]*")
_LENGTH_MAX: Final = 200_000


def html_text(html: str) -> str:
    """`<p>Road open.</p><p>Snow &amp; ice</p>` as two lines; a text without tags as it is."""
    if "<" not in html and "&" not in html and "\n" not in html:
        return clean(_BLANKS.sub(" ", html[:_LENGTH_MAX]))
    html = html[:_LENGTH_MAX]
    if "<" in html:
        html = _TAG.sub(" ", _BREAK.sub("\n", _shown(html)))
    text = unescape(html).replace("\xa0", " ")
    return clean(_LINES.sub("\n", _BLANKS.sub(" ", text)))


def _shown(html: str) -> str:
    """The fragment without scripts and styles; one that is left open hides the rest."""
    shown, start, hidden = [], 0, ""
    for tag in _HIDDEN.finditer(html):
        name = tag[2].lower()
        if not hidden and not tag[1]:
            shown.append(html[start : tag.start()])
            hidden = name
        elif hidden == name and tag[1]:
            start, hidden = tag.end(), ""
    return " ".join([*shown, "" if hidden else html[start:]])
