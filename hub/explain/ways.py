"""The way of an event, put together: payload, parse, decision, place, rules, subscribers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import schemas
from hub.codec import EVENT_ID, SUBJECT_ID, micros, restricted_fields
from hub.config import Config
from hub.envelope import LIFE
from hub.explain.arrivals import Arrival, arrivals_of, milliseconds
from hub.explain.judge import Judge, Judged
from hub.explain.logs import SKEW_MS, Logs, origin_of
from hub.explain.model import (
    Check,
    Decision,
    Letter,
    Spot,
    Subscriber,
    Way,
    appended_at,
    spot_of,
)
from hub.explain.parsed import Payloads
from hub.explain.reasons import dropping, place_step, why_not
from hub.explain.told import because
from hub.registry import Registry
from hub.render import rfc3339
from hub.replayed import OF
from hub.rights import as_dict, in_force

__all__ = ["Ways", "letter_of"]

# Of a header what is told of an event; names of people and plates are never in it.
_TOLD = (
    "source_id", "device_ref", "kind", "lifecycle", "status", "severity", "time_quality",
    "replayed", "observed_at", "received_at", "native_id", "native_version", "quality_flags",
)  # fmt: skip


class Ways:
    """Explains canonical records, several at a time."""

    def __init__(self, config: Config, registry: Registry, logs: Logs, payloads: Payloads) -> None:
        self._logs = logs
        self._payloads = payloads
        self._nouns = config.nouns()
        self._judge = Judge(config, registry, logs)

    def of(self, messages: Sequence[Any]) -> list[Way]:
        """The ways of canonical records, in their order."""
        arrivals = arrivals_of(messages, self._nouns.values(), self._logs)
        judged = self._judge.judge(arrivals)
        return [self._way(each, judged.get(each.spot)) for each in arrivals]

    def of_delivered(self, messages: Sequence[Any]) -> Way:
        """The way of an event by what subscribers hold: its canonical record is gone."""
        record = self._logs.decoder.decode(messages[0].value())
        noun = messages[0].topic().split(".")[1]
        way = _begun(record, noun)
        way.event_id = messages[0].value()[EVENT_ID]
        topic, at = schemas.nouns()[noun].topic, appended_at(messages[0])
        if self._judge.gone(topic, at):
            kept = self._logs.kept_from(topic)
            way.missing = f"{self._logs.retention(topic)}; it is complete since {_time(kept)}"
        else:
            way.missing = f"lost: {topic} should still hold it, and does not"
            way.problems.append(way.missing)
        self._origin(way, record, None)
        way.subscribers = [self._subscriber(each, appended_at(each)) for each in messages]
        return way

    def letters(
        self, stage: str, spots: Sequence[Spot], span: tuple[int | None, int | None]
    ) -> list[Letter]:
        """The dead letters of records of one stage's input."""
        found = self._logs.letters(
            lambda each: (
                each["stage"] == stage
                and Spot(each["topic"], each["partition"], each["offset"]) in spots
            ),
            span,
        )
        return [letter_of(each) for each in found]

    def _way(self, arrival: Arrival, judged: Judged | None) -> Way:
        way = _begun(arrival.record, arrival.noun.name)
        way.event_id, way.subject_id = arrival.value[EVENT_ID], arrival.value[SUBJECT_ID]
        way.spot, way.appended_at = arrival.spot, arrival.at
        if arrival.record is not None:
            self._origin(way, arrival.record, arrival)
        way.decision = self._decision(way, arrival, judged)
        if judged is None:
            return way
        if way.decision.outcome == "dead":
            handled = arrival.row["written_at"] if arrival.row else None
            until = milliseconds(handled) + 2 * SKEW_MS if handled else None
            span = (milliseconds(arrival.at) - SKEW_MS, until)
            letters = self.letters("process", [arrival.spot], span)
            way.letter = letters[0] if letters else None
            if not letters:
                way.problems.append(f"lost: {arrival.spot} was refused, and has no dead letter")
        elif arrival.record is not None:
            self._places(way, arrival.record["header"], arrival, judged)
        return way

    def _origin(self, way: Way, record: Mapping[str, Any], arrival: Arrival | None) -> None:
        """Where it came from, and whether the parser still gives it."""
        spot, origin = origin_of(record), record["header"]["origin"]
        if spot is None:
            return
        way.payload = self._payloads.payload(spot, origin["sha256"].hex())
        way.parse = self._payloads.parse_step(
            origin["connector"], origin["connector_version"], origin["index"], "events"
        )
        if way.payload.appended_at is None:
            if not way.payload.missing.startswith("expired"):
                way.problems.append(f"lost: {spot}: {way.payload.missing}")
            way.parse.check = Check("not run", "the payload is not there any more")
            return
        row = self._logs.row("normalise", spot, way.payload.appended_at)
        if row is None:
            way.problems.append(f"no row of the ledger explains {spot}")
        else:
            way.parse.slot, way.parse.written_at = row["slot"], row["written_at"]
        if arrival is None:
            return
        headers = dict(arrival.message.headers() or ())
        check = self._payloads.again(
            spot,
            origin["index"],
            arrival.message.key(),
            arrival.value,
            sent_again=OF in headers,
            life=headers.get(LIFE) or b"",
        )
        way.parse.check = check
        if check.result == "DIFFERS":
            told = ", ".join(check.fields) or check.why
            way.problems.append(f"parsed again, it differs: {told}")

    def _decision(self, way: Way, arrival: Arrival, judged: Judged | None) -> Decision:
        row = arrival.row
        if judged is None:
            return Decision("waiting", "process has not come to it yet")
        outcome = judged.outcome
        step = Decision(outcome.outcome, because(outcome, arrival.noun))
        if row is None:
            way.problems.append(f"lost at process: no row of the ledger explains {arrival.spot}")
            told = "process has gone past it, and no row of the ledger explains it"
            return Decision("lost", f"{told}; run again, it is {outcome.outcome}")
        step.slot, step.written_at = row["slot"], row["written_at"]
        if outcome.other is not None:
            step.other = outcome.other.named()
        if arrival.delivered:
            step.outcome = "delivered"
        elif outcome.outcome not in arrival.counted():
            step.outcome = " or ".join(sorted(arrival.counted() - {"delivered"})) or "unknown"
        if step.outcome == outcome.outcome:
            if not outcome.emitted:
                step.check = Check("same decision")
            return step
        told = f"run again, it is {outcome.outcome}"
        if judged.limit:
            step.check = Check("not proven", f"{told}; {judged.limit}")
        else:
            step.check = Check("DIFFERS", told)
            way.problems.append(f"{arrival.spot} is {step.outcome}; {told}")
        return step

    def _places(
        self, way: Way, header: Mapping[str, Any], arrival: Arrival, judged: Judged
    ) -> None:
        """Place, rules and subscribers."""
        rules, appended_us = judged.registered.rules, micros(arrival.at)
        if judged.outcome.outcome not in ("delivered", "dropped") and not arrival.delivered:
            # Process asks neither register nor rules for these, or not for what they say.
            return
        noun = arrival.noun.name
        way.place, facts = place_step(header, noun, judged.registered, appended_us)
        way.dropped_by = [rule.named() for rule in dropping(rules, facts, appended_us)]
        for subscriber in schemas.subscribers():
            topic = schemas.subscriber_topic(subscriber, arrival.noun.name)
            message = arrival.delivered.get(topic)
            if message is not None:
                step = self._subscriber(message, arrival.at)
                check = step.check = self._judge.check(topic, arrival, judged)
                if check.result == "DIFFERS":
                    told = ", ".join(check.fields) or check.why
                    way.problems.append(f"{topic}: run again, it differs: {told}")
            elif topic not in judged.outcome.emitted:
                why = why_not(subscriber, rules, facts, header["status"], appended_us)
                step = Subscriber(subscriber, why=why)
            else:
                step = Subscriber(subscriber, why=self._absent(topic, arrival, judged))
                if step.why.startswith("LOST"):
                    way.problems.append(f"lost between process and {topic}")
            way.subscribers.append(step)

    def _absent(self, topic: str, arrival: Arrival, judged: Judged) -> str:
        """Why a topic does not hold what the steps give."""
        if self._judge.gone(topic, arrival.at):
            kept = self._logs.kept_from(topic)
            return f"{self._logs.retention(topic)}; it is complete since {_time(kept)}"
        if judged.limit and not arrival.delivered:
            return f"not proven: {judged.limit}"
        return f"LOST: it belongs there, and {topic} does not hold it"

    def _subscriber(self, message: Any, at: datetime) -> Subscriber:
        """What one subscriber got, without the event itself; rights are those of that time."""
        record = self._logs.decoder.decode(message.value())
        subscriber, noun, _ = message.topic().split(".")
        return Subscriber(
            subscriber=subscriber,
            spot=spot_of(message),
            appended_at=appended_at(message),
            processed_at=record["hub"]["processed_at"],
            slot=record["hub"]["slot"],
            lifecycle=record["header"]["lifecycle"],
            subject_id=message.value()[SUBJECT_ID],
            reports=record.get("reports", 1),
            rules=record["routing"]["rules"],
            recipients=record["routing"]["recipients"],
            withheld=[each["field"] for each in record["view"]["withheld"]],
            rights=[as_dict(right) for right in in_force(subscriber, noun, at)],
        )


def letter_of(letter: Mapping[str, Any]) -> Letter:
    """What a dead letter says, without its bytes."""
    return Letter(
        dead_id=letter["dead_id"],
        stage=letter["stage"],
        code=letter["code"],
        message=letter["message"],
        path=letter["path"],
        fix=letter["fix"],
        failed_at=letter["failed_at"],
        component=f"{letter['component']} {letter['component_version']}".strip(),
        refused=Spot(letter["topic"], letter["partition"], letter["offset"]),
        index=letter["index"],
        last_index=letter.get("last_index"),
        sha256=letter["sha256"].hex(),
    )


def _begun(record: Mapping[str, Any] | None, noun: str) -> Way:
    """A way with what the event says of itself."""
    way = Way(noun=noun)
    if record is not None:
        header, restricted = record["header"], record["restricted"]
        way.subject_id = header["subject_id"]
        way.header = {name: header[name] for name in _TOLD}
        way.holds = [f"restricted.{name}" for name in restricted_fields() if restricted.get(name)]
    return way


def _time(at: Any) -> str:
    return rfc3339(at) if at is not None else "ever"
