"""An explanation for people: a tree of steps, with times and how long each took. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.explain.model import (
    Check,
    Explanation,
    Letter,
    Payload,
    PayloadWay,
    Searched,
    Subscriber,
    Way,
)
from hub.explain.told import duration
from hub.render import rfc3339

__all__ = ["text"]

_FULL_MAX = 3
_LABEL = 11


def text(told: Explanation) -> str:
    """The whole answer."""
    return "\n".join(_lines(told))


def _lines(told: Explanation) -> Iterator[str]:
    one_event = len({way.event_id for way in told.ways}) <= 1
    if not one_event:
        more = f", after {told.left_out} earlier ones" if told.left_out else ""
        yield f"subject {told.asked['id']}: {len(told.ways)} events{more}"
    for number, way in enumerate(told.ways):
        if one_event and number < _FULL_MAX:
            if number:
                yield ""
            yield from _way(way, f"{_ordinal(number)} arrival" if len(told.ways) > 1 else "")
        else:
            yield from _brief(way)
    if told.others:
        yield f"other events of subject {told.asked['id']}:"
    for way in told.others:
        yield from _brief(way)
    for payload in told.payloads:
        yield from _payload_way(payload)
    problems = told.all_problems()
    yield ""
    if not told.found:
        yield from _not_found(told)
    for problem in problems:
        yield f"✗ {problem}"
    if told.found and not problems:
        yield "✓ consistent: every step agrees with what the topics hold"


def _way(way: Way, which: str) -> Iterator[str]:
    """One arrival of an event, every step."""
    header = way.header
    about = f" {header['kind']} of {header['source_id']}/{header['device_ref']}" if header else ""
    yield f"event {_id(way.event_id)}  {way.noun}{about}" + (f"  ({which})" if which else "")
    if header:
        observed = f"observed {_at(header['observed_at'])} ({header['time_quality']})"
        words = (header["lifecycle"], header["status"], header["severity"])
        again = ", replayed" if header["replayed"] else ""
        yield f"subject {_id(way.subject_id)}  {' '.join(words)}, {observed}{again}"
        if way.holds:
            yield f"holds {', '.join(way.holds)} (never shown here)"
    clock = _Clock(header.get("observed_at"))
    if way.payload is not None:
        yield from _payload(way.payload, clock)
    if way.parse is not None:
        parse = way.parse
        now = "" if parse.version == parse.version_now else f", now {parse.version_now or 'gone'}"
        yield _step(
            "parse",
            clock.told(parse.written_at),
            f"connector {parse.connector} {parse.version}{now}, place {parse.index} in the payload"
            + _by(parse.slot),
        )
        yield from _check(parse.check)
    stands = str(way.spot) if way.spot else way.missing
    yield _step("canonical", clock.told(way.appended_at), stands)
    if way.decision is not None:
        decision = way.decision
        yield _step(
            "decision", clock.told(decision.written_at), decision.outcome + _by(decision.slot)
        )
        if decision.because:
            yield _more(decision.because)
        if decision.other:
            yield _more(_other(way, decision.other))
        yield from _check(decision.check)
    if way.letter is not None:
        yield from _letter(way.letter)
    yield from _place(way)
    for each in way.subscribers:
        yield from _subscriber(each, way, clock)


def _payload(payload: Payload, clock: "_Clock") -> Iterator[str]:
    if payload.appended_at is None:
        yield _step("payload", "", f"{payload.spot}: {payload.missing}")
    else:
        came = f"received from {payload.source_id} by {payload.transport or 'an unknown transport'}"
        yield _step("payload", clock.told(payload.received_at), came)
        size = "" if payload.size_bytes is None else f"{payload.size_bytes:,} bytes in "
        kind = payload.content_type or "no content type"
        named = f", payload id {payload.payload_id}" if payload.payload_id else ""
        yield _more(f"{kind}, {size}{payload.bytes_in}{named}")
        yield _step("raw", clock.told(payload.appended_at), str(payload.spot))
    yield _more(f"sha256 {payload.sha256}")


def _place(way: Way) -> Iterator[str]:
    place = way.place
    if place is None:
        return
    if not place.device_id:
        ref = place.device_ref
        yield _step(
            "place", "", f"the register knows no {ref!r} then" if ref else "no device is named"
        )
    else:
        areas = f" in {', '.join(place.areas)}" if place.areas else ""
        yield _step("place", "", f"{place.device_id} {place.name}: {place.resolution}{areas}")
        entered = f", entered {_at(place.entered_at)}" if place.entered_at else ""
        yield _more(f"register entry valid from {_at(place.valid_from)}{entered}")
        ids = (place.road_id, place.junction_id, place.position_code)
        named = zip(("road", "junction", "position"), ids, strict=True)
        if any(ids):
            yield _more(", ".join(f"{what} {id_}" for what, id_ in named if id_))
        yield from map(_more, place.notes)
    if way.dropped_by:
        yield _step("rules", "", f"dropped by {', '.join(way.dropped_by)}")


def _subscriber(each: Subscriber, way: Way, clock: "_Clock") -> Iterator[str]:
    if each.spot is None:
        yield _step(each.subscriber, "", f"- {each.why}")
        return
    yield _step(each.subscriber, clock.told(each.appended_at, moves=False), f"✓ {each.spot}")
    rules = ", ".join(map(_rule, each.rules))
    whom = f" for {', '.join(each.recipients)}" if each.recipients else ""
    yield _more(f"rule {rules}{whom}")
    for right in each.rights:
        fields = ", ".join(right["fields"]) or "no personal data"
        until = f" until {_at(right['valid_to'])}" if right["valid_to"] else ""
        span = f"since {_at(right['valid_from'])}{until}"
        yield _more(f"right {right['id']} ({span}) gives {fields}: {right['purpose']}")
        yield _more(f"      on the basis of {right['legal_basis']}")
    changed = [f"as {each.lifecycle}"] if each.lifecycle != way.header.get("lifecycle") else []
    if each.subject_id != way.subject_id:
        changed.append(f"of subject {_id(each.subject_id)}")
    if each.reports != 1:
        changed.append(f"standing for {each.reports} reports")
    if changed:
        yield _more(" ".join(changed))
    withheld = ", ".join(each.withheld) or "nothing"
    yield _more(f"processed {_at(each.processed_at)}{_by(each.slot)}; withheld: {withheld}")
    yield from _check(each.check)


def _letter(letter: Letter) -> Iterator[str]:
    yield _step("dead letter", _at(letter.failed_at), f"{letter.code}: {letter.message}")
    where = f", at {letter.path}" if letter.path else ""
    part = "" if letter.index is None else f", place {letter.index}"
    if letter.last_index is not None:
        part = f", places {letter.index} to {letter.last_index}"
    yield _more(f"{letter.stage}, {letter.component}, {letter.refused}{part}{where}")
    yield _more(f"fix: {letter.fix or '(none is known; the cause is above)'}")
    yield _more(f"its bytes: hub dead show {_id(letter.dead_id)}")


def _brief(way: Way) -> Iterator[str]:
    """An event in one or two lines; its id leads to the rest."""
    decision = way.decision
    outcome = decision.outcome if decision else way.missing
    got = [each.subscriber for each in way.subscribers if each.spot]
    lifecycles = {each.lifecycle for each in way.subscribers if each.spot} - {"UNKNOWN"}
    to = f" to {', '.join(got)}" if got else ""
    to += f" as {', '.join(lifecycles)}" if lifecycles else ""
    yield (
        f"  {_at(way.appended_at)}  {way.noun} {way.header.get('kind', '')}  "
        f"{_id(way.event_id)}  {outcome}{to}"
    )
    if decision and decision.because:
        yield f"      {decision.because}"
    if decision and decision.other:
        yield f"      {_other(way, decision.other)}"
    yield from (f"      ✗ {problem}" for problem in way.problems)


def _payload_way(way: PayloadWay) -> Iterator[str]:
    clock = _Clock(None)
    yield f"payload {way.payload.sha256}"
    yield from _payload(way.payload, clock)
    parse = way.parse
    now = "" if parse.version in ("", parse.version_now) else f" {parse.version}, now"
    letters = _count(way.letters, "dead letter")
    words = {
        "events": " and ".join(filter(None, (_count(way.events, "event"), letters))),
        "refused": f"refused, {letters}",
        "set aside": "set aside unread, as its source was paused",
        "nothing": "it holds no event",
        "lost": "lost",
        "waiting": "normalise has not come to it yet",
    }
    yield _step(
        "parse",
        clock.told(parse.written_at),
        f"connector {parse.connector}{now} {parse.version_now}: {words[parse.outcome]}"
        + _by(parse.slot),
    )
    if parse.why:
        yield _more(parse.why)
    for event in way.events:
        yield from _brief(event)
    for letter in way.letters:
        yield from _letter(letter)
    if way.mended:
        what = "it" if parse.outcome == "set aside" else "what was refused"
        yield _more(f"the current parser reads {what}: replay it with `hub dead replay`")


def _not_found(told: Explanation) -> Iterator[str]:
    yield "not found. Searched:"
    for each in told.searched:
        yield f"  {_searched(each)}"
    if told.asked.get("around"):
        yield "without --around, everything that is kept is searched"


def _searched(each: Searched) -> str:
    names = each.topics if len(each.topics) <= _FULL_MAX else [f"{len(each.topics)} topics"]
    head = ", ".join(names)
    if len(each.topics) > _FULL_MAX:
        head += f" ({each.topics[0]} to {each.topics[-1]})"
    span = "all times"
    if each.since or each.until:
        span = f"{_at(each.since) if each.since else 'the beginning'} to {_at(each.until)}"
    kept = f"kept from {_at(each.kept_from)} on" if each.kept_from else "nothing has expired"
    return f"{head}: {each.records:,} records, {span}; {kept}"


def _check(check: Check | None) -> Iterator[str]:
    if check is None:
        return
    fields = f" in {', '.join(check.fields)}" if check.fields else ""
    why = f": {check.why}" if check.why else ""
    mark = "✗ " if check.result == "DIFFERS" else ""
    yield _more(f"{mark}run again: {check.result}{fields}{why}")


class _Clock:
    """Tells times, each with how long after the one before it was."""

    def __init__(self, start: datetime | None) -> None:
        self._last = start

    def told(self, at: datetime | None, *, moves: bool = True) -> str:
        """`2026-03-01T08:15:00.250000Z (+35 ms)`."""
        if at is None:
            return ""
        last, shown = self._last, rfc3339(at)
        if moves:
            self._last = at
        if last is None:
            return shown
        seconds = (at - last).total_seconds()
        return f"{shown} ({'+' if seconds >= 0 else ''}{duration(seconds)})"


def _step(label: str, when: str, what: str) -> str:
    return f"  {label:<{_LABEL}} {f'{when}  ' if when else ''}{what}".rstrip()


def _more(what: str) -> str:
    return f"  {'':<{_LABEL}} {what}"


def _by(slot: str) -> str:
    return f", by slot {slot}" if slot else ""


def _other(way: Way, other: dict[str, Any]) -> str:
    """The earlier record that decided this one."""
    which = "" if other["event_id"] == way.event_id else f"{_id(other['event_id'])}, "
    earlier = f"appended {rfc3339(other['appended_at'])}"
    if way.appended_at is not None:
        earlier = f"{duration((way.appended_at - other['appended_at']).total_seconds())} before"
    return f"by {which}{other['spot']}, {earlier}"


def _rule(rule: dict[str, Any]) -> str:
    """A rule that matched; what holds for ever, as for tests and exercises, has no start."""
    at = rule["valid_from"]
    return f"{rule['id']} (since {_at(at)})" if at.timestamp() > 0 else str(rule["id"])


def _count(things: list[Any], name: str) -> str:
    if not things:
        return ""
    return f"{len(things)} {name}{'s' if len(things) > 1 else ''}"


def _id(id_: Any) -> str:
    return str(UUID(bytes=id_)) if len(id_) == 16 else "(none)"


def _at(at: datetime | None) -> str:
    return rfc3339(at) if at is not None else "(no time)"


def _ordinal(number: int) -> str:
    return ("first", "second", "third")[number]
