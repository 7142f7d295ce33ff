"""The real process stage on the cluster in memory: workers to step and kill, and the oracle.

`Loop`, `supervise`, `TransactionalProducer`, `Process`, its steps and its changelog are the real
ones; only the clients, the clock and the registry under them are not. A worker runs in a thread
of its own, of which never more than one goes on: between two turns, and at the named points of a
transaction, it waits until it is told to.
"""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import clients
import pytest
from clients import Killed, Life, Message
from cluster import PARTITIONS, Cluster, Log, Place
from compare import compare

import hub.engine.lag
import hub.engine.loop
import hub.engine.state
import hub.kafka.clients
import hub.kafka.transaction
import hub.process
import schemas
from hub import routes
from hub.codec import RecordCodec
from hub.config import TEST_ID_KEY, Config, StageConfig
from hub.engine.loop import Loop
from hub.engine.supervise import supervise
from hub.engine.task import Partition, Restored
from hub.errors import FencedError
from hub.process import Process
from hub.schema_ids import SchemaIds, Versions

GROUP = "hub.process.bulk"
SLOTS = ("one", "two")
INPUTS = ("camera.plate_read.v1", "traffic.signal_state.v1")
PLACES = [Place(topic, number) for topic in INPUTS for number in range(PARTITIONS)]
BOOKS = ("state.process.ids.v1", "state.process.keyed.v1", "ledger.v1")
LETTERS, UNKNOWN = "dead_letter.v1", "ops.unknown_device.v1"
REGISTERS = ("device.v1", "location.v1", "route.v1")
# Small batches, so that transactions span several polls and rebalances come in their middle.
CONFIG = Config(id_key=TEST_ID_KEY, stage=StageConfig(poll_records=2, batch_records=6))
STUCK_S = 60.0
TURNS_MAX = 300
_here = threading.local()


class Registry:
    """Gives every schema an id, the same for every worker."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], int] = {}

    def id_of(self, subject: str, schema: Any) -> int:
        return self._ids.setdefault((subject, json.dumps(schema)), len(self._ids) + 1)

    def schema(self, _id: int) -> None:
        return None


IDS = SchemaIds(Registry())
VERSIONS = Versions(Registry())
VERSIONS._ids = IDS


@cache
def shipped() -> list[Mapping[str, Any]]:
    return routes.read_toml(routes.SHIPPED.read_text("utf-8"))


class Follower:
    """A register on the cluster in memory: what is there at first, and what comes."""

    def __init__(self, cluster: Cluster, topic: str, apply: Callable[[Any], None]) -> None:
        self._place, self._apply, self._next = Place(topic, 0), apply, 0
        self._log = cluster.logs.get(self._place, Log())

    def catch_up(self) -> None:
        self.poll()

    def poll(self) -> None:
        for offset, entry in self._log.read(self._next):
            self._apply(Message(self._place, offset, entry))
            self._next = offset + 1

    def behind_s(self) -> float:
        return 0.0

    def close(self) -> None:
        """Nothing is open."""


def task() -> Process:
    """The stage; its slot is always the same, so that equal decisions give equal bytes."""
    found = Process(CONFIG, lane="bulk", slot="model", ids=IDS, versions=VERSIONS)
    found.topics = list(INPUTS)
    return found


def said(found: Process, place: Place) -> tuple[frozenset[bytes], dict[bytes, Any]]:
    """What a stage remembers of a partition."""
    state = found._steps.state(*place)
    return frozenset(state.window.seen), dict(state.states._entries)


class Oracle:
    """A pure function of the input: one worker that nothing happens to."""

    def __init__(self) -> None:
        self.task = task()
        self.output: dict[Place, list[list[tuple[str, bytes, bytes]]]] = {}
        self.states: dict[Place, list[Any]] = {}
        self.unknown: set[bytes] = set()
        self.task.restore(Restored(Partition(*place), None) for place in PLACES)
        for place in PLACES:
            self.output[place] = []
            self.states[place] = [said(self.task, place)]

    def follow(self) -> None:
        """Hear of everything that came to the registers."""
        for each in self.task._followers:
            each.poll()

    def take(self, message: Message) -> None:
        place = Place(message.topic(), message.partition())
        written: list[tuple[str, bytes, bytes]] = []

        def produce(topic: str, value: bytes, key: bytes, *_more: Any) -> None:
            if topic == UNKNOWN:
                self.unknown.add(key)
            else:
                written.append((topic, key, value))

        self.task.handle(Partition(*place), [message], produce)
        self.output[place].append(written)
        self.states[place].append(said(self.task, place))


class Worker:
    """One process of the stage; `turn` lets it go on to its next pause."""

    def __init__(self, cluster: Cluster, slot: str) -> None:
        self.slot = slot
        self.life = Life()
        self.life.pass_by = self._pass
        self.die_at = self.park_at = ""
        self.parked = self.stopping = self.ended = False
        self.error: BaseException | None = None
        self.loop: Any = None
        self._cluster = cluster
        self._go, self._told = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._wait()

    def turn(self) -> None:
        """Let it work until it waits again or has ended; raises what a process may not end with."""
        if not self.ended:
            self._go.release()
            self._wait()
        if self.ended and self.error is not None and not isinstance(self.error, FencedError):
            raise AssertionError(f"worker {self.slot} gave up: {self.error!r}") from self.error

    def kill(self) -> None:
        """SIGKILL: no call of it reaches the cluster from here on."""
        self.life.killed = True
        if not self.ended:
            self._go.release()
            self._wait()
        self._thread.join(STUCK_S)

    @property
    def member(self) -> str:
        return self.loop._consumer.name if self.loop else ""

    # What the real loop takes for its stop event

    def is_set(self) -> bool:
        self._pause()
        return self.stopping

    def wait(self, seconds: float) -> None:
        self._cluster.clock.sleep(seconds)

    # In the worker's thread

    def _run(self) -> None:
        _here.worker = self
        try:
            supervise(self._start, self)
        except Killed:
            self.life.killed = True
        except BaseException as error:  # noqa: BLE001 - told by `turn`
            self.error = error
        finally:
            self.ended = True
            self._told.release()

    def _start(self) -> Loop:
        self.loop = Loop(task(), CONFIG.kafka, CONFIG.stage, slot=self.slot)
        return self.loop

    def _pass(self, name: str) -> None:
        if name == self.die_at:
            self.life.killed = True
        self.life.check()
        if name == self.park_at:
            self.park_at = ""
            self.parked = True
            self._pause()
            self.parked = False

    def _pause(self) -> None:
        self._told.release()
        self._go.acquire()
        self.life.check()

    def _wait(self) -> None:
        if not self._told.acquire(timeout=STUCK_S):
            raise RuntimeError(f"worker {self.slot} hangs")


class Site:
    """The cluster, its workers and what they must have written; `close` takes the fakes out."""

    def __init__(self) -> None:
        outputs = [
            schemas.subscriber_topic(subscriber.id, noun)
            for subscriber in schemas.subscribers().values()
            for noun in subscriber.nouns
        ]
        self.cluster = Cluster([*INPUTS, *BOOKS, LETTERS, UNKNOWN, *REGISTERS, *outputs])
        self._rules = RecordCodec(schemas.built("route.v1"), IDS.current("route.v1"))
        self._visible = [*outputs, LETTERS]
        self._patch = pytest.MonkeyPatch()
        self._take_over()
        self.oracle = Oracle()
        self.load(shipped())
        self.workers: dict[str, Worker] = {}

    def close(self) -> None:
        for worker in self.workers.values():
            worker.kill()
        self._patch.undo()

    def _take_over(self) -> None:
        """Put the cluster in memory under the engine."""
        cluster, put = self.cluster, self._patch.setattr

        def client(kind: Any, *arguments: Any) -> Any:
            return kind(cluster, _here.worker.life, *arguments)

        def passing(name: str) -> None:
            _here.worker.life.pass_by(name)

        def read_all(_kafka: Any, topic: str, *, numbers: Any, start: Any) -> Iterator[Message]:
            return clients.read_all(cluster, topic, numbers, start)

        put(hub.engine.loop, "consumer", lambda _kafka, group, **_: client(clients.Consumer, group))
        put(hub.kafka.transaction, "Producer", lambda named: client(clients.Producer, named))
        put(hub.kafka.clients, "producer", lambda *_, **__: clients.PlainProducer(cluster))
        put(hub.engine.state, "read_all", read_all)
        put(hub.engine.state, "reader", lambda _kafka: Follower(cluster, "", print))
        put(hub.engine.state, "offsets_at", lambda _client, _topic, numbers, _ms: {numbers[0]: 0})
        put(hub.process, "Follower", lambda _kafka, *more: Follower(cluster, *more))
        # A worker that is made to wait inside a call does not hang.
        put(hub.kafka.transaction, "Watchdog", lambda _name: clients.Patience())
        for module in (hub.engine.loop, hub.engine.state):
            put(module, "passing", passing)
        engine = ("loop", "supervise", "lag", "state")
        for name in (*(f"engine.{each}" for each in engine), "kafka.transaction", "process"):
            put(f"hub.{name}.time", cluster.clock)

    # What happens

    def load(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """Rules come to `route.v1`; workers hear of them when they next look."""
        for rule in rules:
            entry = self.cluster.entry(routes.record_key(rule), self._rules.encode(rule), ())
            self.cluster.logs[Place("route.v1", 0)].append(entry)
        self.oracle.follow()

    def feed(self, topic: str, key: bytes, value: bytes, headers: Any = ()) -> None:
        """A record of the stage before, committed at once."""
        place = self.cluster.place(topic, -1, key)
        log = self.cluster.logs[place]
        entry = self.cluster.entry(key, value, headers)
        log.append(entry)
        self.oracle.take(Message(place, len(log.entries) - 1, entry))

    def start(self, slot: str) -> Worker:
        """A new process in a slot; whatever the last one there left open must be ended by that."""
        worker = self.workers[slot] = Worker(self.cluster, slot)
        worker.turn()
        worker.turn()
        left = [id_ for id_ in self.cluster.left_open if id_.startswith(f"hub-process-bulk-{slot}")]
        mine = worker.loop and worker.loop._producer.in_transaction
        assert not left or mine, f"a dead process left a transaction of slot {slot} open: {left}"
        return worker

    def alive(self, slot: str) -> Worker | None:
        worker = self.workers.get(slot)
        return None if worker is None or worker.ended else worker

    def end_session(self, worker: Worker) -> None:
        """The group takes a member for dead."""
        self.cluster.group(GROUP).leave(worker.member)

    def drain(self) -> None:
        """Nothing more goes wrong: everything must be handled, and nothing stay open."""
        for slot in SLOTS:
            worker = self.workers.get(slot)
            if worker is not None:
                worker.life.faults.clear()
                worker.die_at = worker.park_at = ""
            if worker is None or worker.ended:
                self.start(slot)
        group = self.cluster.group(GROUP)
        for name, client in list(group.members.items()):
            if client.dead:
                group.leave(name)
        for _ in range(TURNS_MAX):
            for slot in SLOTS:
                (self.alive(slot) or self.start(slot)).turn()
                self.check()
            if self._all_handled():
                assert {key for key, _ in self._unknown()} == self.oracle.unknown
                return
        behind = {place: self.cluster.decided(GROUP, place) for place in PLACES}
        raise AssertionError(f"the stage does not get on: {behind} {self.cluster.left_open}")

    def _all_handled(self) -> bool:
        self.cluster.write_markers()
        handled = all(
            self.cluster.decided(GROUP, place) == len(self.cluster.logs[place].entries)
            for place in PLACES
        )
        return handled and not self.cluster.left_open

    # What must hold

    def check(self) -> None:
        """At any time: committed output and state are the function of the committed input."""
        assert not self.cluster.went_back, f"offsets went back: {self.cluster.went_back}"
        expected: dict[Any, list[bytes]] = defaultdict(list)
        for place in PLACES:
            for written in self.oracle.output[place][: self.cluster.decided(GROUP, place)]:
                for topic, key, value in written:
                    expected[topic, key].append(value)
        found: dict[Any, list[bytes]] = defaultdict(list)
        for topic in self._visible:
            for number in range(PARTITIONS):
                for entry in self.cluster.logs[Place(topic, number)].entries:
                    if entry is not None and entry.visible:
                        found[topic, entry.key].append(entry.value)
        for name in expected.keys() | found.keys():
            compare(name, expected[name], found[name])
        twice = [row for row, count in self._unknown().items() if count > 1]
        assert not twice, f"one partition told an unknown device twice within the hour: {twice}"
        for worker in self.workers.values():
            self._check_state(worker)

    def _unknown(self) -> Counter[tuple[bytes, str]]:
        """Keys of the committed rows of unknown devices, with the noun that showed each."""
        codec = RecordCodec(schemas.built(UNKNOWN), 0)
        return Counter(
            (entry.key, codec.decode(entry.value)["noun"])
            for number in range(PARTITIONS)
            for entry in self.cluster.logs[Place(UNKNOWN, number)].entries
            if entry is not None and entry.visible
        )

    def _check_state(self, worker: Worker) -> None:
        loop = worker.loop
        if worker.ended or worker.parked or loop is None or loop._spans:
            return
        for partition, offset in loop._owned.items():
            expected = self.oracle.states[Place(*partition)][offset]
            assert said(loop._task, Place(*partition)) == expected, (
                f"worker {worker.slot} remembers something else of {partition} at {offset}"
            )


def on_site(scenario: Callable[[Site], None]) -> None:
    """Run a scenario on a site of its own."""
    site = Site()
    try:
        scenario(site)
    finally:
        site.close()
