"""Dead letters and ranges of payloads sent again, on a real cluster of their own."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from harness import ID_KEY, Rig
from mending import BLIND, DYING, RAW_SIGNALS, SOURCE, UNKNOWING, WRONG, before, killed, signals

import schemas
from hub.cli import main
from hub.codec import EVENT_ID, RecordCodec
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SIGNALS = "traffic.signal_state.v1"
PLATES = "camera.plate_read.v1"


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Iterator[Rig]:
    with Stack() as stack:
        rig = Rig(stack, tmp_path_factory.mktemp("replay"))
        try:
            yield rig
        finally:
            rig.close()


@pytest.fixture(autouse=True)
def mended(rig, monkeypatch):
    monkeypatch.setenv("HUB_ID_KEY", ID_KEY)
    yield
    rig.python_path = None
    rig.stop_workers()


@pytest.fixture
def hub(rig, capsys):
    """Run a command in this process; its exit code and its output."""

    def run(*words: object) -> tuple[int, str]:
        code = main(["--config", str(rig.config_file), *map(str, words)])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


def handled(rig: Rig, *records: tuple) -> None:
    """Let both stages handle these records, and end."""
    rig.stages()
    rig.write(records)
    rig.until_drained()
    rig.stop_workers()


def refused(rig: Rig, code: str) -> list[dict]:
    return [each for each in rig.dead_letters() if each["code"] == code]


def events(rig: Rig, topic: str) -> list[dict]:
    """The decoded events of a canonical or subscribers' topic."""
    codec = RecordCodec(schemas.built(topic), 0)
    return [codec.decode(message.value()) for message in rig.read([topic])[topic]]


def of_junction(rig: Rig, topic: str, junction: int) -> list[dict]:
    return [
        each for each in events(rig, topic) if each["header"]["device_ref"].endswith(str(junction))
    ]


def test_the_refused_part_of_a_payload_is_delivered_once_when_its_cause_is_mended(
    rig, hub, tmp_path
):
    rig.python_path = before(tmp_path, "connectors", "spat.py", UNKNOWING)
    handled(rig, signals(1111, 2222, 3333))
    (letter,) = refused(rig, "unknown-junction")
    assert letter["index"] == 1
    id_ = str(UUID(bytes=letter["dead_id"]))
    # Refused by the old connector: not there, and the payload's neighbours are.
    assert not of_junction(rig, "htmoc.signal_state.v1", 2222)
    rig.python_path = None
    payloads = len(rig.read([RAW_SIGNALS])[RAW_SIGNALS])

    code, told = hub("dead", "replay", "--code", "unknown-junction")
    assert code == 0, told
    assert f"{id_}  unknown-junction  {RAW_SIGNALS}/{letter['partition']}@" in told
    assert "becomes signal_state" in told
    assert "1 would be sent again; nothing was written" in told
    assert len(rig.read([RAW_SIGNALS])[RAW_SIGNALS]) == payloads

    code, told = hub("dead", "replay", id_, "--apply")
    assert (code, "1 sent again" in told) == (0, True), told
    sent = rig.read([RAW_SIGNALS])[RAW_SIGNALS]
    assert len(sent) == payloads + 1
    again = next(each for each in sent if dict(each.headers()).get("replay_of"))
    assert dict(again.headers())["replay_of"] == id_.encode()
    assert dict(again.headers())["replay_indexes"] == b"1"
    assert again.value() == letter["body"]
    handled(rig)

    (event,) = of_junction(rig, "htmoc.signal_state.v1", 2222)
    assert event["header"]["replayed"]
    assert [len(of_junction(rig, SIGNALS, junction)) for junction in (1111, 2222, 3333)] == [1] * 3
    rig.check(oracle=False)
    # Once is enough, for whoever runs it next.
    code, told = hub("dead", "replay", "--code", "unknown-junction", "--apply")
    assert (code, "was replayed" in told, "0 sent again" in told) == (0, True, True), told
    assert len(rig.read([RAW_SIGNALS])[RAW_SIGNALS]) == payloads + 1
    code, told = hub("dead", "list", "--json")
    listed = [json.loads(line) for line in told.splitlines()]
    (group,) = [each for each in listed if each["code"] == letter["code"]]
    assert (group["count"], group["replayed"]) == (1, 1)
    assert group["component"] == "spat 0"


def test_what_is_refused_still_is_said_and_not_sent(rig, hub, tmp_path):
    broken = (*signals(4444)[:2], b'{"payload": ', signals(4444)[3])
    handled(rig, broken)
    payloads = len(rig.read([RAW_SIGNALS])[RAW_SIGNALS])
    code, told = hub("dead", "replay", "--code", "malformed", "--source", SOURCE, "--apply")
    assert code == 1
    assert "is refused still: malformed" in told
    assert "0 sent again, 1 refused still" in told
    assert len(rig.read([RAW_SIGNALS])[RAW_SIGNALS]) == payloads
    rig.check(oracle=False)


@pytest.mark.slow
def test_what_a_connector_that_broke_off_hid_comes_with_the_rest_and_only_that(rig, hub, tmp_path):
    rig.python_path = before(tmp_path, "connectors", "spat.py", DYING)
    handled(rig, signals(5551, 2222, 5553, 5554))
    rig.python_path = None
    known = len(of_junction(rig, SIGNALS, 2222))
    (letter,) = refused(rig, "parser-defect")
    # Killed before the commit nothing of it is there; killed after it, all of it.
    killed(rig, "before-commit", "dead", "replay", "--code", "parser-defect", "--apply")
    code, told = hub("dead", "replay", "--code", "parser-defect", "--json")
    assert (code, json.loads(told)["becomes"]) == (0, "event"), told
    assert len(json.loads(told)["events"]) == 3
    killed(rig, "after-commit", "dead", "replay", "--code", "parser-defect", "--apply")
    code, told = hub("dead", "replay", "--code", "parser-defect", "--apply")
    assert "was replayed" in told
    handled(rig)
    found = [len(of_junction(rig, SIGNALS, junction)) for junction in (5551, 2222, 5553, 5554)]
    assert found == [1, known + 1, 1, 1]
    assert letter["index"] == 1
    rig.check(oracle=False)


def test_a_canonical_record_that_process_refused_goes_through_it_again(rig, hub, tmp_path):
    rig.python_path = before(tmp_path, "streams", "place.py", BLIND)
    handled(rig, signals(6666, 7777))
    (letter,) = [each for each in rig.dead_letters() if each["stage"] == "process"]
    assert not of_junction(rig, "htmoc.signal_state.v1", 7777)
    rig.python_path = None
    code, told = hub("dead", "replay", "--stage", "process")
    assert (code, "for htmoc.signal_state.v1" in told) == (0, True), told
    code, told = hub("dead", "replay", "--stage", "process", "--apply")
    assert (code, "1 sent again" in told) == (0, True), told
    handled(rig)
    (event,) = of_junction(rig, "htmoc.signal_state.v1", 7777)
    assert event["header"]["replayed"]
    assert len(of_junction(rig, "htmoc.signal_state.v1", 6666)) == 1
    first, second = (
        message
        for message in rig.read([SIGNALS])[SIGNALS]
        if message.value()[EVENT_ID] == event["header"]["event_id"]
    )
    assert (first.key(), first.partition()) == (second.key(), second.partition())
    assert dict(first.headers())["cut"] == dict(second.headers())["cut"]
    assert letter["offset"] == first.offset()
    rig.check(oracle=False)


@pytest.fixture(scope="module")
def misread(rig, tmp_path_factory) -> tuple:
    """An hour of plates, read by a connector with a fault: source, and from when to when."""
    since = datetime.now(UTC) - timedelta(seconds=5)
    rig.python_path = before(
        tmp_path_factory.mktemp("wrong"), "connectors", "hikvision_isapi/__init__.py", WRONG
    )
    rig.stages()
    rig.feed(300)
    rig.until_drained()
    rig.stop_workers()
    rig.python_path = None
    sources = Counter(
        each["header"]["source_id"]
        for each in events(rig, PLATES)
        if each["header"]["kind"] == "vehicle.wrong"
    )
    (source, _), *_ = sources.most_common(1)
    until = datetime.now(UTC) + timedelta(seconds=60)
    return "--source", source, "--from", since.isoformat(), "--to", until.isoformat()


def summary(told: str) -> dict:
    return json.loads(told.splitlines()[-1])["summary"]


def test_a_private_lane_shows_what_the_connectors_would_say_now(rig, hub, misread):
    canonical = len(rig.read([PLATES])[PLATES])
    code, told = hub("replay", *misread, "--name", "mended", "--json")
    assert code == 0, told
    sums = summary(told)["nouns"]["plate_read"]
    assert min(sums.values()) > 0, sums
    topic = f"replay.mended.{PLATES}"
    found = rig.read([topic])[topic]
    ids = {message.value()[EVENT_ID] for message in found}
    assert len(ids) == len(found) == sums["same"] + sums["new"]
    there = {message.value()[EVENT_ID] for message in rig.read([PLATES])[PLATES]}
    assert len(ids & there) == sums["same"]
    # Its schema is registered under its own subject: `hub tail` can read it.
    code, told = hub("tail", topic, "--from-beginning", "--limit", "1", "--timeout", "30")
    assert (code, json.loads(told)["header"]["kind"]) == (0, "vehicle.passage")
    assert len(rig.read([PLATES])[PLATES]) == canonical
    code, told = hub("replay", *misread, "--name", "mended")
    assert code == 2
    assert "is there already" in told
    assert "--continue" in told
    code, told = hub("replay", *misread, "--name", "mended", "--continue", "--json")
    assert (code, summary(told)["written"]) == (0, 0), told
    assert len(rig.read([topic])[topic]) == len(found)


@pytest.mark.slow
def test_a_private_lane_that_was_killed_is_gone_on_with_and_holds_each_event_once(
    rig, hub, misread
):
    killed(rig, "after-commit", "replay", *misread, "--name", "killed")
    code, told = hub("replay", *misread, "--name", "killed", "--continue")
    assert code == 0, told
    (line,) = [each for each in told.splitlines() if each.startswith("plate_read")]
    same, new, _ = map(int, line.split()[1:])
    topic = f"replay.killed.{PLATES}"
    ids = [message.value()[EVENT_ID] for message in rig.read([topic])[topic]]
    assert len(ids) == len(set(ids)) == same + new > 0


def test_live_sends_what_is_missing_as_updates_of_what_it_corrects_and_once(rig, hub, misread):
    code, told = hub("replay", *misread, "--live", "--json")
    assert code == 0, told
    dry = summary(told)
    sums = dry["nouns"]["plate_read"]
    assert dry["lacking"] == sums["new"] > 0
    assert dry["sent"] == 0
    lines = [json.loads(line) for line in told.splitlines()[:-1]]
    corrections = {each["event_id"]: each["corrects"] for each in lines}
    assert any(corrections.values())
    assert not all(corrections.values())
    plates = {
        (each["restricted"].get("plate") or {}).get("text") for each in events(rig, PLATES)
    } - {None, ""}
    assert plates
    assert not [plate for plate in plates if plate in told]

    killed(rig, "before-commit", "replay", *misread, "--live", "--apply")
    code, told = hub("replay", *misread, "--live", "--apply")
    assert (code, f"{dry['lacking']} sent" in told) == (0, True), told
    handled(rig)
    found = {str(UUID(bytes=each["header"]["event_id"])): each for each in events(rig, PLATES)}
    for id_, old in corrections.items():
        header = found[id_]["header"]
        assert header["replayed"]
        if old is not None:
            assert header["lifecycle"] == "UPDATED"
            assert header["subject_id"] == found[old["event_id"]]["header"]["subject_id"]
    delivered = Counter(
        str(UUID(bytes=each["header"]["event_id"])) for each in events(rig, "police.plate_read.v1")
    )
    assert {delivered[id_] for id_, old in corrections.items() if old} == {1}
    assert set(delivered.values()) == {1}
    rig.check(oracle=False)
    # It can be told where a correction comes from, and that a connector says so now.
    corrected = next(id_ for id_, old in corrections.items() if old)
    code, told = hub("explain", corrected)
    assert (code, "consistent" in told) == (0, True), told
    # What was sent is there now.
    code, told = hub("replay", *misread, "--live", "--apply", "--json")
    assert (code, summary(told)["sent"]) == (0, 0), told
    assert summary(told)["nouns"]["plate_read"]["new"] == 0


def test_live_is_refused_beyond_what_the_canonical_topics_keep(rig, hub):
    now = datetime.now(UTC)
    words = ("--from", (now - timedelta(days=8)).isoformat(), "--to", now.isoformat(), "--live")
    code, told = hub("replay", "--source", SOURCE, *words)
    assert code == 2
    assert "the canonical topics keep 7 days" in told
    # Six days and 23 hours back is the earliest that can be compared for as long as it takes.
    assert f"take --from {now - timedelta(days=6, hours=23):%Y-%m-%dT%H:}" in told
    # A lane of its own takes what is there, and says what is not.
    code, told = hub("replay", "--source", SOURCE, *words[:4], "--name", "late")
    assert code == 0, told
    assert "canonical events are kept 7 days: those from before" in told


def by_hand(rig: Rig, **other) -> str:
    """A letter about a record that has expired; its id."""
    codec = RecordCodec(schemas.built("dead_letter.v1"), rig.ids.current("dead_letter.v1"))
    received = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
    letter = {
        "stage": "normalise",
        "code": "opaque",
        "source_id": SOURCE,
        "component": "spat",
        "topic": RAW_SIGNALS,
        "partition": 0,
        "offset": 10**9,
        "received_at": received,
        "failed_at": received,
        "sha256": b"",
        **other,
    }
    rig.write([("dead_letter.v1", SOURCE.encode(), codec.encode(letter), [])])
    return str(UUID(bytes=letter["dead_id"]))


def test_a_payload_that_only_its_letter_holds_is_sent_from_there(rig, hub):
    _, _, body, headers = signals(8888)
    id_ = by_hand(
        rig,
        dead_id=bytes(range(1, 17)),
        payload_id=dict(headers)["payload_id"].decode(),
        body=body,
        record_headers=[{"name": name, "value": value} for name, value in headers],
    )
    code, told = hub("dead", "replay", id_[:13], "--apply")
    assert (code, "1 sent again" in told) == (0, True), told
    handled(rig)
    (event,) = of_junction(rig, "htmoc.signal_state.v1", 8888)
    assert event["header"]["origin"]["partition"] == 0


def test_a_letter_whose_bytes_are_gone_is_named_with_the_date(rig, hub):
    id_ = by_hand(rig, dead_id=bytes(range(16)), body=bytes(256 * 2**10), truncated=True)
    code, told = hub("dead", "replay", id_)
    assert code == 1
    assert "its bytes are no longer kept, they expired 2026-03-08T01:15:00+00:00" in told
