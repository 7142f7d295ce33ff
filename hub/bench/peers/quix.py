"""The work in Quix Streams: `quix.py BROKER SOURCE POLICE HTMOC FILE COUNT FOLDER`.

Exactly once; the ids seen are its state store (RocksDB, with a changelog), by record key.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

from hub.bench.peers.work import Progress, Work, cut_of

__all__ = ["main"]

_COMMIT_S = 0.1


def main(words: list[str]) -> None:
    """Run until the benchmark has seen enough."""
    # Installed only in the environment that the benchmark makes for it.
    quixstreams: Any = importlib.import_module("quixstreams")
    broker, source, police, htmoc, file, count, folder = words
    work, progress = Work(Path(file)), Progress(int(count))
    app = quixstreams.Application(
        broker_address=broker,
        consumer_group="bench-quix",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=_COMMIT_S,
        consumer_poll_timeout=_COMMIT_S,
        state_dir=Path(folder) / "quix",
        auto_create_topics=True,
        producer_extra_config={"compression.type": "lz4", "linger.ms": 10},
        consumer_extra_config={"fetch.queue.backoff.ms": 5},
        loglevel="WARNING",
    )
    raw = {"key_serializer": "bytes", "value_serializer": "bytes"}
    read = app.topic(source, key_deserializer="bytes", value_deserializer="bytes")
    targets = [app.topic(name, **raw) for name in (police, htmoc)]

    def step(value: bytes, key: bytes, _at: int, headers: Any, state: Any) -> Any:
        id_ = work.id_of(value).hex()
        progress.one()
        if state.exists(id_):
            return None
        state.set(id_, 1)
        return work.outputs(value, key, cut_of(headers))

    events = app.dataframe(read).apply(step, stateful=True, metadata=True)
    events = events[events.apply(lambda outputs: outputs is not None)]
    events.apply(lambda outputs: outputs[0]).to_topic(targets[0])
    events.apply(lambda outputs: outputs[1]).to_topic(targets[1])
    progress.ready()
    progress.when_told(app.stop)
    app.run()


if __name__ == "__main__":
    main(sys.argv[1:])
