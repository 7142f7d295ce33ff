"""When to take a situation or alert as over whose source tells no end, so that none stays for ever.

The hub does not end it: that nothing more was said proves nothing. It says with each event how long
such a thing is worth showing, and a reader that hears no more of it takes it off its map then.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from schemas import NounSpec

__all__ = ["assumed_end"]


def assumed_end(
    noun: NounSpec, header: Mapping[str, Any], body: Mapping[str, Any]
) -> datetime | None:
    """The hours of its kind after the hub heard of it (UTC); None where the source tells an end.

    What a source sends after the fact, `replayed`, counts from the source's own time.
    """
    if body.get("valid_to") or any(each["expires_at"] for each in body.get("infos", ())):
        return None
    begins = [name for name in noun.ttl_h if header["kind"].startswith(name)]
    if not begins:
        return None
    heard: datetime = header["received_at"]
    if header["replayed"] and header["observed_at"] is not None:
        heard = min(heard, header["observed_at"])
    return heard + timedelta(hours=noun.ttl_h[max(begins, key=len)])
