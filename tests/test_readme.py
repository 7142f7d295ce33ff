"""The READMEs do what they say: their blocks are run in order, as a reader would.

A `bash` block is run, an `sh` block names targets of the Makefile, a `json` block shows part of
what the block before it prints, a block without a language shows words of it.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hub.config import Config
from hub.connector_table import example_entry, of_this_package, with_parts
from hub.discovery import connectors

ROOT = Path(__file__).parents[1]
# What confluent_kafka.schema_registry imports beside what the hub itself needs.
DESERIALIZER_NEEDS = ("authlib", "cachetools", "httpx2")
UP_S = 180


class Block(NamedTuple):
    """A fenced block; `name` counts within its document."""

    name: str
    language: str
    text: str


def blocks(document: str) -> list[Block]:
    text = (ROOT / document).read_text("utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [
        Block(f"{number}-{language or 'output'}", language, body)
        for number, (language, body) in enumerate(found, 1)
    ]


README = blocks("README.md")
# Not run: the picture, the Makefile's targets (checked below) and what `make demo` prints.
SHOWN = README[3:]


@dataclass
class Reader:
    """Someone who types the blocks into one shell in the repository's folder."""

    folder: Path
    environment: dict[str, str]
    printed: str = ""
    site: subprocess.Popen[str] | None = None
    files: list[Any] = field(default_factory=list)

    def bash(self, text: str, *, expected: int = 0) -> None:
        state = self.folder / "exported"
        load = f". {state}\n" if state.exists() else ""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{load}{text}\nexport -p > {state}"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.printed = done.stdout
        assert done.returncode == expected, f"{text}\n{done.stdout}\n{done.stderr}"

    def python(self, text: str) -> None:
        file = self.folder / "example.py"
        file.write_text(text)
        self.bash(f"{sys.executable} {file}")

    def up(self, text: str) -> None:
        """Start what runs until it is stopped, and wait until it says that it runs."""
        log = self.folder / "up.log"
        self.files.append(log.open("w"))
        self.site = subprocess.Popen(
            ["bash", "-c", f"exec {text}"],
            cwd=self.folder,
            env=self.environment,
            stdout=self.files[-1],
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + UP_S
        while "running;" not in log.read_text():
            assert self.site.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        self.printed = log.read_text()

    def close(self) -> None:
        if self.site is not None and self.site.poll() is None:
            self.site.send_signal(signal.SIGINT)
            try:
                self.site.wait(60)
            except subprocess.TimeoutExpired:
                self.site.kill()
                self.site.wait()
        for file in self.files:
            file.close()


def environment(**more: str) -> dict[str, str]:
    """The environment without settings of ours, with this Python's commands first."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HUB_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, **more}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "tests").symlink_to(ROOT / "tests")
    found = Reader(folder, environment())
    yield found
    found.close()


@pytest.mark.kafka
@pytest.mark.parametrize("block", SHOWN, ids=lambda block: block.name)
def test_the_readme_does_what_it_says(reader: Reader, block: Block) -> None:
    match block.language:
        case "bash" if " up " in block.text:
            reader.up(block.text)
        case "bash":
            reader.bash(block.text)
        case "python":
            missing = [name for name in DESERIALIZER_NEEDS if not importlib.util.find_spec(name)]
            if missing:
                pytest.skip(f"confluent_kafka.schema_registry needs {', '.join(missing)}")
            reader.python(block.text)
            assert re.fullmatch(r"[0-9a-f-]{36} vehicle\.passage 29A12345\n", reader.printed)
        case "json":
            wanted = json.loads(block.text)
            lines = [json.loads(line) for line in reader.printed.splitlines()]
            assert any(holds(line, wanted) for line in lines), reader.printed
        case _:
            words = set(re.findall(r"\b[a-z_]{2,}\b", block.text))
            assert words <= set(re.findall(r"\b[a-z_]{2,}\b", reader.printed)), reader.printed


def holds(whole: Any, part: Any) -> bool:
    """Whether every key and value of the part stands in the whole."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and holds(whole[key], value) for key, value in part.items()
        )
    return bool(whole == part)


def test_every_block_has_a_language_the_tests_know() -> None:
    known = {
        "README.md": {"sh", "bash", "python", "json", ""},
        "connectors/README.md": {"bash", "python", "json", "toml"},
    }
    for document, languages in known.items():
        assert {block.language for block in blocks(document)} <= languages, document


# connectors/README.md

CONNECTORS = "connectors/README.md"
RUN = "**6. Run it.**"


class Step(NamedTuple):
    """A block of the tutorial; a reader saves it as `file` when the text before it says so."""

    block: Block
    file: str


def steps(heading: str, *, after: str = "", before: str = "\n## ") -> list[Step]:
    """The blocks of a section or a part of it, each with the name its text gives it."""
    text = (ROOT / CONNECTORS).read_text("utf-8").partition(f"\n## {heading}\n")[2]
    section = text.partition("\n## ")[0].partition(after)[2] if after else text
    section = section.partition(before)[0]
    found = []
    for number, match in enumerate(
        re.finditer(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL), 1
    ):
        before = section[: match.start()].rstrip().rpartition("\n")[2]
        file = re.search(r"[Ss]ave it as `([^`]+)`:$", before)
        name = f"{number}-{match[1]}"
        found.append(Step(Block(name, match[1], match[2]), file[1] if file else ""))
    return found


def follow(reader: Reader, step: Step) -> None:
    """Do what the block says; a comment says which exit code is right where it is not 0."""
    if step.file:
        (reader.folder / step.file).write_text(step.block.text, "utf-8")
    elif " up " in step.block.text:
        reader.up(step.block.text)
    elif not re.search(r"# exit code|^cd ", step.block.text, re.MULTILINE):
        reader.bash(step.block.text)
    else:
        lines = step.block.text.splitlines()
        for line in lines:
            expected = re.search(r"# exit code (\d)", line)
            reader.bash(f"{line}\n", expected=int(expected[1]) if expected else 0)
            if line.startswith("cd "):
                reader.folder /= line.removeprefix("cd ")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader who has walked through the tutorial, word for word, until it is to run."""
    reader = Reader(tmp_path_factory.mktemp("tutorial"), environment())
    for step in steps("Write one in thirty minutes", before=RUN):
        follow(reader, step)
    return reader


@pytest.fixture(scope="module")
def installed(walked: Reader) -> Iterator[Reader]:
    """The same, where the package was installed: its entry point is found."""
    folder = walked.folder
    info = folder / "example_loops-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example-loops\nVersion: 1\n")
    points = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    (entry,) = points["hub.connectors"].items()
    (info / "entry_points.txt").write_text(f"[hub.connectors]\n{entry[0]} = {entry[1]}\n")
    reader = Reader(folder, environment(PYTHONPATH=str(folder)))
    yield reader
    reader.close()
    shutil.rmtree(info)


def test_the_tutorial_ends_with_a_connector_that_keeps_every_rule(walked: Reader) -> None:
    assert "2 passed" in walked.printed
    lines = (walked.folder / "samples/first.json.expected.jsonl").read_text("utf-8").splitlines()
    first, second, third = map(json.loads, lines)
    assert first["event"]["body"]["vehicle_count"] == 12
    assert second["event"]["body"]["speed_kmh"] is None
    assert first["event"]["header"]["observed_at"] == "2026-03-01T01:14:00.000000Z"
    assert third["rejected"]["path"] == "[2]/lane"


def test_the_tutorial_begins_with_the_command_that_makes_all() -> None:
    first = steps("Write one in thirty minutes")[0].block
    assert first.text.startswith("hub connector new ")
    text = (ROOT / CONNECTORS).read_text("utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections[0] == "Write one in thirty minutes"


def test_the_connector_of_the_tutorial_is_found_once_it_is_installed(installed: Reader) -> None:
    installed.bash("hub connector list --json")
    found = [json.loads(line) for line in installed.printed.splitlines()]
    (own,) = (each for each in found if each["name"] == "example_loops")
    assert (own["module"], own["tier"]) == ("example_loops", "bronze")


@pytest.mark.slow
@pytest.mark.kafka
def test_the_tutorial_ends_with_a_source_whose_events_arrive(installed: Reader) -> None:
    *first, curl, last = steps("Write one in thirty minutes", after=RUN)
    for step in first:
        follow(installed, step)
    assert installed.printed.endswith("  samples/first.json\n")
    assert "✗" not in installed.printed
    follow(installed, curl)
    assert json.loads(installed.printed)["payload_id"]
    follow(installed, last)
    explained, refused = installed.printed.partition("\ncount ")[::2]
    assert "traffic.measurement.v1" in explained
    assert "loops-giai-phong  example_loops 1" in refused


def test_the_connector_of_the_tutorial_is_in_the_house_style(walked: Reader) -> None:
    ruff = shutil.which("ruff", path=environment()["PATH"])
    assert ruff is not None
    command = [ruff, "check", "--config", str(ROOT / "pyproject.toml"), "example_loops.py"]
    done = subprocess.run(command, cwd=walked.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_mapping_reads_the_same_payload_as_the_module(walked: Reader) -> None:
    for step in steps("Without Python: a mapping"):
        follow(walked, step)
    lines = walked.printed.splitlines()
    by_module = (walked.folder / "samples/first.json.expected.jsonl").read_text().splitlines()
    for line, other in zip(lines[:2], by_module[:2], strict=True):
        assert json.loads(line)["event"]["body"] == json.loads(other)["event"]["body"]
    assert json.loads(lines[2])["rejected"]["path"] == "[2]/lane"


def test_the_connectors_stand_in_the_document_as_they_are() -> None:
    text = (ROOT / CONNECTORS).read_text("utf-8")
    told = "run: hub connector list --markdown connectors/README.md"
    found = of_this_package(connectors().values())
    assert with_parts(text, found, where=CONNECTORS) == text, told


def test_the_example_entries_are_entries_of_a_source() -> None:
    for name, connector in connectors().items():
        config = Config.model_validate(tomllib.loads(example_entry(connector)))
        (source,) = config.source.values()
        assert source.connector == name
        assert set(source.options) <= set(connector.options.model_fields)


def test_every_connector_is_in_the_contract_that_keeps_them_apart() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    listed = next(each["modules"] for each in contracts if "know each other" in each["name"])
    wanted = sorted(f"connectors.{each.name}" for each in of_this_package(connectors().values()))
    missing = [f'  "{name}",' for name in wanted if name not in listed]
    told = "add to 'connectors do not know each other' in pyproject.toml"
    assert not missing, "\n".join((told, *missing))
    assert listed == wanted


def test_the_table_of_helpers_is_complete_and_in_order() -> None:
    text = (ROOT / "connectors/README.md").read_text("utf-8").split("## Shared helpers")[1]
    modules = {path.stem for path in (ROOT / "connectors/_formats").glob("*.py")} - {"__init__"}
    assert re.findall(r"^\| `(\w+)`", text, re.MULTILINE) == sorted(modules)
