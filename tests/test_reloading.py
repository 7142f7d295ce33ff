"""What a changed configuration means, and a process that takes it between two batches."""

import json

import pytest

from hub.config import Config
from hub.discovery import connector_names, look_again
from hub.errors import ConfigError
from hub.reloading import Answer, Changes, Reload, running


def config(data, **sources) -> Config:
    return Config.model_validate(
        {"data": data, "source": {name: {"connector": c} for name, c in sources.items()}}
    )


def answered(data, process: str = "normalise-bulk.one") -> dict:
    return json.loads((data / "reload" / f"{process}.json").read_text())


def test_changes_name_sources_and_what_needs_a_restart(tmp_path):
    old = config(tmp_path, a="cap", b="cap", c="cap")
    new = config(tmp_path, a="cap", b="spat", d="cap").model_copy(update={"metrics_port": 7})
    assert Changes.between(old, new) == Changes(("d",), ("b",), ("c",), ("metrics_port",))
    assert Changes.between(old, old, stale=["a"]) == Changes(changed=("a",))


def test_nothing_happens_until_it_is_asked_for(tmp_path):
    reload = Reload(config(tmp_path), lambda: pytest.fail("not asked for"), "normalise-bulk.one")
    reload.poll(lambda _: pytest.fail("not asked for"))


def test_it_is_taken_once_and_answered(tmp_path):
    new = config(tmp_path, a="cap")
    reload = Reload(config(tmp_path), lambda: new, "normalise-bulk.one")
    taken = []
    reload.ask()
    reload.poll(taken.append)
    reload.poll(taken.append)
    assert taken == [new]
    assert reload.config is new
    assert answered(tmp_path)["changes"]["added"] == ["a"]


def test_what_cannot_be_taken_is_answered_and_kept_out(tmp_path):
    old = config(tmp_path)
    reload = Reload(old, lambda: config(tmp_path, a="cap"), "normalise-bulk.one")

    def refuse(_):
        raise ConfigError("wrong option", where="source.a.options.size", fix="remove it")

    reload.ask()
    reload.poll(refuse)
    assert reload.config is old
    assert answered(tmp_path)["error"] == (
        "source.a.options.size: wrong option. To mend it: remove it"
    )


def test_slots_that_nobody_holds_are_not_told(tmp_path):
    (tmp_path / "slots").mkdir()
    (tmp_path / "slots/ingest.one").write_text("1\n")
    assert running(tmp_path) == {}


def test_an_answer_replaces_the_one_before(tmp_path):
    Answer("ingest.one", error="first").write(tmp_path)
    Answer("ingest.one").write(tmp_path)
    assert answered(tmp_path, "ingest.one")["error"] == ""


def test_a_connector_that_was_installed_since_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "late_loops" not in connector_names()
    (info := tmp_path / "late_loops-1.dist-info").mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: late_loops\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[hub.connectors]\nlate_loops = late_loops:connector\n")
    reload = Reload(config(tmp_path), lambda: config(tmp_path), "normalise-bulk.one")
    reload.ask()
    found = []
    reload.poll(lambda _: found.extend(connector_names()))
    assert "late_loops" in found
    monkeypatch.undo()
    look_again()
