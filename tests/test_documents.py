"""What the documents name is there: links, commands with their options, targets, sections."""

import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from hub.cli import main
from hub.engine import failpoint

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md",
    "CHANGELOG.md",
    ".github/CONTRIBUTING.md",
    "connectors/README.md",
    "ops/README.md",
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_only_targets_that_exist(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|[`;] ?)make ([a-z][a-z-]*)", text, re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    file = ROOT / document
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        assert not path or (file.parent / path).exists(), target
        headings = re.findall(
            r"^#+ (.+)$",
            (file.parent / path if path else file).read_text("utf-8") if anchor else "",
            re.MULTILINE,
        )
        made = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert not anchor or anchor in made, target


def commands_in(document: str) -> Iterator[list[str]]:
    """The words after `hub` of every command a document names, in its text and its blocks."""
    text = re.sub(r"\\\n\s*", "", (ROOT / document).read_text("utf-8"))
    in_text = re.findall(r"`(?:[A-Z_]+=\S+ )*hub ([^`]*)`", text)
    in_blocks = re.findall(r"^(?:[^`\n]*\| )?hub (.*)$", text, re.MULTILINE)
    for words in (command.split() for command in (*in_text, *in_blocks)):
        yield words[2:] if words[:1] == ["--config"] else words


def help_of(*words: str) -> str:
    with redirect_stdout(StringIO()) as out, redirect_stderr(out):
        main([*words, "--help"])
    return out.getvalue()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_only_commands_and_options_that_exist(document: str) -> None:
    unknown = []
    for words in commands_in(document):
        if not words or not re.fullmatch("[a-z]+", words[0]):
            continue  # the command itself, or an option of it
        named = words[: 2 if "COMMAND" in help_of(words[0]).split("\n")[0] else 1]
        shown = help_of(*named)
        options = [word for word in words if re.fullmatch(r"--[a-z-]+", word)]
        if not shown.startswith(f"usage: hub {' '.join(named)}") or "invalid choice" in shown:
            unknown.append(" ".join(words))
        unknown += [f"{' '.join(named)} {each}" for each in options if each not in shown]
    assert unknown == []


def test_the_failpoints_are_all_told() -> None:
    text = (ROOT / ".github/CONTRIBUTING.md").read_text("utf-8")
    assert [name for name in failpoint.NAMES if f"`{name}`" not in text] == []


def test_every_section_that_an_error_points_to_is_there() -> None:
    headings = set(
        re.findall(r"^#+ (.+)$", (ROOT / "ops/README.md").read_text("utf-8"), re.MULTILINE)
    )
    named = {
        section
        for file in (ROOT / "hub").rglob("*.py")
        for section in re.findall(r"'([^'\n]+)' in ops/README\.md", file.read_text("utf-8"))
    }
    assert named
    assert named <= headings
