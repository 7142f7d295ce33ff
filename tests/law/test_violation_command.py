"""`hub violation code|act`: what they print for people and for programs, and the exit codes."""

import json

import pytest

from hub.cli import main


def run(capsys, *words):
    code = main(["violation", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_code_is_explained_with_its_texts_and_its_act(capsys):
    code, out, _ = run(capsys, "code", "16824.7.7.c.01", "--at", "2026-03-01")
    assert code == 0
    assert "điểm c khoản 7 Điều 7 Nghị định 168/2024/NĐ-CP" in out
    assert "red_light  MOTORBIKE" in out
    assert "then                168/2024/ND-CP\n" in out
    assert "the end of 2027-03-01 in Hanoi" in out


def test_a_decree_not_in_force_at_the_act_ends_with_1(capsys):
    code, out, _ = run(capsys, "code", "16824.7.7.c.01", "--at", "2024-12-31")
    assert code == 1
    assert "not in force for an act of 2024-12-31" in out


def test_the_amended_text_is_named_with_what_is_not_known_of_it(capsys):
    _, out, _ = run(capsys, "code", "16824.6.2.a", "--at", "2026-08-15")
    assert "168/2024/ND-CP+238/2026/ND-CP" in out
    assert "read in part only" in out


def test_a_decree_that_is_not_on_record_is_said_to_be_so(capsys):
    code, out, _ = run(capsys, "code", "04522.7.1.a.01", "--at", "2026-03-01")
    assert code == 0
    assert "Decree 45/2022/ND-CP is not on record" in out


def test_a_code_for_programs(capsys):
    _, out, _ = run(capsys, "code", "16824.7.4.đ", "--at", "2026-03-01", "--json")
    found = json.loads(out)
    assert (
        found["law_namespace"],
        found["law_code"],
        found["complete"],
    ) == ("vn", "16824.7.4.đ", False)
    assert (found["law_version"], [each["act"] for each in found["acts"]]) == (
        "168/2024/ND-CP",
        ["phone"],
    )


def test_a_wrong_code_ends_with_1_and_says_how_to_write_it(capsys):
    code, _, err = run(capsys, "code", "16824.7.7.dd.01")
    assert (code, "write đ" in err) == (1, True)


def test_an_act_gives_its_codes(capsys):
    code, out, _ = run(capsys, "act", "red-light", "--category", "car", "--at", "2026-03-01")
    assert (code, out.split()[0]) == (0, "16824.6.9.b.01")


def test_several_codes_are_left_to_people(capsys):
    _, out, _ = run(capsys, "act", "stopping", "--category", "motorbike", "--at", "2026-03-01")
    assert "a person decides" in out


def test_codes_of_an_act_for_programs(capsys):
    words = ("act", "speeding", "--over", "22", "--category", "CAR", "--at", "2026-03-01", "--json")
    _, out, _ = run(capsys, *words)
    (found,) = [json.loads(line) for line in out.splitlines()]
    assert (found["law_code"], found["law_version"]) == ("16824.6.6.a", "168/2024/ND-CP")


def test_an_act_that_is_not_on_record_then_ends_with_1(capsys):
    assert run(capsys, "act", "helmet", "--at", "2024-12-31")[0] == 1


@pytest.mark.parametrize(
    ("words", "fix"),
    [(["helmets"], "helmet"), (["helmet", "--category", "van"], "car or motorbike")],
)
def test_wrong_words_end_with_2_and_name_the_right_ones(capsys, words, fix):
    code, _, err = run(capsys, "act", *words)
    assert (code, fix in err) == (2, True)


def test_without_a_word_all_are_listed(capsys):
    code, out, _ = run(capsys, "act")
    assert (code, "red_light" in out.splitlines()) == (0, True)
