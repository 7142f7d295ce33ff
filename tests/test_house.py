"""The house rules that no linter knows: licence, lock, sizes, versions, what is never written."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hub

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
GENERATED = set(PROJECT["tool"]["ruff"]["extend-exclude"])
PACKAGES = ("hub", "schemas", "connectors", "streams")
LINES_MAX = 400
FUNCTION_LINES_MAX = 60
REGISTRIES = re.compile(r"://[a-z0-9.-]*(?:npm|maven|pypi|pythonhosted|golang|crates)[a-z0-9.-]*")
MACHINE_PATHS = re.compile(r"(?:^|[^\w.$}-])/(?:work|root|home)/[a-z]", re.MULTILINE)


@cache
def files() -> tuple[Path, ...]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files() -> Iterator[tuple[str, str]]:
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py" and name not in GENERATED:
            yield name, path.read_text("utf-8")


def locked() -> dict[str, tuple[str, list[str]]]:
    """Version and hashes by name, from the lock's logical lines."""
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    pins = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = re.match(r"([a-z0-9.-]+)==(\S+)", line)
        assert found, f"not a pinned requirement: {line[:60]}"
        pins[found[1]] = (found[2], re.findall(r"--hash=sha256:[0-9a-f]{64}(?!\S)", line))
    return pins


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert text.split()[:5] == ["Apache", "License", "Version", "2.0,", "January"]
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_locked_package_has_hashes_and_no_line_names_a_host_or_a_path() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert [name for name, (_, hashes) in locked().items() if not hashes] == []
    assert "://" not in text
    assert re.findall(r"^\s*-(?!-hash=sha256:).*", text, re.MULTILINE) == []


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = PROJECT["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *PROJECT["build-system"]["requires"],
    ]
    pins = locked()
    missing = [
        text
        for text in wanted
        for requirement in [Requirement(text)]
        for version, _ in [pins.get(canonicalize_name(requirement.name), ("0", []))]
        if not requirement.specifier.contains(version) or version == "0"
    ]
    assert missing == [], "run `make lock`"


def test_long_modules_say_why() -> None:
    long = [
        f"{name}: {lines} lines"
        for name, text in python_files()
        if (lines := len(text.splitlines())) > LINES_MAX
        and not re.search(r"^# more than 400 lines: \S", text, re.MULTILINE)
    ]
    assert long == [], "split them, or say `# more than 400 lines: why`"


def test_long_functions_say_why() -> None:
    long = []
    for name, text in python_files():
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            # A reason stands in the function, or right above it.
            around = lines[max(0, node.lineno - 3) : node.end_lineno]
            if length > FUNCTION_LINES_MAX and not any(
                re.search(r"# longer than 60 lines: \S", line) for line in around
            ):
                long.append(f"{name}:{node.lineno} {node.name}: {length} lines")
    assert long == [], "split them, or say `# longer than 60 lines: why`"


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS], ids=["registries", "paths"])
def test_no_file_names_a_package_registry_or_a_machine_path(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0].strip()}"
        for path in files()
        # Recorded payloads are kept as they came.
        if "samples" not in path.parts
        for match in [pattern.search(path.read_text("utf-8", errors="replace"))]
        if match
    ]
    assert found == []


def test_package_project_and_changelog_have_one_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[?v?(\d+\.\d+\.\d+\S*?)\]?(?:\s|$)", changelog, re.MULTILINE)
    assert newest, "CHANGELOG.md has no heading `## X.Y.Z`"
    assert hub.__version__ == PROJECT["project"]["version"] == newest[1]


def test_ops_holds_no_python() -> None:
    ops = [path for path in files() if path.relative_to(ROOT).parts[0] == "ops"]
    assert ops
    assert [path for path in ops if path.suffix in {".py", ".pyi", ".ipynb"}] == []
    assert [path for path in ops if re.match(rb"#!.*python", path.read_bytes()[:80])] == []


def test_public_names_are_listed_in_order() -> None:
    def order(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    unsorted, listed = [], set()
    for path, text in python_files():
        if path.split("/")[0] not in PACKAGES:
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names = ast.literal_eval(node.value)
                listed.add(path)
                if names != sorted(names, key=order):
                    unsorted.append(path)
    assert unsorted == []
    assert {"hub/__init__.py", "schemas/__init__.py"} <= listed


@pytest.mark.parametrize("document", ["README.md", ".github/CONTRIBUTING.md", "ops/README.md"])
def test_documents_name_only_files_that_exist(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    named = re.findall(r"`((?:hub|schemas|connectors|streams|ops|tests|\.ci)/[\w./-]*)`", text)
    example = re.compile(r"schemas/released/N$")
    missing = [name for name in named if not example.search(name) and not (ROOT / name).exists()]
    assert missing == []
