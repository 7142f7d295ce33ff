"""The traffic centre at work: accidents, obstructions and works, from first report to the end."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from hub.simulator.city import City
from hub.simulator.places import Junction
from hub.simulator.schedule import Clock, Queue, Rates, times
from hub.simulator.truth import Fact, Refusal, Shot
from hub.simulator.wire.datex2 import XML, Situation, v2_xml, v3_xml

__all__ = ["SOURCE_ID", "Roads"]

SOURCE_ID = "datex2-centre"
# Record type: its kind at the hub, its sub-type, and what the centre says of it.
_KINDS = (
    ("Accident", "road.accident", "collision", "Va chạm giao thông"),
    ("GeneralObstruction", "road.general_obstruction", "fallenTrees", "Cây đổ chắn đường"),
    ("MaintenanceWorks", "road.maintenance_works", "roadworks", "Sửa chữa mặt đường"),
)
_LATER = ("đang xử lý", "đã thông một làn", "ùn tắc kéo dài")
_STATUS = {"real": "LIVE", "test": "TEST", "securityExercise": "EXERCISE"}


class Roads:
    """The feed of the city's traffic centre."""

    def __init__(self, city: City, clock: Clock, rates: Rates) -> None:
        self._random = Random(f"{city.seed}/roads")  # noqa: S311 - repeats itself by design
        self._places = tuple(cabinet.junction for cabinet in city.cabinets)
        self._clock = clock
        self._rates = rates
        self._queue = Queue(self._random, rates.retransmitted)
        self._prefix = f"VNHN{city.seed % 10_000:04d}"
        self._count = 0

    def shots(self, seconds: int) -> Iterator[Shot]:
        """All payloads, in order of time."""
        random, rates = self._random, self._rates
        for second in range(seconds if self._places else 0):
            for at_s in times(random, rates.situations_per_s, second):
                self._situation(at_s, random.choice(self._places))
            for at_s in times(random, rates.broken * rates.situations_per_s * 30, second):
                self._queue.put(self._broken(at_s, random.choice(self._places)))
            yield from self._queue.until(second + 1)

    def _situation(self, at_s: float, place: Junction) -> None:
        """A situation's versions; now and then the last overtakes the one before."""
        random = self._random
        first, kind = self._first(at_s, place)
        moments = [at_s, at_s + random.uniform(2, 6)]
        moments.append(moments[-1] + random.uniform(2, 8))
        versions = [first]
        for number, moment in enumerate(moments[1:], start=2):
            at = self._clock.at(moment)
            comment = f"{first.comment}, {random.choice(_LATER)} ({number})"
            versions.append(
                replace(first, version=number, versioned=at, published=at, comment=comment)
            )
        fate = self._count % 4
        if fate in (0, 1):
            at = versions[2].versioned
            versions[2] = replace(versions[2], end=fate == 0, cancel=fate == 1,
                                  ends=at if fate == 0 else None)  # fmt: skip
        write = v2_xml if self._count % 2 else v3_xml
        shots = [
            self._shot(moment, version, kind, write(version))
            for moment, version in zip(moments, versions, strict=True)
        ]
        if random.random() < self._rates.swapped * 3:
            shots[1] = replace(shots[1], at_s=shots[2].at_s + 0.2, kind="overtaken")
        for shot in shots:
            self._queue.put(shot)

    def _first(self, at_s: float, place: Junction) -> tuple[Situation, str]:
        random = self._random
        self._count += 1
        record_type, kind, detail, words = random.choice(_KINDS)
        at = self._clock.at(at_s)
        share = self._rates.test_traffic
        test = int(self._count * share) > int((self._count - 1) * share)
        reference = f"{self._prefix}-{self._count:06d}"
        situation = Situation(
            situation=reference,
            record=f"{reference}-1",
            version=1,
            record_type=record_type,
            detail=detail,
            created=at,
            versioned=at,
            published=at,
            starts=at,
            ends=None,
            severity=random.choice(("low", "medium", "high")),
            comment=f"{words} tại nút {place.name}, {place.ward.name}",
            lat=place.lat,
            lon=place.lon,
            information_status=random.choice(("test", "securityExercise")) if test else "real",
        )
        return situation, kind

    def _broken(self, at_s: float, place: Junction) -> Shot:
        """A document cut off, or a record that nobody could follow."""
        situation, kind = self._first(at_s, place)
        whole = v2_xml(situation)
        body = whole.replace(f'<situationRecord id="{situation.record}"'.encode(),
                             b"<situationRecord")  # fmt: skip
        if self._random.random() < 0.5:
            body = whole[: self._random.randrange(200, len(whole) - 40)]
        shot = self._shot(at_s, situation, kind, body)
        return replace(shot, kind="broken", facts=(), refusal=Refusal())

    def _shot(self, at_s: float, item: Situation, kind: str, body: bytes) -> Shot:
        lifecycle = "UNKNOWN"  # a first report and an update are not told apart by the format
        if item.end or item.cancel:
            lifecycle = "ENDED" if item.end else "CANCELLED"
        fact = Fact(
            noun="situation",
            kind=kind,
            native_id=f"{item.situation}/{item.record}",
            observed_us=Clock.micros(item.versioned),
            subject=(item.situation, item.record),
            content=f"{item.version} {item.comment}",
            lifecycle=lifecycle,
            status=_STATUS[item.information_status],
        )
        return Shot(
            at_s=at_s,
            source_id=SOURCE_ID,
            lane=item.situation,
            content_type=XML,
            body=body,
            kind="situation" if fact.status == "LIVE" else "situation_test",
            facts=(fact,),
        )
