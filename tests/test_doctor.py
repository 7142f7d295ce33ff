"""What `hub doctor` says of entries and stages; the rest needs Kafka: tests/cli."""

import hashlib
import sys
import time

import pytest

from hub.config import Config
from hub.doctor import _keys, _stages
from hub.errors import ConfigError
from hub.supervisor import LATELY_S, Supervisor, ended_lately

REAL = hashlib.sha256(b"a key").hexdigest()
ZEROS = "0" * 64
EMPTY = hashlib.sha256(b"").hexdigest()


def of_keys(**auth):
    config = Config.model_validate({"source": {"x": {"connector": "cap", "auth": auth}}})
    return [(each.check, each.state, each.text) for each in _keys(config)]


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        ({"path_sha256": [ZEROS], "allow": ["10.20.0.0/16"]}, "path_sha256 is a placeholder"),
        ({"bearer_sha256": ["F" * 64]}, "bearer_sha256 is a placeholder"),
        (
            {"bearer_sha256": [ZEROS], "path_sha256": [ZEROS, ZEROS]},
            "bearer_sha256 is a placeholder and path_sha256 is a placeholder",
        ),
        ({}, "its entry has none"),
    ],
)
def test_a_source_to_which_nobody_can_push_is_named(auth, why):
    assert of_keys(**auth) == [("source x", "wrong", f"no key fits: {why}")]


def test_a_key_that_is_empty_is_told_also_beside_another():
    told = ("source x", "wrong", "bearer_sha256 is the hash of an empty key")
    assert of_keys(bearer_sha256=[EMPTY]) == [told]
    assert of_keys(bearer_sha256=[REAL, EMPTY]) == [told]


def test_a_key_beside_a_placeholder_is_enough():
    assert of_keys(bearer_sha256=[ZEROS, REAL]) == []
    assert of_keys(bearer_sha256=[REAL], path_sha256=[ZEROS]) == []


@pytest.mark.parametrize(
    ("allow", "whence"),
    [
        (["10.20.0.0/16", "10.21.0.0/16"], "10.20.0.0/16, 10.21.0.0/16"),
        ([], "this machine, as `allow` names no network"),
    ],
)
def test_it_says_from_where_a_secret_path_is_taken(allow, whence):
    found = of_keys(path_sha256=[REAL], allow=allow)
    assert found == [("source x", "note", f"its secret path is taken only from {whence}")]


def test_a_network_that_is_none_is_refused_as_ingest_would():
    with pytest.raises(ConfigError, match="not a network"):
        of_keys(path_sha256=[REAL], allow=["everywhere"])


def test_a_source_that_the_hub_goes_to_needs_no_key():
    poll = {"kind": "http_poll", "url": "http://127.0.0.1:1/"}
    config = Config.model_validate({"source": {"x": {"connector": "cap", "transport": poll}}})
    assert list(_keys(config)) == []


def test_a_stage_that_ends_again_and_again_is_named_with_its_log(tmp_path):
    supervisor = Supervisor(tmp_path / "logs")
    worker = supervisor.add("normalise-bulk", ["run"])
    worker.command = [sys.executable, "-c", "raise SystemExit(1)"]
    supervisor.start()
    config = Config(data=tmp_path)
    assert list(_stages(config)) == []
    states = []
    for _ in range(2):
        worker.process.wait()
        worker.not_before = 0.0
        supervisor.check()
        (finding,) = _stages(config)
        states.append((finding.state, finding.text))
    supervisor.stop()
    assert states == [
        ("note", "normalise-bulk ended once in the last 5 min and was started again"),
        ("wrong", "normalise-bulk ended 2 times in the last 5 min and was started again"),
    ]
    assert finding.fix == f"see {tmp_path / 'logs' / 'normalise-bulk.log'}"
    assert ended_lately(tmp_path / "logs", time.time() + LATELY_S) == {}


def test_a_new_start_of_the_site_forgets_what_ended_before(tmp_path):
    (tmp_path / "ended.json").write_text(f'{{"ingest": [{time.time()}]}}')
    assert ended_lately(tmp_path, time.time()) == {"ingest": 1}
    Supervisor(tmp_path).start()
    assert ended_lately(tmp_path, time.time()) == {}
