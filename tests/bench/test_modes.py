"""Every mode of the benchmark with a few events: what it writes is right. Times are not judged.

The modes check their own output (`hub.bench.verify`) and fail when an event is lost or repeated.
"""

import json

import pytest

from hub.bench import latency, process, recovery
from hub.bench.peering import install
from hub.cli import main

pytestmark = pytest.mark.kafka


def quiet(_text: str) -> None:
    """Say nothing."""


@pytest.mark.slow
def test_process_is_measured_beside_copying(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "process", "--events", "12000", "--runs", "1", "--profile", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["mode"] for row in told["rows"]] == [
        "copy bytes (the limit)",
        "copy bytes in transactions",
        "process, plate reads, 1 worker",
    ]
    assert told["rows"][0]["ratio_to_limit"] == 1
    assert {"head", "window", "produce", "commit"} & {row["part"] for row in told["profile"]}


@pytest.mark.long
@pytest.mark.parametrize(
    "setup",
    [
        process.Setup(workers=2),
        process.Setup("city"),
        process.Setup(backlog=True),
        process.Setup(bare=True),
    ],
    ids=lambda setup: setup.name,
)
def test_process_is_right_in_every_setup(setup: process.Setup) -> None:
    result = process.measure(5_000, 1, [setup], say=quiet)
    assert setup.name == result.rows[-1]["mode"]
    if setup.mix == "plates":
        # HTMOC's pseudonyms are as long as what they stand for, and compress worse.
        assert all(50 < result.figures[f"{who}_bytes"] < 1_000 for who in ("htmoc", "police"))


@pytest.mark.long
@pytest.mark.parametrize("name", ["faust", "quix", "streams"])
def test_a_peer_writes_what_it_should(name: str) -> None:
    peers, skipped = install([name])
    if skipped:
        pytest.skip(skipped[name])
    result = process.measure(5_000, 1, [process.Setup()], peers=peers, say=quiet)
    assert peers[0].name == result.rows[-1]["mode"]


@pytest.mark.long
@pytest.mark.parametrize("number", range(3))
def test_every_event_reaches_the_subscriber_once(number: int) -> None:
    line = latency.lines(rate=200, raw_rate=50, urgent_rate=10, backlog=5_000)[number]
    rows, _ = latency.measure([line], 4, say=quiet)
    assert 0 < rows[0]["p50_ms"] <= rows[0]["p99_ms"] <= rows[0]["max_ms"]


@pytest.mark.slow
def test_every_payload_taken_is_on_its_raw_topic(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "ingest", "--payloads", "3000", "--runs", "1", "--connections", "8", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"][-1]["mode"] == "ingest, durable before it answers"
    assert len(told["rows"]) + len(told["skipped"]) == 2


@pytest.mark.slow
def test_a_window_is_recovered_whole() -> None:
    row, figures = recovery.measure(20_000, 100, say=quiet)
    assert (row["ids"], row["records"]) == (20_000, 200)
    assert figures["recovered_ids_per_s"] > 0
