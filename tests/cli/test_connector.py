import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub import Connector, Event, Nothing, Options, PayloadError
from hub.cli import main
from hub.discovery import connector
from hub.identity import Identity
from hub.testing import (
    DryRun,
    Sample,
    check_connector,
    content_type_of,
    decoded,
    update_expected,
)

SAMPLES = Path(__file__).parents[1] / "samples"
CAP = SAMPLES / "cap" / "1_alert.xml"


def try_(capsys, *words):
    code = main(["connector", "try", *map(str, words)])
    found = capsys.readouterr()
    return code, [json.loads(line) for line in found.out.splitlines()], found.err


def test_try_prints_one_line_an_event_with_every_field(capsys):
    code, (line,), _ = try_(capsys, "cap", CAP, "--received-at", "2026-03-01T08:15:00+07:00")
    assert code == 0
    assert list(line) == ["payload", "topic", "event"]
    assert (line["payload"], line["topic"]) == (str(CAP), "area.alert.v1")
    header = line["event"]["header"]
    assert header["received_at"] == "2026-03-01T01:15:00.000000Z"
    assert header["source_id"] == "dry-run"
    assert (header["origin"]["topic"], header["origin"]["offset"]) == (None, None)
    assert "drill_id" in header


def test_the_same_bytes_have_the_same_ids_whenever_they_are_tried(capsys):
    ids = {
        try_(capsys, "cap", CAP, "--received-at", at)[1][0]["event"]["header"]["event_id"]
        for at in ("2026-03-01T08:15:00+07:00", "2026-03-02T08:15:00Z")
    }
    assert len(ids) == 1


def test_a_rejection_is_exit_code_1_and_its_neighbours_are_still_printed(capsys, tmp_path):
    bad = tmp_path / "bad.xml"
    bad.write_bytes(b"<not-cap/>")
    code, found, _ = try_(capsys, "cap", bad, CAP)
    assert code == 1
    assert set(found[0]["rejected"]) == {"code", "message", "path", "fix"}
    assert "event" in found[1]


def test_what_the_sidecar_says_is_used_and_told(capsys, tmp_path):
    (payload := tmp_path / "a.xml").write_bytes(CAP.read_bytes())
    said = {"received_at": "2026-11-20T07:05:03Z", "source_id": "cap-hanoi", "personal": []}
    (tmp_path / "a.xml.meta.json").write_text(json.dumps(said))
    _, (line,), err = try_(capsys, "cap", payload)
    header = line["event"]["header"]
    assert header["received_at"] == "2026-11-20T07:05:03.000000Z"
    assert (header["source_id"], header["time_quality"]) == ("cap-hanoi", "DEVICE")
    assert "a.xml: received_at, source_id as a.xml.meta.json says" in err


def test_a_sidecar_may_give_what_the_connector_cannot_do_without(capsys):
    (sample, *_) = sorted((SAMPLES / "mapping").glob("*.meta.json"))
    _, found, _ = try_(capsys, "mapping", str(sample).removesuffix(".meta.json"))
    assert any("event" in line for line in found)


def test_options_of_the_command_go_before_the_sidecar(capsys, tmp_path):
    (payload := tmp_path / "a.xml").write_bytes(CAP.read_bytes())
    said = {"received_at": "2026-11-20T07:05:03Z", "options": {"zone": "Mars"}}
    (tmp_path / "a.xml.meta.json").write_text(json.dumps(said))
    at = "2026-11-21T00:00:00Z"
    _, (line,), _ = try_(capsys, "cap", payload, "--received-at", at, "--set", "zone=Asia/Tokyo")
    assert line["event"]["header"]["received_at"] == "2026-11-21T00:00:00.000000Z"
    code, found, err = try_(capsys, "cap", payload)
    assert (code, found) == (2, [])
    assert "no IANA time zone" in err


MISSPELT = """
from datetime import UTC, datetime

from hub import Connector, Event


def parse(payload, options):
    at = datetime(2026, 3, 1, tzinfo=UTC)
    yield Event(noun="measurement", kind="k", observed_at=at, body={"occupancy": 0.5})
    raise KeyError(payload.body)


connector = Connector(
    name="loops",
    title="t",
    parse=parse,
    emits=("measurement",),
    identity={"measurement": ("body.occupancy",)},
)
"""


def test_try_tells_the_author_what_is_misspelt_and_which_line_failed(capsys, tmp_path):
    (module := tmp_path / "loops.py").write_text(MISSPELT)
    (payload := tmp_path / "a.txt").write_bytes(b"30K-555.55")
    code, found, err = try_(capsys, module, payload)
    assert code == 1
    assert [next(iter(set(line) & {"event", "rejected"})) for line in found] == [
        "event",
        "rejected",
    ]
    assert "loops: identity of measurement: body.occupancy: no field of MeasurementBody" in err
    assert "a.txt: body.occupancy: no field of MeasurementBody; use " in err
    assert "KeyError at loops.py:10, in parse: raise KeyError(payload.body)" in err
    assert "30K" not in err


def test_a_dry_run_with_the_sites_key_gives_the_ids_that_are_delivered():
    cap, key = connector("cap"), b"a key of the site itself"
    sample = Sample(name="a", body=CAP.read_bytes(), source_id="cap-hanoi")
    (shown,) = DryRun(cap, sample, key=key).results(sample.payload())
    (told,) = cap.parse(sample.payload(), Options())
    delivered = Identity(key, cap, "cap-hanoi").event(told, payload_id="another", index=0)
    assert decoded(shown)["header"]["event_id"] == delivered


def test_standard_input_is_a_dash(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CAP.read_bytes())))
    code, (line,), _ = try_(capsys, "cap", "-")
    assert (code, line["payload"]) == (0, "-")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["cap", "nowhere.xml"], "nowhere.xml: can't read it"),
        (["capp", CAP], "no connector is named 'capp'"),
        (["cap", CAP, "--set", "zonne=x"], "use one of area_scheme, clock_tolerance_s, zone"),
        (["cap", CAP, "--set", "zone=Mars"], "no IANA time zone"),
        (["cap", CAP, "--set", "zone"], "is not key=value"),
        (["cap", CAP, "--meta", "=x"], "is not key=value"),
        (["cap", CAP, "--received-at", "today"], "no time with an offset"),
        (["cap", CAP, "--source-id", "a b"], "no name of a source"),
        (["cap"], "payloads come from files or from a source"),
        (["cap", CAP, "--live", "s"], "payloads come from files or from a source"),
        (["cap", "--live", "s"], "hub.toml has no source 's'"),
    ],
)
def test_wrong_use_is_exit_code_2_and_prints_no_outcome(capsys, words, what):
    code, found, err = try_(capsys, *words)
    assert (code, found) == (2, [])
    assert what in err


@pytest.mark.parametrize(
    ("name", "body", "type_"),
    [
        ("a.xml", b"", "application/xml"),
        ("a", b"\xef\xbb\xbf <a/>", "application/xml"),
        ("a.json", b"", "application/json"),
        ("a", b"[1]", "application/json"),
        ("a.txt", b"--b1\r\nContent-Type: x", "multipart/form-data; boundary=b1"),
        ("a.bin", b"\x00", "application/octet-stream"),
    ],
)
def test_the_content_type_is_guessed(name, body, type_):
    assert content_type_of(name, body) == type_


def test_list_names_every_connector_with_its_options(capsys):
    assert main(["connector", "list", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "cap" in [each["name"] for each in found]
    for each in found:
        assert all(option["text"] for option in each["options"])
    assert main(["connector", "list"]) == 0
    assert "connectors.cap" in capsys.readouterr().out


def test_test_names_what_is_missing_and_update_writes_it(capsys, tmp_path):
    (tmp_path / "alert.xml").write_bytes(CAP.read_bytes())
    words = ["connector", "test", "cap", "--samples", str(tmp_path)]
    assert main(words) == 1
    assert "alert.xml.expected.jsonl is missing" in capsys.readouterr().out
    assert main([*words, "--update"]) == 0
    assert main(words) == 0
    expected = tmp_path / "alert.xml.expected.jsonl"
    expected.write_text(expected.read_text("utf-8").replace("SEVERE", "MINOR"), "utf-8")
    assert main([*words, "--json"]) == 1
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "/event/header/severity" in line["text"]


def test_a_folder_without_payloads_is_exit_code_2(capsys, tmp_path):
    assert main(["connector", "test", "cap", "--samples", str(tmp_path)]) == 2
    assert "no recorded payload" in capsys.readouterr().err


@pytest.mark.parametrize("sidecar", ["{", "[]", '{"kind": 1}', '{"received_at": "2026-01-01"}'])
def test_a_wrong_sidecar_is_named(capsys, tmp_path, sidecar):
    (tmp_path / "a.xml").write_bytes(b"<a/>")
    (tmp_path / "a.xml.meta.json").write_text(sidecar)
    assert main(["connector", "test", "cap", "--samples", str(tmp_path)]) == 2
    assert "a.xml.meta.json" in capsys.readouterr().err


# The kit must bite: connectors with one fault each.

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Undescribed(Options):
    secret_setting: int = 1


def event(**more):
    fields = {"kind": "k", "observed_at": AT, "body": {}, **more}
    return Event(noun=fields.pop("noun", "detection"), **fields)


def twice(_payload, _options):
    yield event()
    yield event()


def unstable(_payload, _options):
    unstable.calls += 1
    yield event(device_ref=str(unstable.calls))


unstable.calls = 0


def crashes_when_cut(payload, _options):
    if len(payload.body) % 64 == 0 and payload.body:
        raise IndexError("list index out of range")
    if not payload.body:
        raise PayloadError("empty")
    yield Nothing(why="fine")


@pytest.mark.parametrize(
    ("parse", "options", "rule"),
    [
        (twice, Options, "unique ids"),
        (unstable, Options, "repeatable"),
        (crashes_when_cut, Options, "hostile input: cut after 64 bytes: IndexError"),
        (lambda _p, _o: [event(body={"score": "x"})], Options, "sound"),
        (lambda _p, _o: [event(noun="alert")], Options, "undeclared-noun"),
        (lambda _p, _o: [Nothing(why="x")], Undescribed, "secret_setting has no description"),
    ],
)
def test_the_kit_finds_a_faulty_connector(tmp_path, parse, options, rule):
    (tmp_path / "a.txt").write_bytes(b"x" * 130)
    faulty = Connector(
        name="faulty",
        title="f",
        parse=parse,
        emits=("detection",),
        identity={"detection": ()},
        options=options,
    )
    update_expected(faulty, tmp_path)
    assert any(rule in str(problem) for problem in check_connector(faulty, tmp_path))
