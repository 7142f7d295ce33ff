"""The measured ingest: `python -m hub.bench.taking CONFIG`; ends when standard input is closed."""

import json
import sys
from pathlib import Path

from hub.config import load
from hub.ingest.main import IngestHandle
from hub.registry import Registry
from hub.schema_ids import SchemaIds

__all__ = ["main"]


def main(words: list[str]) -> int:
    """Take payloads as `hub run ingest` does, and say the port."""
    config = load(Path(words[0]))
    registry = Registry(config.registry_url)
    ids = SchemaIds(registry)
    with IngestHandle(
        config, slot="bench", mark_schema_id=lambda: ids.current("ingest_mark.v1")
    ) as ingest:
        print(json.dumps({"say": "ready", "port": ingest.port}), flush=True)
        sys.stdin.read()
    registry.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
