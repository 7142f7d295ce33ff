"""Reads what subscribers would read, and the books, while the demo runs."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import schemas
from hub.config import Config
from hub.kafka.reading import Tail
from hub.registry import Registry
from hub.tables import Decoder

__all__ = ["Watch", "subscriber_topics"]

_DEAD, _LEDGER = "dead_letter.v1", "ledger.v1"
_NEWEST = 4


def subscriber_topics() -> list[str]:
    """Every topic of every subscriber."""
    return [
        schemas.subscriber_topic(subscriber.id, noun)
        for subscriber in schemas.subscribers().values()
        for noun in subscriber.nouns
    ]


@dataclass(slots=True)
class Watch:
    """Collects delivered events, dead letters and counts of the books in a thread of its own.

    With `keep`, every event is kept for the final check; else only counts and the newest.
    """

    config: Config
    keep: bool
    delivered: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    topics: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    newest: dict[str, deque[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    error: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _tail: Tail | None = None
    _registry: Registry | None = None
    _decoder: Decoder | None = None

    def start(self) -> None:
        """Begin at the start of every topic."""
        self._registry = Registry(self.config.registry_url)
        self._decoder = Decoder(self._registry)
        self._tail = Tail(self.config.kafka, [*subscriber_topics(), _DEAD, _LEDGER])
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def catch_up(self, timeout_s: float = 60) -> bool:
        """Wait until everything there is now has been read."""
        assert self._tail is not None
        return self._tail.reach_end(timeout_s)

    def stop(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._tail is not None:
            self._tail.close()
        if self._registry is not None:
            self._registry.close()

    def _run(self) -> None:
        assert self._tail is not None
        try:
            while not self._stop.is_set():
                for message in self._tail.take(0.1):
                    self._note(message.topic(), message.value())
        except BaseException as error:  # noqa: BLE001 - shown by whoever waits for this thread
            self.error = error

    def _note(self, topic: str, value: bytes) -> None:
        assert self._decoder is not None
        record = self._decoder.decode(value)
        if topic == _LEDGER:
            for count in record["counts"]:
                self.outcomes[record["stage"], count["outcome"]] += count["count"]
            return
        self.topics[topic] += 1
        if topic == _DEAD:
            self.codes[record["code"]] += 1
            if self.keep:
                self.dead_letters.append(record)
            return
        if self.keep:
            self.delivered.append((topic, record))
        subscriber = topic.partition(".")[0]
        self.newest.setdefault(subscriber, deque(maxlen=_NEWEST)).appendleft((topic, record))
