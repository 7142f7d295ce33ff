"""Wrong use of `hub replay` and `hub dead replay`: what, where, and how to mend it."""

import pytest

import schemas
from hub.access import access_rules
from hub.cli import main
from hub.config import Config

SPAN = ["--from", "2026-03-01T08:00:00+07:00", "--to", "2026-03-01T09:00:00+07:00"]


@pytest.fixture
def hub(tmp_path, capsys):
    path = tmp_path / "hub.toml"
    path.write_text('[source.vms]\nconnector = "spat"\n')

    def run(*words: str) -> tuple[int, str]:
        code = main(["--config", str(path), *words])
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("words", "where", "fix"),
    [
        (["dead", "replay"], "which dead letters is not said", "or --since T"),
        (["dead", "replay", "--since", "yesterday"], "--since", "2026-03-01T08:15:00+07:00"),
        (["replay", "--source", "vsm", *SPAN], "--source: hub.toml has no source 'vsm'", "vms"),
        (["replay", "--source", "vms", SPAN[2], SPAN[1], SPAN[0], SPAN[3]], "--to", "later time"),
        (["replay", "--source", "vms", "--from", "8:00", *SPAN[2:]], "--from", "+07:00"),
        (["replay", "--source", "vms", *SPAN, "--name", "a/b"], "--name", "letters, digits"),
        (["replay", "--source", "vms", *SPAN, "--apply"], "--apply", "--live --apply"),
        (["replay", "--source", "vms", *SPAN, "--live", "--name", "x"], "--live", "--name and"),
        (["replay", "--source", "vms", *SPAN, "--live", "--continue"], "--live", "--continue out"),
    ],
)
def test_wrong_use_is_exit_code_2_and_says_where_and_how_to_mend_it(hub, words, where, fix):
    code, told = hub(*words)
    assert code == 2, told
    assert where in told
    assert "To mend it: " in told
    assert fix in told.partition("To mend it: ")[2]


def test_a_range_without_its_source_is_refused_with_the_usage(hub):
    code, told = hub("replay", *SPAN)
    assert code == 2
    assert "--source" in told


def test_who_replays_may_write_what_a_replay_writes_and_nothing_of_subscribers():
    rules = [rule for rule in access_rules(Config()) if "User:hub-replay " in rule]
    writing = [rule for rule in rules if "operation Write" in rule and "--topic" in rule]
    written = {rule.split("--topic ")[1].split()[0] for rule in writing}
    canonical = {noun.topic for noun in schemas.nouns().values()}
    assert written == {"raw.", "replay.", "dead_replay.v1", "ledger.v1"} | canonical
    assert any("--transactional-id hub-replay" in rule for rule in rules)
