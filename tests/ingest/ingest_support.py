"""Helpers of the ingest tests: connectors that only they see, configuration, and an HTTP client."""

import hashlib
import http.client
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import connectors
from connectors._formats.streams import MultipartStream
from hub import discovery
from hub.config import Config
from hub.connector import Connector, Nothing, Options, Outcome, Payload
from hub.ingest.log import IngestLog
from hub.ingest.main import IngestHandle
from hub.ingest.records import RawRecord, unpack

# Nothing listens there: ingest has to work without Kafka.
NO_KAFKA = "127.0.0.1:1"
KEY = "the-right-key-of-this-source"


def sha(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    yield Nothing(why="test")


CONNECTORS = {
    "plain_test": Connector(name="plain_test", title="Plain", parse=_parse, emits=(), identity={}),
    "sharded_test": Connector(
        name="sharded_test",
        title="Urgent, with a shard of its own",
        parse=_parse,
        emits=(),
        identity={},
        lane="urgent",
        shard=lambda body: body.split(b"|")[1].decode(),
    ),
    "stream_test": Connector(
        name="stream_test",
        title="Comes in a stream",
        parse=_parse,
        emits=(),
        identity={},
        split=MultipartStream,
    ),
    "cursor_test": Connector(
        name="cursor_test",
        title="Says where a poll goes on",
        parse=_parse,
        emits=(),
        identity={},
        cursor=lambda body: body.split(b"<last>")[1].split(b"<")[0].decode(),
    ),
}


@contextmanager
def test_connectors() -> Iterator[None]:
    """Make the connectors above findable, as modules of `connectors/` are."""
    modules = discovery._modules()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "_modules", lambda: modules | set(CONNECTORS))
        for name, made in CONNECTORS.items():
            module = ModuleType(f"{connectors.__name__}.{name}")
            module.connector = made
            patch.setitem(sys.modules, module.__name__, module)
        discovery.connector.cache_clear()
        yield
    discovery.connector.cache_clear()


def make_config(data: Path, sources: Mapping[str, Any], kafka: str = NO_KAFKA, **ingest) -> Config:
    return Config.model_validate(
        {
            "data": data,
            "kafka": {"bootstrap": kafka},
            "ingest": {"port": 0, **ingest},
            "source": sources,
        }
    )


def push_source(connector: str = "plain_test", **more) -> dict[str, Any]:
    return {
        "connector": connector,
        "auth": {"bearer_sha256": [sha(KEY)]},
        "limits": {"per_second": 1e6, "burst": 1_000_000},
        **more,
    }


def handle(config: Config, slot: str = "test") -> IngestHandle:
    return IngestHandle(config, slot=slot, mark_schema_id=lambda: 7)


def logged(data: Path, slot: str = "test", lane: str = "bulk") -> list[RawRecord]:
    """What a stopped ingest left in a lane's log."""
    log = IngestLog(data / "ingest" / slot / lane)
    try:
        entries, _ = log.read(log.start(), max_records=10**9, max_bytes=2**40)
    finally:
        log.close()
    return [unpack(entry) for _, entry in entries]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def post(
    port: int,
    path: str,
    body: Any = b"{}",
    *,
    key: str | None = KEY,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    **more: Any,
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    sent = {"Content-Type": "application/json", **(headers or {})}
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    try:
        connection.request(method, path, body, sent, **more)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()
