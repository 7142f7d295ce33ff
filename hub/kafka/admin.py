"""Topics and consumer groups of a cluster, as plain values."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from hub.config import KafkaConfig
from hub.errors import EnvironmentNotReadyError, UnavailableError
from hub.kafka.clients import admin, check_reachable, translate, unwrap

__all__ = ["Cluster", "GroupLag", "HeldAlone", "HeldBack", "TopicState"]

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it."""

    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GroupLag:
    """How many records of a topic a consumer group has not handled."""

    group: str
    topic: str
    records: int


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A partition whose readers of committed records stop before its end."""

    topic: str
    partition: int
    at: int
    end: int


@dataclass(frozen=True, slots=True)
class HeldAlone:
    """A topic of several partitions, all of which one member of a group of several has."""

    group: str
    members: int
    topic: str


class Cluster:
    """Asks and changes topics; every failure comes in the hub's words."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self._kafka = kafka
        self._admin: AdminClient = admin(kafka)

    def topic_names(self) -> set[str]:
        """Names of all topics; `EnvironmentNotReadyError` when no broker answers."""
        return set(check_reachable(self._kafka))

    def topics(self, names: Iterable[str]) -> dict[str, TopicState]:
        """Those of the named topics that exist."""
        found = check_reachable(self._kafka)
        wanted = [name for name in names if name in found and found[name].error is None]
        if not wanted:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in wanted]
        answers = self._admin.describe_configs(resources, request_timeout=_TIMEOUT_S)
        configs = {
            resource.name: {
                name: entry.value
                for name, entry in _result(
                    answer, f"reading the settings of {resource.name}"
                ).items()
            }
            for resource, answer in answers.items()
        }
        return {
            name: TopicState(
                partitions=len(found[name].partitions),
                replication=min(
                    len(partition.replicas) for partition in found[name].partitions.values()
                ),
                config=configs[name],
            )
            for name in wanted
        }

    def create(self, topics: Mapping[str, TopicState]) -> None:
        """Make topics, all in one request."""
        if not topics:
            return
        new = [
            NewTopic(name, state.partitions, state.replication, config=dict(state.config))
            for name, state in topics.items()
        ]
        answers = self._admin.create_topics(new, operation_timeout=_TIMEOUT_S)
        for name, answer in answers.items():
            _result(answer, f"making topic {name}")

    def set_config(self, name: str, config: Mapping[str, str]) -> None:
        """Change some of a topic's settings; the others stay."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for answer in self._admin.incremental_alter_configs([resource]).values():
            _result(answer, f"changing the settings of {name}")

    def grow(self, name: str, partitions: int) -> None:
        """Add partitions to a topic."""
        for answer in self._admin.create_partitions([NewPartitions(name, partitions)]).values():
            _result(answer, f"adding partitions to {name}")

    def wait_for(self, names: Iterable[str], *, timeout_s: float = 30) -> None:
        """Return when every partition of the topics has a leader."""
        wanted, deadline = set(names), time.monotonic() + timeout_s
        while True:
            found = check_reachable(self._kafka)
            missing = sorted(
                name
                for name in wanted
                if name not in found
                or not found[name].partitions
                or any(each.leader < 0 for each in found[name].partitions.values())
            )
            if not missing:
                return
            if time.monotonic() > deadline:
                raise EnvironmentNotReadyError(
                    f"topics without leaders after {timeout_s:.0f} s: {', '.join(missing[:5])}",
                    where=self._kafka.bootstrap,
                    fix="run `hub topics apply`; check that all brokers run",
                )
            time.sleep(0.05)

    def lags(self, prefix: str = "hub.") -> list[GroupLag]:
        """Lag by group and topic of the groups whose name begins so."""
        return [lag for group in self._groups(prefix) for lag in self._lags_of(group)]

    def held_alone(self, prefix: str = "hub.") -> list[HeldAlone]:
        """What a member has to itself that the others of its group could share."""
        groups = self._groups(prefix)
        if not groups:
            return []
        answers = self._admin.describe_consumer_groups(groups, request_timeout=_TIMEOUT_S)
        found = []
        for group, answer in answers.items():
            members = [
                Counter(each.topic for each in member.assignment.topic_partitions)
                for member in _result(answer, f"reading the members of {group}").members
            ]
            for topic, held in sorted(sum(members, Counter[str]()).items()):
                if held > 1 < len(members) and any(mine[topic] == held for mine in members):
                    found.append(HeldAlone(group, len(members), topic))
        return found

    def _groups(self, prefix: str) -> list[str]:
        check_reachable(self._kafka)
        listed = _result(self._admin.list_consumer_groups(), "listing consumer groups")
        return sorted(each.group_id for each in listed.valid if each.group_id.startswith(prefix))

    def held_back(self, names: Iterable[str]) -> list[HeldBack]:
        """Where an open transaction keeps readers before the end of a topic, at this moment."""
        found = check_reachable(self._kafka)
        asked = {
            TopicPartition(name, partition): OffsetSpec.latest()
            for name in names
            if name in found
            for partition in found[name].partitions
        }
        end, stable = (
            self._ends(asked, level)
            # In this order: what is committed in between is no difference.
            for level in (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED)
        )
        return [
            HeldBack(*place, stable[place], end[place])
            for place in sorted(end)
            if stable[place] < end[place]
        ]

    def _ends(
        self, asked: Mapping[TopicPartition, OffsetSpec], level: IsolationLevel
    ) -> dict[tuple[str, int], int]:
        answers = self._admin.list_offsets(dict(asked), isolation_level=level)
        return {
            (each.topic, each.partition): _result(answer, f"reading the end of {each.topic}").offset
            for each, answer in answers.items()
        }

    def _lags_of(self, group: str) -> list[GroupLag]:
        request = [ConsumerGroupTopicPartitions(group)]
        answers = self._admin.list_consumer_group_offsets(request, request_timeout=_TIMEOUT_S)
        held = [
            each
            for each in _result(answers[group], f"reading offsets of {group}").topic_partitions
            if each.offset >= 0
        ]
        if not held:
            return []
        wanted = {TopicPartition(each.topic, each.partition): OffsetSpec.latest() for each in held}
        # What an open transaction holds back waits too, be it its writer that hangs.
        end_of = self._ends(wanted, IsolationLevel.READ_UNCOMMITTED)
        lag: dict[str, int] = {}
        for each in held:
            behind = max(0, end_of[each.topic, each.partition] - each.offset)
            lag[each.topic] = lag.get(each.topic, 0) + behind
        return [GroupLag(group, topic, records) for topic, records in sorted(lag.items())]


def _result(future: "Future[Any]", doing: str) -> Any:
    try:
        return future.result(_TIMEOUT_S)
    except KafkaException as exception:
        raise translate(unwrap(exception), doing=doing) from exception
    except TimeoutError as error:
        raise UnavailableError(
            f"{doing}: no answer in {_TIMEOUT_S:.0f} s", fix="check that the brokers run"
        ) from error
