import copy
import uuid
from dataclasses import replace

import pytest

import schemas
from hub import topics
from hub.access import access_rules
from hub.config import Config, KafkaConfig, SourceConfig
from hub.discovery import connector_names
from hub.errors import ConfigError, EnvironmentNotReadyError, IncompatibleSchemaError
from hub.kafka.admin import Cluster
from hub.raw_topics import connectors_in_use
from hub.registry import Registry

CONFIG = Config(kafka=KafkaConfig(replication_factor=1, min_insync_replicas=2))
DAY_MS = 86_400_000


def declared(config=CONFIG):
    return {spec.name: spec for spec in topics.declared(config, connector_names())}


def test_every_topic_of_the_contract_is_declared():
    found = declared()
    assert {"raw.cap.v1", "raw.cap.urgent.v1"} <= set(found)
    assert {noun.topic for noun in schemas.nouns().values()} <= set(found)
    assert set(schemas.own_topics()) <= set(found)
    assert {"police.plate_read.v1", "htmoc.signal_state.v1", "ops.health.v1"} <= set(found)
    assert "htmoc.violation.v1" not in found


def test_times_are_the_brokers_and_replicas_never_more_than_there_are():
    for spec in declared().values():
        assert spec.config["message.timestamp.type"] == "LogAppendTime"
        assert spec.config["compression.type"] == "producer"
        assert spec.config["min.insync.replicas"] == "1"


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("raw.cap.v1", 7),
        ("camera.plate_read.v1", 7),
        ("htmoc.alert.v1", 7),
        ("police.alert.v1", 30),
        ("dead_letter.v1", 30),
        ("ledger.v1", 400),
    ],
)
def test_records_are_kept_as_long_as_the_contract_says(name, days):
    settings = declared()[name].config
    assert settings["retention.ms"] == str(days * DAY_MS)
    assert int(settings["segment.ms"]) <= DAY_MS


def test_every_topic_and_kind_of_object_has_a_class_and_every_class_with_days_a_ground():
    classes = schemas.retention()
    used = {spec.retention for spec in declared().values()}
    used |= {each.retention for each in schemas.objects().values()}
    assert used <= set(classes)
    for each in classes.values():
        assert each.ground
        assert each.holds
        assert each.days is None or 0 < each.least <= each.days <= each.most
    # Compaction keeps what no class ends, and the other way round.
    for spec in declared().values():
        ends = classes[spec.retention].days is not None
        assert ends == ("delete" in spec.config["cleanup.policy"]), spec.name


def test_topics_follow_the_days_a_site_sets():
    config = CONFIG.model_copy(update={"retention": {"payload": 10}})
    assert declared(config)["raw.cap.v1"].config["retention.ms"] == str(10 * DAY_MS)
    assert declared(config)["camera.detection.v1"].config["retention.ms"] == str(7 * DAY_MS)


@pytest.mark.parametrize(
    "name", ["device.v1", "location.v1", "route.v1", "ingest_mark.v1", "state.process.keyed.v1"]
)
def test_registers_are_compacted_and_never_expire(name):
    settings = declared()[name].config
    assert settings["cleanup.policy"] == "compact"
    assert "retention.ms" not in settings


def test_partitions_follow_the_topic_then_its_class_then_the_declaration():
    counts = {"canonical": 4, "camera.plate_read.v1": 12, "raw": 3, "dead_letter.v1": 5}
    config = CONFIG.model_copy(
        update={"kafka": CONFIG.kafka.model_copy(update={"partitions": counts})}
    )
    found = {name: spec.partitions for name, spec in declared(config).items()}
    assert (found["camera.detection.v1"], found["camera.plate_read.v1"]) == (4, 12)
    assert (found["raw.cap.v1"], found["police.alert.v1"], found["dead_letter.v1"]) == (3, 6, 5)
    # A state topic is as wide as the widest canonical one.
    assert found["state.process.ids.v1"] == 12


def test_raw_topics_are_those_of_the_connectors_that_sources_use():
    used = CONFIG.model_copy(update={"source": {"north": SourceConfig(connector="spat")}})
    raw = [spec.name for spec in topics.declared(used) if spec.kind == "raw"]
    assert raw == ["raw.spat.urgent.v1", "raw.spat.v1"]


def test_payloads_of_a_connector_that_no_source_uses_any_more_are_still_read():
    used = CONFIG.model_copy(update={"source": {"north": SourceConfig(connector="spat")}})
    assert connectors_in_use(used, {"raw.cap.v1", "dead_letter.v1"}) == ["cap", "spat"]


def test_partitions_of_an_unknown_topic_are_refused():
    config = CONFIG.model_copy(
        update={"kafka": CONFIG.kafka.model_copy(update={"partitions": {"canonicle": 4}})}
    )
    with pytest.raises(ConfigError, match="neither a topic"):
        topics.declared(config, ())


def test_topics_with_personal_data_are_marked_and_a_pseudonym_is_such():
    marked = {name for name, spec in declared().items() if spec.personal_data}
    assert {"raw.cap.v1", "police.plate_read.v1", "dead_letter.v1", "htmoc.plate_read.v1"} <= marked
    assert not {"htmoc.detection.v1", "ops.plate_read.v1", "ledger.v1"} & marked


def test_access_rules_give_a_subscriber_its_own_topics_and_groups_only():
    rules = access_rules(CONFIG)
    police = [rule for rule in rules if "User:police " in rule]
    assert len(police) == 2
    assert all("--operation Read" in rule and "Write" not in rule for rule in police)
    assert {rule.split("--operation Read ")[1] for rule in police} == {
        "--topic police. --resource-pattern-type prefixed",
        "--group police. --resource-pattern-type prefixed",
    }
    assert not any("User:hub-ingest" in rule and "police." in rule for rule in rules)


def test_no_subscriber_can_read_where_personal_data_stands_without_a_view():
    canonical = {noun.topic for noun in schemas.nouns().values()}
    for rule in access_rules(CONFIG):
        who = rule.split("User:")[1].split()[0]
        if who in schemas.subscribers() and "--topic" in rule:
            topic = rule.split("--topic ")[1].split()[0]
            assert topic in {f"{who}.", "erasure.v1", "hold.v1", "ledger.v1"}
            assert topic not in canonical


def test_records_of_holds_and_erasures_are_written_by_their_keepers_and_read_by_ops_only():
    for topic in ("hold.v1", "erasure.v1"):
        rules = [rule for rule in access_rules(CONFIG) if f"--topic {topic} " in rule]
        writers = {rule.split("User:")[1].split()[0] for rule in rules if "Write" in rule}
        readers = {rule.split("User:")[1].split()[0] for rule in rules if "Read" in rule}
        assert (writers, readers) == ({"hub-keeping"}, {"hub-keeping", "ops"})
        assert not declared()[topic].personal_data
    # No prefix of another principal reaches them.
    prefixes = [
        rule.split("--topic ")[1].split()[0]
        for rule in access_rules(CONFIG)
        if "--topic" in rule and "prefixed" in rule
    ]
    assert not [each for each in prefixes if "hold.v1".startswith(each)]
    assert not [each for each in prefixes if "erasure.v1".startswith(each)]


# From here on a real broker and registry.


@pytest.fixture
def config(stack, tmp_path):
    return Config(
        data=tmp_path,
        kafka=KafkaConfig(bootstrap=stack.bootstrap, replication_factor=1, min_insync_replicas=1),
        registry_url=stack.registry_url,
    )


@pytest.fixture
def registry(config):
    found = Registry(config.registry_url)
    yield found
    found.close()


@pytest.fixture
def spec(config):
    """A topic of its own for each test, declared like a subscriber's."""
    like = declared(config)["htmoc.alert.v1"]
    return replace(like, name=f"test.{uuid.uuid4().hex}.v1", partitions=2)


@pytest.mark.kafka
def test_apply_makes_everything_and_a_second_apply_finds_nothing_to_do(config, registry, spec):
    specs = [spec, replace(spec, name=f"{spec.name}.raw", kind="raw", versions=())]
    changes = topics.apply(config, registry, specs=specs)
    assert [change.action for change in changes] == ["create", "create", "register"]
    assert topics.plan(config, registry, specs=specs) == []
    assert topics.apply(config, registry, specs=specs) == []
    state = Cluster(config.kafka).topics([spec.name])[spec.name]
    assert (state.partitions, state.replication) == (2, 1)
    assert state.config["message.timestamp.type"] == "LogAppendTime"
    assert registry.compatibility(topics.subject_of(spec.name)) == topics.COMPATIBILITY
    topics.wait_for_topics(config, specs)


@pytest.mark.kafka
def test_changed_settings_are_set_and_others_left_alone(config, registry, spec):
    topics.apply(config, registry, specs=[spec])
    changed = replace(spec, config={**spec.config, "retention.ms": "1000000"})
    (change,) = topics.apply(config, registry, specs=[changed])
    assert (change.action, change.text) == ("alter", "retention.ms 604800000 → 1000000")
    assert topics.plan(config, registry, specs=[changed]) == []


@pytest.mark.kafka
@pytest.mark.parametrize("kind", ["raw", "canonical"])
def test_other_partitions_of_raw_and_canonical_topics_are_refused(config, registry, spec, kind):
    fixed = replace(spec, kind=kind, versions=())
    topics.apply(config, registry, specs=[fixed])
    with pytest.raises(ConfigError, match="keys would move") as caught:
        topics.apply(config, registry, specs=[replace(fixed, partitions=3)])
    assert "= 2" in caught.value.fix
    assert Cluster(config.kafka).topics([spec.name])[spec.name].partitions == 2


@pytest.mark.kafka
def test_partitions_of_a_subscriber_may_grow_but_not_shrink(config, registry, spec):
    topics.apply(config, registry, specs=[spec])
    (change,) = topics.apply(config, registry, specs=[replace(spec, partitions=3)])
    assert change.action == "grow"
    topics.wait_for_topics(config, [spec])
    with pytest.raises(ConfigError, match="can't take any away"):
        topics.apply(config, registry, specs=[spec])


def broken(schema):
    new = copy.deepcopy(schema)
    new["fields"].append({"name": "must", "type": "string", "doc": "d"})
    return new


@pytest.mark.kafka
@pytest.mark.parametrize("known", [True, False], ids=["released", "neither is registered"])
def test_an_incompatible_schema_changes_nothing_and_names_who_would_break(
    config, registry, spec, known
):
    if known:
        topics.apply(config, registry, specs=[spec])
    other = replace(spec, name=f"{spec.name}.other")
    bad = replace(spec, versions=(*spec.versions, broken(spec.versions[-1])), partitions=3)
    with pytest.raises(IncompatibleSchemaError) as caught:
        topics.apply(config, registry, specs=[other, bad])
    assert "Operation Centre (htmoc)" in str(caught.value)
    assert "must: was not written and has no default" in str(caught.value)
    there = Cluster(config.kafka).topics([spec.name, other.name])
    assert {name: state.partitions for name, state in there.items()} == (
        {spec.name: 2} if known else {}
    )
    assert registry.id_of(topics.subject_of(spec.name), bad.versions[-1]) is None


@pytest.mark.kafka
def test_the_registry_itself_refuses_what_the_hub_did_not_see(config, registry, spec):
    topics.apply(config, registry, specs=[spec])
    subject = topics.subject_of(spec.name)
    assert registry.incompatibilities(subject, broken(spec.versions[-1]))
    with pytest.raises(IncompatibleSchemaError, match="would break"):
        registry.register(subject, broken(spec.versions[-1]))


@pytest.mark.kafka
def test_every_released_version_is_registered_in_order(config, registry, spec):
    grown = copy.deepcopy(spec.versions[-1])
    grown["fields"].append(
        {"name": "later", "type": ["null", "string"], "doc": "d", "default": None}
    )
    both = replace(spec, versions=(*spec.versions, grown))
    topics.apply(config, registry, specs=[both])
    ids = [registry.id_of(topics.subject_of(spec.name), schema) for schema in both.versions]
    assert None not in ids
    assert ids == sorted(set(ids))
    assert registry.schema(ids[-1]) == grown


@pytest.mark.kafka
def test_topics_that_do_not_come_are_named(config, spec):
    with pytest.raises(EnvironmentNotReadyError, match=spec.name):
        topics.wait_for_topics(config, [spec], timeout_s=0)
