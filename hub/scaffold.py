"""`hub connector new`: a module, a payload, its expected outcomes and a test, green at once."""

import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

from hub.connector_table import of_this_package, put
from hub.discovery import connector_at, connector_names, connectors
from hub.errors import ConfigError
from hub.testing import update_expected

__all__ = ["Scaffold", "add_to_contract", "checkout", "scaffold"]

_NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")
_TITLE = re.compile(r"[^\"\\\x00-\x1f]{3,90}")
_CONTRACT = re.compile(
    r'(name = "connectors do not know each other"\n.*?modules = \[\n)(.*?)(\])', re.DOTALL
)

_PAYLOAD = """\
[{"device": "gate-1", "time": "2026-03-01 08:14:00", "what": "line crossed", "object": "car"},
 {"device": "gate-1", "time": "2026-03-01 08:14:20", "what": "line crossed"},
 {"device": "gate-2", "time": "2026-03-01 08:14:30"}]
"""

_META = """\
{"content_type": "application/json", "received_at": "2026-03-01T08:15:00+07:00"}
"""

_MODULE = Template('''\
"""$title.

Known: the fields below. Inferred: nothing. Not read: everything else.
"""

from collections.abc import Iterator
from typing import Any

from connectors._formats.json import a_list, a_text, an_object, parse_json, shown
from connectors._formats.times import read_stamp
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each row; a bad row never hides its neighbours."""
    rows = a_list(parse_json(payload.body, records=[()]), ())
    if not rows:
        yield Nothing(why="nothing was reported")
    for place, row in enumerate(rows):
        try:
            yield _event(an_object(row, (place,)), place, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)


def _event(row: dict[str, Any], place: int, payload: Payload, options: Options) -> Event:
    if not row.get("what"):
        path = shown((place, "what"))
        raise PayloadError("what happened is not said", code="missing-field", path=path)
    time = a_text(row.get("time"), (place, "time"))
    stamp = read_stamp(time, received_at=payload.received_at, options=options)
    return Event(
        noun="detection",
        kind="detection",
        device_ref=a_text(row.get("device"), (place, "device")),
        observed_at=stamp.at,
        time_quality=stamp.quality,
        quality_flags=stamp.flags,
        body={
            "rule": a_text(row["what"], (place, "what")),
            "target": a_text(row.get("object"), (place, "object")),
        },
    )


connector = Connector(
    name="$name",
    title="$title",
    parse=parse,
    emits=("detection",),
    identity={"detection": ("body.rule", "body.target")},
)
''')

_TEST = Template('''\
"""`$name`: every row alone, and what is said of a bad one."""

$imports

AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)


def outcomes(body):
    return list(parse(Payload(body=body, received_at=AT), Options()))


def test_a_row_that_says_nothing_is_refused_alone():
    found = outcomes(b\'[{"device": "g", "what": "x"}, {"device": "g"}, {"what": "y"}]\')
    assert [type(each) for each in found] == [Event, Rejection, Event]
    assert found[1].path == "[1]/what"


def test_a_local_stamp_is_of_the_sources_zone():
    (found,) = outcomes(b\'[{"what": "x", "time": "2026-03-01 08:14:00"}]\')
    assert found.observed_at == datetime(2026, 3, 1, 1, 14, tzinfo=UTC)
    assert found.time_quality == "ASSUMED_ZONE"
$conformance''')

_CONFORMANCE = """

def test_the_connector_keeps_every_rule():
    samples = Path(__file__).parents[1] / "samples"
    assert [str(problem) for problem in check_connector(connector, samples)] == []
"""

_PROJECT = Template("""\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "$dashed"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["hanoi-event-hub"]

[project.entry-points."hub.connectors"]
$name = "$name:connector"

[tool.setuptools]
py-modules = ["$name"]

[tool.pytest.ini_options]
pythonpath = ["."]
testpaths = ["tests"]
""")


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What was made, in the order to read it, and the folder of its samples."""

    module: Path
    samples: Path
    files: tuple[Path, ...]


def checkout(folder: Path) -> bool:
    """Whether a folder is a checkout of the hub."""
    return (folder / "hub" / "connector.py").exists() and (folder / "connectors").is_dir()


def scaffold(name: str, folder: Path | None, *, title: str, here: Path) -> Scaffold:
    """Make the files, in the checkout `here` or in a folder of one's own; all or none of them.

    `ConfigError` says what is wrong with the name, or which file is there already.
    """
    _check_name(name)
    title = title or _title_of(name)
    if not _TITLE.fullmatch(title):
        raise ConfigError(
            "a title is one line of 3 to 90 letters without quotes and backslashes",
            where="--title",
            fix="name the system and its versions, and how it sends",
        )
    if folder is None and not checkout(here):
        raise ConfigError(
            "this is no checkout of the hub",
            where=str(here),
            fix=f"name a folder for a package of your own: hub connector new {name} --folder DIR",
        )
    words = {"name": name, "dashed": name.replace("_", "-"), "title": title}
    made = _package(folder, words) if folder is not None else _in_checkout(here, words)
    taken = [str(path) for path in made if path.exists()]
    if taken:
        raise ConfigError(
            f"it is there already{f' (and {len(taken) - 1} more)' if taken[1:] else ''}",
            where=taken[0],
            fix="choose another name or folder; nothing was written",
        )
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    module, payload = (next(p for p in made if p.name == n) for n in (f"{name}.py", "first.json"))
    update_expected(connector_at(module), payload.parent)
    if folder is None:
        add_to_contract(here / "pyproject.toml", name)
        _tell(here / "connectors" / "README.md", module)
    expected = payload.with_name(f"{payload.name}.expected.jsonl")
    return Scaffold(module, payload.parent, (*made, expected))


def add_to_contract(project: Path, name: str) -> bool:
    """List a connector among those that do not know each other; whether it was missing."""
    text = project.read_text("utf-8")
    found = _CONTRACT.search(text)
    if found is None:
        raise ConfigError(
            "no contract is named 'connectors do not know each other'",
            where=str(project),
            fix="restore it: an import contract of the type independence",
        )
    line = f'  "connectors.{name}",\n'
    lines = found[2].splitlines(keepends=True)
    if line in lines:
        return False
    listed = "".join(sorted([*lines, line]))
    project.write_text(f"{text[: found.start(2)]}{listed}{text[found.end(2) :]}", "utf-8")
    return True


def _tell(document: Path, module: Path) -> None:
    """Write the table of connectors with the new one in it."""
    if document.exists():
        put(document, [*of_this_package(connectors().values()), connector_at(module)])


def _check_name(name: str) -> None:
    what = ""
    if not _NAME.fullmatch(name):
        what = "a name is 2 to 41 small letters, digits and underscores, and begins with a letter"
    elif keyword.iskeyword(name) or name in sys.stdlib_module_names:
        what = f"{name!r} means something else in Python"
    elif name in connector_names() or name in {"hub", "schemas", "connectors", "streams"}:
        what = f"{name!r} is taken"
    if what:
        raise ConfigError(what, where="NAME", fix="name the system, such as vendor_device")


def _title_of(name: str) -> str:
    words = name.replace("_", " ")
    return f"{words[0].upper()}{words[1:]}: a JSON list with one report a row"


def _in_checkout(root: Path, words: dict[str, str]) -> dict[Path, str]:
    name = words["name"]
    samples = root / "tests" / "samples" / name
    imports = [
        "from datetime import UTC, datetime",
        "",
        f"from connectors.{name} import parse",
        "from hub import Event, Options, Payload, Rejection",
    ]
    test = _TEST.substitute(words, imports="\n".join(imports), conformance="")
    return {
        root / "connectors" / f"{name}.py": _MODULE.substitute(words),
        samples / "first.json": _PAYLOAD,
        samples / "first.json.meta.json": _META,
        root / "tests" / "connectors" / f"test_{name}.py": test,
    }


def _package(folder: Path, words: dict[str, str]) -> dict[Path, str]:
    name = words["name"]
    imports = [
        "from datetime import UTC, datetime",
        "from pathlib import Path",
        "",
        f"from {name} import connector, parse",
        "",
        "from hub import Event, Options, Payload, Rejection",
        "from hub.testing import check_connector",
    ]
    test = _TEST.substitute(words, imports="\n".join(imports), conformance=_CONFORMANCE)
    return {
        folder / "pyproject.toml": _PROJECT.substitute(words),
        folder / f"{name}.py": _MODULE.substitute(words),
        folder / "samples" / "first.json": _PAYLOAD,
        folder / "samples" / "first.json.meta.json": _META,
        folder / "tests" / f"test_{name}.py": test,
    }
