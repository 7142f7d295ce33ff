"""The rules of conformance: what every connector keeps on every sample."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import schemas
from hub.connector import Connector, Nothing, Payload, Rejection
from hub.envelope import Canonical, Result
from hub.errors import RecordError
from hub.identity import uuid_text
from hub.render import json_line, plain
from hub.testing.hints import hints, misspelt_identity, raised_in
from hub.testing.odd import absurd, odd_values
from hub.testing.samples import (
    DryRun,
    Sample,
    decoded,
    encoded_again,
    lines,
    samples_in,
)
from hub.testing.spoilt import cut_alike, huge, personal_elsewhere, respelt, spoilt

__all__ = ["Problem", "check_connector"]

_DEFECTS = ("parser-defect", "schema-mismatch", "undeclared-noun")
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ZONES = ("Asia/Ho_Chi_Minh", "Asia/Tokyo")
_BETWEEN = timedelta(hours=2)
_YEARS = timedelta(days=3 * 366)
_AGAIN = timedelta(seconds=2)
_ODD = 40  # values of a sample that are replaced, each alone
_TELLING = 6  # letters; fewer stand in any text by chance


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule of conformance that a connector breaks."""

    sample: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.sample}: {self.rule}: {self.text}"


Rule = Callable[["_Run"], Iterable[Problem]]


class _Run:
    """One sample under test: its outcomes, and what was said while they were made."""

    def __init__(self, connector: Connector, sample: Sample, folder: Path) -> None:
        self.connector = connector
        self.sample = sample
        self.folder = folder
        self.dry = DryRun(connector, sample)
        self.results = list(self.dry.results(sample.payload()))
        self.events = [decoded(each) for each in self.results if isinstance(each, Canonical)]
        self.personal = sorted(_personal(self.events) | set(sample.personal), key=len)

    def problem(self, rule: str, text: str) -> Problem:
        return Problem(self.sample.name, rule, text)


def check_connector(
    connector: Connector, samples: Path, options: Mapping[str, Any] | None = None
) -> list[Problem]:
    """Every rule of conformance on every sample of a folder; empty when all hold."""
    found = list(_of_the_module(connector))
    all_ = samples_in(samples, options)
    smallest = min(all_, key=lambda sample: len(sample.body))
    with _listening() as said:
        for sample in all_:
            run = _Run(connector, sample, samples)
            for rule in _RULES:
                found += rule(run)
            if sample is smallest:
                found += _survives(run, huge(sample))
            found += [
                run.problem(
                    "nothing personal", f"a log line holds one of its personal texts: {why}"
                )
                for why in _naming(run.personal, said)
            ]
            said.clear()
    return found


def _of_the_module(connector: Connector) -> Iterator[Problem]:
    module = sys.modules.get(connector.parse.__module__)
    if module is not None and not (module.__doc__ or "").strip():
        yield Problem("-", "documented", f"module {module.__name__} has no docstring")
    for name, field_ in connector.options.model_fields.items():
        if not field_.description:
            yield Problem("-", "documented", f"option {name} has no description")
    for noun in connector.emits:
        if noun not in schemas.nouns():
            yield Problem("-", "declared", f"{noun!r} is no noun of schemas/topics.toml")
    for text in misspelt_identity(connector):
        yield Problem("-", "sound", text)


def _as_expected(run: _Run) -> Iterator[Problem]:
    path = run.folder / f"{run.sample.name}.expected.jsonl"
    if not path.exists():
        yield run.problem("expected", f"{path.name} is missing; make it with --update")
        return
    wanted = path.read_text("utf-8").splitlines()
    got = [json_line(line) for line in lines(run.sample.name, iter(run.results))]
    for number, (want, have) in enumerate(zip(wanted, got, strict=False), 1):
        if want != have:
            where = _difference(json.loads(want), json.loads(have))
            yield run.problem("expected", f"line {number}: {where}")
    if len(wanted) != len(got):
        yield run.problem("expected", f"{len(wanted)} outcomes, there are {len(got)}")


def _repeatable(run: _Run) -> Iterator[Problem]:
    """The same bytes, read again and received a moment later, are the same events."""
    if run.results != list(run.dry.results(run.sample.payload())):
        yield run.problem("repeatable", "two runs over the same bytes differ")
        return
    later = replace(run.sample.payload(), received_at=run.sample.received_at + _AGAIN)
    again = [decoded(each) for each in run.dry.results(later) if isinstance(each, Canonical)]
    if _ids(again) != _ids(run.events):
        text = "received 2 s later, the same bytes have other ids: take only the source's word"
        yield run.problem("repeatable", text)


def _sound(run: _Run) -> Iterator[Problem]:
    """Declared, encodable, refused in an orderly way, and no name that leads nowhere."""
    for place, result in enumerate(run.results):
        if isinstance(result, Rejection):
            if result.code in _DEFECTS:
                yield run.problem("sound", f"outcome {place}: {result.code}: {result.message}")
            elif not _CODE.fullmatch(result.code) or not result.message:
                yield run.problem("sound", f"outcome {place}: a code is kebab-case, with a message")
        elif isinstance(result, Canonical):
            yield from _round_trip(run, result)
    for text in hints(run.connector, run.sample.payload(), run.dry.options):
        yield run.problem("sound", text)


def _unique(run: _Run) -> Iterator[Problem]:
    """No two events with one id."""
    places: dict[str, list[int]] = {}
    for place, result in enumerate(run.results):
        if isinstance(result, Canonical):
            id_ = uuid_text(decoded(result)["header"]["event_id"])
            places.setdefault(id_, []).append(place)
    for id_, same in places.items():
        if len(same) > 1:
            text = (
                f"outcomes {', '.join(map(str, same[:-1]))} and {same[-1]} have the id {id_}: add "
                "what tells them apart to `identity`, or yield a repeated record once"
            )
            yield run.problem("unique ids", text)


def _round_trip(run: _Run, event: Canonical) -> Iterator[Problem]:
    try:
        again = encoded_again(event)
    except (RecordError, ValueError, TypeError) as error:
        yield run.problem("round trip", f"{event.topic}: {error}")
        return
    if again != event.value:
        yield run.problem("round trip", f"{event.topic}: other bytes after decoding")


def _zones(run: _Run) -> Iterator[Problem]:
    """Stamps without an offset follow the source's zone; those with one do not."""
    west, east = (
        _times(DryRun(run.connector, run.sample, {**run.sample.options, "zone": zone}), run.sample)
        for zone in _ZONES
    )
    if len(west) != len(east):
        yield run.problem("zones", "in another zone it gives another number of events")
        return
    for place, ((one, quality), (other, other_quality)) in enumerate(zip(west, east, strict=True)):
        if one is None or "SUSPECT" in {quality, other_quality}:
            continue
        moved = _BETWEEN if quality == "ASSUMED_ZONE" else timedelta(0)
        if other is None or one - other != moved:
            text = f"event {place} is {quality}, and its time moves otherwise with the option zone"
            yield run.problem("zones", text)


def _clocks(run: _Run) -> Iterator[Problem]:
    """No event is dropped for its clock, however wrong that is."""
    nouns = _nouns(run.results)
    for years, moved in (("behind", _YEARS), ("ahead", -_YEARS)):
        payload = replace(run.sample.payload(), received_at=run.sample.received_at + moved)
        if _nouns(run.dry.results(payload)) != nouns:
            yield run.problem("clocks", f"with a clock years {years}, other events come of it")


def _spelling(run: _Run) -> Iterator[Problem]:
    """A byte order mark and other line ends change nothing that is read."""
    told = [_told(event) for event in run.events]
    for what, payload in respelt(run.sample):
        results = run.dry.results(payload)
        if [_told(decoded(each)) for each in results if isinstance(each, Canonical)] != told:
            yield run.problem("spelling", f"{what}: other events come of it")


def _private(run: _Run) -> Iterator[Problem]:
    """What is personal stands in `restricted` only, never in an error or another field."""
    told = (_told(event) for event in run.events)
    shown = [json_line(plain({**each, "restricted": None})) for each in told]
    for why in _naming(run.personal, shown):
        text = f"header or body holds one of its personal texts: …{why}…"
        yield run.problem("nothing personal", text)
    others = [
        payload for text in run.personal for _, payload in personal_elsewhere(run.sample, text)
    ]
    for payload in (run.sample.payload(), *others):
        for why in _naming(run.personal, map(_said, run.dry.results(payload))):
            yield run.problem("nothing personal", f"an error holds a personal text: {why}")
            return


def _chunked(run: _Run) -> Iterator[Problem]:
    """How a stream is cut into chunks never changes its payloads, where a connector splits one."""
    split = run.connector.split
    if split is not None and not cut_alike(split, run.sample):
        text = "its split gives other payloads when the stream comes in other chunks"
        yield run.problem("chunks", text)


def _hostile(run: _Run) -> Iterator[Problem]:
    yield from _survives(run, chain(spoilt(run.sample), odd_values(run.sample, _ODD)))


_RULES: tuple[Rule, ...] = (
    _as_expected,
    _repeatable,
    _sound,
    _unique,
    _zones,
    _clocks,
    _spelling,
    _private,
    _chunked,
    _hostile,
)


def _survives(run: _Run, payloads: Iterable[tuple[str, Payload]]) -> Iterator[Problem]:
    """Spoilt payloads give outcomes, no absurd events, and nothing personal in their errors."""
    reported: set[str] = set()
    for what, payload in payloads:
        rule = ""
        for result in run.dry.results(payload):
            if isinstance(result, Canonical):
                rule = next(absurd(decoded(result)), rule)
            if not isinstance(result, Rejection):
                continue
            if result.code in _DEFECTS:
                rule = _cause(run, payload, result)
            elif any(_naming(run.personal, (_said(result),))):
                rule = f"{result.code}: the error holds one of its personal texts"
        if rule and rule not in reported:
            reported.add(rule)
            yield run.problem("hostile input", f"{what}: {rule}")


def _cause(run: _Run, payload: Payload, result: Rejection) -> str:
    """What was raised, where the connector itself did it."""
    try:
        for outcome in run.connector.parse(payload, run.dry.options):
            del outcome
    except Exception as error:  # noqa: BLE001 - that is what is asked for
        return (raised_in(run.connector, error) or type(error).__name__)[:200]
    return f"{result.code}: {result.message}"[:200]


def _difference(want: Any, have: Any, path: str = "") -> str:
    """The first place where two JSON values differ."""
    if isinstance(want, dict) and isinstance(have, dict):
        for key in [*want, *(key for key in have if key not in want)]:
            if want.get(key) != have.get(key) or (key in want) != (key in have):
                return _difference(want.get(key), have.get(key), f"{path}/{key}")
    if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        for place, (left, right) in enumerate(zip(want, have, strict=True)):
            if left != right:
                return _difference(left, right, f"{path}[{place}]")
    return f"{path or '/'}: expected {json_line(want)[:200]}, got {json_line(have)[:200]}"


def _ids(events: Iterable[Mapping[str, Any]]) -> list[str]:
    return [json_line(plain(event["header"]["event_id"])) for event in events]


def _nouns(results: Iterable[Result]) -> list[str]:
    return [each.noun for each in results if isinstance(each, Canonical)]


def _times(dry: DryRun, sample: Sample) -> list[tuple[Any, str]]:
    headers = (
        decoded(each)["header"]
        for each in dry.results(sample.payload())
        if isinstance(each, Canonical)
    )
    return [(header["observed_at"], header["time_quality"]) for header in headers]


def _told(event: Mapping[str, Any]) -> Any:
    """What an event tells, without what depends on its payload's bytes."""
    header = {
        name: value
        for name, value in event["header"].items()
        if name not in {"event_id", "subject_id", "origin"}
    }
    return {"header": header, "restricted": event["restricted"], "body": event["body"]}


def _personal(events: Iterable[Mapping[str, Any]]) -> set[str]:
    """Texts of plates in events that must stand nowhere else."""
    plates = (event["restricted"]["plate"] or {} for event in events)
    texts = {plate.get(name) or "" for plate in plates for name in ("raw", "text")}
    return {text for text in texts if len(text) >= _TELLING}


def _said(result: Result) -> str:
    if isinstance(result, Rejection):
        return f"{result.message}\n{result.path}\n{result.code}\n{result.fix}"
    return result.why if isinstance(result, Nothing) else ""


def _naming(personal: Iterable[str], texts: Iterable[str]) -> Iterator[str]:
    """What stands around the first personal text in each, which itself is not repeated."""
    for text in texts:
        for secret in personal:
            place = text.find(secret)
            if place >= 0:
                yield text[max(0, place - 40) : place] + "***"
                break


class _Heard(logging.Handler):
    """Keeps what every log line says."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line, with its values in their places."""
        self.said.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[list[str]]:
    root, heard = logging.getLogger(), _Heard()
    level = root.level
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    try:
        yield heard.said
    finally:
        root.removeHandler(heard)
        root.setLevel(level)
