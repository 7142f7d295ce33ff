"""The hub never turns a candidate into a decision: nothing but the command's module writes one."""

import tomllib
from pathlib import Path

import schemas
from hub.access import access_rules
from hub.config import Config

ROOT = Path(__file__).parents[2]
TOPIC = "police.violation_review.v1"
KNOWS_THE_TOPIC = {
    "hub/reviews/log.py",  # reads and writes it
    "hub/access.py",  # who may
    "schemas/catalogue.py",  # tells subscribers of it
}


def sources():
    for package in ("hub", "connectors", "streams", "schemas"):
        for path in (ROOT / package).rglob("*.py"):
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def test_no_stage_and_no_tool_names_the_topic():
    assert {name for name, text in sources() if "violation_review" in text} - {
        "schemas/models.py"
    } <= KNOWS_THE_TOPIC


def test_decisions_are_no_noun_so_no_connector_emits_and_no_rule_routes_them():
    assert "violation_review" not in schemas.nouns()
    delivered = {
        schemas.subscriber_topic(name, noun)
        for name, subscriber in schemas.subscribers().items()
        for noun in subscriber.nouns
    }
    assert TOPIC not in delivered
    assert TOPIC in schemas.own_topics()


def test_the_import_contract_keeps_the_log_of_decisions_to_the_command():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (found,) = (each for each in contracts["contracts"] if each["type"] == "protected")
    assert found["protected_modules"] == ["hub.reviews.log"]
    assert found["allowed_importers"] == ["hub.cli.violation_case"]


def granted(operation):
    """Principals that may do this on the topic."""
    found = set()
    for rule in access_rules(Config()):
        principal = rule.split("User:")[1].split()[0]
        resource = rule.split("--topic ")[1].split()[0] if "--topic " in rule else ""
        prefixed = rule.endswith("prefixed")
        fits = TOPIC.startswith(resource) if prefixed else resource == TOPIC
        if resource and fits and f"--operation {operation}" in rule:
            found.add(principal)
    return found


def test_only_the_police_read_decisions_and_only_their_reviewers_write_them():
    assert granted("Read") == {"police", "police-review"}
    assert granted("Write") == {"police-review"}


def test_decisions_outlive_the_limitation_and_are_never_compacted():
    topic = schemas.own_topics()[TOPIC]
    assert topic.cleanup == "delete"
    assert topic.personal_data
    assert topic.partitions == 1
    assert schemas.retention()[topic.retention].least >= 366
