"""The alerting authorities at work: flood and storm warnings of wards and the warning office."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from hub.simulator.city import City
from hub.simulator.places import AREA_SCHEME, JUNCTIONS
from hub.simulator.schedule import Clock, Queue, Rates, times
from hub.simulator.truth import Fact, Refusal, Shot
from hub.simulator.wire.cap import XML, Message, cap_xml

__all__ = ["Alerts"]

_SENDERS = {
    "cap-wards": ("canhbao@phuong.hanoi.example", "Ủy ban nhân dân phường {ward}"),
    "cap-warning-office": ("pctt@hanoi.example", "Văn phòng Phòng chống thiên tai Hà Nội"),
}
_EVENTS = (
    ("Ngập úng", "Cảnh báo ngập úng tại phường {ward}", "Mưa lớn, nước sâu {depth} cm tại {place}.",
     "Hạn chế đi lại, di chuyển phương tiện lên cao."),
    ("Giông lốc", "Cảnh báo giông lốc tại phường {ward}", "Gió giật mạnh quanh {place}.",
     "Không trú dưới cây to và biển quảng cáo."),
)  # fmt: skip
_STATUS = {"Actual": "LIVE", "Exercise": "EXERCISE", "Test": "TEST"}


@dataclass(frozen=True, slots=True)
class _Story:
    """The messages of a chain (A alert, U update, C cancel, Z all clear) as they were written.

    `arrival` is their order at the hub: a cancel may come before what it cancels.
    """

    messages: str
    arrival: tuple[int, ...]
    status: str = "Actual"


_STORIES = (
    _Story("AUC", (0, 1, 2)),
    _Story("AC", (1, 0)),
    _Story("AUZ", (0, 1, 2)),
    _Story("AC", (0, 1), status="Exercise"),
    _Story("AUU", (0, 2, 1)),
    _Story("A", (0,), status="Test"),
    _Story("A", (0,)),
)


class Alerts:
    """The feeds of all alerting authorities."""

    def __init__(self, city: City, clock: Clock, rates: Rates) -> None:
        self._random = Random(f"{city.seed}/alerts")  # noqa: S311 - repeats itself by design
        self._clock = clock
        self._rates = rates
        self._queue = Queue(self._random, rates.retransmitted)
        self._prefix = f"VN-HN-{city.seed % 10_000:04d}"
        self._count = 0

    def shots(self, seconds: int) -> Iterator[Shot]:
        """All payloads, in order of time."""
        for second in range(seconds):
            for at_s in times(self._random, self._rates.alert_chains_per_s, second):
                self._chain(at_s)
            rate = self._rates.broken * self._rates.alert_chains_per_s * 30
            for at_s in times(self._random, rate, second):
                self._queue.put(self._broken(at_s))
            yield from self._queue.until(second + 1)

    def _chain(self, at_s: float) -> None:
        random = self._random
        story = _STORIES[self._count % len(_STORIES)]
        source_id, first = self._first(at_s, story.status)
        moments = [at_s + 2.5 * number for number in range(len(story.messages))]
        written = [first]
        for letter, moment in zip(story.messages[1:], moments[1:], strict=True):
            written.append(_next(letter, written, self._clock.at(moment)))
        arrivals = [moments[-1] + 0.5 + number for number in range(len(moments))]
        if story.arrival == tuple(range(len(moments))):
            arrivals = [moment + random.uniform(0.1, 0.4) for moment in moments]
        for number, arrives in zip(story.arrival, arrivals, strict=True):
            message = written[number]
            kind = "alert" if story.status == "Actual" else "alert_test"
            if number < max(story.arrival[: story.arrival.index(number)], default=-1):
                kind = "overtaken"
            self._queue.put(_shot(arrives, source_id, first.identifier, message, kind))

    def _first(self, at_s: float, status: str) -> tuple[str, Message]:
        random = self._random
        source_id = tuple(_SENDERS)[self._count % 2 if status == "Actual" else 1]
        self._count += 1
        place = random.choice(JUNCTIONS)
        address, name = _SENDERS[source_id]
        event, headline, description, instruction = random.choice(_EVENTS)
        words = {"ward": place.ward.name, "place": place.name, "depth": random.randrange(10, 60, 5)}
        sent = self._clock.at(at_s).replace(microsecond=0)
        message = Message(
            identifier=f"{self._prefix}-{self._count:06d}",
            sender=address,
            sender_name=name.format(**words),
            sent=sent,
            kind="Alert",
            status=status,
            event=event,
            severity=random.choice(("Moderate", "Severe", "Extreme")),
            expires=sent + timedelta(hours=24),
            headline=headline.format(**words),
            description=description.format(**words),
            instruction=instruction,
            area=f"Phường {place.ward.name}, Thành phố Hà Nội",
            ward_code=place.ward.code,
            scheme=AREA_SCHEME,
            circle=(place.lat, place.lon, 1.0),
            note="Diễn tập" if status == "Exercise" else "",
        )
        return source_id, message

    def _broken(self, at_s: float) -> Shot:
        """A message cut off, or without its identifier."""
        source_id, message = self._first(at_s, "Actual")
        whole = cap_xml(message)
        body = whole.replace(f"  <identifier>{message.identifier}</identifier>\n".encode(), b"")
        if self._random.random() < 0.5:
            body = whole[: self._random.randrange(200, len(whole) - 20)]
        shot = _shot(at_s, source_id, message.identifier, message, "broken")
        return replace(shot, body=body, facts=(), refusal=Refusal())


def _next(letter: str, before: list[Message], sent: datetime) -> Message:
    """The next message of a chain; it names all its predecessors."""
    last = before[-1]
    clear = letter == "Z"
    return replace(
        before[0],
        identifier=f"{before[0].identifier}-{len(before)}",
        sent=sent.replace(microsecond=0),
        kind="Cancel" if letter == "C" else "Update",
        references=[*last.references, (last.sender, last.identifier, last.sent)],
        response="AllClear" if clear else "Prepare",
        urgency="Past" if clear else last.urgency,
        description=f"{before[0].description} Bản tin số {len(before) + 1}.",
    )


def _shot(at_s: float, source_id: str, chain: str, message: Message, kind: str) -> Shot:
    lifecycle = {"Alert": "NEW", "Update": "UPDATED", "Cancel": "CANCELLED"}[message.kind]
    if message.response == "AllClear":
        lifecycle = "ENDED"
    fact = Fact(
        noun="alert",
        kind="alert.met",
        native_id=message.identifier,
        observed_us=Clock.micros(message.sent),
        subject=(message.identifier,),
        content=message.identifier,
        lifecycle=lifecycle,
        status=_STATUS[message.status],
        chained=True,
        references=tuple(identifier for _, identifier, _ in message.references),
    )
    return Shot(
        at_s=at_s,
        source_id=source_id,
        lane=chain,
        content_type=XML,
        body=cap_xml(message),
        kind=kind,
        facts=(fact,),
    )
