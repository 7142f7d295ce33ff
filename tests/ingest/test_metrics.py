"""One set of names and labels for every component."""

import urllib.request

import pytest

from hub import metrics
from hub.errors import EnvironmentNotReadyError
from hub.metrics import StageMetrics

NAMES = {
    "hub_records_in_total",
    "hub_records_out_total",
    "hub_records_dropped_total",
    "hub_dead_letters_total",
    "hub_snapshots_unproven_total",
    "hub_errors_total",
    "hub_batch_seconds",
    "hub_event_age_seconds",
    "hub_lag_records",
    "hub_lag_seconds",
    "hub_source_last_payload_timestamp_seconds",
    "hub_source_up",
    "hub_source_state_since_timestamp_seconds",
    "hub_source_paused",
    "hub_ingest_log_bytes",
}


def everything(stage: str) -> StageMetrics:
    counted = StageMetrics(stage, "bulk", "test")
    counted.records_in(3, topic="t", source_id="s")
    counted.records_out(2, topic="t", source_id="s")
    counted.dropped(1, "rule", topic="t", source_id="s")
    counted.dead_letters(1, "malformed", topic="t", source_id="s")
    counted.snapshot_unproven("not-whole", source_id="s")
    counted.error(ValueError("with a secret in its text"))
    counted.batch_seconds(0.1)
    counted.event_age_observer("t")(2.0)
    counted.lag(5, 1.5, topic="t")
    counted.source_heard("s", 1.0)
    counted.source_state("s", up=True, since=1.0)
    counted.source_paused("s", paused=True)
    counted.ingest_log_bytes(10)
    return counted


def test_the_names_are_the_contract():
    everything("names")
    described = {
        line.split()[2] for line in metrics.render().decode().splitlines() if line[:6] == "# TYPE"
    }
    assert described == NAMES


def test_no_histogram_has_a_source():
    everything("histograms")
    for line in metrics.render().decode().splitlines():
        if "_bucket{" in line:
            assert "source_id" not in line


def test_an_error_is_counted_by_kind_without_its_text():
    everything("errors")
    assert metrics.value("hub_errors_total", stage="errors", error="ValueError") == 1
    assert b"secret" not in metrics.render()


def test_a_batch_is_counted_with_one_call():
    StageMetrics("batch", "bulk").records_in(500, topic="t", source_id="s")
    StageMetrics("batch", "bulk").records_in(500, topic="t", source_id="s")
    assert metrics.value("hub_records_in_total", stage="batch") == 1000


def test_a_worker_serves_its_metrics():
    server = metrics.serve(0)
    everything("served")
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        assert b'hub_records_in_total{component="test"' in answer.read()
    server.close()


def test_a_port_in_use_is_named():
    server = metrics.serve(0)
    with pytest.raises(EnvironmentNotReadyError, match=str(server.port)):
        metrics.serve(server.port)
    server.close()
