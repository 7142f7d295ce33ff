"""`hub reload` before real workers: normalise knows an entry before ingest lets its data in."""

import os
import subprocess
import sys
import tomllib

import pytest
import tomli_w
from ingest_support import KEY, post, sha

from hub import topics
from hub.config import load
from hub.kafka.reading import read_all
from hub.registry import Registry
from hub.site import Site

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def apply(site: Site) -> None:
    registry = Registry(site.config.registry_url)
    try:
        topics.apply(load(site.config_file, {"HUB_ID_KEY": "tests: long enough"}), registry)
    finally:
        registry.close()


def alerts(**more) -> dict:
    return {"connector": "cap", "auth": {"bearer_sha256": [sha(KEY)]}, **more}


def test_every_stage_takes_the_changed_sources_and_a_wrong_option_none(tmp_path):
    with Site(tmp_path, sources={"a": alerts(), "b": alerts()}) as site:
        port = site.config.ingest.port
        values = tomllib.loads(site.config_file.read_text("utf-8"))

        def reload(**sources) -> subprocess.CompletedProcess:
            site.config_file.write_text(tomli_w.dumps({**values, "source": sources}), "utf-8")
            return subprocess.run(
                [sys.executable, "-m", "hub", "--config", str(site.config_file), "reload"],
                env={**os.environ, "HUB_ID_KEY_FILE": str(tmp_path / "id.key")},
                capture_output=True,
                text=True,
                check=False,
            )

        done = reload(a=alerts(purpose="defence"), c=alerts(area_scheme="nso-2025-07"))
        assert done.returncode == 0, done.stderr
        told = [line.partition(": ") for line in done.stdout.splitlines()]
        assert [name.partition(".")[0] for name, _, _ in told] == [
            "normalise-bulk",
            "normalise-urgent",
            "ingest",
        ]
        assert {change for _, _, change in told} == {"added c; changed a; removed b"}
        answers = {id_: post(port, f"/v1/ingest/{id_}", b"<alert/>").status for id_ in "abc"}
        assert answers == {"a": 403, "b": 401, "c": 200}

        wrong = reload(c=alerts(options={"size": 3}))
        assert wrong.returncode == 2
        assert "source.c.options.size" in wrong.stderr
        assert post(port, "/v1/ingest/c", b"<alert/>").status == 200

        signs = {"connector": "spat", "auth": {"bearer_sha256": [sha(KEY)]}}
        early = reload(c=alerts(), signs=signs)
        assert early.returncode == 2
        assert "hub topics apply" in early.stdout + early.stderr
        assert post(port, "/v1/ingest/signs", b"{}").status == 401

        apply(site)
        assert reload(c=alerts(), signs=signs).returncode == 0
        assert post(port, "/v1/ingest/signs", b"{}").status == 200
        letters = site.config.kafka, "dead_letter.v1"
        while not any(b"raw.spat.v1" in each.value() for each in read_all(*letters)):
            site.supervisor.check()

        site.supervisor.hang_up()  # as SIGHUP to `hub run ingest normalise process`
        workers = site.supervisor.workers.values()
        assert all(worker.pid is not None and worker.starts == 1 for worker in workers)
