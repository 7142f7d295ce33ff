"""What the end of a log says of the payloads that were at hand when a process died."""

import pytest

from hub.ingest.at_hand import AtHand, Taken
from hub.ingest.log import IngestLog
from hub.ingest.records import RawRecord, pack


def filled(folder, records: list[bytes]) -> IngestLog:
    """A log that was opened again, whose segments hold two records of 1,500 bytes."""
    log = IngestLog(folder, segment_bytes=4096)
    for record in records:
        log.append(record).result()
    log.close()
    return IngestLog(folder, segment_bytes=4096)


def record(source_id: str, transport: str, payload_id: str, **meta: str) -> bytes:
    headers = {"source_id": source_id, "transport": transport, "payload_id": payload_id}
    headers |= {f"meta.{name}": text for name, text in meta.items()}
    return pack(RawRecord("raw.x.v1", b"k", b"", [(k, v.encode()) for k, v in headers.items()]))


@pytest.mark.parametrize(("size", "count"), [(3_000, 2), (4_000, 4), (20_000, 14), (10**9, 20)])
def test_the_end_of_a_log_is_whole_segments_of_at_least_so_many_bytes(tmp_path, size, count):
    records = [b"%03d" % number * 500 for number in range(20)]
    log = filled(tmp_path, records)
    found, _ = log.read(log.tail(size), max_records=99, max_bytes=10**9)
    assert [each for _, each in found] == records[-count:]
    log.close()


def test_each_source_is_told_once_what_is_durable_the_newest_last(tmp_path):
    log = filled(
        tmp_path,
        [
            record("files", "drop_folder", "1", path="a.xml"),
            record("broker", "mqtt", "2"),
            record("clients", "http_push", "3"),
            record("files", "drop_folder", "4", path="b.xml"),
        ],
    )
    at_hand = AtHand([log])
    log.close()
    assert at_hand.take("files") == [Taken("1", "a.xml"), Taken("4", "b.xml")]
    assert at_hand.take("files") == []
    assert at_hand.take("broker") == [Taken("2", "")]
    assert at_hand.take("clients") == at_hand.take("unknown") == []


def test_the_end_of_a_log_stays_when_it_was_moved_and_through_one_death_after_another(tmp_path):
    log = filled(tmp_path, [record("broker", "mqtt", "1"), record("broker", "mqtt", "2")])
    for death in range(5):
        log.release(log.append(record("clients", "http_push", f"push-{death}")).result())
        log.close()
        log = IngestLog(tmp_path, segment_bytes=4096)
        told = AtHand([log]).take("broker")
        assert told[-2:] == [Taken("1", ""), Taken("2", "")]
    log.close()


def test_of_what_was_moved_only_the_end_of_a_log_stays(tmp_path):
    log = filled(tmp_path, [])
    last = [log.append(b"x" * 1_500).result() for _ in range(40)][-1]
    log.release(last)
    assert 4_096 <= log.used_bytes <= 3 * 4_096
    assert log.covers(last)
    log.close()
