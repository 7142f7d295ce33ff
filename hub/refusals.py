"""How many dead letters one payload may give. Pure.

Else a device that sends 64 kB of `[{},{},…]` would have 20,000 of them written, each with all of
these bytes. The first refusals of a payload have a letter each, a few of them with its bytes; after
that, refusals that follow each other share one. What is good between them is delivered.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from hub.connector import Rejection
from hub.envelope import Result
from hub.replayed import ENDS

__all__ = ["SINGLE_MAX", "WITH_BYTES_MAX", "Part", "in_runs"]

SINGLE_MAX = 1_000
"""Refusals of a payload that have a letter each."""
WITH_BYTES_MAX = 10
"""Letters of a payload that hold its bytes; all say where they stand."""


class Part(NamedTuple):
    """A result of a payload, or a run of refusals: its place, and the last one of a run."""

    place: int | None
    result: Result
    last: int | None = None

    @property
    def size(self) -> int:
        """How many outcomes it stands for."""
        return 1 if self.last is None or self.place is None else self.last - self.place + 1


def in_runs(results: Iterable[tuple[int | None, Result]]) -> Iterator[Part]:
    """The results in their order; of more than `SINGLE_MAX` refusals, runs are one."""
    refused = 0
    run: Part | None = None
    for place, result in results:
        refused += isinstance(result, Rejection)
        # Where reading ended nothing is said about what follows: such a letter stands alone.
        if (
            refused > SINGLE_MAX
            and place is not None
            and isinstance(result, Rejection)
            and result.code not in ENDS
        ):
            if run is not None and run.last == place - 1:
                run = run._replace(last=place)
                continue
            if run is not None:
                yield _told(run)
            run = Part(place, result, place)
            continue
        if run is not None:
            yield _told(run)
            run = None
        yield Part(place, result)
    if run is not None:
        yield _told(run)


def _told(run: Part) -> Part:
    """The refusal that a run begins with, saying how many it stands for."""
    why = run.result
    if run.size == 1 or not isinstance(why, Rejection):
        return run._replace(last=None)
    more = f"{run.size - 1} more up to place {run.last} are refused too, for this or other causes"
    return run._replace(result=replace(why, message=f"{why.message}; {more}"))
