"""An erasure that somebody asks for: looks up what it concerns, and does it."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import schemas
from hub.codec import EVENT_ID
from hub.config import Config
from hub.erasure.plan import Plan, Remaining, planned
from hub.erasure.record import ERASURES, Journal
from hub.errors import ConfigError, RecordError
from hub.evidence import Erased, EvidenceStore
from hub.evidence.store import Kind
from hub.explain.logs import Logs, Span, canonical_topics, subscriber_topics
from hub.explain.model import appended_at, spot_of
from hub.explain.parsed import text_of
from hub.holds.area import HoldArea
from hub.holds.dossier import Dossier
from hub.holds.holding import Held
from hub.identity import uuid_text
from hub.kafka.admin import Cluster

__all__ = ["Request", "apply", "plan"]

_EVERYTHING: Span = (None, None)


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants it, and why."""

    by: str
    run_by: str
    reason: str


def plan(
    config: Config,
    logs: Logs,
    found: Dossier,
    request: Request,
    *,
    holds: Iterable[Held],
    erased: Collection[bytes],
) -> Plan:
    """What is to be done; `RecordError` when a hold covers one of the events.

    `erased` are events that were erased before.
    """
    for option, text in (("--by", request.by), ("--reason", request.reason)):
        if found.told_by(text):
            raise ConfigError(
                "this text repeats a plate or a person of the event, and would stand in erasure.v1",
                where=option,
                fix="refer to the request by its number",
            )
    area = HoldArea.of(config)
    _refuse_if_held(found, area, holds)
    objects: dict[str, Kind] = dict.fromkeys(found.bodies, "body")
    objects |= dict.fromkeys(found.pictures, "picture")
    store = EvidenceStore.open(config.evidence())
    there = {name for name in objects if store.exists(name)}
    # A payload that stands in its own record was never stored: it is none of these objects.
    inline = {name for name in found.bodies if name not in there and not _stored(found, name)}
    by_hold: dict[str, list[str]] = {}
    for manifest in area.manifests():
        for name in manifest.stored().intersection(objects):
            by_hold.setdefault(name, []).append(f"hold {manifest.hold_id} ({manifest.case})")
    fates = planned(
        {name: kind for name, kind in objects.items() if name not in inline},
        there=there,
        holds=by_hold,
        needed_by=_needed_by(logs, there, {*found.event_ids, *erased}),
        waiting=_waiting(logs, [name for name in there if objects[name] == "body"]),
    )
    return Plan(
        found.asked, tuple(sorted(found.event_ids)), fates, tuple(_remaining(config, found))
    )


def apply(config: Config, journal: Journal, plan: Plan, request: Request) -> str:
    """Delete, between two records; the id of the erasure. Broken off, it is simply done again."""
    erasure_id = uuid.uuid4().bytes
    record = {
        "erasure_id": erasure_id,
        "cause": "request",
        "asked": plan.asked,
        "by": request.by,
        "run_by": request.run_by,
        "reason": request.reason,
        "event_ids": plan.event_ids,
        "objects": [each.as_dict() for each in plan.objects],
        "records": [each.as_dict() for each in plan.records],
    }
    _write(journal, record, "begun")
    today = datetime.now(UTC).date()
    store = EvidenceStore.open(config.evidence())
    mark = Erased(
        uuid_text(erasure_id), today.isoformat(), (today + _payloads_kept(config)).isoformat()
    )
    for each in plan.deletes:
        store.erase(each.name, mark)
    _write(journal, record, "done")
    return mark.erasure_id


def _write(journal: Journal, record: dict[str, Any], state: str) -> None:
    row = {**record, "written_at": datetime.now(UTC), "state": state}
    journal.write(ERASURES, uuid_text(record["erasure_id"]), row)


def _refuse_if_held(found: Dossier, area: HoldArea, holds: Iterable[Held]) -> None:
    ids = {uuid_text(each) for each in (found.asked, *found.event_ids, *found.subject_ids)}
    names = {each.hold_id: each.case for each in holds if each.covers(ids)}
    for manifest in area.manifests():
        if manifest.covers(ids):
            names[manifest.hold_id] = manifest.case
    if names:
        told = ", ".join(f"hold {hold_id} (case {case})" for hold_id, case in names.items())
        raise RecordError(
            f"it is under {told}; nothing was erased",
            code="held",
            where=uuid_text(found.asked),
            fix="erase it once the hold is released: `hub hold release`",
        )


def _stored(found: Dossier, name: str) -> bool:
    """Whether a raw record says that its bytes are in the evidence store under this name."""
    return any(text_of(each.headers(), "body") == f"sha256:{name}" for each in found.raw)


def _needed_by(
    logs: Logs, names: Collection[str], erased: Collection[bytes]
) -> dict[str, list[str]]:
    """Events that refer to the objects and are not erased."""
    digests = {bytes.fromhex(name): name for name in names}
    found: dict[str, set[str]] = {}

    def wanted(message: Any) -> bool:
        value = message.value() or b""
        # Digests stand in the bytes as they are: nearly nothing is decoded in vain.
        return value[EVENT_ID] not in erased and any(each in value for each in digests)

    topics = [*canonical_topics(), *subscriber_topics(schemas.nouns())] if digests else []
    for message in logs.scan(topics, wanted, _EVERYTHING, "looking for other uses"):
        record = logs.decoded(message.value())
        if record is None:
            continue
        used = {each["sha256"] for each in record["restricted"].get("pictures") or ()}
        used.add(record["header"]["origin"]["sha256"])
        for digest in used.intersection(digests):
            event_id = uuid_text(message.value()[EVENT_ID])
            found.setdefault(digests[digest], set()).add(event_id)
    return {name: sorted(events) for name, events in found.items()}


def _waiting(logs: Logs, bodies: Collection[str]) -> set[str]:
    """Those bodies of which an arrival is not normalised yet."""
    references = {f"sha256:{name}".encode(): name for name in bodies}

    def wanted(message: Any) -> bool:
        return any(
            name == "body" and value in references for name, value in message.headers() or ()
        )

    found = set()
    topics = logs.raw_topics() if references else []
    for message in logs.scan(topics, wanted, _EVERYTHING, "looking for other arrivals"):
        spot = spot_of(message)
        lane = "urgent" if ".urgent." in spot.topic else "bulk"
        _, waits = logs.handled("normalise", lane, spot, appended_at(message))
        if waits:
            found.add(text_of(message.headers(), "body").removeprefix("sha256:"))
    return found


def _remaining(config: Config, found: Dossier) -> Iterable[Remaining]:
    """What the topics hold of the events, and when the last of it goes."""
    newest: dict[str, tuple[int, datetime]] = {}
    for _, message in found.records():
        count, at = newest.get(message.topic(), (0, appended_at(message)))
        newest[message.topic()] = (count + 1, max(at, appended_at(message)))
    states = Cluster(config.kafka).topics(newest)
    for topic, (count, at) in sorted(newest.items()):
        settings = states[topic].config
        kept_ms = int(settings.get("retention.ms", "-1"))
        # A record goes with its segment, which closes that much later.
        whole_ms = kept_ms + int(settings.get("segment.ms", "0"))
        gone = None if kept_ms < 0 else at + timedelta(milliseconds=whole_ms)
        yield Remaining(topic, count, gone)


def _payloads_kept(config: Config) -> timedelta:
    """How long a topic may still hold a payload from before today, and give its pictures again."""
    days = [config.kept_days(name) or 0 for name in ("payload", "dead_letter")]
    return timedelta(days=max(days) + 1)
