"""`hub place resolve`, on a file; what needs Kafka is in tests/cli."""

import json

import pytest
from place_facts import HEAD, LINES

from hub.cli import main


@pytest.fixture
def places(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text("\n".join([HEAD, *LINES]), "utf-8")
    return str(path)


def test_an_answer_is_printed_for_people(places, capsys):
    text = "Hoàng Quán Chi/Phạm Văn Bạch (VT87), Phường Yên Hòa"
    assert main(["place", "resolve", text, "--file", places]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "exact (by position)",
        "position  p-87    VT87 at j-1",
        "read as: Hoàng Quán Chi - Phạm Văn Bạch (VT87), Phường Yên Hòa",
    ]


def test_an_answer_is_printed_as_one_json_object(places, capsys):
    assert main(["place", "resolve", "km 1716+5 QL1A", "--file", places, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["location_id"] for each in answer["candidates"]] == ["ql1a"]
    assert (answer["method"], answer["resolution"]) == ("milestone", "exact")
    assert answer["text"]["canonical"] == "Km1716+005, Quốc lộ 1A"
    assert (answer["text"]["raw"], answer["text"]["km"], answer["text"]["m"]) == (
        "km 1716+5 QL1A", 1716, 5,
    )  # fmt: skip


def test_what_is_ambiguous_lists_all_and_what_is_unknown_ends_with_1(places, capsys):
    assert main(["place", "resolve", "Quang Trung", "--file", places]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "ambiguous (by name)",
        "road  quang-trung-1  Phố Quang Trung",
        "road  quang-trung-2  Đường Quang Trung",
    ]
    assert main(["place", "resolve", "VT87", "--file", places, "--at", "2025-06-30"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "unknown",
        "no place",
        "read as: VT87",
        "note: the register knows no VT87 then",
    ]


def test_a_file_that_contradicts_itself_is_refused(tmp_path, capsys):
    path = tmp_path / "places.csv"
    path.write_text(f"{HEAD}\nj,2025-07-01,,junction,A - B,,a;b,,,,,\n", "utf-8")
    assert main(["place", "resolve", "A - B", "--file", str(path)]) == 1
    assert "there is no road 'a'" in capsys.readouterr().err
