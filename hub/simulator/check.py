"""Compares what subscribers hold with what must be there: nothing lost, twice, astray or leaked."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.simulator.truth import Expectation, MatchKey, Truth

__all__ = ["Report", "TopicCount", "check"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOPIC = re.compile(r"(?P<subscriber>[a-z0-9_-]+)\.(?P<noun>[a-z_]+)\.v\d+")
_BLIND = ("htmoc", "ops")
"""Subscribers that may see no plate."""
_MASKED = "htmoc"
_HASH = re.compile(r"[0-9a-f-]{32,}")
_EXAMPLES = 5
_PLATE_LENGTHS = (6, 7, 8, 9)


@dataclass(frozen=True, slots=True)
class TopicCount:
    """One topic: what must be there, and what is."""

    expected: int
    delivered: int

    @property
    def right(self) -> bool:
        """Whether the numbers agree; which events they are is checked one by one."""
        return self.expected == self.delivered


@dataclass(slots=True)
class Report:
    """The outcome of a check, for people (`lines`) and for machines (`as_dict`)."""

    topics: dict[str, TopicCount] = field(default_factory=dict)
    dead_letters: TopicCount = TopicCount(0, 0)
    outcomes: dict[str, int] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)
    """How often each kind of fault was found."""
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every event is where it belongs, once, and nothing else is anywhere."""
        return not self.problems

    def add(self, problem: str, what: str, count: int = 1) -> None:
        """Note a fault; the first few are kept as examples."""
        self.problems[problem] += count
        examples = self.examples.setdefault(problem, [])
        if len(examples) < _EXAMPLES:
            examples.append(what)

    def lines(self) -> Iterator[str]:
        """The report as people read it."""
        width = max((len(topic) for topic in self.topics), default=0)
        for name, total in (*self.topics.items(), ("dead letters", self.dead_letters)):
            mark = "" if total.right else "  <- differs"
            yield f"{name:<{width}}  expected {total.expected:>8,}  is {total.delivered:>8,}{mark}"
        told = ", ".join(f"{name} {count:,}" for name, count in self.outcomes.items())
        yield f"of the payloads' events: {told}"
        for problem, count in sorted(self.problems.items()):
            yield f"{problem}: {count:,}, for example:"
            for example in self.examples[problem]:
                yield f"  {example}"
        yield "every event is where it belongs, once" if self.ok else "the books do not balance"

    def as_dict(self) -> dict[str, Any]:
        """The report for `--json`; of two runs with one seed it is the same."""
        return {
            "ok": self.ok,
            "topics": {
                topic: {"expected": count.expected, "delivered": count.delivered}
                for topic, count in self.topics.items()
            },
            "dead_letters": {
                "expected": self.dead_letters.expected,
                "delivered": self.dead_letters.delivered,
            },
            "outcomes": self.outcomes,
            "problems": dict(sorted(self.problems.items())),
            "examples": self.examples,
        }


def check(
    truth: Truth,
    delivered: Iterable[tuple[str, Mapping[str, Any]]],
    dead_letters: Iterable[Mapping[str, Any]],
) -> Report:
    """Compare the subscribers' records, decoded, and the dead letters with the truth."""
    report = Report(outcomes=dict(sorted(truth.outcomes.items())))
    plates = _Plates(truth.plates)
    found: dict[str, Counter[MatchKey]] = {topic: Counter() for topic in truth.expected}
    homes: dict[tuple[str, MatchKey], list[str]] = {}
    for topic, items in truth.expected.items():
        for key in items:
            homes.setdefault((_noun(topic), key), []).append(topic)
    for topic, record in delivered:
        key = _key(record)
        found.setdefault(topic, Counter())[key] += 1
        expectation = truth.expected.get(topic, {}).get(key)
        if expectation is not None:
            _record(report, topic, record, expectation)
        elif right := homes.get((_noun(topic), key)):
            report.add("misrouted", f"{_shown(topic, key)} belongs to {', '.join(right)} only")
        else:
            report.add("unexpected", _shown(topic, key))
        _privacy(report, topic, record, plates)
    for topic, items in truth.expected.items():
        for key, item in items.items():
            count = found[topic][key]
            if count < item.count:
                report.add("missing", _shown(topic, key), item.count - count)
            elif count > item.count:
                report.add("double", _shown(topic, key), count - item.count)
    for topic in sorted(found):
        expected = sum(item.count for item in truth.expected.get(topic, {}).values())
        report.topics[topic] = TopicCount(expected, found[topic].total())
    _dead(report, truth, dead_letters)
    for door, count in sorted(truth.turned_away.items()):
        report.add("turned away", door, count)
    return report


def _record(
    report: Report, topic: str, record: Mapping[str, Any], expectation: Expectation
) -> None:
    """Lifecycle, place and withheld fields of an event that is where it belongs."""
    key = _key(record)
    lifecycle = record["header"]["lifecycle"]
    if expectation.lifecycle not in ("", lifecycle):
        report.add(
            "wrong lifecycle", f"{_shown(topic, key)} is {lifecycle}, not {expectation.lifecycle}"
        )
    if record["reports"] != expectation.reports:
        found, right = record["reports"], expectation.reports
        report.add("wrong count", f"{_shown(topic, key)} is {found} reports, not {right}")
    place = record.get("place") or {}
    if expectation.device_id is not None:
        device_id, resolution = place.get("device_id", ""), place.get("resolution", "")
        unregistered = resolution == "UNREGISTERED"
        if device_id != expectation.device_id or unregistered == bool(expectation.device_id):
            report.add(
                "wrong place",
                f"{_shown(topic, key)} is at {device_id!r} ({resolution}), "
                f"not at {expectation.device_id!r}",
            )
    if _subscriber(topic) == _MASKED:
        withheld = {item["field"] for item in (record.get("view") or {}).get("withheld", ())}
        if withheld != set(expectation.withheld):
            report.add(
                "wrong view",
                f"{_shown(topic, key)} withholds {sorted(withheld)}, "
                f"not {sorted(expectation.withheld)}",
            )


class _Plates:
    """Finds any of the plates in any text."""

    def __init__(self, plates: set[str]) -> None:
        self._plates = {plate.upper() for plate in plates}
        self._lengths = sorted({len(plate) for plate in self._plates} | set(_PLATE_LENGTHS))

    def within(self, value: Any) -> bool:
        """Whether a plate stands anywhere in the value, however it is separated."""
        if isinstance(value, Mapping):
            return any(self.within(key) or self.within(item) for key, item in value.items())
        if isinstance(value, (list, tuple)):
            return any(map(self.within, value))
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if not isinstance(value, str) or len(value) < _PLATE_LENGTHS[0] or _HASH.fullmatch(value):
            return False
        text = re.sub(r"[^A-Z0-9]", "", value.upper())
        return any(
            text[at : at + length] in self._plates
            for length in self._lengths
            for at in range(len(text) - length + 1)
        )


def _privacy(report: Report, topic: str, record: Mapping[str, Any], plates: _Plates) -> None:
    """No plate in any field of a subscriber that may see none; nothing personal at all at one."""
    subscriber = _subscriber(topic)
    if subscriber not in _BLIND:
        return
    restricted = record.get("restricted") or {}
    shown = [name for name, value in restricted.items() if value not in (None, [], {})]
    if subscriber == _MASKED and any(value is not None for value in restricted.values()):
        report.add("leak", f"{_shown(topic, _key(record))} shows restricted {sorted(restricted)}")
    elif shown or plates.within(record):
        report.add("leak", f"{_shown(topic, _key(record))} holds a plate or a picture")


def _dead(report: Report, truth: Truth, letters: Iterable[Mapping[str, Any]]) -> None:
    """Dead letters by source, and by code where it is known."""
    found = Counter((letter["source_id"], letter["code"]) for letter in letters)
    report.dead_letters = TopicCount(truth.refused.total(), found.total())
    for source_id in sorted({source for source, _ in (*found, *truth.refused)}):
        expected = {code: n for (source, code), n in truth.refused.items() if source == source_id}
        actual = {code: n for (source, code), n in found.items() if source == source_id}
        least = sum(expected.values())
        most = least + truth.maybe_refused[source_id]
        count = sum(actual.values())
        if count < least:
            report.add("dead letter missing", f"{source_id}: {count} of {least}", least - count)
        elif count > most:
            report.add("dead letter unexpected", f"{source_id}: {actual}", count - most)
        elif "" not in expected:
            for code, n in expected.items():
                if actual.get(code, 0) < n:
                    what = f"{source_id}: {actual.get(code, 0)} of {n} with code {code}"
                    report.add("dead letter with another code", what, n - actual.get(code, 0))


def _key(record: Mapping[str, Any]) -> MatchKey:
    header = record["header"]
    at = header["observed_at"]
    if isinstance(at, datetime):
        at = (at - _EPOCH) // timedelta(microseconds=1)
    return MatchKey(
        header["source_id"], header["device_ref"], header["kind"], header["native_id"], at
    )


def _shown(topic: str, key: MatchKey) -> str:
    at = ""
    if key.observed_us is not None:
        at = f" at {_EPOCH + timedelta(microseconds=key.observed_us):%Y-%m-%dT%H:%M:%S.%fZ}"
    what = " ".join(filter(None, (key.source_id, key.device_ref, key.kind, key.native_id)))
    return f"{topic}: {what}{at}"


def _noun(topic: str) -> str:
    found = _TOPIC.fullmatch(topic)
    return found["noun"] if found else topic


def _subscriber(topic: str) -> str:
    return topic.partition(".")[0]
