import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest

import schemas
from hub.codec import REPLAYED, EventCodec
from hub.config import Config
from hub.connector import Rejection
from hub.defence import Defence
from hub.envelope import LISTED, Canonical
from hub.errors import ConfigError
from hub.evidence import Erased, EvidenceStore
from hub.normalise import refused_by
from hub.parsing import EVENT_MAX, Parser, RawRecord

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def parser(tmp_path):
    def make(*, keep_pictures: bool = False, defence: Defence | None = None, **config) -> Parser:
        return Parser(
            Config(id_key=b"tests: no secret, but long enough", **config),
            codecs={
                noun.name: EventCodec(schemas.built(noun.topic), 1)
                for noun in schemas.nouns().values()
            },
            evidence=EvidenceStore.open(str(tmp_path / "evidence")),
            keep_pictures=keep_pictures,
            defence=defence or Defence(),
        )

    return make


def raw(value: bytes, topic: str = "raw.spat.v1", /, **other: bytes) -> RawRecord:
    headers = {
        "source_id": b"s",
        "payload_id": b"p",
        "received_at": datetime(2026, 11, 20, 1, 15, 20, tzinfo=UTC).isoformat().encode(),
        "content_type": b"application/json",
        "sha256": hashlib.sha256(value).hexdigest().encode(),
        **other,
    }
    return RawRecord(topic, 0, 5, b"s", value, list(headers.items()))


def signals(*junctions: object) -> bytes:
    """The states of these intersections; one that is no object is refused."""
    document = json.loads((SAMPLES / "spat" / "frame_giai_phong.json").read_text("utf-8"))
    spat = document["payload"]["data"]["value"]["SPAT"]
    (one,) = spat["intersections"]
    spat["intersections"] = [
        {**one, "id": {"region": 84, "id": each}} if isinstance(each, int) else each
        for each in junctions
    ]
    return json.dumps(document).encode()


def kinds(parsed) -> list:
    return [
        (index, result.code if isinstance(result, Rejection) else type(result).__name__)
        for index, result in parsed.outcomes
    ]


def test_every_outcome_comes_with_its_place_in_the_payload(parser):
    found = kinds(parser().parse(raw(signals(1, "no object", 3))))
    assert found == [(0, "Canonical"), (1, "wrong-type"), (2, "Canonical")]


def test_each_event_of_a_full_snapshot_says_that_it_is_of_one(parser):
    def listed(**headers: bytes) -> list[bool]:
        outcomes = parser().parse(raw(signals(1, "x", 2), **headers)).outcomes
        return [LISTED in dict(each.headers) for _, each in outcomes if isinstance(each, Canonical)]

    assert listed() == [False, False]
    assert listed(snapshot=b"one") == [True, True]


def test_of_a_payload_with_too_many_parts_the_rest_is_refused_as_one(parser, monkeypatch):
    monkeypatch.setattr("hub.parsing.PARTS_MAX", 2)

    def outcomes(*junctions: object) -> list[str]:
        parsed = parser().parse(raw(signals(*junctions)))
        return [getattr(each, "code", type(each).__name__) for _, each in parsed.outcomes]

    assert outcomes(1, 2) == ["Canonical", "Canonical"]
    assert outcomes(1, 2, 3, 4) == ["Canonical", "Canonical", "too-many-parts"]


def test_an_event_that_no_record_can_hold_is_refused_alone(parser):
    def alert(name: str) -> str:
        return (
            f"<alert><identifier>{name}</identifier><sender>s@hanoi.example</sender>"
            "<sent>2026-11-20T09:00:00+07:00</sent><status>Actual</status><msgType>Alert</msgType>"
            "<scope>Public</scope></alert>"
        )

    # Texts and lists are cut, an id never is.
    body = f"<list>{alert('a')}{alert('b' * EVENT_MAX)}{alert('c')}</list>".encode()
    found = kinds(parser().parse(raw(body, "raw.cap.urgent.v1", content_type=b"application/xml")))
    assert found == [(0, "Canonical"), (1, "too-large"), (2, "Canonical")]


def test_a_refusal_of_the_whole_payload_has_no_place(parser):
    assert kinds(parser().parse(raw(b"{"))) == [(None, "malformed")]
    assert kinds(parser().parse(raw(b"{}", received_at=b"?"))) == [(None, "bad-raw-record")]
    found = parser().parse(raw(b"{}", body=b"sha256:" + b"0" * 64))
    assert kinds(found) == [(None, "evidence-missing")]
    letter = found.refused(None)
    assert (letter.index, letter.value, letter.component) == (None, b"", "spat")


def test_a_payload_whose_body_was_erased_is_refused_as_erased_and_not_as_missing(parser, tmp_path):
    store = EvidenceStore.open(str(tmp_path / "evidence"))
    name = store.put(signals(1), "body")
    store.erase(name, Erased("record-7", "2026-03-01", "2026-03-31"))
    found = parser().parse(raw(b"", body=b"sha256:" + name.encode()))
    ((index, why),) = found.outcomes
    assert (index, why.code, why.message) == (None, "evidence-erased", "erased on 2026-03-01")
    assert "record-7" in why.fix


def test_a_first_part_that_is_refused_has_a_place_when_others_follow(parser):
    found = kinds(parser().parse(raw(signals("no object", 2))))
    assert found == [(0, "wrong-type"), (1, "Canonical")]


def test_a_wrong_option_of_the_source_refuses_its_payload(parser):
    source = {"s": {"connector": "spat", "options": {"no_such": 1}}}
    ((index, why),) = parser(source=source).parse(raw(signals(1))).outcomes
    assert (index, why.code) == (None, "bad-source")
    assert why.path == "source.s.options.no_such"


def test_of_a_payload_that_is_sent_again_only_what_was_refused_passes(parser):
    once = dict(parser().parse(raw(signals(1, 2, 3, 4))).outcomes)
    again = list(
        parser().parse(raw(signals(1, 2, 3, 4), replay_of=b"x", replay_indexes=b"1,3-")).outcomes
    )
    assert [index for index, _ in again] == [1, 3]
    for index, event in again:
        assert isinstance(event, Canonical)
        assert event.value[REPLAYED] == 1
        assert event.value[:REPLAYED] == once[index].value[:REPLAYED]
        assert event.value[REPLAYED + 1 :] == once[index].value[REPLAYED + 1 :]
    found = parser().parse(raw(signals(1), replay_indexes=b"one"))
    assert kinds(found) == [(None, "bad-raw-record")]


def test_packed_bytes_are_parsed_and_kept_unpacked(parser):
    body = signals(1, "no object")
    packed = {"meta.header.content-encoding": b"gzip"}
    found = parser().parse(raw(gzip.compress(body), **packed))
    assert found.body == body
    assert found.refused(1).value == body
    assert kinds(found) == [(0, "Canonical"), (1, "wrong-type")]
    assert kinds(parser().parse(raw(body, **packed))) == [(None, "bad-encoding")]


def of_defence(source: str, ref: str) -> Defence:
    """A register in which one device behind a feed is of defence."""
    found = Defence()
    aliases = [{"source_id": source, "device_ref": ref}]
    found.put(b"a", {"purpose": "defence", "aliases": aliases}, 0, 2**62)
    return found


def test_of_a_shared_feed_what_is_of_defence_is_withheld_and_its_neighbours_pass(parser):
    shared = parser(defence=of_defence("s", "84/2"))
    found = shared.parse(raw(signals(1, 2, "no object", 3)))
    assert kinds(found) == [
        (0, "Canonical"), (1, "Withheld"), (2, "wrong-type"), (3, "Canonical"),
    ]  # fmt: skip
    # The payload holds the withheld record too, so no letter may hold the payload.
    assert found.refused(2).bare
    assert shared.parse(raw(b"{")).refused(None).bare
    assert not parser().parse(raw(signals(1))).refused(0).bare
    assert not shared.parse(raw(signals(1), source_id=b"other")).refused(0).bare


def test_nothing_is_read_of_a_source_of_defence_whatever_it_sent(parser):
    source = {"s": {"connector": "spat", "purpose": "defence"}}
    for body in (signals(1, 2), b"{", b""):
        found = parser(source=source).parse(raw(body))
        assert found.body == b""
        assert kinds(found) == [(None, "Withheld")]


def test_no_picture_of_a_withheld_event_is_stored(parser, tmp_path):
    sample = SAMPLES / "hikvision_isapi" / "anpr_push_with_pictures.bin"
    content_type = json.loads(Path(f"{sample}.meta.json").read_text("utf-8"))["content_type"]
    record = raw(sample.read_bytes(), "raw.hikvision_isapi.v1", content_type=content_type.encode())
    (event,) = [each for _, each in parser().parse(record).outcomes if isinstance(each, Canonical)]
    ref = unquote(event.key.decode().partition("/")[2])
    withheld = parser(keep_pictures=True, defence=of_defence("s", ref)).parse(record)
    assert "Withheld" in [kind for _, kind in kinds(withheld)]
    assert not [each for each in (tmp_path / "evidence").rglob("*") if each.is_file()]


def test_a_dry_run_stores_no_picture(parser, tmp_path):
    sample = SAMPLES / "hikvision_isapi" / "anpr_push_with_pictures.bin"
    content_type = json.loads(Path(f"{sample}.meta.json").read_text("utf-8"))["content_type"]
    record = raw(sample.read_bytes(), "raw.hikvision_isapi.v1", content_type=content_type.encode())
    kept = tmp_path / "evidence"
    dry = [result.value for _, result in parser().parse(record).outcomes]
    assert not [each for each in kept.rglob("*") if each.is_file()]
    wet = [result.value for _, result in parser(keep_pictures=True).parse(record).outcomes]
    assert [each for each in kept.rglob("*") if each.is_file()]
    assert dry == wet


def test_a_dead_letter_names_the_connector_inside_that_refused_it(parser):
    inside = {"connector": "spat"}
    source = {"connector": "cloudevents", "options": inside}
    event = {"specversion": "1.0", "type": "t", "source": "/s", "id": "1"}
    body = json.dumps([{**event, "data": {}}, {**event, "id": ""}]).encode()
    parsed = parser(source={"s": source}).parse(raw(body, "raw.cloudevents.v1"))
    refused = [refused_by(parsed.refused(index), why) for index, why in parsed.outcomes]
    assert [(each.component, each.index) for each in refused] == [("spat", 0), ("cloudevents", 1)]


def test_a_source_whose_options_are_wrong_refuses_its_payloads_and_says_why(parser):
    source = {"connector": "mapping", "options": {"file": "nowhere.toml"}}
    parsed = parser(source={"s": source}).parse(raw(b"{}", "raw.mapping.v1"))
    ((index, why),) = parsed.outcomes
    assert (index, why.code, why.path) == (None, "bad-source", "nowhere.toml")


def test_changed_sources_are_gone_by_from_the_next_payload_on(parser):
    made = parser()
    body = signals(1)

    def source(**more: object) -> Config:
        return Config.model_validate({"source": {"s": {"connector": "spat", **more}}})

    made.take(source(purpose="defence"))
    assert [type(result).__name__ for _, result in made.parse(raw(body)).outcomes] == ["Withheld"]
    with pytest.raises(ConfigError, match="speed"):
        made.take(source(options={"speed": 3}))
    made.take(source())
    assert isinstance(next(made.parse(raw(body)).outcomes)[1], Canonical)
