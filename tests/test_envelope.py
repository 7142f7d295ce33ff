import hashlib
from datetime import UTC, datetime

import pytest

import schemas
from hub import (
    Connector,
    Event,
    Inner,
    Nothing,
    Options,
    Payload,
    PayloadError,
    Picture,
    Rejection,
)
from hub.codec import EventCodec, RecordCodec
from hub.config import TEST_ID_KEY
from hub.defence import Defence
from hub.envelope import Canonical, Envelope, InnerRejection, RawRef, Withheld, raw_topic

AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
RAW = RawRef(bytes(32), "raw.x.v1", 3, 42)


def event(**more):
    noun = more.pop("noun", "detection")
    usual = {"kind": "line.crossed", "device_ref": "cam/1", "body": {}}
    return Event(noun=noun, **usual | more)


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


@pytest.mark.parametrize(
    ("wrong", "path", "message"),
    [
        ({"subject": (7,)}, "subject.0", "string"),
        ({"kind": None}, "kind", "string"),
        ({"device_ref": 5}, "device_ref", "string"),
        ({"native_id": 5}, "native_id", "string"),
        ({"lifecycle": "GONE"}, "lifecycle", "'NEW'"),
        ({"observed_at": datetime(2026, 3, 1)}, "observed_at", "without a zone"),  # noqa: DTZ001
        ({"published_at": "yesterday"}, "published_at", "datetime"),
        ({"version_at": 7}, "version_at", "datetime"),
        ({"position": (21.0, 105.8)}, "position", "Position"),
        ({"quality_flags": (1,)}, "quality_flags.0", "string"),
        ({"areas_reported": ("Ba Dinh",)}, "areas_reported.0", "Area"),
        ({"pictures": (b"jpeg",)}, "pictures.0", "Picture"),
        ({"body": None}, "body", "dictionary"),
        ({"restricted": 3}, "restricted", "dictionary"),
    ],
)
def test_an_event_with_a_field_of_another_type_is_refused_and_its_neighbours_are_not(
    wrong, path, message
):
    before, found, after = results(
        lambda _payload, _options: [event(), event(**wrong), event()], store=lambda _data: bytes(32)
    )
    assert (type(before), type(after)) == (Canonical, Canonical)
    assert found.code in {"parser-defect", "schema-mismatch"}
    assert found.path == path
    assert message in found.message


def test_what_is_no_outcome_is_refused_not_passed_over():
    found = results(lambda _payload, _options: [None, event(), {"noun": "detection"}])
    assert [getattr(each, "code", "event") for each in found] == [
        "parser-defect", "event", "parser-defect",
    ]  # fmt: skip
    assert "a dict" in found[2].message


def test_a_store_that_is_away_is_no_defect_of_the_event():
    def store(_data):
        raise OSError("the disk is away")

    picture = Picture(data=b"jpeg", role="scene", content_type="image/jpeg")
    with pytest.raises(OSError, match="away"):
        results(lambda _payload, _options: [event(pictures=(picture,))], store=store)


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


# Payloads inside payloads.


def inner_of(connector, body=b"inner", *, options=None, payload_id="inner", **more):
    payload = Payload(body=body, received_at=AT, payload_id=payload_id)
    return Inner(connector=connector, options=options or Options(), payload=payload, **more)


def reads(parse, name="reader", identity=()):
    return Connector(
        name=name,
        title=name,
        parse=parse,
        emits=("detection",),
        identity={"detection": identity},
        version="7",
    )


def test_what_is_handed_on_is_the_business_of_the_connector_that_reads_it():
    reader = reads(lambda payload, _: [event(body={"rule": payload.body.decode()})])
    wrapped = [event(native_id="0"), inner_of(reader, b"a"), inner_of(reader, b"b")]
    first, second, third = (decoded(each) for each in results(lambda *_: wrapped))
    assert [each["header"]["origin"]["index"] for each in (first, second, third)] == [0, 1, 2]
    assert [each["header"]["origin"]["connector"] for each in (first, second)] == ["x", "reader"]
    assert second["header"]["origin"]["connector_version"] == "7"
    assert [each["body"]["rule"] for each in (second, third)] == ["a", "b"]


def test_ids_of_what_is_handed_on_do_not_depend_on_what_was_around_it():
    reader = reads(lambda *_: [event(), event()], identity=("body.rule",))

    def ids(*wrapped):
        found = [decoded(each)["header"] for each in results(lambda *_: wrapped)]
        return [each["event_id"] for each in found if each["origin"]["connector"] == "reader"]

    alone = ids(inner_of(reader, payload_id="7"))
    assert len(set(alone)) == 2
    assert ids(event(native_id="0"), inner_of(reader, payload_id="7")) == alone
    assert set(ids(inner_of(reader, payload_id="8"))).isdisjoint(alone)


def test_the_time_around_an_event_is_taken_only_by_those_that_tell_none_and_changes_no_id():
    told = datetime(2026, 2, 1, tzinfo=UTC)
    reader = reads(lambda *_: [event(), event(observed_at=AT, time_quality="DEVICE")])
    around = {"observed_at": told, "time_quality": "SUSPECT", "quality_flags": ("time_around",)}
    plain, own = (decoded(each)["header"] for each in results(lambda *_: [inner_of(reader)]))
    taken, kept = (
        decoded(each)["header"] for each in results(lambda *_: [inner_of(reader, **around)])
    )
    assert (taken["observed_at"], taken["time_quality"]) == (told, "SUSPECT")
    assert taken["quality_flags"] == ["time_around"]
    assert kept == own
    assert taken["event_id"] == plain["event_id"]


def test_a_refusal_of_what_is_handed_on_names_its_connector_and_its_place():
    def parse(_payload, _options):
        yield Rejection(code="c", message="m", path="lane")
        raise PayloadError("broken")

    found = results(lambda *_: [inner_of(reads(parse), path="[3]/data"), event()])
    assert [each.path for each in found[:2]] == ["[3]/data/lane", "[3]/data"]
    assert all(isinstance(each, InnerRejection) for each in found[:2])
    assert (found[0].component, found[0].component_version) == ("reader", "7")
    assert found[2].noun == "detection"


def test_a_payload_handed_on_that_holds_nothing_says_so():
    (found,) = results(lambda *_: [inner_of(reads(lambda *_: []))])
    assert found == Nothing(why="the payload holds no record")


def test_what_is_handed_on_twice_keeps_the_place_and_the_time_of_the_outer_one():
    def parse(_payload, _options):
        yield event(quality_flags=("time_missing", "doubtful"))
        yield Rejection(code="c", message="m", path="lane")

    middle = Connector(
        name="middle",
        title="x",
        parse=lambda *_: [inner_of(reads(parse), path="rows[1]")],
        emits=(),
        identity={},
    )
    around = inner_of(
        middle, path="[3]/data", observed_at=AT, time_quality="DEVICE", quality_flags=("around",)
    )
    found, refused = results(lambda *_: [around])
    header = decoded(found)["header"]
    assert (header["observed_at"], header["time_quality"]) == (AT, "DEVICE")
    assert header["quality_flags"] == ["doubtful", "around"]
    assert refused.path == "[3]/data/rows[1]/lane"


def test_payloads_in_payloads_end_at_the_third():
    def again(_payload, _options):
        yield inner_of(around)

    around = Connector(name="around", title="x", parse=again, emits=(), identity={})
    (found,) = results(lambda *_: [inner_of(around)])
    assert found.code == "too-deep"


def test_a_device_of_defence_is_withheld_inside_another_payload_too():
    reader = reads(lambda *_: [event()])
    defence = Defence()
    device = {"purpose": "defence", "aliases": [{"source_id": "src", "device_ref": "cam/1"}]}
    defence.put(b"d", device, 0, 2**60)
    assert results(lambda *_: [inner_of(reader)], defence=defence) == [Withheld()]
