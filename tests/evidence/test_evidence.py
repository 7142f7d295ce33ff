"""The evidence store: bytes by their hash, never damaged, never lost once stored."""

import hashlib
import threading
import uuid

import pytest

from hub.errors import ConfigError, EnvironmentNotReadyError, RecordError
from hub.evidence import EvidenceStore

DATA = b"a picture" * 1000
NAME = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["folder", "file url", "memory"])
def store(request, tmp_path):
    places = {
        "folder": str(tmp_path / "evidence"),
        "file url": f"file://{tmp_path}/evidence",
        "memory": f"memory://evidence-{uuid.uuid4()}",
    }
    return EvidenceStore.open(places[request.param])


def test_what_is_stored_comes_back_under_its_hash(store):
    assert store.put(DATA, "picture") == NAME
    assert store.get(NAME) == DATA
    assert store.get(f"sha256:{NAME}") == DATA
    assert store.exists(NAME)


def test_storing_twice_is_one_object(store):
    assert store.put(DATA, "picture") == store.put(DATA, "picture")
    assert store.get(NAME) == DATA


def test_missing_bytes_are_a_record_error(store):
    assert not store.exists("0" * 64)
    with pytest.raises(RecordError) as caught:
        store.get("0" * 64)
    assert caught.value.code == "evidence-missing"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 63, "A" * 64, "sha256:", "0" * 65])
def test_only_a_hash_is_a_name(store, name):
    with pytest.raises(RecordError) as caught:
        store.get(name)
    assert caught.value.code == "evidence-name"
    with pytest.raises(RecordError):
        store.exists(name)


def test_damaged_bytes_are_never_handed_out(tmp_path):
    store = EvidenceStore.open(str(tmp_path))
    store.put(DATA, "picture")
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    path.write_bytes(DATA[:-1] + b"?")
    with pytest.raises(RecordError) as caught:
        store.get(NAME)
    assert caught.value.code == "evidence-corrupt"


def test_a_half_written_object_is_written_anew(tmp_path):
    store = EvidenceStore.open(str(tmp_path))
    store.put(DATA, "picture")
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    path.write_bytes(DATA[:10])
    store.put(DATA, "picture")
    assert store.get(NAME) == DATA


def test_many_threads_store_the_same_bytes(tmp_path):
    store = EvidenceStore.open(str(tmp_path))
    names = []
    threads = [
        threading.Thread(target=lambda: names.append(store.put(DATA, "picture"))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == [NAME] * 16
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [NAME[2:]]


def test_a_store_that_is_gone_is_not_a_missing_object(tmp_path):
    store = EvidenceStore.open(str(tmp_path / "mount"))
    (tmp_path / "mount").rmdir()
    with pytest.raises(EnvironmentNotReadyError):
        store.get(NAME)


def test_a_folder_that_can_not_be_made_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentNotReadyError, match="evidence store"):
        EvidenceStore.open(str(tmp_path / "file" / "evidence"))


def test_a_missing_backend_names_the_package_and_never_the_url():
    with pytest.raises(ConfigError, match="pip install s3fs") as caught:
        EvidenceStore.open("s3://user:hunter2@bucket/prefix")
    assert "hunter2" not in str(caught.value)


def test_an_unknown_kind_of_url_is_refused():
    with pytest.raises(ConfigError, match="fsspec"):
        EvidenceStore.open("nonsense://place")
