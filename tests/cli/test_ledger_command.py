"""`hub ledger`: what it prints of a balance, and the exit code that goes with it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

import hub.ledger
from hub.cli import main
from hub.ledger import Balance, Line

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Balances to give, first ones first, and the `since` of every question."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    given: list[Balance] = []
    questions: list[datetime | None] = []

    def balance(_config, *, since=None):
        questions.append(since)
        return given.pop(0)

    monkeypatch.setattr(hub.ledger, "balance", balance)
    return given, questions


def line(taken, **outcomes):
    found = Line("process", "plate_read", "vms", AT, taken)
    found.outcomes.update(outcomes)
    return found


def test_a_balance_that_holds_ends_with_0(asked, capsys):
    asked[0].append(Balance([line(3, delivered=2, merged=1)], notes=["kept from then"]))
    assert main(["ledger"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1:] == [
        "process  vms     plate_read  2026-03-01T12:00  3   delivered 2 merged 1",
        "· kept from then",
        "the books balance",
    ]


def test_one_that_does_not_ends_with_1_and_says_what_is_wrong(asked, capsys):
    asked[0].append(Balance([line(3, delivered=2)], problems=["event x is missing"]))
    assert main(["ledger"]) == 1
    out = capsys.readouterr().out
    assert "delivered 2  ✗\n✗ event x is missing\n1 faults" in out


def test_json_gives_a_line_each_and_the_verdict_last(asked, capsys):
    asked[0].append(Balance([line(1, dead=1)], problems=["p"], notes=["n"]))
    assert main(["ledger", "--json"]) == 1
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {
        "stage": "process", "noun": "plate_read", "source_id": "vms",
        "minute": "2026-03-01T12:00:00.000000Z", "in": 1, "waiting": 0, "open": False,
        "delivered": 0, "merged": 0, "duplicate": 0, "superseded": 0, "dropped": 0, "dead": 1,
        "holds": True,
    }  # fmt: skip
    assert last == {"holds": False, "problems": ["p"], "notes": ["n"]}


def test_it_asks_for_the_last_hour_for_a_time_or_for_everything(asked):
    given, questions = asked
    given += [Balance(), Balance(), Balance()]
    before = datetime.now(UTC) - timedelta(hours=1)
    assert main(["ledger"]) == 0
    assert before <= questions[0] <= datetime.now(UTC) - timedelta(hours=1)
    assert main(["ledger", "--since", "2026-03-01T19:00:00+07:00"]) == 0
    assert main(["ledger", "--all"]) == 0
    assert questions[1:] == [AT, None]


def test_watching_goes_on_until_the_books_do_not_balance(asked, capsys):
    given, questions = asked
    given += [Balance([line(2, delivered=2)]), Balance(), Balance(problems=["p"])]
    assert main(["ledger", "--watch", "0.001"]) == 1
    assert len(questions) == 3
    out = capsys.readouterr().out
    assert "the books balance: normalise 0 in, process 2 in" in out
    assert out.count("the books balance") == 2
    assert "✗ p" in out


def test_a_watch_without_a_pause_is_refused(asked, capsys):
    assert main(["ledger", "--watch", "0"]) == 2
    assert "--watch: not above 0" in capsys.readouterr().err
