"""Payloads and records with unmistakable values wherever something is restricted."""

import json
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import Raw, Rig
from oracle import BY_HAND

import schemas
from hub.codec import EventCodec, RecordCodec

SAMPLES = Path(__file__).parents[1] / "samples" / "hikvision_isapi"
PLATES = "camera.plate_read.v1"
PLATE, PLATE_TEXT = "29Z-913.57", "29Z91357"
CANARIES = tuple(
    text.encode() for text in (PLATE, PLATE_TEXT, "CANARYDRIVER", "CANARYPLATE", "CANARYPERSON")
)
PICTURE = b"CANARYPICTURE-".ljust(32, b"*")


def canary_payloads() -> list[tuple[bytes, str]]:
    """Plate reads that are right, and ones that are refused at every place a plate can stand."""
    given = json.loads((SAMPLES / "anpr_push.json").read_text("utf-8"))

    def push(number: int, alert: dict[str, Any] | None = None, **anpr: Any) -> bytes:
        changed = json.loads(json.dumps(given))
        event = changed["EventNotificationAlert"]
        # Vendors put the plate into the id, too.
        event["UUID"] = f"2026031407455900{number:04d}{'' if anpr else PLATE_TEXT}"
        event |= alert or {}
        event["ANPR"] |= {"licensePlate": PLATE, "driverName": "CANARYDRIVER Nguyen", **anpr}
        return json.dumps(changed).encode()

    whole = push(1)
    xml = (SAMPLES / "anpr_motorbike_unread_retransmitted.xml").read_bytes()
    parts = (SAMPLES / "anpr_push_with_pictures.bin").read_bytes()
    boundary = json.loads((SAMPLES / "anpr_push_with_pictures.bin.meta.json").read_text("utf-8"))
    json_, xml_ = "application/json", "application/xml"
    return [
        (whole, json_),
        (push(2, licensePlate="CANARYPLATE 7 ĐỘC NHẤT"), json_),
        (push(3, confidenceLevel=PLATE), json_),
        (push(4, {"dateTime": PLATE}), json_),
        (push(5, {"channelID": {PLATE: PLATE}}), json_),
        (push(6, licensePlate=[PLATE, {"CANARYPLATE": 1}]), json_),
        (push(7, {"GPS": {"longitude": PLATE, "latitude": PLATE}}), json_),
        (push(8, vehicleInfo={"speed": PLATE}), json_),
        (whole[:-20], json_),
        (whole.replace(b'"ANPR": {', b'"ANPR": {' + f'"{PLATE}": NaN,'.encode()), json_),
        (whole.replace(PLATE.encode(), PLATE.encode() + b"\xff\xfe"), json_),
        (whole, xml_),
        (f"<{PLATE_TEXT}><b></{PLATE_TEXT}>".encode(), xml_),
        (xml.replace(b"</ANPR>", f"<licensePlate>{PLATE}</licensePlate>".encode()), xml_),
        (f"<!DOCTYPE x [<!ENTITY p '{PLATE}'>]><x>&p;</x>".encode(), xml_),
        (parts.replace(b"29C-483.16", PLATE.encode()), boundary["content_type"]),
        (
            parts.replace(b"29C-483.16", PLATE.encode()).replace(
                b'filename="', b'filename="CANARYDRIVER-'
            ),
            boundary["content_type"],
        ),
        (parts.replace(b"29C-483.16", PLATE.encode())[:1800], boundary["content_type"]),
    ]


def filled(rig: Rig) -> list[Raw]:
    """An event of every noun of the lane, with everything that there is to withhold."""
    found = []
    bulk = [noun for noun in schemas.nouns().values() if noun.lane == "bulk"]
    for number, noun in enumerate(bulk):
        codec = EventCodec(schemas.built(noun.topic), rig.ids.current(noun.topic))
        header = {
            "event_id": struct.pack(">12sI", b"CANARY-EVENT", number),
            "subject_id": struct.pack(">12sI", b"CANARY-EVENT", number),
            "status": "LIVE",
            "received_at": datetime(2026, 11, 22, 10, tzinfo=UTC),
            "source_id": hikvision(rig),
            "device_ref": "cam-canary",
            "kind": "some.kind",
            "origin": {"sha256": bytes(32)},
        }
        restricted = {
            "plate": {"raw": PLATE, "text": PLATE_TEXT, "category": "CAR"},
            "pictures": [{"sha256": PICTURE, "role": "CANARYDRIVER"}],
            "persons": [{"role": "driver", "reference": "CANARYPERSON"}],
        }
        value, cut = codec.encode(header, restricted, {})
        key = f"{hikvision(rig)}/cam-canary".encode()
        found.append((noun.topic, key, value, [("cut", cut.pack()), BY_HAND]))
    return found


def pictures(rig: Rig) -> set[bytes]:
    """Digests of all pictures that events hold: whoever has one can ask for the picture."""
    codec = RecordCodec(schemas.built(PLATES), 0)
    found = {PICTURE}
    for message in rig.read([PLATES])[PLATES]:
        if BY_HAND in headers(message):
            continue
        for each in codec.decode(message.value())["restricted"]["pictures"] or ():
            found.add(each["sha256"])
    return found


def shifted(rig: Rig) -> list[Raw]:
    """Canonical records with a canary whose parts stand where others belong."""
    found = []
    for message in rig.read([PLATES])[PLATES]:
        value = message.value()
        if BY_HAND in headers(message) or not any(canary in value for canary in CANARIES):
            continue
        at = next(value.index(canary) for canary in CANARIES if canary in value)
        for changed in (
            value[:-1],
            value[: at + 6],
            value[:42] + value[at - 20 :],
            value[:60] + b"\xff" * 8 + value[at - 4 :],
            value[:42] + b"\xff" + value[at:],
            b"\x01" + value[1:],
            value[:1] + b"\x7f\xff\xff\xff" + value[5:],
            value[: at - 1] + b"\x01" + value[at:],
        ):
            numbered = with_own_id(changed, 10_000 + len(found))
            found.append((PLATES, message.key(), numbered, [BY_HAND]))
    assert found
    return found


def with_own_id(value: bytes, number: int) -> bytes:
    """Else it would be a duplicate of what came before, however it looks."""
    return value[:5] + struct.pack(">12sI", b"STRANGER....", number) + value[21:]


def hikvision(rig: Rig) -> str:
    sources = rig.config.source.items()
    return next(name for name, each in sources if each.connector == "hikvision_isapi")


def headers(message: Any) -> list[tuple[str, bytes | None]]:
    return message.headers() or []
