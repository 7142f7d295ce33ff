"""A source of which too much is refused is paused, and its neighbours in the partition flow on."""

import hub_in_memory
import pytest
from clients import Message
from cluster import Entry, Place
from whole_way import AT, CONNECTOR, RAW, WholeWay

import schemas
from hub import metrics
from hub.breaker import SET_ASIDE
from hub.codec import RecordCodec, micros
from hub.config import Config
from hub.dead_letter import TOPIC as LETTERS
from hub.engine.task import Partition, Span
from hub.evidence import EvidenceStore
from hub.normalise import Normalise
from hub.replay.records import restored
from hub.replayed import INDEXES, OF
from hub.tables import Decoder

GOOD, BAD = b'[{"noun": "plate_read", "id": "%d"}]', b'[{"refuse": "the vendor changed it: %d"}]'
PLATES = "camera.plate_read.v1"


class Rig:
    """One worker of normalise with two sources, `bad` and `other`, in one partition."""

    def __init__(self, folder, patch) -> None:
        way = WholeWay(folder, patch)
        self.config = self.configured(way.config, payloads=4)
        self.now = 0.0
        self.normalise = Normalise(
            self.config, lane="bulk", slot="a", ids=hub_in_memory.IDS,
            store=EvidenceStore.open(self.config.evidence()), connectors=[CONNECTOR],
        )  # fmt: skip
        self.normalise._pauses._clock = lambda: self.now
        self.written: list[tuple[str, bytes]] = []
        self._open: list[tuple[str, bytes]] = []
        self._offset = self._committed = 0

    @staticmethod
    def configured(config: Config, **breaker) -> Config:
        bad = {"connector": CONNECTOR, "breaker": breaker}
        sources = {"bad": bad, "other": {"connector": CONNECTOR}}
        values = {**config.model_dump(), "id_key": config.id_key, "source": sources}
        return Config.model_validate(values)

    def take(self, *payloads: tuple[str, bytes], headers=()) -> None:
        """Payloads, each with its source, of the open transaction."""
        messages = []
        for source, body in payloads:
            name = b"p%d" % self._offset
            own = [
                ("source_id", source.encode()),
                ("payload_id", name),
                ("received_at", AT.isoformat().encode()),
                ("meta.path", b"a place in the payload's name"),
            ]
            text = body % self._offset if b"%d" in body else body
            entry = Entry(source.encode(), text, [*own, *headers], micros(AT) // 1000, None)
            messages.append(Message(Place(RAW, 0), self._offset, entry))
            self._offset += 1
        self.normalise.handle(
            Partition(RAW, 0), messages, lambda topic, value, *_: self._open.append((topic, value))
        )

    def commit(self) -> None:
        span = Span(self._committed, self._offset)
        self.normalise.seal(
            {Partition(RAW, 0): span}, lambda topic, value, *_: self._open.append((topic, value))
        )
        self.normalise.committed()
        self.written += self._open
        self._open, self._committed = [], self._offset

    def roll_back(self) -> None:
        self.normalise.rolled_back()
        self._open, self._offset = [], self._committed

    def sent(self, *payloads: tuple[str, bytes], headers=()) -> None:
        self.take(*payloads, headers=headers)
        self.commit()

    def decoded(self, topic: str) -> list[dict]:
        codec = RecordCodec(schemas.built(topic), 0)
        return [codec.decode(value) for name, value in self.written if name == topic]

    def codes(self) -> list[str]:
        return [letter["code"] for letter in self.decoded(LETTERS)]

    def offsets(self, source: str) -> list[int]:
        """Offsets of the payloads of which an event was written."""
        headers = [each["header"] for each in self.decoded(PLATES)]
        return [each["origin"]["offset"] for each in headers if each["source_id"] == source]


@pytest.fixture
def rig(tmp_path, monkeypatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


def test_its_payloads_are_set_aside_and_others_of_the_partition_flow_on(rig):
    rig.sent(*[("bad", BAD), ("other", GOOD)] * 6)
    assert rig.codes() == ["test-refused"] * 3 + [SET_ASIDE] * 3
    assert rig.offsets("other") == [1, 3, 5, 7, 9, 11]
    assert metrics.value("hub_source_paused", source_id="bad") == 1
    counted = {"code": SET_ASIDE, "source_id": "bad", "component": CONNECTOR}
    assert metrics.value("hub_dead_letters_total", **counted) >= 3


def test_the_letter_names_the_raw_record_and_holds_nothing_of_it(rig):
    rig.sent(*[("bad", BAD)] * 4)
    letter = rig.decoded(LETTERS)[-1]
    place = (letter["topic"], letter["partition"], letter["offset"], letter["payload_id"])
    assert place == (RAW, 0, 3, "p3")
    assert (letter["index"], letter["body"], letter["truncated"]) == (None, b"", True)
    assert letter["component"] == CONNECTOR
    headers = {each["name"] for each in letter["record_headers"]}
    assert headers == {"source_id", "payload_id", "received_at"}
    # When raw has let go of it, a replay says so, and sends no empty payload in its place.
    assert restored(letter, Decoder(None)) is None


def test_the_books_count_it_as_a_payload_of_which_all_was_refused(rig):
    rig.sent(*[("bad", BAD)] * 5, ("other", GOOD))
    (row,) = rig.decoded("ledger.v1")
    counts = {(each["source_id"], each["outcome"]): each["count"] for each in row["counts"]}
    assert counts == {
        ("bad", "refused"): 5, ("bad", "dead"): 5, ("other", "events"): 1, ("other", "found"): 1,
    }  # fmt: skip


def test_one_is_tried_every_half_minute_and_good_ones_in_a_row_let_it_flow(rig):
    rig.sent(*[("bad", BAD)] * 4)
    rig.now += 29
    rig.sent(("bad", GOOD))
    assert rig.codes().count(SET_ASIDE) == 2
    rig.now += 1
    # The first is on trial, is refused, and the next waits again.
    rig.sent(("bad", BAD), ("bad", GOOD))
    assert rig.codes()[-2:] == ["test-refused", SET_ASIDE]
    rig.now += 30
    rig.sent(*[("bad", GOOD)] * 3, ("bad", BAD), ("bad", GOOD))
    # Three good ones prove less than four: it is paused again.
    assert rig.codes()[-2:] == ["test-refused", SET_ASIDE]
    rig.now += 30
    rig.sent(*[("bad", GOOD)] * 3)
    assert metrics.value("hub_source_paused", source_id="bad") == 1
    rig.sent(("bad", GOOD), ("bad", BAD), ("bad", GOOD))
    assert metrics.value("hub_source_paused", source_id="bad") == 0
    assert rig.offsets("bad")[-5:] == [12, 13, 14, 15, 17]


def test_a_flood_is_tried_by_its_number_without_waiting_for_the_clock(rig):
    rig.sent(*[("bad", BAD)] * 3, *[("bad", GOOD)] * 20)
    assert rig.codes() == ["test-refused"] * 3 + [SET_ASIDE] * 4
    assert rig.offsets("bad") == list(range(7, 23))


def test_a_heartbeat_on_trial_proves_nothing(rig):
    rig.sent(*[("bad", BAD)] * 3)
    rig.now += 30
    rig.sent(*[("bad", b'[{"nothing": 1}]')] * 9, ("bad", BAD), ("bad", GOOD))
    assert rig.codes() == ["test-refused"] * 4 + [SET_ASIDE]


def test_a_rollback_takes_back_what_the_transaction_made_of_a_source(rig, caplog):
    rig.take(*[("bad", BAD)] * 4)
    rig.roll_back()
    assert metrics.value("hub_source_paused", source_id="bad") == 0
    rig.sent(*[("bad", GOOD)] * 4)
    assert (rig.codes(), rig.offsets("bad")) == ([], [0, 1, 2, 3])
    rig.sent(*[("bad", BAD)] * 3)
    rig.now += 30
    rig.take(*[("bad", GOOD)] * 4)
    rig.roll_back()
    rig.sent(*[("bad", GOOD)] * 4)
    assert rig.offsets("bad")[-4:] == [7, 8, 9, 10]
    assert [line for line in caplog.messages if "paused" in line] == caplog.messages
    assert len(caplog.messages) == 1


def test_a_replayed_payload_is_read_while_its_source_is_paused(rig):
    rig.sent(*[("bad", BAD)] * 4)
    again = [(OF, b"some letter"), (INDEXES, b"0-")]
    rig.sent(("bad", GOOD), ("bad", BAD), headers=again)
    assert rig.offsets("bad") == [4]
    assert rig.codes()[-1] == "test-refused"
    # It was no trial.
    rig.sent(("bad", GOOD))
    assert rig.codes()[-1] == SET_ASIDE


def test_a_changed_entry_starts_with_its_source_read(rig):
    rig.sent(*[("bad", BAD)] * 4)
    rig.normalise._take(rig.config)
    # Nothing changed in it, but maybe in a file it names: one is tried.
    rig.sent(("bad", BAD), ("bad", BAD))
    assert rig.codes()[-2:] == ["test-refused", SET_ASIDE]
    rig.normalise._take(rig.configured(rig.config, payloads=5))
    assert metrics.value("hub_source_paused", source_id="bad") == 0
    rig.sent(*[("bad", BAD)] * 4)
    assert rig.codes()[-4:] == ["test-refused"] * 3 + [SET_ASIDE]


def test_a_worker_that_gives_the_partition_up_says_no_more_that_it_is_paused(rig):
    rig.sent(*[("bad", BAD)] * 4)
    rig.normalise.forget(Partition(RAW, 1))
    assert metrics.value("hub_source_paused", source_id="bad") == 1
    rig.normalise.forget(Partition(RAW, 0))
    assert metrics.value("hub_source_paused", source_id="bad") == 0


def test_a_source_that_may_not_be_paused_is_not(rig):
    rig.normalise._take(rig.configured(rig.config, share=1.0, payloads=4))
    rig.sent(*[("bad", BAD)] * 300)
    assert set(rig.codes()) == {"test-refused"}
