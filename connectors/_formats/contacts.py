"""Free texts of citizens and duty officers without the contacts they leave in them.

Telephone numbers and mail addresses identify persons; the raw topic keeps them, what is derived
from it does not. Names can't be told from words, so a text is never free of persons for certain.
"""

import re
from typing import Final

__all__ = ["MASK", "without_contacts"]

MASK: Final = "[…]"
_CONTACT: Final = re.compile(
    r"[^\s@<>,;:()]{1,64}@[^\s@<>,;:()]{1,190}\.[^\W\d_]{2,24}"
    # 0910 000 000, 024.0000.0000, +84 (0)910-000-000
    r"|(?<![\w.,/-])(?:\+\d{1,3}[\s.-]?(?:\(0\))?|0|\(0)\d(?:[\s.()-]{0,2}\d){7,11}(?![\d:])"
    # 202-555-0199, (202) 555-0199
    r"|(?<![\w.,/-])\(?\d{3}\)?[\s.-]\d{3}[.-]\d{4}(?![\d:])",
)


def without_contacts(text: str) -> tuple[str, bool]:
    """The text with a mark for each number or address, and whether there was one."""
    masked, found = _CONTACT.subn(MASK, text)
    return masked, found > 0
