"""`hub bench recovery`: how long a worker needs to take over a full window, and what it holds.

The window is written through the changelog as process writes it, transaction by transaction. Then
two processes of their own recover it: one as a worker does, for time and peak memory, one in steps,
which says where the time goes. Run as `python -m hub.bench.recovery ROLE CONFIG IDS PER_RECORD`.
"""

import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import schemas
from hub.bench.running import Measured
from hub.bench.site import PARTITIONS, site
from hub.bench.worker import say
from hub.codec import RecordCodec
from hub.config import Config, load
from hub.engine.task import Partition, Restored
from hub.errors import EnvironmentNotReadyError, InvariantError
from hub.kafka.reading import read_all
from hub.kafka.transaction import TransactionalProducer
from hub.process import Process
from hub.registry import Registry
from hub.schema_ids import SchemaIds, Versions

__all__ = ["main", "measure"]

_NOUN = "plate_read"
_LOG = "state.process.ids.v1"
_ID_BYTES = 16
_RECORDS_A_TRANSACTION = 500
# Written marks keep no id: the window is opened anew before it takes much memory.
_IDS_KEPT = 500_000
_PATIENCE_S = 600.0
# Of the window that is full: nothing of it expires while it is recovered.
_SHARE = 0.9


class _Stage(Process):
    """The process stage of a worker that only fills or recovers its window."""

    def write(self, partition: Partition, number: int, per_record: int, writer: Any) -> None:
        """Write `number` new ids as transactions of an hour would, evenly spread."""
        dice = random.Random(partition.number)  # noqa: S311 - a benchmark's data, not a secret
        span_ms = round(schemas.nouns()[_NOUN].window_s * 1000 * _SHARE)
        began_ms = int(time.time() * 1000) - span_ms
        self._steps.open(*partition)
        for records, first in enumerate(range(0, number, per_record)):
            writer.begin()
            last = min(number, first + per_record)
            state = self._steps.state(*partition)
            for index in range(first, last):
                state.window.first(dice.randbytes(_ID_BYTES), began_ms + index * span_ms // number)
            self._changelog.write(partition, state, last, writer.produce)
            self._steps.commit()
            if records % _RECORDS_A_TRANSACTION == _RECORDS_A_TRANSACTION - 1:
                writer.commit()
            if len(state.window) > _IDS_KEPT:
                self._steps.open(*partition)
        if writer.in_transaction:
            writer.commit()

    def held(self) -> int:
        """Ids in the windows of all partitions."""
        return sum(len(self._steps.state(*each).window) for each in _partitions())


def measure(
    ids: int, per_record: int, *, say: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Fill a window and recover it; one row, and what `hub.bench.scaling` needs."""
    with site() as place:
        say(f"writing {ids:,} ids, {per_record} a record")
        words = [str(place.file), str(ids), str(per_record)]
        _run(place.folder, "write", words)
        say("recovering them")
        whole = _run(place.folder, "recover", words)
        parts = _run(place.folder, "parts", words)
    if whole["held"] != ids:
        raise InvariantError(
            f"{whole['held']:,} ids recovered instead of {ids:,}",
            where=_LOG,
            fix="the figures mean nothing; the window lost ids or forgot them too early",
        )
    figures = {
        "window_bytes_per_id": (whole["peak_mib"] - whole["before_mib"]) * 2**20 / ids,
        "recovered_ids_per_s": ids / whole["seconds"],
    }
    return {
        "ids": ids,
        "ids_per_record": per_record,
        "records": parts["records"],
        "seconds": round(whole["seconds"], 2),
        "cpu_s": round(whole["cpu_s"], 2),
        "peak_mib": round(whole["peak_mib"]),
        "before_mib": round(whole["before_mib"]),
        "cpu_read_s": round(parts["read_s"], 2),
        "cpu_decode_s": round(parts["decode_s"], 2),
        "cpu_apply_s": round(max(0.0, whole["cpu_s"] - parts["read_s"] - parts["decode_s"]), 2),
    }, figures


def _run(folder: Path, role: str, words: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "hub.bench.recovery", role, *words]
    with Measured(command, folder / f"{role}.log") as process:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            for line in process.said(0.5):
                return line
    raise EnvironmentNotReadyError(f"no answer:\n{process.tail()}", where=role)


def main(words: list[str]) -> int:
    """Be one of the processes."""
    role, file, ids, per_record = words
    config = load(Path(file))
    if role == "parts":
        _parts(config)
        return 0
    registry = Registry(config.registry_url)
    stage = _Stage(
        config, lane="bulk", slot="bench", ids=SchemaIds(registry), versions=Versions(registry)
    )
    shares = {each: int(ids) // PARTITIONS for each in _partitions()}
    shares[_partitions()[0]] += int(ids) % PARTITIONS
    if role == "write":
        writer = TransactionalProducer(config.kafka, "bench-recovery")
        writer.open()
        for partition, share in shares.items():
            stage.write(partition, share, int(per_record), writer)
        writer.close()
        say("written")
    else:
        before = _peak_mib()
        began, cpu = time.perf_counter(), time.process_time()
        stage.restore([Restored(each, share) for each, share in shares.items()])
        seconds = time.perf_counter() - began
        say(
            "recovered",
            seconds=seconds,
            cpu_s=time.process_time() - cpu,
            held=stage.held(),
            peak_mib=_peak_mib(),
            before_mib=before,
        )
    stage.close()
    registry.close()
    return 0


def _parts(config: Config) -> None:
    """CPU time of reading the changelog, and of decoding it; few enough records to keep them."""
    began = time.process_time()
    values = [message.value() for message in read_all(config.kafka, _LOG)]
    read_s = time.process_time() - began
    codec = RecordCodec(schemas.built(_LOG), 0)
    began = time.process_time()
    for value in values:
        codec.decode(value)
    say("parts", records=len(values), read_s=read_s, decode_s=time.process_time() - began)


def _partitions() -> list[Partition]:
    return [Partition(schemas.nouns()[_NOUN].topic, number) for number in range(PARTITIONS)]


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
