"""`hub plate`: what it prints for people and for programs, and the exit codes."""

import json
import sys

import pytest

from hub.cli import main


def printed(capsys, *words):
    assert main(["plate", *words]) == 0
    return capsys.readouterr().out


def lines(capsys, *words):
    """What is said under each name; of a name that stands twice, all of it."""
    found = {}
    for line in printed(capsys, *words).splitlines():
        name, _, text = line.partition("  ")
        found[name.strip()] = f"{found.get(name.strip(), '')} {text.strip()}".strip()
    return found


def test_a_clear_plate_is_explained_with_a_strong_key(capsys):
    found = lines(capsys, "30F-056.58", "--category", "car", "--colour", "White")
    assert found == {
        "read": "'30F-056.58'",
        "normalised": "30F05658",
        "car": "30F-056.58  local code 30 (Hà Nội)  series F  number 05658",
        "vehicle key": "30F05658, CAR, WHITE (strong)",
    }


def test_an_ambiguous_plate_says_what_would_decide(capsys):
    found = lines(capsys, "29A12345")
    assert found["car"].startswith("29A-123.45")
    assert found["motorbike_old"].startswith("29-A1 2345")
    assert found["ambiguous"] == "car and motorbike old fit; --category or --colour may decide"
    assert "(weak: the category is UNKNOWN; the colour is UNKNOWN)" in found["vehicle key"]


def test_the_excluded_kind_is_shown_as_such(capsys):
    found = lines(capsys, "29A12345", "--category", "MOTORBIKE")
    assert found["car"].endswith("(excluded)")
    assert "excluded" not in found["motorbike_old"]
    assert "ambiguous" not in found


def test_a_repair_names_place_and_characters(capsys):
    found = lines(capsys, "3OF05658")
    assert found["repaired"] == "place 2: O read as 0, gives 30F05658"
    assert "a character was repaired" in found["vehicle key"]


def test_a_plate_that_another_looks_like_names_it(capsys):
    found = lines(capsys, "30A826659")
    assert found["or misread"] == "30-AB 266.59 (motorbike_new) with one character"


def test_folded_dropped_and_contradicting_things_are_told(capsys):
    assert lines(capsys, "29\u0410-123.45")["look-alikes"] == "'\u0410' taken as A"
    assert lines(capsys, "浙BY1234")["unknown"] == "'浙' is on no plate of Vietnam"
    assert lines(capsys, "13A12345")["contradiction"] == "local code 13 was never issued"
    assert lines(capsys, "80-441-NG-02")["diplomatic"].endswith("country 441")


def test_what_is_no_plate_is_no_error(capsys):
    assert lines(capsys, "unknown")["normalised"] == "nothing was read"
    assert lines(capsys, "ABC")["kind"] == "no plate of Vietnam's grammar; kept as it is"
    assert lines(capsys, "--", "--")["read"] == "'--'"


def test_control_characters_do_not_reach_the_terminal(capsys):
    out = printed(capsys, "29A\x1b[31m\u202e12345")
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_json_holds_the_same(capsys):
    found = json.loads(printed(capsys, "3OF25658", "--colour", "RED", "--json"))
    assert found["raw"] == found["norm"] == "3OF25658"
    assert found["text"] == found["key"]["text"] == "30F25658"
    assert found["repair"] == {"place": 2, "was": "O", "now": "0", "text": "30F25658"}
    assert [each["display"] for each in found["candidates"]] == ["30F-256.58", "30-F2 5658"]
    assert found["candidates"][0] == {
        "kind": "car",
        "text": "30F25658",
        "local": "30",
        "province": "Hà Nội",
        "series": "F",
        "number": "25658",
        "country": "",
        "category": "CAR",
        "display": "30F-256.58",
        "fits": True,
    }
    assert found["ambiguous"] is True
    assert found["key"]["weak"] is True
    assert found["contradictions"] == ["a plate of kind car or motorbike old is not given in RED"]


def test_provinces_are_those_of_the_day(capsys):
    before = ("30F05658", "--at", "2024-06-01T00:00:00+07:00")
    assert "(not named here)" in lines(capsys, *before)["car"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            ["--category", "truck"],
            "UNKNOWN, CAR, MOTORBIKE, SPECIAL, DIPLOMATIC, MILITARY, FOREIGN",
        ),
        (["--colour", "whyte"], "did you mean WHITE? use UNKNOWN, WHITE, YELLOW, BLUE, RED"),
        (["--at", "2026-03-01"], "--at"),
    ],
)
def test_wrong_use_is_exit_code_2_and_names_what_is_allowed(capsys, words, named):
    assert main(["plate", "29A12345", *words]) == 2
    assert named in capsys.readouterr().err


def test_bytes_that_are_no_text_are_exit_code_2(capsys):
    assert main(["plate", "29A\udcff12345"]) == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_no_configuration_is_read_and_no_client_loaded(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUB_CONFIG", "none.toml")
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    assert lines(capsys, "29A12345")["normalised"] == "29A12345"
