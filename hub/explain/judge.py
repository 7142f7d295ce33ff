"""Holds what process decided against what its steps decide when they are run again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.codec import PREFIX_LENGTH
from hub.config import Config
from hub.explain.again import Again, Outcome, Registers, without_hub
from hub.explain.arrivals import Arrival, milliseconds
from hub.explain.difference import as_old, differing
from hub.explain.logs import SKEW_MS, Logs
from hub.explain.model import Check, Spot
from hub.explain.reasons import Registered
from hub.registry import Registry
from hub.render import rfc3339
from hub.schema_ids import SchemaIds
from schemas.rights import PSEUDONYM

__all__ = ["Judge", "Judged"]

_SHORT = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
# What depends on earlier records of the key, and so can't be proven where those have expired.
_OF_HISTORY = {"header.lifecycle", "header.subject_id", "reports"}


@dataclass(slots=True)
class Judged:
    """What the steps make of a record, and whether that is what the topics hold."""

    outcome: Outcome
    registered: Registered
    fits: bool
    limit: str = ""
    """History that has expired and may have mattered."""


class Judge:
    """Runs the steps again."""

    def __init__(self, config: Config, registry: Registry, logs: Logs) -> None:
        self._logs = logs
        self._again = Again(config, registry)
        self._registers = Registers(logs, SchemaIds(registry))

    def judge(self, arrivals: Iterable[Arrival]) -> dict[Spot, Judged]:
        """Verdicts on the arrivals that process has come to."""
        groups: dict[tuple[str, int, bytes | None], list[Arrival]] = {}
        for each in arrivals:
            if not each.waits:
                name = (each.spot.topic, each.spot.partition, each.message.key())
                groups.setdefault(name, []).append(each)
        found: dict[Spot, Judged] = {}
        for group in groups.values():
            found |= self._group(group)
        return found

    def check(self, topic: str, arrival: Arrival, judged: Judged) -> Check:
        """A subscriber's record, held against the one that the steps give."""
        value = arrival.delivered[topic].value()
        expected = judged.outcome.emitted.get(topic)
        fields, why = [], "run again, it does not go there"
        if expected is not None:
            decode = self._logs.decoder.decode
            whole = without_hub(topic, value, decode(value)["hub"])
            if whole == expected:
                return Check("same bytes")
            old, new = decode(value), decode(expected + value[len(whole) :])
            fields = differing(old, as_old(old, new))
            if not fields and value[:PREFIX_LENGTH] != expected[:PREFIX_LENGTH]:
                return Check("same bytes", "but for what an earlier release's schema did not have")
            why = "" if fields else "bytes that decode alike"
            if fields == [PSEUDONYM]:
                why = "is HUB_ID_KEY here the site's own?"
        if judged.limit and _OF_HISTORY.issuperset(fields):
            return Check("not proven", judged.limit, fields)
        return Check("DIFFERS", why, fields)

    def gone(self, topic: str, at: datetime) -> bool:
        """Whether a record of that time may have expired on a topic."""
        kept = self._logs.kept_from(topic)
        return kept is not None and at < kept + timedelta(milliseconds=SKEW_MS)

    def _group(self, group: Sequence[Arrival]) -> dict[Spot, Judged]:
        """Run the key's records again: a short history first, and all of it when that misfits.

        Register and rules are taken as they stood when the records were handled, and, when nothing
        fits, as they stand now: an entry that was written anew is only there in its last version.
        """
        window = timedelta(seconds=group[0].noun.window_s)
        since = min(each.at for each in group) - max(window, _SHORT) - _MINUTE
        handled = max(each.handled_at(self._logs) or each.at for each in group)
        found: dict[Spot, Judged] = {}
        for start, as_of in ((since, handled), (None, handled), (None, None)):
            misfits = [
                each for each in group if each.spot not in found or not found[each.spot].fits
            ]
            if not misfits:
                break
            registered = self._registers.as_of(as_of)
            outcomes = self._run(misfits, start, registered)
            for each in misfits:
                outcome = outcomes[each.spot.offset]
                fits = self._fits(each, outcome)
                if fits or as_of is not None:
                    limit = "" if fits else self._limit(each)
                    found[each.spot] = Judged(outcome, registered, fits, limit)
        return found

    def _run(
        self, group: Sequence[Arrival], since: datetime | None, registered: Registered
    ) -> dict[int, Outcome]:
        """Outcomes by offset; one partition, one key."""
        first, wanted = group[0], {each.spot.offset for each in group}
        since_ms = None if since is None else milliseconds(since)
        stretches = [
            each._replace(first=min(each.first, *wanted), end=max(wanted) + 1)
            for each in self._logs.history.between([first.spot.topic], since_ms)
            if each.partition == first.spot.partition
        ]
        key = first.message.key()
        records = (each for each in self._logs.history.read(stretches) if each.key() == key)
        return self._again.run(first.noun.name, records, wanted, registered)

    def _limit(self, arrival: Arrival) -> str:
        """Which history that may matter has expired."""
        kept = self._logs.kept_from(arrival.spot.topic, arrival.spot.partition)
        needs = arrival.at - timedelta(seconds=arrival.noun.window_s)
        if kept is None or (arrival.noun.family == "occurrence" and kept <= needs):
            return ""
        return f"earlier records of its key, before {rfc3339(kept)}, have expired"

    def _fits(self, arrival: Arrival, outcome: Outcome) -> bool:
        """Whether ledger and subscribers' topics hold what the steps give."""
        if arrival.row and outcome.outcome not in arrival.counted():
            return False
        held = {
            topic: without_hub(topic, each.value(), self._logs.decoder.decode(each.value())["hub"])
            for topic, each in arrival.delivered.items()
        }
        expected = {
            topic: value
            for topic, value in outcome.emitted.items()
            if topic in held or not self.gone(topic, arrival.at)
        }
        return held == expected
