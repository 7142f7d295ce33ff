"""Where the events of one device go and what is appended to them, looked up once and kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import schemas
from hub.codec import micros
from hub.plates import Pseudonyms
from streams.place import DeviceRegister, Entry, place_of
from streams.pseudonym import NO_PSEUDONYM
from streams.route import Facts, RuleBook, Target
from streams.view import Rights, View
from streams.within import wards_of, within

__all__ = ["Delivery", "Found", "Plan", "Planner", "look_up", "place_time"]


@dataclass(slots=True)
class Delivery:
    """One subscriber's topic, and what follows the body there."""

    subscriber: str
    topic: str
    view: View
    masks: bool
    masks_all: bool
    appended: bytes
    """Place and routing, encoded."""
    encode_view: Callable[[Mapping[str, Any]], bytes]
    pseudonyms: Pseudonyms | None
    """What stands for the plate in this view; None for nothing."""
    tails: dict[int, bytes] = field(default_factory=dict)
    """Place, routing and view, by which fields of `restricted` the event holds."""

    def tail(self, present: int) -> bytes:
        """Place, routing and view of an event that holds these fields of `restricted`.

        The pseudonym, the view's last field, is each event's own: it is left off.
        """
        found = self.tails.get(present)
        if found is None:
            view = self.encode_view(self.view.record(present)).removesuffix(NO_PSEUDONYM)
            found = self.tails[present] = self.appended + view
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """Targets of events of one device, kind, status and severity.

    Holds for events of `low_us <= t < high_us` (the register's answer, and the hours that rules ask
    for) that were appended at `from_us <= t < to_us` (the rules', the rights', and the city's units
    then).
    """

    low_us: int
    high_us: int
    from_us: int
    to_us: int
    targets: tuple["Delivery", ...]


def place_time(header: Mapping[str, Any]) -> int:
    """When place is looked up at: the source's time, or of receipt when that can't be trusted."""
    observed = header["observed_at"]
    if observed is None or header["time_quality"] in ("SUSPECT", "RECEIVED"):
        observed = header["received_at"]
    return micros(observed)


class Found(NamedTuple):
    """What the registers say of an event, and what rules may ask of it."""

    entry: Entry | None
    place: Mapping[str, Any]
    facts: Facts


def look_up(
    header: Mapping[str, Any], noun: str, register: DeviceRegister, appended_us: int
) -> Found:
    """Asks the registers about an event with this header, appended at that time."""
    at_us, ref = place_time(header), header["device_ref"]
    entry = register.find(header["source_id"], ref, at_us) if ref else None
    place = place_of(
        entry,
        ref,
        at_us,
        now_us=appended_us,
        areas=register.areas,
        locations=register.locations,
    )
    facts = Facts(
        noun=noun,
        kind=header["kind"],
        severity=header["severity"],
        status=header["status"],
        owner=place.get("owner_agency", ""),
        purpose=place.get("purpose", ""),
        junction=place.get("junction", ""),
        areas=within(entry.device if entry else {}, place, register.areas),
        wards=wards_of(place),
        happened_us=at_us,
    )
    return Found(entry, place, facts)


@dataclass(frozen=True, slots=True)
class Planner:
    """Asks the register, the rules and the rights, and encodes their answers."""

    register: DeviceRegister
    rules: RuleBook
    lane: str
    encode: Mapping[str, Callable[[Any], bytes]]
    rights: Mapping[str, Rights]
    pseudonyms: Mapping[str, Pseudonyms]
    """By subscriber, like `rights`."""

    def revision(self) -> tuple[int, int]:
        """Changes whenever any plan made earlier may be wrong, but for changes of the register."""
        return self.rules.revision, self.register.locations.revision

    def plan(self, header: Mapping[str, Any], noun: str, appended_us: int) -> Plan:
        """The plan of an event with this header, appended at that time."""
        found = look_up(header, noun, self.register, appended_us)
        choice = self.rules.choose(found.facts, appended_us)
        place = self.encode["place"](found.place)
        low_us, high_us = self.register.span(
            header["source_id"], header["device_ref"], found.facts.happened_us
        )
        decreed_us, until_us = self.register.decrees(appended_us)
        from_us, to_us = max(choice.from_us, decreed_us), min(choice.to_us, until_us)
        low_us, high_us = max(low_us, choice.low_us), min(high_us, choice.high_us)
        targets = []
        for target in choice.targets:
            granted = self.rights[target.subscriber].at(noun, appended_us)
            from_us, to_us = max(from_us, granted.from_us), min(to_us, granted.to_us)
            if granted.view is not None:
                targets.append(self._delivery(granted.view, noun, place, target))
        return Plan(low_us, high_us, from_us, to_us, tuple(targets))

    def _delivery(self, view: View, noun: str, place: bytes, target: Target) -> Delivery:
        subscriber = target.subscriber
        return Delivery(
            subscriber=subscriber,
            topic=schemas.subscriber_topic(subscriber, noun),
            view=view,
            masks=view.masks,
            masks_all=view.masks_all,
            appended=place + self._routing(target.rules, target.recipients),
            encode_view=self.encode["view"],
            pseudonyms=self.pseudonyms[subscriber] if view.pseudonyms else None,
        )

    def _routing(self, rules: tuple[tuple[str, int], ...], recipients: tuple[str, ...]) -> bytes:
        return self.encode["routing"](
            {
                "rules": [{"id": id_, "valid_from": from_us} for id_, from_us in rules],
                "recipients": recipients,
                "lane": self.lane,
            }
        )
