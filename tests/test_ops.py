"""What operators are given fits the hub: containers, settings, metrics, alerts, dashboard."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from hub import cli, config, discovery, metrics

ROOT = Path(__file__).parents[1]
OPS = ROOT / "ops"
HUB_IMAGE = "hanoi-event-hub:local"
SERVICE_KEYS = {
    *("build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "hostname"),
    *("image", "init", "logging", "mem_limit", "ports", "read_only", "restart", "secrets"),
    *("security_opt", "stop_grace_period", "tmpfs", "ulimits", "volumes"),
}
CONDITIONS = {"service_healthy", "service_completed_successfully"}
# What PromQL adds to names: a histogram's series, and labels that Prometheus itself sets.
SERIES = re.compile(r"_(?:bucket|sum|count)$")
OWN_LABELS = {"le", "instance", "job"}


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


COMPOSE = read_yaml("docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == HUB_IMAGE}
DASHBOARD = json.loads((OPS / "grafana/throughput.json").read_text("utf-8"))
ALERTS = [rule for group in read_yaml("ops/alerts.yml")["groups"] for rule in group["rules"]]


def metric_labels() -> dict[str, set[str]]:
    """Labels by metric name as Prometheus sees it, from the registry of the hub itself."""
    collectors = metrics._REGISTRY._collector_to_names
    labels = {}
    for collector, names in collectors.items():
        for name in names:
            if not name.endswith("_created"):
                labels[name] = set(collector._labelnames)
    return labels


def expressions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\bhub_[a-z_]+\b", text))


# Containers


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_the_shape_that_compose_expects(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= SERVICE_KEYS
    assert re.fullmatch(r"[\w./-]+:[\w.-]+", service["image"]), "an image needs its tag"
    assert not service["image"].endswith(":latest")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["restart"]
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
    for other, wait in service.get("depends_on", {}).items():
        assert wait["condition"] in CONDITIONS
        assert wait["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
    for secret in service.get("secrets", []):
        assert secret in COMPOSE["secrets"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_mounts_what_exists(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_locked_down_and_use_known_variables(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["secrets"] == ["id_key"]
    assert "HUB_ID_KEY" not in service["environment"], "the key is a file"
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "hub").rglob("*.py"))
    assert [name for name in service["environment"] if f'"{name}"' not in sources] == []


@pytest.mark.parametrize("name", OURS)
def test_our_services_call_commands_that_exist(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = OURS[name]["command"]
    assert cli.main([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert [word for word in command if word.startswith("--") and word not in shown] == []


def test_no_two_services_share_a_slot() -> None:
    slots = [
        service["environment"]["HUB_SLOT"] for name, service in OURS.items() if name != "topics"
    ]
    assert len(slots) == len(set(slots)) == 5


def test_containers_and_the_embedded_stack_are_the_same_releases() -> None:
    artifacts = (ROOT / "hub/stack/artifacts.json").read_text("utf-8")
    for name in ("kafka", "registry"):
        version = SERVICES[name]["image"].rpartition(":")[2]
        assert version in artifacts, name


def test_the_image_runs_without_rights_from_locked_files() -> None:
    text = (OPS / "Dockerfile").read_text("utf-8")
    assert "--require-hashes -r requirements.lock" in text
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE)[-1].isdigit()
    ignored = (OPS / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in line.split():
            assert f"!{source}" in ignored, source


def test_prometheus_asks_every_worker_where_it_answers() -> None:
    scrape = read_yaml("ops/prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"]
    expected = {
        f"{name}:{environment.get('HUB_METRICS_PORT') or environment['HUB_INGEST_PORT']}"
        for name, service in OURS.items()
        for environment in [service["environment"]]
        if name != "topics"
    }
    assert set(scrape) == expected


# Settings


@pytest.mark.parametrize("name", ["hub.example.toml", "hub.compose.toml"])
def test_a_shipped_configuration_is_valid(name: str) -> None:
    assert config.load(OPS / name, {})


def test_the_example_says_the_defaults() -> None:
    example, default = config.load(OPS / "hub.example.toml", {}), config.Config()
    assert example.nouns() == default.nouns()
    loaded, default = example.model_dump(), default.model_dump()
    for section in (loaded, default):
        section.pop("source")
        section.pop("noun")
        section["kafka"].pop("partitions")
    assert loaded == default


def test_the_example_has_every_setting() -> None:
    text = (OPS / "hub.example.toml").read_text("utf-8")

    def missing(model: type[BaseModel]) -> Iterator[str]:
        for name, field in model.model_fields.items():
            if not re.search(rf"^(?:# )?{name} = |^\[.*\b{name}\b.*\]$", text, re.MULTILINE):
                yield f"{model.__name__}.{name}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from missing(field.annotation)

    found = {*missing(config.Config), *missing(config.SourceConfig)}
    assert found == {"Config.id_key"}, "a secret has no place there, every other setting has"


def test_the_examples_connectors_exist_and_take_their_options() -> None:
    sources = tomllib.loads((OPS / "hub.example.toml").read_text("utf-8"))["source"]
    assert len(sources) == 2
    for name, source in config.load(OPS / "hub.example.toml", {}).source.items():
        connector = discovery.connector(source.connector)
        assert connector.options.model_validate(source.connector_options()), name


# Metrics, alerts, dashboard, runbook


@pytest.mark.parametrize(("title", "expr"), list(expressions()))
def test_an_expression_uses_metrics_and_labels_that_exist(title: str, expr: str) -> None:
    assert expr.strip()
    assert all(expr.count(left) == expr.count(right) for left, right in ("()", "[]", "{}"))
    labels = metric_labels()
    names = metrics_in(expr)
    assert names or re.search(r"\bup\{", expr), title
    assert {name for name in names if name not in labels} == set()
    allowed = OWN_LABELS.union(*(labels[name] for name in names))
    grouped = {
        label.strip() for by in re.findall(r"\bby \(([^)]*)\)", expr) for label in by.split(",")
    }
    matched = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expr))
    assert grouped | matched <= allowed


def test_every_metric_is_on_the_dashboard_and_explained() -> None:
    families = {SERIES.sub("", name) for name in metric_labels()}
    shown = {SERIES.sub("", name) for _, expr in expressions() for name in metrics_in(expr)}
    table = (OPS / "README.md").read_text("utf-8")
    explained = set(re.findall(r"^\| `(hub_\w+)` \|", table, re.MULTILINE))
    # A counter's family is also registered without its `_total`.
    families = {name for name in families if f"{name}_total" not in families}
    assert families == explained
    assert families <= shown


def test_panels_have_unique_ids_titles_and_expressions() -> None:
    panels = DASHBOARD["panels"]
    ids = [panel["id"] for panel in panels]
    titles = [panel["title"] for panel in panels]
    assert len(ids) == len(set(ids))
    assert len(titles) == len(set(titles))
    for panel in panels:
        assert panel["targets"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == DASHBOARD["panels"][0]["datasource"]["uid"]
    datasources = read_yaml("ops/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels} == {datasources[0]["uid"]}


def test_panels_do_not_overlap() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24, panel["title"]
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_and_where_its_runbook_stands(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^##+ (.+)$", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings
    }
    assert anchor in anchors


def test_operators_are_told_only_of_commands_that_exist() -> None:
    text = (OPS / "README.md").read_text("utf-8")
    named = set(re.findall(r"`hub ([a-z]+)", text))
    assert named <= {command.name for command in cli.COMMANDS}
