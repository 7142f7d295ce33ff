import os
import subprocess
import sys

import pytest

from hub.cli import COMMANDS, exit_code, main
from hub.errors import (
    ConfigError,
    EnvironmentNotReadyError,
    FencedError,
    HubError,
    IncompatibleSchemaError,
    PayloadError,
    RecordError,
    UnavailableError,
)


def test_help_lists_every_command_and_an_example(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n    {command.name} " in out for command in COMMANDS)
    assert "example: " in out


def test_an_unknown_command_suggests_a_near_one(capsys):
    assert main(["connectorr", "list"]) == 2
    assert "did you mean `hub connector`" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["topics"], ["topics", "plann"], ["tail"], ["--config"]])
def test_wrong_use_is_exit_code_2(words, capsys):
    assert main(words) == 2
    assert "usage: hub" in capsys.readouterr().err


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("hub 0.")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (EnvironmentNotReadyError("x"), 3),
        (UnavailableError("x"), 3),
        (FencedError("x"), 3),
        (IncompatibleSchemaError("x"), 1),
        (PayloadError("x"), 1),
        (RecordError("x", code="c"), 1),
        (HubError("x"), 1),
    ],
)
def test_an_error_chooses_the_exit_code(error, code):
    assert exit_code(error) == code


@pytest.mark.parametrize("words", [["--config", "none.toml", "topics", "plan"],
                                   ["topics", "plan", "--config", "none.toml"]])  # fmt: skip
def test_a_missing_configuration_is_named_wherever_it_is_given(words, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("hub: none.toml: can't read it")
    assert err.count("\n") == 1


def test_the_configuration_is_taken_from_the_environment_or_the_folder(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    (tmp_path / "hub.toml").write_text("here = 1")
    assert main(["topics", "plan", "--acls"]) == 2
    assert "hub.toml: here" in capsys.readouterr().err
    (tmp_path / "other.toml").write_text("there = 1")
    monkeypatch.setenv("HUB_CONFIG", "other.toml")
    assert main(["topics", "plan", "--acls"]) == 2
    assert "other.toml: there" in capsys.readouterr().err


def test_access_rules_need_no_cluster(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["topics", "plan", "--acls"]) == 0
    out = capsys.readouterr().out.splitlines()
    # A shell can take the whole: rights stand above the rules, as remarks.
    remarks = [line for line in out if line.startswith("# ")]
    assert all(line.startswith("kafka-acls --bootstrap-server ") for line in out[len(remarks) :])
    assert "# htmoc: Hanoi Traffic Management and Operation Centre" in remarks
    (right,) = [at for at, line in enumerate(remarks) if "htmoc-passages" in line]
    assert remarks[right].endswith(
        "(since 2025-07-01T00:00:00+07:00): plate_read with view.pseudonym"
    )
    assert "[Law 36/2024/QH15, article 75(4)" in remarks[right + 1]


def test_a_broker_that_is_away_is_exit_code_3(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUB_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert main(["topics", "plan"]) == 3
    err = capsys.readouterr().err
    assert "no broker answers" in err
    assert "To mend it: start the cluster" in err


def test_a_reader_that_has_had_enough_ends_it_quietly():
    script = f"{sys.executable} -m hub connector list --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
