"""A national violation code, `DDDYY.article.clause.point.seq`, as `16824.7.7.c.01`.

`DDDYY` is the decree: three digits of its number and two of its year. Points are lettered as in
Vietnamese, so đ follows d and is another point: a code's diacritics are never stripped. The
sequence tells acts of one point apart; a code without it names the provision only.
"""

import re
import unicodedata
from dataclasses import dataclass

from hub.errors import PayloadError

__all__ = ["NATIONAL", "POINTS", "Code", "parse"]

NATIONAL = "vn"
"""Name of this list of codes in `law_namespace`. Lists of others have names of their own."""
POINTS = "abcdđeghiklmnopqrstuvxy"
"""Letters of points, in order: no f, j, w, z."""

_DECREE = re.compile(r"([0-9]{3})([0-9]{2})")
_NUMBERED = re.compile(rf"[1-9][0-9]{{0,2}}[{POINTS}]?")
_SEQUENCE = re.compile(r"[0-9]{2}")
# A d with a stroke over it, in two characters; no normal form composes them.
_STROKES = re.compile("d[\u0335-\u0338]")
_SHAPE = "DDDYY.article.clause.point.seq, as 16824.7.7.c.01"
_SHORTEST, _LONGEST = 3, 5


@dataclass(frozen=True, slots=True)
class Code:
    """A code in its parts; `point` is empty for a clause without points, `seq` where not known."""

    number: int
    year: int
    article: str
    """Digits, and a letter where it was inserted later (`25a`)."""
    clause: str
    point: str = ""
    seq: str = ""

    def __str__(self) -> str:
        parts = (self.namespace, self.article, self.clause, self.point, self.seq)
        return ".".join(part for part in parts if part)

    @property
    def namespace(self) -> str:
        """The decree as the code writes it, `16824`."""
        return f"{self.number:03}{self.year % 100:02}"

    @property
    def decree(self) -> str:
        """The decree's number, `168/2024/ND-CP`."""
        return f"{self.number}/{self.year}/ND-CP"

    @property
    def provision(self) -> "Code":
        """The code without its sequence."""
        return Code(self.number, self.year, self.article, self.clause, self.point)

    @property
    def cited(self) -> str:
        """As Vietnamese law cites it: `điểm c khoản 7 Điều 7 Nghị định 168/2024/NĐ-CP`."""
        point = f"điểm {self.point} " if self.point else ""
        decree = f"{self.number}/{self.year}/NĐ-CP"
        return f"{point}khoản {self.clause} Điều {self.article} Nghị định {decree}"


def parse(text: str) -> Code:
    """The code, whole or down to its clause; `PayloadError` says which part is wrong and why."""
    composed = _STROKES.sub("đ", unicodedata.normalize("NFC", text.strip()))
    parts = composed.split(".")
    if not _SHORTEST <= len(parts) <= _LONGEST:
        raise _error(f"{text!r} has {len(parts)} parts", f"write {_SHAPE}")
    decree, article, clause, point, seq = (*parts, "", "")[:_LONGEST]
    number = _DECREE.fullmatch(decree)
    if number is None or not int(number[1]):
        fix = "write three digits of its number and two of its year, 16824 for 168/2024"
        raise _error(f"{decree!r} is no decree", fix)
    for name, part in (("article", article), ("clause", clause)):
        if not _NUMBERED.fullmatch(part):
            raise _error(f"{part!r} is no {name}", f"write its number; {_SHAPE}")
    if len(parts) > _SHORTEST:
        _check_point(point)
    if len(parts) == _LONGEST and not _SEQUENCE.fullmatch(seq):
        raise _error(f"{seq!r} is no sequence", "write two digits, 01")
    return Code(int(number[1]), 2000 + int(number[2]), article, clause, point, seq)


def _check_point(point: str) -> None:
    if len(point) == 1 and point in POINTS:
        return
    known = f"points are lettered {' '.join(POINTS)}"
    if point == "dd":
        raise _error("'dd' is how a keyboard writes đ", "write đ")
    if len(point) == 1 and point.lower() in POINTS:
        raise _error(f"the point {point!r} is a capital", f"write {point.lower()}")
    if len(point) == 1 and not point.isascii():
        name = unicodedata.name(point, "a character without a name")
        raise _error(f"{point!r} ({name}) is no letter of a point", f"{known}; đ is U+0111")
    raise _error(f"{point!r} is no point", known)


def _error(what: str, fix: str) -> PayloadError:
    return PayloadError(what, code="law-code", fix=fix)
