"""The evidence store: payloads and pictures by the SHA-256 of their bytes.

    store   what is kept, for how long, and what was erased
    files   bytes by path, in a folder
    remote  the same behind any fsspec file system

Bytes are filed under the day on which they were last needed:

    body/2026-03-14/ab/<62 digits>      bodies of payloads
    picture/2026-03-14/ab/<62 digits>   pictures
    erased/ab/<62 digits>               marks of what was erased

So what is put today never depends on a file of another day, and a day that is past can go as a
whole while others write: nothing is deleted too early, whoever puts the same bytes again in that
moment. The price is that bytes which come again on another day are kept once more.
"""

from hub.evidence.store import Erased, EvidenceStore, Past, checked_name

__all__ = ["Erased", "EvidenceStore", "Past", "checked_name"]
