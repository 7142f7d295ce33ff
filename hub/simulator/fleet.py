"""The cameras at work: passages, smart events, alarms of their own and heartbeats."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from hub.simulator import plates
from hub.simulator.city import Camera, City
from hub.simulator.schedule import Clock, Queue, Rates, times
from hub.simulator.truth import Fact, Refusal, Shot
from hub.simulator.wire.isapi import (
    ACTS,
    XML,
    Alarm,
    Part,
    Passage,
    alarm_xml,
    anpr_xml,
    multipart,
)

__all__ = ["Fleet"]

_COLOURS = ("white", "black", "gray", "red", "blue", "silver")
_SMART = ("fielddetection", "linedetection", "VMD", "parking")
# An alarm of the camera itself: the state its `active` stands for.
_OWN_ALARMS = {
    "shelteralarm": ("video", "DEGRADED"),
    "hderror": ("storage", "FAULT"),
    "nicbroken": ("network", "OFFLINE"),
    "videoloss": ("video", "OFFLINE"),
}
_LETTERS = "ghkmnpqrstuvwxyz"  # no hexadecimal digit: an id can't look like a plate


class Fleet:
    """Every camera of the city; the same seed and start make the same bytes."""

    def __init__(self, city: City, clock: Clock, rates: Rates) -> None:
        self._random = Random(f"{city.seed}/fleet")  # noqa: S311 - repeats itself by design
        # Of their own, so that their rate changes nothing else of a seed's city.
        self._offences = Random(f"{city.seed}/offences")  # noqa: S311 - the same
        self._cameras = city.cameras
        self._clock = clock
        self._rates = rates
        self._queue = Queue(self._random, rates.retransmitted)
        self._alarm_of = {c.ref: self._random.choice(tuple(_OWN_ALARMS)) for c in self._cameras}
        self._raised: set[str] = set()
        self._busy_until: dict[str, int] = {}
        self._detected: set[tuple[str, datetime]] = set()
        self._beat = 0

    def shots(self, seconds: int) -> Iterator[Shot]:
        """All payloads, in order of time."""
        random, rates = self._random, self._rates
        for second in range(seconds):
            for at_s in times(random, rates.plate_reads_per_s, second):
                self._passage(at_s, random.choice(self._cameras))
            for at_s in times(random, rates.detections_per_s, second):
                self._detection(at_s, random.choice(self._cameras))
            for at_s in times(random, rates.alarms_per_s, second):
                self._own_alarm(at_s, random.choice(self._cameras))
            for at_s in times(random, rates.heartbeats_per_s, second):
                self._heartbeat(at_s)
            everything = rates.plate_reads_per_s + rates.detections_per_s + rates.heartbeats_per_s
            for at_s in times(random, rates.broken * everything, second):
                self._queue.put(self._broken(at_s, random.choice(self._cameras)))
            yield from self._queue.until(second + 1)

    def _passage(self, at_s: float, camera: Camera) -> None:
        """A vehicle passes; now and then the camera reads it twice."""
        random = self._random
        plate = plates.invent(random)
        read = random.random() >= self._rates.unread
        at, history = self._moment(at_s, camera)
        roles = self._pictures(camera)
        if not roles:
            at = at.replace(microsecond=0)
        passage = Passage(
            at=at,
            offset=camera.offset,
            uuid=self._uuid(at),
            plate=plate.text if read else "unknown",
            colour=plate.colour,
            motorbike=plate.motorbike,
            lane=camera.lane,
            forward=random.random() < 0.7,
            confidence=random.randrange(70, 100) if read else 0,
            speed_kmh=random.randrange(12, 64),
            vehicle_colour=random.choice(_COLOURS),
            illegal=self._offence() if read else "",
            history=history,
            pictures=[role for role in roles if role != "pilotPicture"],
        )
        vehicle = plate.text if read else ""
        self._queue.put(self._read(at_s, camera, passage, roles, vehicle))
        # A clock that is years off is not believed, and times of receipt are nobody's plan.
        if not read or camera.clock_error or random.random() >= self._rates.second_reads:
            return
        later_s = random.randrange(1, 4)
        again = replace(
            passage,
            at=at.replace(microsecond=0) + timedelta(seconds=later_s),
            uuid=self._uuid(at),
            plate=plates.misread(random, plate.text),
            confidence=random.randrange(70, 100),
            illegal="",
            pictures=[],
        )
        self._queue.put(self._read(at_s + later_s, camera, again, [], vehicle))

    def _offence(self) -> str:
        """The camera's code of the act it calls illegal; mostly none."""
        random = self._offences
        return random.choice(tuple(ACTS)) if random.random() < self._rates.violations else ""

    def _uuid(self, at: datetime) -> str:
        return f"{at:%Y%m%d%H%M%S}" + "".join(self._random.choice(_LETTERS) for _ in range(30))

    def _read(
        self, at_s: float, camera: Camera, passage: Passage, roles: list[str], vehicle: str
    ) -> Shot:
        """The payload of one reading of a vehicle; `vehicle` is its plate, "" when not read."""
        random = self._random
        body, content_type = anpr_xml(camera.sender, passage), XML
        withheld = ["restricted.plate"]
        if roles:
            parts = [Part.of(role, random.randbytes(random.randrange(400, 1600))) for role in roles]
            content_type, body = multipart(body, parts, camera.boundary)
            withheld.append("restricted.pictures")
        fact = Fact(
            noun="plate_read",
            kind="vehicle.passage",
            device_ref=camera.ref,
            native_id=passage.uuid,
            observed_us=Clock.micros(passage.at),
            device_id=camera.device_id if camera.registered else "",
            withheld=tuple(withheld),
            plate=passage.plate if vehicle else "",
            vehicle="" if camera.clock_error else vehicle,
            score=passage.confidence,
        )
        facts = [fact]
        if passage.illegal:
            # A candidate beside the read; it is merged with no other, whatever the vehicle.
            facts.append(replace(fact, noun="violation", kind="vehicle.violation", vehicle=""))
        kind = "plate_read_with_pictures" if roles else "plate_read"
        return _shot(at_s, camera, body, kind, *facts, content_type=content_type)

    def _detection(self, at_s: float, camera: Camera) -> None:
        """A smart event; a camera has at most one a second, as their stamps have no parts of it."""
        random = self._random
        at, _ = self._moment(at_s, camera, history=False)
        at = at.replace(microsecond=0)
        if (camera.ref, at) in self._detected:
            return
        self._detected.add((camera.ref, at))
        smart = random.choice(_SMART)
        left, top = random.randrange(400), random.randrange(400)
        corners = ((left, top), (left, top + 500), (left + 500, top + 500), (left + 500, top))
        alarm = Alarm(
            at=at,
            offset=camera.offset,
            kind=smart,
            active=True,
            count=1,
            target=random.choice(("human", "vehicle")),
            region=() if smart == "VMD" else corners,
        )
        fact = Fact(
            noun="detection",
            kind=f"camera.{smart.lower()}",
            device_ref=camera.ref,
            observed_us=Clock.micros(at),
            device_id=camera.device_id if camera.registered else "",
        )
        self._queue.put(_shot(at_s, camera, alarm_xml(camera.sender, alarm), "detection", fact))

    def _own_alarm(self, at_s: float, camera: Camera) -> None:
        """An alarm of the camera itself, raised or over; some recorders repeat a raised one."""
        if at_s < self._busy_until.get(camera.ref, -1):
            return
        self._busy_until[camera.ref] = int(at_s) + 6
        name = self._alarm_of[camera.ref]
        if name == "videoloss":  # its `inactive` is the heartbeat
            self._queue.put(self._health(at_s, camera, at_s, active=True))
            self._queue.put(self._health(at_s + 1, camera, at_s + 1, active=True, count=2))
        elif camera.ref not in self._raised and self._random.random() < self._rates.swapped * 4:
            self._queue.put(self._health(at_s + 3, camera, at_s + 2, active=False))
            self._queue.put(self._health(at_s + 3.2, camera, at_s, active=True, count=2))
        else:
            active = camera.ref not in self._raised
            (self._raised.add if active else self._raised.discard)(camera.ref)
            self._queue.put(self._health(at_s, camera, at_s, active=active))

    def _health(
        self, at_s: float, camera: Camera, happened_s: float, *, active: bool, count: int = 1
    ) -> Shot:
        name = self._alarm_of[camera.ref]
        component, trouble = _OWN_ALARMS[name]
        at = (self._clock.at(happened_s) + camera.clock_error).replace(microsecond=0)
        alarm = Alarm(at=at, offset=camera.offset, kind=name, active=active, count=count)
        fact = Fact(
            noun="health",
            kind="device.health",
            device_ref=camera.ref,
            observed_us=Clock.micros(at),
            subject=(camera.ref, component),
            trusted=not camera.clock_error,
            content=f"{component} {trouble if active else 'ONLINE'}",
            lifecycle="",  # a camera says neither that it is new nor that it is changed
            device_id=camera.device_id if camera.registered else "",
        )
        return _shot(at_s, camera, alarm_xml(camera.sender, alarm), "camera_alarm", fact)

    def _heartbeat(self, at_s: float) -> None:
        camera = self._cameras[self._beat % len(self._cameras)]
        self._beat += 1
        at = self._clock.at(at_s) + camera.clock_error
        alarm = Alarm(at=at, offset=camera.offset, kind="videoloss", active=False, count=0)
        self._queue.put(_shot(at_s, camera, alarm_xml(camera.sender, alarm), "heartbeat"))

    def _broken(self, at_s: float, camera: Camera) -> Shot:
        """A payload cut off, without its type, or in a JSON that is none."""
        random = self._random
        at = self._clock.at(at_s) + camera.clock_error
        alarm = Alarm(at=at, offset=camera.offset, kind="linedetection", active=True, count=1)
        whole = alarm_xml(camera.sender, alarm)
        draw = random.randrange(3)
        if draw == 0:
            body, code = whole[: random.randrange(len(whole) // 2, len(whole) - 40)], "malformed"
        elif draw == 1:
            body = whole.replace(b"<eventType>linedetection</eventType>\n", b"")
            code = "event-type-missing"
        else:
            body, code = b'{"ipAddress": "' + camera.ip.encode() + b'", "eventType": ', "malformed"
        return _shot(at_s, camera, body, "broken", refusal=Refusal(code))

    def _moment(
        self, at_s: float, camera: Camera, *, history: bool = True
    ) -> tuple[datetime, bool]:
        """What the camera's clock says of it, and whether it comes from the camera's memory."""
        random = self._random
        at = self._clock.at(at_s) + camera.clock_error
        if random.random() >= self._rates.late:
            return at, False
        from_memory = history and random.random() < 0.7
        hours = 72.0 if from_memory else 20.0
        return at - timedelta(
            milliseconds=random.randrange(60_000, int(hours * 3.6e6))
        ), from_memory

    def _pictures(self, camera: Camera) -> list[str]:
        random = self._random
        if not camera.sends_pictures or random.random() >= self._rates.pictures * 2:
            return []
        roles = ["licensePlatePicture", "detectionPicture"]
        return [*roles, "pilotPicture"] if random.random() < 0.2 else roles


def _shot(
    at_s: float,
    camera: Camera,
    body: bytes,
    kind: str,
    *facts: Fact,
    content_type: str = XML,
    refusal: Refusal | None = None,
) -> Shot:
    return Shot(
        at_s=at_s,
        source_id=camera.source_id,
        lane=camera.ref,
        content_type=content_type,
        body=body,
        kind=kind,
        facts=facts,
        refusal=refusal,
    )
