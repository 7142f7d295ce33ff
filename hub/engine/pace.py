"""How much a stage takes on at once, from what its records have cost so far. Pure.

A plate read takes ten microseconds and a document of the evidence store can take seconds, so no
fixed number of records keeps a transaction short. What is too much for one is left for the next:
else a backlog of heavy payloads would be begun, given up for its age, and begun again, for ever.

It begins with one record and doubles. A start after a failure therefore commits what stands before
a record that is heavier than all others, until that one stands alone.
"""

__all__ = ["Pace"]

# Records of about this time are handled between two looks at the clock.
_SLICE_S = 0.02


class Pace:
    """`batch`, how many records to ask for; `slice`, how many to handle before the next look.

    `most` bounds the batch, `budget_s` is the time that a transaction may take to handle records.
    """

    __slots__ = ("_budget_s", "_most", "_records", "_spent_s", "batch", "slice")

    def __init__(self, most: int, budget_s: float) -> None:
        self._most = most
        self._budget_s = budget_s
        self.batch = self.slice = 1
        self._records, self._spent_s = 0, 0.0

    @property
    def spent(self) -> bool:
        """Whether the transaction has had its time; one slice it always has."""
        return self._records > 0 and self._spent_s >= self._budget_s

    def took(self, records: int, seconds: float) -> None:
        """That many were handled in that time."""
        self._records += records
        self._spent_s += seconds
        self.slice = _next(self.slice, records, seconds, _SLICE_S, self._most)

    def ended(self) -> None:
        """The transaction was committed or rolled back."""
        if self._records:
            self.batch = _next(self.batch, self._records, self._spent_s, self._budget_s, self._most)
        self._records, self._spent_s = 0, 0.0


def _next(now: int, records: int, seconds: float, wanted_s: float, most: int) -> int:
    """What fits the wanted time at the same cost, at most twice as much as now."""
    fits = most if seconds * most <= wanted_s * records else int(wanted_s * records / seconds)
    return max(1, min(2 * now, fits, most))
