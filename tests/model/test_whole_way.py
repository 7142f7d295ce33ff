"""What is of defence leaves nothing but a count, and what is restricted goes nowhere it may not."""

import hashlib
import json
import logging
from collections import Counter

import pytest
from whole_way import AT, NOUNS, RAW, SOURCE, WholeWay

import schemas
from hub import metrics
from hub.cli.dead import report
from hub.codec import EVENT_ID
from hub.dead_letter import TOPIC as LETTERS

DEVICES = """\
device_id,valid_from,valid_to,purpose,source_id,device_ref
open,2025-07-01,,traffic,vms,cam-1
secret,2026-06-01,2026-07-01,defence,vms,cam-9
"""


@pytest.fixture
def way(tmp_path, monkeypatch):
    return WholeWay(tmp_path, monkeypatch)


def read(number: int, device_ref: str = "cam-1", **more):
    """A plate read of its own."""
    plate = {"raw": f"29A-000.0{number}", "text": f"29A0000{number}", "category": "CAR"}
    return {"noun": "plate_read", "id": f"n{number}", "device_ref": device_ref,
            "restricted": {"plate": plate}, **more}  # fmt: skip


# Defence


def outcomes(way: WholeWay) -> Counter:
    rows = [row for row in way.decoded("ledger.v1") if row["stage"] == "normalise"]
    return sum((Counter({each["outcome"]: each["count"]}) for row in rows
                for each in row["counts"]), Counter())  # fmt: skip


def test_a_defence_camera_behind_a_shared_feed_leaves_a_count_and_nothing_else(
    tmp_path, monkeypatch, caplog
):
    caplog.set_level(logging.DEBUG)
    way = WholeWay(tmp_path, monkeypatch, DEVICES)
    secret = read(9, "cam-9", pictures=["a picture of what may not be seen"])
    way.send(read(1), secret, read(2))
    way.send(secret)
    # A part that is refused, in one payload with a secret one: its letter must not hold the other.
    way.send(secret, {"refuse": "wrong"})
    way.send(body=b"29A-000.09 is no JSON")

    assert outcomes(way) == {"events": 1, "nothing": 1, "refused": 2, "found": 2, "dead": 2,
                             "withheld": 3}  # fmt: skip
    assert len(way.written["camera.plate_read.v1"]) == 2
    letters = way.decoded(LETTERS)
    assert [(each["body"], each["truncated"]) for each in letters] == [(b"", True)] * 2
    assert [each["offset"] for each in letters] == [2, 3]
    # Its bytes stay where ingest has put them, and come no further.
    digest = hashlib.sha256(secret["pictures"][0].encode()).hexdigest()
    everywhere = b"".join(
        bytes(part) for topic, records in way.written.items() if topic != RAW
        for key, value, headers in records
        for part in (key or b"", value or b"", *(data for _, data in headers))
    )  # fmt: skip
    everywhere += caplog.text.encode() + metrics.render()
    for trace in (b"29A-000.09", b"29A00009", b"cam-9", bytes.fromhex(digest), digest.encode()):
        assert trace not in everywhere
    assert not [each for each in way.config.data.rglob("*") if each.is_file()]


def test_a_camera_is_withheld_for_as_long_as_the_register_says_by_the_events_time(
    tmp_path, monkeypatch
):
    ended = DEVICES.replace("2026-06-01,2026-07-01", "2026-05-01,2026-06-01T08:00:00Z")
    way = WholeWay(tmp_path, monkeypatch, ended)
    way.send(read(9, "cam-9"))
    assert AT.isoformat() == "2026-06-01T08:00:00+00:00"
    assert outcomes(way) == {"events": 1, "found": 1}


def test_what_is_withheld_is_counted_by_its_source(tmp_path, monkeypatch):
    def counted() -> float:
        return metrics.value("hub_records_dropped_total", reason="withheld", source_id=SOURCE)

    before = counted()
    WholeWay(tmp_path, monkeypatch, DEVICES).send(read(9, "cam-9"), read(8, "cam-9"))
    assert counted() == before + 2


# Canaries: what stands in every restricted field, and must be in nothing that HTMOC or ops can read

PICTURE = "a picture that nobody but the police may fetch"
CANARIES = {
    "plate as read": b"29Z-913.57",
    "plate": b"29Z91357",
    "person": b"CANARY-PERSON-7",
    "role": b"CANARY-ROLE",
    "picture": hashlib.sha256(PICTURE.encode()).digest(),
    "picture in hex": hashlib.sha256(PICTURE.encode()).hexdigest().encode(),
}
RESTRICTED = {
    "plate": {"raw": "29Z-913.57", "text": "29Z91357", "category": "CAR", "colour": "WHITE"},
    "persons": [{"role": "CANARY-ROLE", "reference": "CANARY-PERSON-7"}],
}


def found_in(data: bytes) -> list[str]:
    return [name for name, canary in CANARIES.items() if canary in data]


def canary(noun: str, number: int, **more):
    return {"noun": noun, "id": f"{noun}-{number}", "restricted": RESTRICTED,
            "pictures": [PICTURE], **more}  # fmt: skip


def test_no_canary_is_in_anything_that_htmoc_or_ops_can_read(way, caplog):
    caplog.set_level(logging.DEBUG)
    for number, noun in enumerate(NOUNS):
        way.send(canary(noun, number))
    way.send({"fail": "29Z-913.57 CANARY-PERSON-7"})
    way.send(canary("plate_read", 90), {"refuse": "wrong"})
    way.send(body=b'[{"29Z-913.57": "CANARY-PERSON-7"')
    # Canonical records that are broken just where the canaries stand, as dead letters of process.
    key, value, headers = way.written["camera.plate_read.v1"][0]
    at = value.index(b"29Z91357")
    for number, broken in enumerate(
        (value[:at], value[: at - 1] + b"\x01" + value[at:], value[:-1])
    ):
        # With an id of its own, or it would be a duplicate.
        own = broken[: EVENT_ID.start] + bytes([number] * 16) + broken[EVENT_ID.stop :]
        # Without what tells near duplicates, or it would be merged unread.
        way.written["camera.plate_read.v1"].append((key, own, headers[:1]))
    way.send({"nothing": 1})

    held = Counter()
    for topic, records in way.written.items():
        for key, value, headers in records:
            outside = (key or b"") + b"".join(
                name.encode() + bytes(data) for name, data in headers if topic != RAW
            )
            assert found_in(outside) == [], f"key or headers on {topic}"
            for name in found_in(value or b""):
                held[topic.split(".")[0], name] += 1
    for reader in ("htmoc", "ops", "ledger", "state"):
        assert not {name for who, name in held if who == reader}, reader
    # They went where they may, all of them: else nothing above says anything.
    for name in CANARIES.keys() - {"picture in hex"}:
        assert held["police", name]
        assert held["camera", name]
    assert held["dead_letter", "plate"]

    letters = way.decoded(LETTERS)
    assert len(letters) == 6
    listing = json.dumps([{**each, "body": b"", "record_headers": []} for each in letters],
                         default=str)  # fmt: skip
    assert found_in(listing.encode()) == []
    assert found_in(report({**letters[0], "body": b""}).encode()) == []
    assert found_in(caplog.text.encode()) == []
    assert found_in(metrics.render()) == []


def test_htmoc_gets_a_pseudonym_in_the_place_of_every_plate_that_it_may_follow(way):
    for number, noun in enumerate(NOUNS):
        way.send(canary(noun, number))
    seen = {}
    for noun in schemas.subscribers()["htmoc"].nouns:
        (record,) = way.decoded(f"htmoc.{noun}.v1")
        assert set(record["restricted"].values()) == {None}
        listed = [each["field"] for each in record["view"]["withheld"]]
        assert listed == [f"restricted.{name}" for name in schemas.restricted_fields()]
        seen[noun] = record["view"]["pseudonym"]
    assert seen.pop("plate_read")
    assert set(seen.values()) == {None}
