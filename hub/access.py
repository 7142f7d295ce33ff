"""Who may do what on the cluster: the ACLs, as `kafka-acls` calls. Pure."""

import schemas
from hub.config import Config

__all__ = ["access_rules"]


def access_rules(config: Config) -> list[str]:
    """`kafka-acls` calls that give every principal what it needs, and nothing else.

    Principals are the ids of subscribers, `hub-ingest`, `hub-normalise`, `hub-process`, and for
    people `hub-replay`, who look at dead letters and replay, `hub-keeping`, who hold and erase, and
    `police-review`, who decide on violations.
    """
    found = [
        _rule(config, "hub-ingest", ("Write",), topic="raw.", prefixed=True),
        _rule(config, "hub-ingest", ("Read", "Write"), topic="ingest_mark.v1"),
        _rule(config, "hub-normalise", ("Read",), topic="raw.", prefixed=True),
        _rule(config, "hub-normalise", ("Read",), topic="device.v1"),
        _rule(config, "hub-normalise", ("Read", "Write"), topic="state.normalise.", prefixed=True),
        _rule(config, "hub-process", ("Read", "Write"), topic="state.process.", prefixed=True),
        _rule(config, "hub-process", ("Read",), topic="device.v1"),
        _rule(config, "hub-process", ("Read",), topic="location.v1"),
        _rule(config, "hub-process", ("Read",), topic="route.v1"),
    ]
    for noun in schemas.nouns().values():
        found.append(_rule(config, "hub-normalise", ("Write",), topic=noun.topic))
        found.append(_rule(config, "hub-process", ("Read",), topic=noun.topic))
    for stage in ("hub-normalise", "hub-process"):
        found += [
            _rule(config, stage, ("Write",), topic="dead_letter.v1"),
            _rule(config, stage, ("Write",), topic="ledger.v1"),
            _rule(config, stage, ("Read",), group=f"{stage.replace('-', '.')}.", prefixed=True),
        ]
    for stage in ("hub-ingest", "hub-normalise", "hub-process"):
        found.append(
            _rule(config, stage, ("Write", "Describe"), transactional=f"{stage}-", prefixed=True)
        )
    both = ("Read", "Write")
    for name, subscriber in schemas.subscribers().items():
        found.append(_rule(config, name, ("Read",), topic=f"{name}.", prefixed=True))
        found.append(_rule(config, name, ("Read",), group=f"{name}.", prefixed=True))
        # One by one: a topic that begins so may be people's, and no stage may write there.
        for topic in (schemas.subscriber_topic(name, noun) for noun in subscriber.nouns):
            found.append(_rule(config, "hub-process", ("Write",), topic=topic))
    found.append(_rule(config, "hub-process", ("Write",), topic="ops.unknown_device.v1"))
    found.append(_rule(config, "police-review", ("Read",), topic="police.violation.v1"))
    found.append(_rule(config, "police-review", both, topic="police.violation_review.v1"))
    for topic in (*(noun.topic for noun in schemas.nouns().values()), "dead_replay.v1"):
        found.append(_rule(config, "hub-replay", both, topic=topic))
    found += [
        _rule(config, "hub-replay", both, topic="raw.", prefixed=True),
        _rule(config, "hub-replay", ("Create", *both), topic="replay.", prefixed=True),
        _rule(config, "hub-replay", ("Read",), topic="dead_letter.v1"),
        _rule(config, "hub-replay", ("Read",), topic="device.v1"),
        _rule(config, "hub-replay", ("Read",), topic="location.v1"),
        _rule(config, "hub-replay", ("Read",), topic="route.v1"),
        _rule(config, "hub-replay", ("Write",), topic="ledger.v1"),
        _rule(config, "hub-replay", ("Describe",), group="hub.normalise.", prefixed=True),
        _rule(
            config, "hub-replay", ("Write", "Describe"), transactional="hub-replay", prefixed=True
        ),
    ]
    found += _keeping(config)
    # Not the dead letters: they hold payloads, and operators have a right to no plate.
    found.append(_rule(config, "ops", ("Read",), topic="ledger.v1"))
    return sorted(set(found))


def _keeping(config: Config) -> list[str]:
    """What people need who hold, erase or expire: they read all there is of an event."""
    who, read = "hub-keeping", ("Read",)
    known = ("dead_letter.v1", "ledger.v1", *(noun.topic for noun in schemas.nouns().values()))
    views = (
        schemas.subscriber_topic(name, noun)
        for name, subscriber in schemas.subscribers().items()
        for noun in subscriber.nouns
    )
    return [
        _rule(config, who, read, topic="raw.", prefixed=True),
        *(_rule(config, who, read, topic=each) for each in views),
        *(_rule(config, who, read, topic=each) for each in known),
        *(_rule(config, who, ("Read", "Write"), topic=each) for each in ("erasure.v1", "hold.v1")),
        *(_rule(config, "ops", read, topic=each) for each in ("erasure.v1", "hold.v1")),
        _rule(config, who, ("Describe",), group="hub.normalise.", prefixed=True),
        _rule(config, who, ("Write", "Describe"), transactional="hub-keeping"),
    ]


def _rule(
    config: Config,
    principal: str,
    operations: tuple[str, ...],
    *,
    topic: str = "",
    group: str = "",
    transactional: str = "",
    prefixed: bool = False,
) -> str:
    resource = (
        f"--topic {topic}"
        if topic
        else f"--group {group}"
        if group
        else f"--transactional-id {transactional}"
    )
    allowed = " ".join(f"--operation {operation}" for operation in operations)
    pattern = "prefixed" if prefixed else "literal"
    return (
        f"kafka-acls --bootstrap-server {config.kafka.bootstrap} --add "
        f"--allow-principal User:{principal} {allowed} {resource} --resource-pattern-type {pattern}"
    )
