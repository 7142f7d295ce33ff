"""`hub connector new`: what it makes is green at once, and nothing of others is touched."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub.cli import main
from hub.discovery import connector_at, named
from hub.errors import ConfigError

ROOT = Path(__file__).parents[2]


def run(folder, *words, path=""):
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(name):
    return str(Path(sys.executable).with_name(name))


def pytest_of(*words):
    return (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words)


def in_house_style(folder, *files):
    settings = ("--config", str(ROOT / "pyproject.toml"))
    run(folder, tool("ruff"), "check", "--no-cache", *settings, *files)
    run(folder, tool("ruff"), "format", "--no-cache", "--check", *settings, *files)


@pytest.fixture
def checkout(tmp_path):
    for name in ("hub", "schemas", "connectors", "streams"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "tests/connectors/test_conformance.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_package_of_its_own_is_green_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["connector", "new", "vendor_gate", "--folder", "gate"]) == 0
    printed = capsys.readouterr()
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert made == set(printed.out.split())
    assert "next: hub connector try gate/vendor_gate.py gate/samples/first.json" in printed.err
    assert "3 passed" in run(tmp_path / "gate", *pytest_of())
    in_house_style(tmp_path / "gate", "vendor_gate.py")
    project = (tmp_path / "gate" / "pyproject.toml").read_text()
    assert 'vendor_gate = "vendor_gate:connector"' in project


def test_a_module_is_tried_and_tested_before_it_is_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["connector", "new", "vendor_gate", "--folder", "."])
    capsys.readouterr()
    assert main(["connector", "try", "vendor_gate.py", "samples/first.json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"]["body"]["target"] for line in lines[:2]] == ["car", ""]
    assert lines[2]["rejected"]["path"] == "[2]/what"
    assert main(["connector", "test", "vendor_gate.py", "--samples", "samples"]) == 0


def test_in_a_checkout_it_becomes_one_of_its_connectors_green_at_once(checkout):
    hub = (sys.executable, "-m", "hub")
    told = run(checkout, *hub, "connector", "new", "vendor_gate", path=checkout).split()
    assert "connectors/vendor_gate.py" in told
    assert "tests/samples/vendor_gate/first.json.expected.jsonl" in told
    tests = ("tests/connectors/test_vendor_gate.py", "tests/connectors/test_conformance.py")
    assert "4 passed" in run(checkout, *pytest_of("-k", "vendor_gate", *tests), path=checkout)
    in_house_style(checkout, "connectors/vendor_gate.py", tests[0])
    assert "| `vendor_gate` |" in (checkout / "connectors" / "README.md").read_text("utf-8")
    assert "is as it must be" in run(
        checkout,
        *hub,
        *("connector", "list", "--markdown", "connectors/README.md"),
        path=checkout,
    )
    contract = (checkout / "pyproject.toml").read_text().partition("do not know each other")[2]
    listed = re.findall(r'^  "connectors\.(\w+)",$', contract.partition("]")[0], re.MULTILINE)
    assert "vendor_gate" in listed
    assert listed == sorted(listed)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Vendor", "a name is 2 to 41 small letters"),
        ("vendor-gate", "a name is 2 to 41 small letters"),
        ("../gate", "a name is 2 to 41 small letters"),
        ("x", "a name is 2 to 41 small letters"),
        ("lambda", "means something else in Python"),
        ("json", "means something else in Python"),
        ("cap", "'cap' is taken"),
        ("hub", "'hub' is taken"),
    ],
)
def test_a_bad_name_is_refused_and_nothing_is_written(tmp_path, capsys, name, what):
    assert main(["connector", "new", name, "--folder", str(tmp_path)]) == 2
    assert what in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_title_that_would_break_the_module_is_refused(tmp_path, capsys):
    words = ["connector", "new", "vendor_gate", "--folder", str(tmp_path), "--title"]
    assert main([*words, 'a "gate"']) == 2
    assert "--title: a title is one line" in capsys.readouterr().err
    assert main([*words, "gates of a vendor, JSON push"]) == 0
    assert connector_at(tmp_path / "vendor_gate.py").title == "gates of a vendor, JSON push"


def test_what_is_there_already_is_left_alone(tmp_path, capsys):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "first.json").write_text("mine")
    assert main(["connector", "new", "vendor_gate", "--folder", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "samples/first.json: it is there already" in told
    assert "nothing was written" in told
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["first.json"]
    assert (tmp_path / "samples" / "first.json").read_text() == "mine"


def test_outside_a_checkout_it_asks_for_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["connector", "new", "vendor_gate"]) == 2
    assert "hub connector new vendor_gate --folder DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "no such module"),
        ("raise ValueError('x')", "it can't be imported: ValueError: x"),
        ("connector = 1", "has no `connector` named 'gate'"),
    ],
)
def test_a_module_that_is_none_is_named(tmp_path, text, what):
    file = tmp_path / "gate.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(what)):
        named(str(file))
