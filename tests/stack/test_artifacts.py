import json
import shutil
import socket

import pytest

from hub.stack import StackError, artifacts, fetch


@pytest.fixture
def pins(tmp_path, monkeypatch):
    """A cache of its own and one small pinned file, so that no test downloads 200 MB."""
    pinned = json.loads(artifacts.PINS_FILE.read_text())
    name, values = min(pinned["kafka"].items(), key=lambda item: item[1]["size"])
    small = tmp_path / "artifacts.json"
    small.write_text(json.dumps({"kafka": {name: values}, "registry": pinned["registry"]}))
    monkeypatch.setattr(artifacts, "PINS_FILE", small)
    shared = artifacts.cache_folder() / "repository" / artifacts.Pin(name, **values).path
    monkeypatch.setenv("HUB_CACHE", str(tmp_path / "cache"))
    target = tmp_path / "cache" / "repository" / artifacts.Pin(name, **values).path
    return name, shared, target


@pytest.fixture
def no_network(monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, dead)
        yield


def test_every_pin_has_a_version_a_hash_and_a_size():
    pinned = json.loads(artifacts.PINS_FILE.read_text())
    for coordinate, values in (pinned["kafka"] | pinned["registry"]).items():
        assert len(coordinate.split(":")) in {3, 5}
        assert len(values["sha256"]) == 64
        assert values["size"] > 0


def test_a_failed_download_says_what_where_and_how_to_mend_it(pins, no_network):
    with pytest.raises(StackError, match="could not be fetched after 3 attempts") as caught:
        fetch(registry=False)
    assert pins[0] in caught.value.what
    assert caught.value.where.endswith("cache")
    assert "HTTPS_PROXY" in caught.value.fix


@pytest.mark.kafka
def test_files_once_verified_need_no_network(pins, no_network, stack):
    _, shared, target = pins
    target.parent.mkdir(parents=True)
    shutil.copy(shared, target)
    assert fetch(registry=False).kafka == (target,)
    assert fetch(registry=False).kafka == (target,)


@pytest.mark.kafka
def test_a_changed_file_is_noticed_and_never_used(pins, no_network, stack):
    _, shared, target = pins
    target.parent.mkdir(parents=True)
    shutil.copy(shared, target)
    fetch(registry=False)
    target.write_bytes(b"x" * target.stat().st_size)
    with pytest.raises(StackError, match="could not be fetched"):
        fetch(registry=False)


def test_a_full_disk_is_refused_before_anything_is_fetched(pins, monkeypatch):
    full = shutil._ntuple_diskusage(10, 10, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(StackError, match="needs 1 GiB"):
        fetch(registry=False)
