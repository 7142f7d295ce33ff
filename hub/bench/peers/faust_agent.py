"""The work as a Faust agent: `… BROKER SOURCE POLICE HTMOC FILE COUNT FOLDER PARTITIONS`.

At least once at best, as its exactly-once mode does not work with today's clients. The ids seen are
a table (in memory, with a changelog). A table can only be written to event by event, and so events
are acked before their sends are confirmed: fast and simple, not what the hub would promise on.
"""

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from hub.bench.peers.work import Progress, Work, cut_of

__all__ = ["APP", "main"]

APP = "bench-faust"


def main(words: list[str]) -> None:
    """Run until the benchmark has seen enough."""
    # Found by name: only the fuse stage may depend on it.
    faust: Any = importlib.import_module("faust")
    broker, source, police, htmoc, file, count, folder, partitions = words
    work, progress = Work(Path(file)), Progress(int(count))
    app = faust.App(
        APP,
        broker=f"kafka://{broker}",
        store="memory://",
        topic_partitions=int(partitions),
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        datadir=str(Path(folder) / "faust"),
        producer_linger=0.01,
        broker_max_poll_records=5_000,
        stream_wait_empty=False,
    )
    topics = [
        app.topic(
            name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )
        for name in (source, police, htmoc)
    ]
    seen = app.Table("seen", partitions=int(partitions), key_type=bytes, value_type=bytes)

    @app.agent(topics[0])  # type: ignore[untyped-decorator]
    async def process(stream: Any) -> None:
        async for event in stream.events():
            value, key = event.message.value, event.message.key
            if work.id_of(value) not in seen:
                seen[work.id_of(value)] = b"1"
                outputs = work.outputs(value, key, cut_of(event.message.headers))
                for topic, output in zip(topics[1:], outputs, strict=True):
                    await topic.send(key=key, value=output)
            progress.one()

    progress.ready()
    progress.when_told(lambda: os.kill(os.getpid(), signal.SIGTERM))
    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1:])
