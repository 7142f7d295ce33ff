import hashlib
from datetime import UTC, datetime

import schemas
from hub import Connector, Event, Nothing, Options, Payload, PayloadError, Picture, Rejection
from hub.codec import EventCodec, RecordCodec
from hub.config import TEST_ID_KEY
from hub.envelope import Envelope, RawRef, raw_topic

AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
RAW = RawRef(bytes(32), "raw.x.v1", 3, 42)


def event(**more):
    noun = more.pop("noun", "detection")
    return Event(noun=noun, kind="line.crossed", device_ref="cam/1", **{"body": {}, **more})


def results(parse, *, emits=("detection", "situation", "alert", "plate_read"), **more):
    connector = Connector(
        name="x", title="x", parse=parse, emits=emits, identity=dict.fromkeys(emits, ())
    )
    codecs = {noun: EventCodec(schemas.built(schemas.nouns()[noun].topic), 9) for noun in emits}
    envelope = Envelope(connector, Options(), "src", key=TEST_ID_KEY, codecs=codecs, **more)
    return list(envelope.results(Payload(body=b"x", received_at=AT, payload_id="p"), RAW))


def decoded(result):
    return RecordCodec(schemas.built(result.topic), 9).decode(result.value)


def test_an_event_gets_its_header_key_and_topic():
    (result,) = results(lambda _payload, _options: [event(observed_at=AT)])
    header = decoded(result)["header"]
    assert (result.topic, result.key) == ("camera.detection.v1", b"src/cam%2F1")
    assert (header["received_at"], header["observed_at"]) == (AT, AT)
    assert header["event_id"] == header["subject_id"]
    assert header["origin"] == {
        "topic": "raw.x.v1", "partition": 3, "offset": 42, "index": 0, "sha256": bytes(32),
        "connector": "x", "connector_version": "1",
    }  # fmt: skip


def test_keys_follow_the_noun():
    found = results(
        lambda _payload, _options: [
            event(noun="situation", native_id="A/1", subject=("A", "1")),
            event(noun="alert", native_id="x", subject=("x",)),
        ]
    )
    assert [result.key for result in found] == [b"src/A%2F1", b"src"]


def test_a_bad_outcome_never_hides_its_neighbours():
    def parse(_payload, _options):
        yield event(native_id="1")
        yield event(body={"score": "high"})
        yield event(noun="violation")
        yield Rejection(code="c", message="m")
        yield event(native_id="2")
        raise PayloadError("cut off", code="truncated", path="a/b")

    found = results(parse)
    assert [getattr(each, "code", "event") for each in found] == [
        "event", "schema-mismatch", "undeclared-noun", "c", "event", "truncated",
    ]  # fmt: skip
    assert found[-1].path == "a/b"
    assert [decoded(found[place])["header"]["origin"]["index"] for place in (0, 4)] == [0, 4]


def test_a_defect_of_a_parser_is_a_rejection_that_shows_nothing_of_the_payload():
    def parse(_payload, _options):
        raise KeyError("30K-000.01")

    (found,) = results(parse)
    assert found.code == "parser-defect"
    assert "30K" not in found.message


def test_a_payload_without_a_record_is_nothing_and_says_so():
    assert results(lambda _payload, _options: []) == [Nothing(why="the payload holds no record")]


def test_pictures_are_stored_and_named_by_their_digest():
    kept = []

    def store(data):
        kept.append(data)
        return hashlib.sha256(data).digest()

    picture = Picture(role="plate", content_type="image/jpeg", data=b"jpeg")
    plate = {"plate": {"text": "30K00001"}}
    (found,) = results(
        lambda _payload, _options: [
            event(noun="plate_read", restricted=plate, pictures=(picture,))
        ],
        store=store,
    )
    assert kept == [b"jpeg"]
    (ref,) = decoded(found)["restricted"]["pictures"]
    assert ref["sha256"] == hashlib.sha256(b"jpeg").digest()
    assert (ref["role"], ref["size_bytes"]) == ("plate", 4)
    assert found.cut.present == 0b11


def test_references_become_subject_ids():
    body = {"references": [{"sender": "a", "identifier": "1", "sent": "t", "subject": ("a", "1")}]}
    first, second = results(
        lambda _payload, _options: [
            event(noun="alert", subject=("a", "1")),
            event(noun="alert", subject=("a", "2"), body=body),
        ]
    )
    (reference,) = decoded(second)["body"]["references"]
    assert reference["subject_id"] == decoded(first)["header"]["subject_id"]


def test_urgent_payloads_have_a_topic_of_their_own():
    assert raw_topic("cap", "urgent") == "raw.cap.urgent.v1"
    assert raw_topic("cap", "bulk") == "raw.cap.v1"
