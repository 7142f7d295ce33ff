"""An ingest in a process of its own, to be killed: `data bootstrap slot`; prints its port."""

import sys
from pathlib import Path

from ingest_support import make_config, push_source, test_connectors

from hub.ingest.main import run_ingest

SOURCES = {
    "s1": push_source(),
    "urgent": push_source("sharded_test"),
    "replicated": push_source(ack="replicated"),
}


def main(data: str, bootstrap: str, slot: str, log_max_bytes: str) -> None:
    config = make_config(
        Path(data),
        SOURCES,
        bootstrap,
        log_max_bytes=int(log_max_bytes),
        log_segment_bytes=2**16,
    )
    with test_connectors():
        run_ingest(
            config,
            slot=slot,
            mark_schema_id=lambda: 7,
            ready=lambda port: print(port, flush=True),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
