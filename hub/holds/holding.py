"""Adds, verifies and releases holds: a copy aside, and a record of who did it and why."""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hub.codec import schema_id
from hub.config import Config
from hub.erasure.record import HOLDS, Journal
from hub.errors import ConfigError, InvariantError, RecordError
from hub.evidence import EvidenceStore
from hub.explain.model import appended_at, spot_of
from hub.holds.area import HoldArea
from hub.holds.dossier import Dossier
from hub.holds.manifest import Manifest, Missing, Part, envelope, rendered
from hub.identity import make_id, uuid_text
from hub.registry import Registry
from hub.render import rfc3339
from hub.tables import rows

__all__ = ["Added", "Held", "Wanted", "add", "held", "release", "verify"]

_GONE = {"evidence-missing", "evidence-erased", "evidence-corrupt"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A hold that somebody asks for."""

    case: str
    by: str
    run_by: str
    reason: str
    until: str

    def texts(self) -> Iterator[tuple[str, str]]:
        """Its free texts, with their options."""
        yield from (("--case", self.case), ("--by", self.by), ("--reason", self.reason))


@dataclass(frozen=True, slots=True)
class Added:
    """A hold, and whether it was there before."""

    manifest: Manifest
    before: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as `hold.v1` tells it."""

    hold_id: str
    asked: str
    case: str
    by: str
    added_at: datetime
    until: str
    event_ids: tuple[str, ...]
    manifest_sha256: bytes
    released_at: datetime | None = None
    released_by: str = ""

    def covers(self, ids: Collection[str]) -> bool:
        """Whether it holds one of these events or subjects."""
        mine = {*self.event_ids, self.asked}
        return self.released_at is None and not mine.isdisjoint(ids)


def held(config: Config, registry: Registry) -> dict[str, Held]:
    """Every hold there ever was, by id, the oldest first."""
    found: dict[str, Held] = {}
    released: dict[str, dict[str, Any]] = {}
    for _, row in rows(config, registry, HOLDS):
        hold_id = uuid_text(row["hold_id"])
        if row["state"] == "released":
            released[hold_id] = row
            continue
        found[hold_id] = Held(
            hold_id,
            uuid_text(row["asked"]),
            row["case_ref"],
            row["by"],
            row["written_at"],
            row["until"],
            tuple(uuid_text(each) for each in row["event_ids"]),
            row["manifest_sha256"],
        )
    for hold_id, row in released.items():
        # A hold that was released may be added again.
        if hold_id in found and row["written_at"] >= found[hold_id].added_at:
            found[hold_id] = replace(
                found[hold_id], released_at=row["written_at"], released_by=row["by"]
            )
    return found


def add(
    config: Config, registry: Registry, journal: Journal, found: Dossier, wanted: Wanted
) -> Added:
    """Copy what was found aside; the manifest is written last, so a broken-off copy is no hold.

    The same id, case and parts give the same hold: run again, it is completed.
    """
    for option, text in wanted.texts():
        if found.told_by(text):
            raise ConfigError(
                "this text repeats a plate or a person of the event, and would stand in hold.v1",
                where=option,
                fix="refer to the case by its number",
            )
    store, area = EvidenceStore.open(config.evidence()), HoldArea.of(config)
    hold_id = _id(config, found, wanted.case)
    if hold_id in area.ids() and hold_id in held(config, registry):
        return Added(area.manifest(hold_id)[0], before=True)
    copy = _Copy(area, hold_id, registry)
    parts = [copy.record(kind, message) for kind, message in found.records()]
    missing = list(found.missing)
    for kind, names in (("body", _bodies(found, store)), ("picture", found.pictures)):
        for name, event_ids in sorted(names.items()):
            try:
                parts.append(copy.object(kind, store.get(name), event_ids))
            except RecordError as error:
                if error.code not in _GONE:
                    raise
                missing.append(Missing(f"{kind} sha256:{name}", error.what))
    manifest = Manifest(
        hold_id=hold_id,
        asked=uuid_text(found.asked),
        case=wanted.case,
        by=wanted.by,
        run_by=wanted.run_by,
        reason=wanted.reason,
        until=wanted.until,
        added_at=rfc3339(datetime.now(UTC)),
        event_ids=_texts(found.event_ids),
        subject_ids=_texts(found.subject_ids),
        parts=tuple(parts),
        missing=tuple(missing),
    )
    _finish(area, journal, manifest, found)
    return Added(manifest, before=False)


def release(
    area: HoldArea, journal: Journal, hold: Held, *, by: str, run_by: str, reason: str
) -> None:
    """Say who released it, then remove the copy. Broken off, it is simply done again."""
    if hold.released_at is None:
        record = {
            "hold_id": UUID(hold.hold_id).bytes,
            "written_at": datetime.now(UTC),
            "state": "released",
            "asked": UUID(hold.asked).bytes,
            "case_ref": hold.case,
            "by": by,
            "run_by": run_by,
            "reason": reason,
            "event_ids": [UUID(each).bytes for each in hold.event_ids],
            "manifest_sha256": hold.manifest_sha256,
        }
        journal.write(HOLDS, f"{hold.hold_id}/released", record)
    area.remove(hold.hold_id)


def verify(area: HoldArea, hold: Held) -> tuple[int, list[str]]:
    """Hash every part of a hold again: how many objects are whole, and what is wrong."""
    try:
        manifest, sha256 = area.manifest(hold.hold_id)
    except FileNotFoundError:
        return 0, ["its copy is gone, or was never finished: run `hub hold add` again"]
    except RecordError as error:
        return 0, [str(error)]
    problems = []
    if sha256 != hold.manifest_sha256:
        problems.append("its manifest is not the one that hold.v1 names")
    whole = 0
    for name in sorted(manifest.objects()):
        try:
            data = area.get(hold.hold_id, name)
        except FileNotFoundError:
            problems.append(f"object {name} is gone")
            continue
        if hashlib.sha256(data).hexdigest() == name:
            whole += 1
        else:
            problems.append(f"object {name} is damaged: its SHA-256 differs")
    return whole, problems


class _Copy:
    """Puts parts into a hold's folder."""

    def __init__(self, area: HoldArea, hold_id: str, registry: Registry) -> None:
        self._area = area
        self._hold_id = hold_id
        self._registry = registry
        self._schemas: dict[int, str] = {}

    def record(self, kind: str, message: Any) -> Part:
        """A record as it is, and where it stood."""
        spot, value = spot_of(message), message.value() or b""
        beside = envelope(
            *spot,
            appended_at=appended_at(message),
            key=message.key(),
            headers=message.headers() or (),
            value=value,
        )
        return Part(
            kind,
            value=self._area.put(self._hold_id, value),
            size_bytes=len(value),
            place=str(spot),
            record=self._area.put(self._hold_id, beside),
            schema="" if kind == "raw" else self._schema(value),
        )

    def object(self, kind: str, data: bytes, event_ids: set[bytes]) -> Part:
        """A body or picture."""
        name = self._area.put(self._hold_id, data)
        return Part(kind, value=name, size_bytes=len(data), event_ids=_texts(event_ids))

    def _schema(self, value: bytes) -> str:
        """The schema a value was written with: in ten years no registry may know it."""
        id_ = schema_id(value)
        if id_ not in self._schemas:
            schema = self._registry.schema(id_)
            if schema is None:
                raise InvariantError(
                    f"the registry knows no schema {id_}: the copy could not be read",
                    where="hub hold",
                    fix="check registry_url; restore the registry's topic",
                )
            text = json.dumps(schema, ensure_ascii=False, indent=1)
            self._schemas[id_] = self._area.put(self._hold_id, text.encode())
        return self._schemas[id_]


def _finish(area: HoldArea, journal: Journal, manifest: Manifest, found: Dossier) -> None:
    """Leave the record, then write the manifest.

    In this order, since the record is refused when a deletion has begun meanwhile.
    """
    data = rendered(manifest)
    record = {
        "hold_id": UUID(manifest.hold_id).bytes,
        "written_at": datetime.now(UTC),
        "state": "added",
        "asked": found.asked,
        "case_ref": manifest.case,
        "by": manifest.by,
        "run_by": manifest.run_by,
        "reason": manifest.reason,
        "until": manifest.until,
        "event_ids": sorted(found.event_ids),
        "parts": len(manifest.parts),
        "missing": len(manifest.missing),
        "manifest_sha256": hashlib.sha256(data).digest(),
    }
    journal.write(HOLDS, f"{manifest.hold_id}/added", record)
    area.finish(manifest.hold_id, data)


def _bodies(found: Dossier, store: EvidenceStore) -> dict[str, set[bytes]]:
    """Payloads that are, or were, in the evidence store; the others stand in their raw records."""
    inline = {hashlib.sha256(each.value()).hexdigest() for each in found.raw if each.value()}
    named = {
        (value or b"").decode().removeprefix("sha256:")
        for each in found.raw
        for name, value in each.headers() or ()
        if name == "body"
    }
    return {
        name: event_ids
        for name, event_ids in found.bodies.items()
        if name not in inline and (name in named or store.exists(name))
    }


def _id(config: Config, found: Dossier, case: str) -> str:
    """The same for the same event, case and parts."""
    spots = sorted(str(spot_of(each)) for _, each in found.records())
    parts = ["hold", found.asked.hex(), case, *spots, *sorted((*found.pictures, *found.bodies))]
    return uuid_text(make_id(config.site_key(), *parts))


def _texts(ids: set[bytes]) -> tuple[str, ...]:
    return tuple(sorted(uuid_text(each) for each in ids))
