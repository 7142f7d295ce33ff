"""JSON with codes written as numbers that begin with 0 (`"service_code":006`), made readable."""

import re
from typing import Any, Final

from connectors._formats.flaws import Records
from connectors._formats.json import parse_json
from hub.errors import PayloadError

__all__ = ["parse_with_zeros"]

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|(?<![\w.+-])-?0\d+(?![\w.+-])', re.DOTALL)


def parse_with_zeros(body: bytes, *, records: Records = ()) -> tuple[Any, bool]:
    """The value of a payload, such numbers as texts; and whether there was one.

    `PayloadError` is that of the payload as it came when this does not mend it.
    """
    try:
        return parse_json(body, records=records), False
    except PayloadError as error:
        mended = _TOKEN.sub(_quoted, body) if error.code == "malformed" else body
        if mended == body:
            raise
        try:
            return parse_json(mended, records=records), True
        except PayloadError:
            raise error from None


def _quoted(token: re.Match[bytes]) -> bytes:
    text = token[0]
    return text if text.startswith(b'"') else b'"' + text + b'"'
