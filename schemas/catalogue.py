"""Writes `README.md`: what a subscriber reads before the first line of code."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from typing import Any

import schemas

__all__ = ["catalogue"]

_HEAD = """# The catalogue

Generated from the schemas; `python -m schemas.generate` writes it.

Read with `isolation.level=read_committed` (the default of librdkafka, **not** of the Java client):
without it a reader sees records of transactions that were rolled back. Rights bind only where the
access rules that `hub topics plan --acls` prints are applied on the cluster.

Values are Avro in the Confluent wire format: a zero byte, the schema's id in four bytes, the
record. The subject of a topic is `<topic>-value`, compatibility is `FULL_TRANSITIVE`: fields with
defaults come and go, nothing else changes within `.v1`; a break is a new topic `.v2`. The worked
example is in the project's README.

- `event_id` is the same whenever the same report is read again: use it to make your own writes
  idempotent. Repeats within the window are already gone; a repeat after the window passes. Of
  states keep the last id of each subject, not all: one that returns to what it was, from a source
  that tells no time, has the id it had then.
- A camera often reports one thing several times within seconds. The first report comes at once;
  the others are merged into it, except a better reading, an end, or the first after a minute.
  These come as updates (`lifecycle` UPDATED or ENDED) under the first one's `subject_id`, and
  `reports` says how many reports they stand for.
- `subject_id` is what the event speaks of, the same for all its updates, its end and its cancel.
- Four `lifecycle`s end a subject, and mean four things: ENDED, it is over; CANCELLED, it was wrong;
  EXPIRED, its time has passed; VANISHED, a source that sends all there is left it out. The last is
  the hub's word, with all that was last said of it; if the source names it again, it comes again.
- An alert that names several earlier ones in `references` stands for all of them: take their
  subjects off. It comes under the first one's `subject_id`, and so does what follows.
- A state that its source reports again and again without a change comes as an update once an hour,
  and `reports` counts the reports it stands for; the very same report never comes twice.
  `assumed_end_at` is when to take a situation or alert off a map if no more is said of it, as its
  source tells no end; the hub itself ends nothing for that. A site may set other times.
- `restricted` holds personal data. `view.withheld` lists what the source gave and your view keeps
  back, with the right that would open it; null and not listed means the source gave none.
- What you get follows from rights, listed below with purpose and legal basis, and from nothing
  else. A right holds by the time at which the hub wrote the canonical record; no schema depends on
  its date.
- `view.pseudonym` stands for a plate in views that may not know it. It is the same for one vehicle
  within one view and one month in Hanoi. **Pseudonyms of two views or two months do not join;
  events do, by `event_id`.** A pseudonym is personal data still: whoever has the hub's key can
  compute it for any plate.
- Times are UTC, microseconds; `time_quality` says how far `observed_at` can be trusted.
- `status` other than `LIVE` goes to the `ops.*` topics only.
- A record of `*.violation.v1` is a **candidate**: a device suspects an act. It is no verdict and
  has no state. `body.act` and `source_code` are the device's words; `act_word` and `law_code` are
  the hub's reading of them, by the text of the decree in force on the day of the act
  (`law_version`). Where several codes fit, `law_code` is empty and the flag `law_code_open` says
  so: only people choose. A code without its sequence (`16824.7.7.a`) names the provision. Evidence
  is in `restricted.pictures`, each with its SHA-256.
- What people decide stands on `police.violation_review.v1`, for the police alone. The hub writes
  no decision and acts on none. Fold the records of one key in the order of the log: a decision
  holds when it builds on the last one that holds (`previous_id`) and its `state` may follow; any
  other is void. `hub violation show EVENT_ID` does so; `hub/reviews/case.py` has the rules.
- `place.areas_then` are the wards or communes in force when it happened, `place.areas_now` those in
  force when the hub wrote it. All 126 codes of today were another territory's before July 2025: a
  code means nothing without its `scheme`. `AMBIGUOUS` lists every candidate; count such events
  apart, and sums over the reform add up.
- `routing.rules` are the rules by which you got an event, `routing.recipients` whom within your
  organisation it is meant for: agency codes, and roles where no code is published. The police of a
  ward are `ward-police:<scheme>:<code>`, as in `ward-police:nso-2025-07:00004`, by the wards in
  force when the hub wrote the event; where it is not certain which ward, each that comes into
  question is named. A topic for each ward or agency there is not.
"""


def catalogue(everything: dict[str, schemas.Schema]) -> str:
    """The text of the catalogue."""
    lines = [_HEAD, *_subscribers(), *_canonical(), *_raw(), *_retention(), *_own(everything)]
    lines += [*_shared(), *_nouns()]
    return "\n".join(lines).rstrip() + "\n"


def _subscribers() -> Iterator[str]:
    yield "## Topics of the subscribers\n"
    for subscriber in schemas.subscribers().values():
        yield f"### {subscriber.title} (`{subscriber.id}.*`)\n"
        yield f"Kept {_days(subscriber.retention)}. What it receives, and why:\n"
        yield from _rights(subscriber.rights)
        yield "| topic | meaning | key |\n|---|---|---|"
        for name in subscriber.nouns:
            noun = schemas.nouns()[name]
            topic = schemas.subscriber_topic(subscriber.id, name)
            yield f"| `{topic}` | {noun.meaning} [Fields](#{name}) | {noun.key} |"
        yield ""


def _rights(rights: Iterable[schemas.Right]) -> Iterator[str]:
    """In English and Vietnamese, for officials too; days as they are in Hanoi."""
    yield "| right | gives | with | purpose, mục đích | legal basis, căn cứ pháp lý | from, to |"
    yield "|---|---|---|---|---|---|"
    for right in rights:
        nouns = ", ".join(f"`{noun}`" for noun in right.nouns)
        fields = ", ".join(f"`{field}`" for field in right.fields) or "no personal data"
        until = _day(right.valid_to) if right.valid_to else "until further notice"
        why = f"{right.purpose}. *{right.purpose_vi}.*"
        span = f"{_day(right.valid_from)}, {until}"
        yield f"| `{right.id}` | {nouns} | {fields} | {why} | {right.legal_basis} | {span} |"
    yield ""


def _day(at: datetime) -> str:
    """A day where it begins then, else the time with its offset."""
    return at.date().isoformat() if at.time() == time() else at.isoformat()


def _canonical() -> Iterator[str]:
    yield "## Canonical topics (inside the hub)\n"
    yield "| topic | family | lane | repeats are dropped |\n|---|---|---|---|"
    for noun in schemas.nouns().values():
        rule = (
            f"same `event_id` within {noun.window_s // 3600} h of arrival"
            if noun.family == "occurrence"
            else "equal to the subject's last state (but once an hour), or older than it"
        )
        yield f"| `{noun.topic}` | {noun.family} | {noun.lane} | {rule} |"
    yield ""


def _raw() -> Iterator[str]:
    raw = schemas.topic_classes()["raw"]
    yield "## Raw topics (inside the hub)\n"
    yield (
        "`raw.<connector>.v1` and, for urgent sources, `raw.<connector>.urgent.v1`: "
        f"{raw['meaning'].format(connector='one connector')} Key: {raw['key']}. "
        f"Kept {_days(raw['retention'])}. Values are bytes, not Avro; headers are `source_id`, "
        "`payload_id`, `received_at`, `content_type`, `sha256`, `transport`, `meta.*`, `body`.\n"
    )


def _retention() -> Iterator[str]:
    yield "## How long things are kept, and why\n"
    yield (
        "A site may set other days within the bounds (`[retention]` in hub.toml). What the classes "
        "mean for stored objects, legal holds and erasure: `ops/README.md`.\n"
    )
    yield "| class | days | bounds | holds | kept so | ground |\n|---|---|---|---|---|---|"
    for each in schemas.retention().values():
        days, bounds = ("no end", "") if each.days is None else (f"{each.days}", _bounds(each))
        kept = ", ".join(f"`{name}`" for name in _kept_as(each.name))
        yield f"| {each.name} | {days} | {bounds} | {each.holds} | {kept} | {each.ground} |"
    yield ""


def _bounds(class_: schemas.RetentionClass) -> str:
    return "fixed" if class_.least == class_.most else f"{class_.least} to {class_.most}"


def _kept_as(class_: str) -> Iterator[str]:
    """Topics and kinds of objects of a class."""
    classes = schemas.topic_classes()
    if classes["raw"]["retention"] == class_:
        yield "raw.*"
    if classes["canonical"]["retention"] == class_:
        yield from (noun.topic for noun in schemas.nouns().values())
    named: list[tuple[str, str]] = [
        *((f"{each.id}.*", each.retention) for each in schemas.subscribers().values()),
        *((each.name, each.retention) for each in schemas.own_topics().values()),
        *((each.name, each.retention) for each in schemas.objects().values()),
    ]
    yield from (name for name, retention in named if retention == class_)


def _days(class_: str) -> str:
    days = schemas.retention()[class_].days
    return "without end" if days is None else f"{days} days"


def _own(everything: dict[str, schemas.Schema]) -> Iterator[str]:
    yield "## The hub's own topics\n"
    for topic in schemas.own_topics().values():
        days = f"kept {_days(topic.retention)}"
        kept = {"delete": days, "compact": "compacted"}.get(topic.cleanup, f"compacted, {days}")
        yield f"### `{topic.name}`\n"
        yield f"{topic.meaning} Key: {topic.key}; {kept}.\n"
        yield from _fields(everything[topic.name])


def _shared() -> Iterator[str]:
    yield "## What every event holds\n"
    for name in ("header", "restricted"):
        yield f"### `{name}`\n"
        yield schemas.source(name)["doc"] + "\n"
        yield from _fields(schemas.source(name))
    yield "Only on subscribers' topics:\n"
    for name, schema in zip(
        ("place", "routing", "view", "hub"), schemas.source("appended"), strict=True
    ):
        yield f"### `{name}`\n"
        yield schema["doc"] + "\n"
        yield from _fields(schema)


def _nouns() -> Iterator[str]:
    yield "## Nouns\n"
    for name in schemas.nouns():
        yield f"### {name}\n"
        body = schemas.source(name)
        yield f"{body['doc']} Fields of `body`:\n"
        yield from _fields(body)
        example = schemas.HERE / "examples" / f"{name}.json"
        if example.exists():
            text = json.dumps(json.loads(example.read_text("utf-8")), indent=1, ensure_ascii=False)
            yield f"<details><summary>Sample</summary>\n\n```json\n{text}\n```\n</details>\n"


def _fields(schema: schemas.Schema) -> Iterator[str]:
    yield "| field | type | meaning |\n|---|---|---|"
    yield from _rows(schema, "")
    yield ""


def _rows(schema: schemas.Schema, prefix: str) -> Iterator[str]:
    for field in schema["fields"]:
        type_, nested = _type(field["type"])
        meaning = field["doc"].replace("|", "\\|")
        yield f"| `{prefix}{field['name']}` | {type_} | {meaning} |"
        if nested:
            yield from _rows(nested, f"{prefix}{field['name']}.")


def _type(schema: Any) -> tuple[str, schemas.Schema | None]:
    """How a type reads in a table, and the record to list below it."""
    if isinstance(schema, str):
        return schema, None
    if isinstance(schema, list):
        text, nested = _type(next(branch for branch in schema if branch != "null"))
        return f"{text} or null", nested
    if schema["type"] == "array":
        text, nested = _type(schema["items"])
        return f"array of {text}", nested
    if schema["type"] == "enum":
        return "enum: " + ", ".join(schema["symbols"]), None
    if schema["type"] == "record":
        return "record", schema
    if schema["type"] == "fixed":
        return f"fixed({schema['size']})", None
    return str(schema.get("logicalType", schema["type"])), None
