"""What a kind of transport is: one coroutine that hands payloads on until its connection ends."""

from typing import Protocol

from hub.errors import UnavailableError
from hub.ingest.sources.inlet import Inlet

__all__ = ["SourceDownError", "Transport"]


class SourceDownError(UnavailableError):
    """The source does not answer, ended the connection, or says something else than was asked for.

    The text is shown to operators: it never holds a URL's query, a header's value or a secret.
    `retry_after_s` is the source's own wish.
    """

    def __init__(self, what: str, *, retry_after_s: float | None = None, fix: str = "") -> None:
        super().__init__(what, fix=fix)
        self.retry_after_s = retry_after_s


class Transport(Protocol):
    """One source's way in. Its settings are checked when it is made, by a `ConfigError`."""

    async def run(self, inlet: Inlet) -> None:
        """Connect, call `inlet.up()` once it works, and `await inlet.put(…)` for each payload.

        `put` returns when the payload is durable: only then is it acknowledged to the source.
        Raises `SourceDownError` (or `OSError`, `TimeoutError`) when the connection ends; returning
        says that the source ended it in order. It is called again after a pause. Being cancelled it
        frees what it holds and lets `CancelledError` pass.
        """
