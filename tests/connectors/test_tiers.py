"""Tiers come of what the samples show, and say what the next one lacks."""

import json

import pytest

from hub import Connector, Event, Rejection
from hub.cli import main
from hub.connector_table import with_parts
from hub.discovery import connector, connectors
from hub.errors import ConfigError
from hub.testing import evidence_of, samples_folder, update_expected


def parse(payload, _options):
    for word in payload.body.decode().split():
        if word == "bad":
            yield Rejection(code="bad", message="bad")
        else:
            flags = ("doubtful",) if word == "odd" else ()
            yield Event(noun="detection", kind=word, body={}, quality_flags=flags)


READER = Connector(
    name="reader", title="r", parse=parse, emits=("detection",), identity={"detection": ()}
)


def evidence(folder, *bodies, recorded=()):
    for number, body in enumerate(bodies):
        (folder / f"{number}.txt").write_text(body)
    for number, device in enumerate(recorded):
        (folder / f"{number}.txt.meta.json").write_text(json.dumps({"recorded": device}))
    update_expected(READER, folder)
    return evidence_of(READER, folder)


def test_one_sample_with_its_outcomes_is_bronze(tmp_path):
    found = evidence(tmp_path, "fine")
    assert (found.tier, found.samples) == ("bronze", 1)
    assert found.lacks == (
        "3 samples or more; there are 1",
        "a sample in which something is refused",
        "a sample with a quality flag",
    )


def test_three_samples_that_show_what_may_happen_are_silver(tmp_path):
    found = evidence(tmp_path, "fine", "odd", "fine bad")
    assert found.tier == "silver"
    assert found.lacks == ("payloads recorded from 2 devices or firmwares; 2 to go",)


@pytest.mark.parametrize(
    ("recorded", "tier"), [(["A 1.0"], "silver"), (["A", "A"], "silver"), (["A", "B"], "gold")]
)
def test_payloads_of_two_devices_are_gold(tmp_path, recorded, tier):
    assert evidence(tmp_path, "fine", "odd", "bad", recorded=recorded).tier == tier


def test_a_noun_that_no_sample_shows_costs_silver(tmp_path):
    both = Connector(
        name="reader",
        title="r",
        parse=parse,
        emits=("detection", "health"),
        identity={"detection": (), "health": ()},
    )
    evidence(tmp_path, "fine", "odd", "bad")
    found = evidence_of(both, tmp_path)
    assert (found.tier, found.lacks) == ("bronze", ("a sample that gives a health",))


def test_other_outcomes_than_expected_are_no_tier(tmp_path):
    evidence(tmp_path, "fine", "odd", "bad")
    (tmp_path / "0.txt").write_text("other")
    found = evidence_of(READER, tmp_path)
    assert (found.tier, found.lacks) == ("none", ("0.txt does not give the outcomes beside it",))
    assert evidence_of(READER, None).lacks == ("a sample with its outcomes",)


def test_options_that_can_not_be_used_are_told_and_stop_no_list(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    (tmp_path / "a.json.meta.json").write_text('{"options": {"file": "gone.toml"}}')
    found = evidence_of(connector("mapping"), tmp_path)
    assert found.tier == "none"
    assert "can't read it" in found.lacks[0]


def test_the_samples_of_a_connector_are_found_by_its_module():
    for name, each in connectors().items():
        folder = samples_folder(each)
        assert folder is not None
        assert folder.name == name


def test_every_connector_here_has_a_tier():
    found = {name: evidence_of(each, samples_folder(each)) for name, each in connectors().items()}
    assert {name: each.lacks for name, each in found.items() if each.tier == "none"} == {}


def test_list_says_tier_and_lacks(capsys):
    assert main(["connector", "list", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (spat,) = (line for line in lines if line["name"] == "spat")
    assert spat["tier"] in {"bronze", "silver", "gold"}
    assert spat["transports"] == ["kafka", "http_push", "drop_folder"]
    assert 'connector = "spat"' in spat["example"]


def test_the_table_is_written_once_and_then_is_as_it_must_be(capsys, tmp_path):
    file = tmp_path / "README.md"
    empty = "<!-- connectors:{0} -->\n<!-- /connectors:{0} -->\n"
    file.write_text(f"before\n{empty.format('table')}between\n{empty.format('each')}after\n")
    words = ["connector", "list", "--markdown", str(file)]
    assert main(words) == 0
    assert "README.md: written" in capsys.readouterr().out
    assert main(words) == 0
    assert "is as it must be" in capsys.readouterr().out
    text = file.read_text()
    assert "| `spat` |" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")


def test_a_document_without_the_places_is_refused(capsys, tmp_path):
    with pytest.raises(ConfigError, match="0 places for the part 'table'"):
        with_parts("# Connectors\n", connectors().values(), where="README.md")
    assert main(["connector", "list", "--markdown", str(tmp_path / "none.md")]) == 2
    assert "can't read it" in capsys.readouterr().err
