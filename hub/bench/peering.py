"""Makes the peers of `hub.bench.peers` ready to run: their environments, and the work's data."""

import importlib.metadata
import re
import shutil
import subprocess
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import schemas
from hub.bench.peers import faust_agent
from hub.bench.site import PARTITIONS, Site
from hub.codec import PREFIX_LENGTH, Cut, restricted_fields
from hub.errors import HubError
from hub.kafka.reading import read_all
from hub.process import Process
from hub.schema_ids import Versions
from hub.stack.artifacts import cache_folder
from hub.stack.process import java

__all__ = ["PEERS", "Command", "Peer", "Skipped", "bare_asgi", "install", "prepare"]

_HERE = Path(__file__).parent / "peers"
_ROOT = Path(__file__).parents[2]
_QUIX, _CRAMJAM = "3.28.1", "2.14.0"
_UVICORN, _HTTPTOOLS = "0.54.0", "0.9.0"
_SOURCE = "camera.plate_read.v1"


class Skipped(Exception):  # noqa: N818 - not an error: the table goes on without this peer
    """A peer can't be run here, and why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that is ready: its name in the table, with version and guarantee."""

    id: str
    name: str
    program: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """How to start it."""

    words: list[str]
    environment: dict[str, str]


def install(names: Sequence[str]) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can be run here, and why the others can't."""
    ready, skipped = [], {}
    for name in names:
        try:
            ready.append(PEERS[name]())
        except Skipped as why:
            skipped[name] = str(why)
    return ready, skipped


def _faust() -> Peer:
    # The hub's own version; what its client needs for lz4, and the hub's types, come with it.
    names = ("faust-streaming", "aiokafka", "pydantic")
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in names]
    python = _environment("faust", [*pins, f"cramjam=={_CRAMJAM}"])
    version = importlib.metadata.version("faust-streaming")
    program = (python, "-m", "hub.bench.peers.faust_agent")
    return Peer("faust", f"Faust {version} agent, at least once", program)


def _quix() -> Peer:
    python = _environment("quix", [f"quixstreams=={_QUIX}"])
    program = (python, "-m", "hub.bench.peers.quix")
    return Peer("quix", f"Quix Streams {_QUIX}, exactly once, RocksDB", program)


def bare_asgi() -> Peer:
    """An ASGI app that keeps nothing, on a common server; raises `Skipped`."""
    loop = f"uvloop=={importlib.metadata.version('uvloop')}"
    pins = [f"uvicorn=={_UVICORN}", f"httptools=={_HTTPTOOLS}", loop]
    python = _environment("asgi", pins)
    name = f"an ASGI app on uvicorn {_UVICORN} that keeps nothing (the limit)"
    return Peer("asgi", name, (python, str(_HERE / "asgi_app.py")))


def _environment(name: str, pins: Sequence[str]) -> str:
    """Python of an environment with these packages, made once."""
    folder = cache_folder() / "bench" / name
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists() or done.read_text("utf-8").split() != list(pins):
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        _call([*pip, *pins])
        done.write_text("\n".join(pins), "utf-8")
    return str(python)


def _streams() -> Peer:
    project = _HERE / "kafka-streams"
    if not (project / "pom.xml").exists():
        raise Skipped("its sources are not part of this installation; use a checkout")
    maven = shutil.which("mvn")
    if maven is None or shutil.which("javac") is None:
        raise Skipped("Maven and a JDK are not installed")
    out = cache_folder() / "bench" / "kafka-streams"
    out.mkdir(parents=True, exist_ok=True)
    _call([maven, "-q", "-B", "-f", str(project / "pom.xml"), f"-Dout={out}", "package"])
    jars = sorted((out / "lib").glob("kafka-streams-*.jar"))
    found = re.search(r"streams-([\d.]+)\.jar$", jars[-1].name) if jars else None
    class_path = f"{out / 'peer.jar'}:{out / 'lib'}/*"
    program = (str(java()), "-Xmx1g", "-cp", class_path, "hub.bench.Peer")
    return Peer(
        "streams",
        f"Kafka Streams {found[1] if found else ''}, exactly_once_v2, in memory, 1 thread",
        program,
    )


PEERS: dict[str, Callable[[], Peer]] = {"faust": _faust, "quix": _quix, "streams": _streams}


def _call(words: list[str]) -> None:
    """Run an installer; its last words say why it can't."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Skipped(f"{Path(words[0]).name}: {error}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        # An installer's words may hold addresses, which have no place in a report.
        why = re.sub(r"\S+://\S+", "…", lines[0] if lines else "no reason given")
        raise Skipped(f"{Path(words[0]).name} failed: {why[:200]}")


def prepare(site: Site, peer: Peer, targets: Sequence[str], count: int) -> Command:
    """Write the work's data; the command line of the peer."""
    file = site.folder / "work.tsv"
    if not file.exists():
        file.write_text(_work(site), "ascii")
    words = [
        site.config.kafka.bootstrap,
        _SOURCE,
        *targets,
        str(file),
        str(count),
        str(site.folder),
    ]
    if peer.id == "faust":
        # It can't make topics on a broker of today.
        site.topic(f"{faust_agent.APP}-seen-changelog")
        words.append(str(PARTITIONS))
    return Command([*peer.program, *words], {"PYTHONPATH": str(_ROOT), "PYTHONSAFEPATH": "1"})


class _Arrival:
    """A record of the input, as if other fields of `restricted` were present."""

    def __init__(self, message: Any, present: int) -> None:
        self._message = message
        _, value = next(each for each in message.headers() if each[0] == "cut")
        cut = Cut.unpack(value)
        assert cut is not None
        self.cut = cut._replace(present=present)

    def key(self) -> bytes:
        key: bytes = self._message.key()
        return key

    def value(self) -> bytes:
        value: bytes = self._message.value()
        return value

    def headers(self) -> list[tuple[str, bytes]]:
        return [("cut", self.cut.pack())]

    def timestamp(self) -> tuple[int, int]:
        kind, at_ms = self._message.timestamp()
        return kind, at_ms


class _Steps(Process):
    """The hub's own steps, to look up once what is appended for each device."""

    def outputs(self, arrival: _Arrival) -> dict[str, bytes]:
        """What each subscriber's topic gets of an event."""
        found: dict[str, bytes] = {}

        def emit(topic: str, value: bytes, *_: Any) -> None:
            found[topic] = value

        def refuse(_arrival: Any, error: HubError) -> None:
            raise error

        # Opened anew each time, so that nothing is a duplicate.
        self._steps.open(_SOURCE, 0)
        self._steps.handle(
            _SOURCE, 0, [arrival], now_us=time.time_ns() // 1000, emit=emit, refuse=refuse
        )
        return found


def _work(site: Site) -> str:
    """The file that `hub.bench.peers.work` reads: frames, then the tails by key and fields."""
    steps = _Steps(
        site.config, lane="bulk", slot="bench", ids=site.ids, versions=Versions(site.registry)
    )
    fields = restricted_fields()
    nothing = bytes(len(fields))
    topics = [schemas.subscriber_topic(name, "plate_read") for name in ("police", "htmoc")]
    firsts = {message.key(): message for message in read_all(site.config.kafka, _SOURCE)}
    lines: list[str] = []
    frames: list[bytes] = []
    for key, message in firsts.items():
        for present in range(2 ** len(fields)):
            arrival = _Arrival(message, present)
            outputs = steps.outputs(arrival)
            police, htmoc = (outputs[topic] for topic in topics)
            frames = [police[:PREFIX_LENGTH], htmoc[:PREFIX_LENGTH]]
            shown = len(message.value())
            kept = nothing if present else bytes(arrival.cut.end - arrival.cut.start)
            masked = shown - (arrival.cut.end - arrival.cut.start) + len(kept)
            tails = (police[shown:].hex(), htmoc[masked:].hex())
            lines.append("\t".join((key.hex(), str(present), *tails)))
    steps.close()
    head = "\t".join(("frames", *(each.hex() for each in frames), nothing.hex()))
    return "\n".join((head, *lines, ""))
