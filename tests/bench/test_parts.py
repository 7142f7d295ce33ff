"""The parts of the benchmark that need no broker."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import schemas
from hub.bench import pacing, peering, profile, report
from hub.bench.fill import events
from hub.bench.peers.work import Work, cut_of
from hub.bench.process import Result
from hub.bench.running import Measured, run
from hub.bench.verify import _same
from hub.cli import main
from hub.codec import EVENT_ID, Cut, HeadReader, read_long
from hub.errors import ConfigError, EnvironmentNotReadyError, InvariantError

ROOT = Path(report.__file__).parents[2]
STAND_IN = """
import json, sys
def say(what, at=0, **values):
    print(json.dumps({"say": what, "at": at, **values}), flush=True)
say("ready", partitions=int(sys.argv[1]))
sys.stdin.readline()
say("began", at=10, records=100)
say("done", at=11, records=500)
say("done", at=12, records=int(sys.argv[2]))
sys.stdin.read()
"""
RESULTS: dict[str, Any] = {
    "machine": {"machine": "a machine", "cores": 2},
    "events": 1_000,
    "runs": 1,
    "skipped": {"quix": "no network"},
    "process": [{"mode": "copy bytes (the limit)", "events_per_s": 250_000}],
    "profile": [],
    "latency": [{"line": "bulk", "p99_ms": 12.5}],
    "figures": {
        "process_per_s": 50_000.0,
        "normalise_per_s": 3_000.0,
        "broker_mb_per_s": 50.0,
        "raw_bytes": 500.0,
        "canonical_bytes": 200.0,
        "police_bytes": 250.0,
        "htmoc_bytes": 150.0,
        "window_bytes_per_id": 120.0,
        "recovered_ids_per_s": 1_000_000.0,
    },
}


class Ids:
    """Schema ids without a registry."""

    def current(self, _topic: str) -> int:
        return 7


# Running measured processes


def stand_in(tmp_path: Path, partitions: int, records: int) -> Measured:
    words = [sys.executable, "-c", STAND_IN, str(partitions), str(records)]
    return Measured(words, tmp_path / "log")


def test_figures_leave_out_what_was_read_before_the_measured_part(tmp_path: Path) -> None:
    with stand_in(tmp_path, 0, 900) as process:
        figures = run([process], 900)
    assert (figures.events, figures.ended - figures.began, figures.rate) == (800, 2.0, 400.0)


def test_two_workers_count_together_once_all_partitions_are_held(tmp_path: Path) -> None:
    with stand_in(tmp_path, 3, 600) as one, stand_in(tmp_path, 5, 700) as other:
        figures = run([one, other], 1_300, partitions=8)
    assert figures.events == 1_100
    assert figures.peak_mib > 0


def test_a_process_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import sys; sys.exit('out of luck')"]
    with (
        Measured(words, tmp_path / "log") as process,
        pytest.raises(EnvironmentNotReadyError, match="out of luck"),
    ):
        run([process], 1)


def test_a_mode_that_lost_records_has_no_figures() -> None:
    _same("a topic", "records", 5, 5)
    with pytest.raises(InvariantError, match="4 records instead of 5"):
        _same("a topic", "records", 5, 4)


# Events


def test_a_twentieth_of_the_events_comes_twice_and_the_others_are_new() -> None:
    found = list(events(Ids(), "plates", 2_000))  # type: ignore[arg-type]
    ids = {each.value[EVENT_ID] for each in found}
    assert len(found) == 2_000
    assert 0.02 < 1 - len(ids) / 2_000 < 0.09
    likes = {each.like.whole for each in found if each.like}
    assert len(likes) > 0.8 * len(ids), "plates are different, so that nothing is merged"


def test_the_citys_mix_holds_occurrences_and_states() -> None:
    nouns = {each.noun for each in events(Ids(), "city", 1_500)}  # type: ignore[arg-type]
    assert {"plate_read", "detection", "signal_state", "health"} <= nouns


# Peers


def test_a_peer_masks_and_appends_as_the_register_says(tmp_path: Path) -> None:
    event = next(iter(events(Ids(), "plates", 1)))  # type: ignore[arg-type]
    lines = [
        "frames\t0000000001\t0000000002\t00ff00",
        "\t".join((event.key.hex(), str(event.cut.present), b"police".hex(), b"htmoc".hex())),
    ]
    file = tmp_path / "work.tsv"
    file.write_text("\n".join(lines), "ascii")
    police, htmoc = Work(file).outputs(event.value, event.key, cut_of(event.headers))
    assert b"\0\0\0\0\1" + event.value[5:] + b"police" == police
    start, end = event.cut.start, event.cut.end
    assert (
        b"\0\0\0\0\2" + event.value[5:start] + b"\0\xff\0" + event.value[end:] + b"htmoc" == htmoc
    )


def test_a_peer_reads_the_id_where_the_hub_has_it() -> None:
    event = next(iter(events(Ids(), "plates", 1)))  # type: ignore[arg-type]
    assert event.value[EVENT_ID] == Work.id_of(event.value)


# Latency


def test_quantiles_are_of_the_ordered_ages() -> None:
    ages = [float(age) for age in range(100, 0, -1)]
    assert pacing.quantiles(ages) == {"p50_ms": 51, "p95_ms": 96, "p99_ms": 100, "max_ms": 100}
    assert pacing.quantiles([]) == {}


def test_an_event_sent_now_has_its_cut_moved_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "SchemaIds", lambda _registry: Ids())
    monkeypatch.setattr(
        pacing, "Registry", lambda _url: type("R", (), {"close": lambda _self: 0})()
    )

    class Config:
        registry_url = ""

    due = next(iter(pacing._canonical(Config(), 10, 1)))  # type: ignore[arg-type]
    before = time.time_ns() // 1000
    _, value, _, headers = due.make()
    assert before <= read_long(value, 42)[0] <= time.time_ns() // 1000
    reader = HeadReader(schemas.built("camera.plate_read.v1"))
    assert reader.cut(value) == Cut.unpack(dict(headers)["cut"])


# Profile


@pytest.mark.parametrize(
    ("file", "function", "part"),
    [
        ("/x/streams/head.py", "Heads.read", "head"),
        ("/x/streams/deduplicate.py", "Window.first", "window"),
        ("/x/streams/deduplicate.py", "Window.changes", "seal"),
        ("/x/streams/merge.py", "Merger.decide", "merge"),
        ("/x/hub/kafka/transaction.py", "TransactionalProducer.produce", "produce"),
        ("/x/hub/kafka/transaction.py", "TransactionalProducer.commit", "commit"),
        ("/x/hub/codec.py", "read_long", None),
    ],
)
def test_a_function_belongs_to_a_part_of_the_loop(
    file: str, function: str, part: str | None
) -> None:
    assert part == profile.part_of(file, function)


def test_every_part_names_a_module_that_exists() -> None:
    missing = [name for name, _, _ in profile.PARTS if not (ROOT / name).is_file()]
    assert missing == []


def test_what_is_no_part_of_the_loop_is_told_as_other() -> None:
    script = (
        "import json, time\n"
        "from hub.bench.profile import Sampler\n"
        "sampler = Sampler(); sampler.start(); began = time.perf_counter()\n"
        "while time.perf_counter() - began < 0.3: sum(range(1000))\n"
        "print(json.dumps(sampler.stop()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert list(found["wall"]) == ["other"]
    assert found["wall"]["other"] > 0
    assert set(found["cpu"]) == {"other", profile.LIBRARY}


# Commands


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["process", "--events", "10"], "at least 1,000 events"),
        (["process", "--peers", "nonsense"], "'nonsense' is no peer"),
        (["process", "--peers", "quix", "--mix", "city"], "plate reads alone"),
        (["latency", "--for", "1"], "the first 2 s do not count"),
        (["normalise", "--samples", "nowhere"], "no such folder"),
        (["normalise", "--connector", "nonsense"], "no connector is named 'nonsense'"),
        (["ingest", "--payloads", "10"], "at least 1,000 payloads"),
    ],
)
def test_wrong_use_is_told_before_anything_starts(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.bench.peering.install", lambda names: (list(names), {}))
    assert main(["bench", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_peer_that_cant_be_installed_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert peering.install(["streams"]) == ([], {"streams": "Maven and a JDK are not installed"})


def test_an_installers_words_are_told_without_addresses() -> None:
    words = [sys.executable, "-c", "import sys; sys.exit('no answer from https://host/simple')"]
    with pytest.raises(peering.Skipped, match=r"failed: no answer from …$"):
        peering._call(words)


# Report


def test_the_report_stands_between_its_marks_and_only_there(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    marks = "<!-- bench:{0} -->\nold\n<!-- /bench:{0} -->\n"
    file.write_text("before\n" + marks.format("speed") + "between\n" + marks.format("scaling"))
    report.put(file, report.markdown(RESULTS))
    text = file.read_text()
    assert text.startswith("before\n<!-- bench:speed -->\nMeasured on: machine a machine, cores 2.")
    assert "| copy bytes (the limit) | 250,000 |" in text
    assert "Not measured: quix (no network)." in text
    assert "between\n<!-- bench:scaling -->\n| figure |" in text
    assert "old" not in text
    report.put(file, report.markdown(RESULTS))
    assert text == file.read_text(), "a second run changes nothing"


def test_all_puts_every_figure_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = dict(RESULTS["figures"])
    raw = {"raw_bytes": figures.pop("raw_bytes")}
    window = {each: figures.pop(each) for each in ("window_bytes_per_id", "recovered_ids_per_s")}
    figures.pop("normalise_per_s")
    sample = {
        "connector": "hikvision_isapi",
        "sample": "anpr_motorbike",
        "bytes": 1,
        "parse_to_avro_per_s": 9,
    }
    process = Result([{"mode": "copy"}], [{"part": "head", "us": 1.5}], figures)
    monkeypatch.setattr("hub.bench.process.measure", lambda *_, **__: process)
    monkeypatch.setattr("hub.bench.peering.bare_asgi", lambda: None)
    monkeypatch.setattr("hub.bench.ingest.measure", lambda *_, **__: [{"mode": "ingest"}])
    monkeypatch.setattr("hub.bench.latency.measure", lambda *_, **__: ([{"line": "bulk"}], raw))
    monkeypatch.setattr("hub.bench.recovery.measure", lambda *_, **__: ({"ids": 1}, window))
    monkeypatch.setattr("hub.bench.normalise.measure", lambda *_: [sample])
    monkeypatch.setattr("hub.bench.peering.install", lambda names: ([], dict.fromkeys(names, "-")))
    file = tmp_path / "report.md"
    samples = str(ROOT / "tests/samples")
    assert main(["bench", "all", "--samples", samples, "--markdown", str(file)]) == 0
    told = capsys.readouterr().out
    assert "Not measured: streams (-)." in told
    assert "| normalise per s | 9.0 |" in told
    assert all(part in file.read_text() for part in ("| head | 1.5 |", "| Hanoi 2030 | 3,100 |"))


def test_the_table_of_parsing_has_a_row_for_each_connector(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "README.md"
    words = ["bench", "normalise", "--seconds", "0.01", "--connector", "cap"]
    samples = str(ROOT / "tests/samples")
    assert main([*words, "--samples", samples, "--markdown", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["rows"]
    assert len(told) > 1
    assert {row["connector"] for row in told} == {"cap"}
    assert file.read_text().count("| cap |") == 1


def test_a_file_without_marks_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("no marks")
    with pytest.raises(ConfigError, match="0 places"):
        report.put(file, report.markdown(RESULTS))


def test_a_new_file_gets_the_whole_report(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    report.put(file, report.markdown(RESULTS))
    assert "100 million people" in file.read_text()


def test_ops_readme_has_a_place_for_the_report() -> None:
    text = (ROOT / "ops/README.md").read_text("utf-8")
    for name in ("speed", "scaling"):
        assert 1 == text.count(f"<!-- bench:{name} -->") == text.count(f"<!-- /bench:{name} -->")


def test_the_machine_is_told_with_its_versions() -> None:
    found = report.machine()
    assert found["kafka"].count(".") == 2
    assert found["java"]
    assert found["librdkafka"]
