"""What a poll knows of the last answer, and what a JSON pointer finds. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Known", "pointed"]

_PAGES_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """The last answer that was taken whole."""

    asks: str
    """Hash of what was asked: an entry that asks for something else begins anew."""
    count: int = 0
    """Answers that were taken, for the ids of pages."""
    etag: str = ""
    modified: str = ""
    cursor: str = ""
    pages: tuple[str, ...] = ()
    """SHA-256 of each page's content."""

    @classmethod
    def of(cls, stored: Mapping[str, Any], *, asks: str, start: str) -> "Known":
        """From what is kept of it."""
        count = stored.get("count")
        new = cls(asks, count if isinstance(count, int) else 0, cursor=start)
        pages = stored.get("pages")
        if stored.get("asks") != asks or not isinstance(pages, list):
            return new
        return replace(
            new,
            etag=str(stored.get("etag", "")),
            modified=str(stored.get("modified", "")),
            cursor=str(stored.get("cursor", start)),
            pages=tuple(map(str, pages)),
        )

    def stored(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "asks": self.asks,
            "count": self.count,
            "etag": self.etag,
            "modified": self.modified,
            "cursor": self.cursor,
            "pages": list(self.pages),
        }

    def conditions(self) -> dict[str, str]:
        """Headers that ask for something new only; the server's own words, never this clock's."""
        headers = {}
        if self.etag:
            headers["If-None-Match"] = self.etag
        if self.modified:
            headers["If-Modified-Since"] = self.modified
        return headers

    def after(self, *, etag: str, modified: str, cursor: str, pages: tuple[str, ...]) -> "Known":
        """What is known after an answer; this very object when that is nothing new."""
        answer = replace(
            self, etag=etag, modified=modified, cursor=cursor, pages=pages[:_PAGES_MOST]
        )
        return self if answer == self else replace(answer, count=self.count + 1)


def pointed(document: bytes, pointer: str) -> str:
    """The text or number at a JSON pointer (RFC 6901); empty when there is none.

    Raises `ValueError` for what is no JSON.
    """
    try:
        found = json.loads(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and ((name.isascii() and name.isdigit()) or name == "-1"):
            index = int(name)
            found = found[index] if index < len(found) and found else None
        else:
            return ""
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found)
