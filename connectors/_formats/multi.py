"""MULTI, the mark-up of messages on signs (NTCIP 1203): pages, lines, times and pictures.

Traps handled: a page time holds until the next one; `[[` and `]]` are brackets; tags in any case;
columns of one line (`[jl2]…[jl4]`) are parted by a blank; fields that the sign itself fills (clock,
speed) have no text here; a bracket that never closes is text.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from connectors._formats.text import nfc

__all__ = ["MultiMessage", "read_multi"]

_TOKEN: Final = re.compile(r"\[\[|\]\]|\[([^\[\]]{0,200})\]|[^\[\]]+|[\[\]]")
_TAG: Final = re.compile(r"(/?(?:[cp]b|cf|cr|f[lo]|hc|j[lp]|m[sv]|n[lp]|pt|sc|tr|f|g))(.*)")
_PAGE_TIME: Final = re.compile(r"(\d{0,3})(?:o(\d{0,3}))?")
_HEX: Final = re.compile(r"[0-9a-f]{1,4}")
_FORMAT: Final = frozenset(
    {"cb", "cf", "cr", "pb", "jp", "fo", "fl", "/fl", "sc", "/sc", "mv", "ms", "/ms"}
)
_FEEDS: Final = frozenset({"nl", "tr"})
_PAGES_MAX: Final = 64


@dataclass(slots=True)
class MultiMessage:
    """A message as read: pages as a sign message's body has them, pictures and quality flags."""

    pages: list[dict[str, Any]] = field(default_factory=list)
    pictograms: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


def read_multi(text: str) -> MultiMessage:
    """Read a message; no text makes this raise."""
    reader = _Reader()
    for token in _TOKEN.finditer(nfc(text)):
        shown = token[0]
        if token[1] is not None:
            reader.tag(token[1].strip().lower())
        elif shown in {"[[", "]]"}:
            reader.text(shown[0])
        else:
            if shown in {"[", "]"}:
                reader.flag("multi_malformed")
            reader.text(shown)
    reader.end_of_page()
    return reader.message


class _Reader:
    def __init__(self) -> None:
        self.message = MultiMessage()
        self._lines: list[str] = [""]
        self._seconds: float | None = None

    def text(self, text: str) -> None:
        self._lines[-1] += "".join(sign for sign in text if sign.isprintable())

    def flag(self, flag: str) -> None:
        if flag not in self.message.flags:
            self.message.flags.append(flag)

    def tag(self, tag: str) -> None:
        found = _TAG.fullmatch(tag)
        name, value = (found[1], found[2]) if found else ("", "")
        if name == "np":
            self.end_of_page()
        elif name in _FEEDS:
            if name == "nl" or self._lines[-1]:
                self._lines.append("")
        elif name == "pt":
            self._page_time(value)
        elif name == "jl":
            if self._lines[-1] and not self._lines[-1].endswith(" "):
                self._lines[-1] += " "
        elif name == "hc" and _HEX.fullmatch(value):
            self.text(chr(int(value, 16)))
        elif name == "g" and value:
            self.message.pictograms.append(f"g{value.partition(',')[0]}")
        elif name == "f" and value:
            self.flag("multi_field")
        elif name not in _FORMAT:
            self.flag("multi_unknown_tag")

    def _page_time(self, value: str) -> None:
        found = _PAGE_TIME.fullmatch(value)
        if found is None:
            self.flag("multi_malformed")
        else:
            self._seconds = int(found[1]) / 10 if found[1] else None

    def end_of_page(self) -> None:
        lines = [line.rstrip() for line in self._lines]
        while lines and not lines[-1]:
            lines.pop()
        if len(self.message.pages) >= _PAGES_MAX:
            self.flag("pages_cut")
        elif lines:
            self.message.pages.append({"lines": lines, "seconds_on": self._seconds})
        self._lines = [""]
