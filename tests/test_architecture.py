import os
import subprocess
import sys
from pathlib import Path

import pytest

import hub
from hub.cli import COMMANDS, main

ROOT = Path(hub.__file__).parents[1]


def test_the_import_contracts_are_kept():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_public_names_are_sorted_and_there():
    assert hub.__all__ == sorted(hub.__all__)
    assert all(hasattr(hub, name) for name in hub.__all__)


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["nonsense"]], ids=lambda words: words[0]
)
def test_help_loads_no_kafka_client_and_no_command(words):
    script = (
        "import sys; from hub.cli import main; main(sys.argv[1:]); "
        "print([m for m in sys.modules if m.split('.')[0] in ('confluent_kafka', 'fastavro', "
        "'httpx', 'rich', 'aiohttp') or m.startswith('hub.cli.')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_every_command_is_declared_once():
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_an_example(command, capsys):
    assert main([command.name, "--help"]) == 0
    assert "example: " in capsys.readouterr().out
