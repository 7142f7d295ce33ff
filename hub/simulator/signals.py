"""The signal cabinets at work: fixed-time cycles of 90 s, told at each change and in between."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hub.simulator.city import REGION, Cabinet, City
from hub.simulator.schedule import Clock, Queue, Rates, times
from hub.simulator.truth import Fact, Refusal, Shot
from hub.simulator.wire.spat import JSON, Movement, spat_json

__all__ = ["SOURCE_ID", "Signals"]

SOURCE_ID = "spat-centre"
_CYCLE_S = 90
_YELLOW_S = 3
_ALL_RED_S = 2
_GROUPS = ((2, 6), (4, 8))
"""Signal groups of the first and of the second stage."""


class Signals:
    """Every signalised junction of the city."""

    def __init__(self, city: City, clock: Clock, rates: Rates) -> None:
        self._random = Random(f"{city.seed}/signals")  # noqa: S311 - repeats itself by design
        self._cabinets = city.cabinets
        self._clock = clock
        self._rates = rates
        self._queue = Queue(self._random, rates.retransmitted)
        self._tick = {cabinet.ref: self._random.random() for cabinet in city.cabinets}
        self._told: dict[str, tuple[float, str]] = {}
        self._held: dict[str, Shot] = {}
        self._stream = f"{city.seed & 0xFFFFFFFF:08x}-0000-4000-8000-000000000704"
        self._serial = 0

    def shots(self, seconds: int) -> Iterator[Shot]:
        """All payloads, in order of time."""
        for second in range(seconds):
            for cabinet in self._cabinets:
                self._tell(second + self._tick[cabinet.ref], cabinet)
            rate = self._rates.broken * len(self._cabinets) / 4 if self._cabinets else 0.0
            for at_s in times(self._random, rate, second):
                self._queue.put(self._broken(at_s, self._random.choice(self._cabinets)))
            yield from self._queue.until(second + 1)

    def _tell(self, at_s: float, cabinet: Cabinet) -> None:
        """A message where something changed or the last one is old enough."""
        movements = _movements(cabinet, self._clock.at(at_s))
        content = _content(cabinet, movements)
        told_s, told = self._told.get(cabinet.ref, (-1e9, ""))
        if content == told and at_s - told_s < self._rates.signal_repeat_s:
            return
        self._told[cabinet.ref] = (at_s, content)
        shot = self._message(at_s, cabinet, movements, content)
        held = self._held.pop(cabinet.ref, None)
        if held is not None:  # the older one comes after the newer
            self._queue.put(shot)
            self._queue.put(replace(held, at_s=at_s + 0.1, kind="overtaken"))
        elif content != told and self._random.random() < self._rates.swapped:
            self._held[cabinet.ref] = shot
        else:
            self._queue.put(shot)

    def _message(
        self, at_s: float, cabinet: Cabinet, movements: list[Movement], content: str
    ) -> Shot:
        at = self._clock.at(at_s)
        self._serial += 1
        body = spat_json(
            region=REGION,
            intersection=cabinet.junction.number,
            revision=cabinet.revision,
            at=at,
            movements=movements,
            stream=self._stream,
            serial=self._serial,
        )
        fact = Fact(
            noun="signal_state",
            kind="signal.phase",
            device_ref=cabinet.ref,
            native_id=cabinet.ref,
            observed_us=Clock.micros(at),
            subject=(cabinet.ref,),
            content=content,
            device_id=cabinet.device_id,
        )
        return _shot(at_s, cabinet, body, "signal_state", fact)

    def _broken(self, at_s: float, cabinet: Cabinet) -> Shot:
        """A message cut off, or of an intersection without its number."""
        movements = _movements(cabinet, self._clock.at(at_s))
        whole = self._message(at_s, cabinet, movements, "").body
        if self._random.random() < 0.5:
            body = whole[: self._random.randrange(20, len(whole) - 20)]
            return _shot(at_s, cabinet, body, "broken", refusal=Refusal())
        number = f',"id":{cabinet.junction.number}}}'.encode()
        return _shot(at_s, cabinet, whole.replace(number, b"}"), "broken", refusal=Refusal())


def _movements(cabinet: Cabinet, at: datetime) -> list[Movement]:
    """What each group shows: green, yellow, red, since when and until when."""
    second = int(at.timestamp())
    begin = datetime.fromtimestamp(second - (second + cabinet.offset_s) % _CYCLE_S, UTC)
    first, second_green = cabinet.green_s
    opens = (0, first + _YELLOW_S + _ALL_RED_S)
    movements = []
    for groups, opened, green in zip(_GROUPS, opens, (first, second_green), strict=True):
        position = ((at - begin).total_seconds() - opened) % _CYCLE_S
        since = int((at - begin).total_seconds() - position)
        spans = (
            ("PROTECTED_MOVEMENT_ALLOWED", 0, green),
            ("PROTECTED_CLEARANCE", green, green + _YELLOW_S),
            ("STOP_AND_REMAIN", green + _YELLOW_S, _CYCLE_S),
        )
        state, low, high = next(span for span in spans if position < span[2])
        start = begin + timedelta(seconds=since + low)
        end = begin + timedelta(seconds=since + high)
        movements += [Movement(group, state, start, end) for group in groups]
    return sorted(movements, key=lambda movement: movement.group)


def _content(cabinet: Cabinet, movements: list[Movement]) -> str:
    shown = (f"{m.group} {m.state} {m.start:%H%M%S} {m.end:%H%M%S}" for m in movements)
    return f"{cabinet.ref} {'; '.join(shown)}"


def _shot(
    at_s: float,
    cabinet: Cabinet,
    body: bytes,
    kind: str,
    *facts: Fact,
    refusal: Refusal | None = None,
) -> Shot:
    return Shot(
        at_s=at_s,
        source_id=SOURCE_ID,
        lane=cabinet.ref,
        content_type=JSON,
        body=body,
        kind=kind,
        facts=facts,
        refusal=refusal,
    )
