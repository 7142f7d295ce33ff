"""Topics and schemas as declared, compared with the cluster and the registry, and made so.

`plan` only asks. `apply` asks first and changes nothing at all when anything is refused; then it
makes what is missing, so a second call finds nothing to do.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import schemas
from hub.compatibility import first_break
from hub.config import Config
from hub.discovery import connector_names
from hub.errors import ConfigError, IncompatibleSchemaError
from hub.kafka.admin import Cluster, TopicState
from hub.raw_topics import connector_topics
from hub.registry import Registry
from hub.retention import kept_text, topic_settings

__all__ = [
    "COMPATIBILITY",
    "Change",
    "TopicSpec",
    "apply",
    "declared",
    "plan",
    "subject_of",
    "wait_for_topics",
]

COMPATIBILITY = "FULL_TRANSITIVE"
# Questions to the registry at once: each waits for its own journal, a tenth of a second.
_ASKING = 8


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as declared; `versions` are its schemas, oldest first (none: bytes)."""

    name: str
    kind: Literal["raw", "canonical", "subscriber", "own"]
    partitions: int
    replication: int
    config: Mapping[str, str]
    personal_data: bool
    versions: tuple[schemas.Schema, ...] = ()
    readers: tuple[str, ...] = ()
    """Who would break with its schema: subscribers, or stages of the hub."""
    retention: str = ""
    """Its retention class."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is declared and what is there."""

    action: Literal["create", "alter", "grow", "register", "refuse"]
    name: str
    text: str
    fix: str = ""


def declared(config: Config, connectors: Iterable[str] | None = None) -> list[TopicSpec]:
    """Every topic of the hub, sorted by name; raw ones of `connectors`, else of those in use.

    A city uses a few of the connectors there are: nobody wants empty partitions of the others.
    """
    used = config.connectors() if connectors is None else connectors
    specs = [
        *_raw(config, used),
        *_canonical(config),
        *_subscriber(config),
        *_own(config),
    ]
    names = {spec.name for spec in specs} | set(schemas.topic_classes())
    names.update(topic for each in connector_names() for topic in connector_topics(each))
    for name in config.kafka.partitions:
        if name not in names:
            raise ConfigError(
                f"{name!r} is neither a topic nor one of {', '.join(schemas.topic_classes())}",
                where="kafka.partitions",
                fix="see `hub topics plan` for the names",
            )
    return sorted(specs, key=lambda spec: spec.name)


def subject_of(topic: str) -> str:
    """The registry's subject of a topic's values."""
    return f"{topic}-value"


def _raw(config: Config, connectors: Iterable[str]) -> Iterable[TopicSpec]:
    class_ = schemas.topic_classes()["raw"]
    for name in connectors:
        for topic in connector_topics(name):
            yield TopicSpec(
                name=topic,
                kind="raw",
                partitions=_partitions(config, topic, "raw"),
                replication=config.kafka.replication_factor,
                config=topic_settings(config, class_["retention"]),
                personal_data=class_["personal_data"],
                readers=("normalise",),
                retention=class_["retention"],
            )


def _canonical(config: Config) -> Iterable[TopicSpec]:
    class_ = schemas.topic_classes()["canonical"]
    for noun in schemas.nouns().values():
        yield TopicSpec(
            name=noun.topic,
            kind="canonical",
            partitions=_partitions(config, noun.topic, "canonical"),
            replication=config.kafka.replication_factor,
            config=topic_settings(config, class_["retention"]),
            personal_data=class_["personal_data"],
            versions=_versions(noun.topic),
            readers=("process",),
            retention=class_["retention"],
        )


def _subscriber(config: Config) -> Iterable[TopicSpec]:
    for subscriber in schemas.subscribers().values():
        for noun in subscriber.nouns:
            topic = schemas.subscriber_topic(subscriber.id, noun)
            yield TopicSpec(
                name=topic,
                kind="subscriber",
                partitions=_partitions(config, topic, "subscriber"),
                replication=config.kafka.replication_factor,
                config=topic_settings(config, subscriber.retention),
                personal_data=any(
                    right.fields for right in subscriber.rights if noun in right.nouns
                ),
                versions=_versions(topic),
                readers=(f"{subscriber.title} ({subscriber.id})",),
                retention=subscriber.retention,
            )


def _own(config: Config) -> Iterable[TopicSpec]:
    # Partition p of a state topic belongs to partition p of every canonical topic.
    widest = max(_partitions(config, noun.topic, "canonical") for noun in schemas.nouns().values())
    for topic in schemas.own_topics().values():
        count = widest if topic.partitions == "canonical" else topic.partitions
        yield TopicSpec(
            name=topic.name,
            kind="own",
            partitions=config.kafka.partitions.get(topic.name, count),
            replication=config.kafka.replication_factor,
            config=topic_settings(
                config,
                topic.retention,
                cleanup=topic.cleanup,
                segment_minutes=topic.segment_minutes,
            ),
            personal_data=topic.personal_data,
            versions=_versions(topic.name),
            readers=(topic.readers,),
            retention=topic.retention,
        )


def _partitions(config: Config, topic: str, class_: str) -> int:
    own = schemas.topic_classes()[class_]["partitions"]
    return config.kafka.partitions.get(topic, config.kafka.partitions.get(class_, int(own)))


def _versions(topic: str) -> tuple[schemas.Schema, ...]:
    current = schemas.built(topic)
    earlier = [schema for schema in schemas.released(topic) if schema != current]
    return (*earlier, current)


def plan(
    config: Config,
    registry: Registry,
    connectors: Iterable[str] | None = None,
    *,
    specs: Iterable[TopicSpec] | None = None,
) -> list[Change]:
    """What differs from the declaration, refusals first; asks cluster and registry, changes none.

    `specs` stands for the declaration in tests and in tools that look at a few topics.
    """
    wanted = list(declared(config, connectors) if specs is None else specs)
    there = Cluster(config.kafka).topics(spec.name for spec in wanted)
    changes: list[Change] = []
    for spec in wanted:
        changes += _topic_changes(spec, there.get(spec.name))
    subjects = registry.subjects()
    with ThreadPoolExecutor(_ASKING) as pool:
        for found in pool.map(lambda spec: _schema_changes(spec, registry, subjects), wanted):
            changes += found
    return sorted(changes, key=lambda change: change.action != "refuse")


def _topic_changes(spec: TopicSpec, state: TopicState | None) -> Iterable[Change]:
    if state is None:
        text = f"{spec.partitions} partitions, {spec.replication} replicas"
        yield Change("create", spec.name, f"{text}, {kept_text(spec.retention, spec.config)}")
        return
    if state.partitions != spec.partitions:
        counts = f"{state.partitions} partitions, {spec.partitions} declared"
        if spec.kind in ("raw", "canonical") or spec.name.startswith("state."):
            why = "keys would move to other partitions, away from their order and their state"
            fix = f"set kafka.partitions.{spec.name!r} = {state.partitions}, or make a .v2"
            yield Change("refuse", spec.name, f"{counts}: {why}", fix)
        elif spec.partitions < state.partitions:
            fix = f"set kafka.partitions.{spec.name!r} = {state.partitions}"
            yield Change("refuse", spec.name, f"{counts}: Kafka can't take any away", fix)
        else:
            yield Change("grow", spec.name, counts)
    different = _different(spec, state)
    if different:
        was = ", ".join(
            f"{key} {state.config.get(key)} → {value}" for key, value in sorted(different.items())
        )
        yield Change("alter", spec.name, was)


def _different(spec: TopicSpec, state: TopicState) -> dict[str, str]:
    return {key: value for key, value in spec.config.items() if state.config.get(key) != value}


def _schema_changes(
    spec: TopicSpec, registry: Registry, subjects: Container[str]
) -> Sequence[Change]:
    """What the registry lacks; a refusal names who would break."""
    subject = subject_of(spec.name)
    new = subject not in subjects
    missing = [schema for schema in spec.versions if new or registry.id_of(subject, schema) is None]
    reasons = first_break(list(spec.versions))
    if not reasons and not new:
        reasons = [
            text for schema in missing for text in registry.incompatibilities(subject, schema)
        ]
    if reasons:
        text = f"would break {', '.join(spec.readers)}: {'; '.join(reasons[:3])}"
        fix = "keep the field, or give it a default; a real break is a new topic .v2"
        return [Change("refuse", subject, text, fix)]
    if missing:
        of = f"version {len(spec.versions)}" if len(missing) == 1 else f"{len(missing)} versions"
        return [Change("register", subject, of)]
    return []


def apply(
    config: Config,
    registry: Registry,
    connectors: Iterable[str] | None = None,
    *,
    specs: Iterable[TopicSpec] | None = None,
) -> list[Change]:
    """Make everything as declared; what was changed. Nothing is, when anything is refused."""
    wanted = list(declared(config, connectors) if specs is None else specs)
    changes = plan(config, registry, specs=wanted)
    refuse(changes)
    by_name = {spec.name: spec for spec in wanted}
    cluster = Cluster(config.kafka)
    cluster.create(
        {
            change.name: TopicState(spec.partitions, spec.replication, spec.config)
            for change in changes
            if change.action == "create"
            for spec in [by_name[change.name]]
        }
    )
    for change in changes:
        if change.action == "grow":
            cluster.grow(change.name, by_name[change.name].partitions)
        elif change.action == "alter":
            cluster.set_config(change.name, by_name[change.name].config)
    cluster.wait_for(by_name)
    with ThreadPoolExecutor(_ASKING) as pool:
        # Consumed, so that the first error is raised.
        list(pool.map(lambda spec: _register(registry, spec), wanted))
    return changes


def refuse(changes: Iterable[Change]) -> None:
    """Raise when a plan can't be carried out: schemas 1, partitions and the like 2."""
    refused = [change for change in changes if change.action == "refuse"]
    if not refused:
        return
    first = refused[0]
    more = f" (and {len(refused) - 1} more, see `hub topics plan`)" if len(refused) > 1 else ""
    kind = IncompatibleSchemaError if first.name.endswith("-value") else ConfigError
    raise kind(f"refused, nothing was changed: {first.text}{more}", where=first.name, fix=first.fix)


def _register(registry: Registry, spec: TopicSpec) -> None:
    """Register every version in order; the rule is set once the subject exists."""
    subject = subject_of(spec.name)
    for number, schema in enumerate(spec.versions):
        registry.register(subject, schema)
        if number == 0 and registry.compatibility(subject) != COMPATIBILITY:
            registry.set_compatibility(subject, COMPATIBILITY)


def wait_for_topics(config: Config, specs: Iterable[TopicSpec], *, timeout_s: float = 30) -> None:
    """Return when every partition of the declared topics has a leader."""
    Cluster(config.kafka).wait_for([spec.name for spec in specs], timeout_s=timeout_s)
