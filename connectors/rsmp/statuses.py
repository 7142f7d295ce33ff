"""What a StatusUpdate or StatusResponse says, by the signal exchange list for traffic lights.

A message holds values of several codes; each value has a name and a quality of its own, and an
update holds the names that changed alone. So nothing is joined but the values of one code.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connectors._formats.json import a_list, an_object, shown
from connectors._formats.members import the_text
from connectors._formats.numbers import number
from hub import Event, Nothing, Outcome, PayloadError, Rejection

__all__ = ["Message", "read_statuses"]

_STATUSES_MAX: Final = 2_000
_GROUPS_MAX: Final = 255
_DETECTORS_MAX: Final = 1_000
_PERIOD_MAX_S: Final = 86_400
_TEXT_MAX: Final = 500
_PHASES: Final = {
    **dict.fromkeys("ab", "DARK"),
    "c": "CAUTION_CONFLICTING_TRAFFIC",
    "d": "STOP_THEN_PROCEED",
    **dict.fromkeys("ef", "UNAVAILABLE"),
    **dict.fromkeys("ghABCDEFGP", "STOP_AND_REMAIN"),
    "0": "PRE_MOVEMENT",
    **dict.fromkeys("12345678", "PERMISSIVE_MOVEMENT_ALLOWED"),
    **dict.fromkeys("9NO", "PERMISSIVE_CLEARANCE"),
}
"""What a group's letter shows; `-` is a group that does not exist."""
_MODES: Final = {
    ("S0005", "status"): "startup",
    ("S0006", "status"): "emergency_route",
    ("S0007", "status"): "switched_on",
    ("S0008", "status"): "manual_control",
    ("S0009", "status"): "fixed_time_control",
    ("S0010", "status"): "isolated_control",
    ("S0011", "status"): "yellow_flash",
    ("S0012", "status"): "all_red",
    ("S0013", "status"): "police_key",
    ("S0014", "status"): "time_plan",
    ("S0015", "status"): "traffic_situation",
    ("S0020", "controlmode"): "control_mode",
    ("S0035", "emergencyroutes"): "emergency_route",
    ("S0095", "status"): "firmware",
}
_MODE_STATES: Final = {"control": "ONLINE", "failure": "FAULT"}
_QUANTITIES: Final = {
    "vehicles": "vehicle_count",
    "speed": "speed_kmh",
    "occupancy": "occupancy_ratio",
}
_MOST: Final = {"vehicle_count": 65_535, "speed_kmh": 300, "occupancy_ratio": 100}
_CLASSES: Final = {
    "P": "car",
    "PS": "car_with_trailer",
    "L": "truck",
    "LS": "truck_with_trailer",
    "B": "bus",
    "SP": "tram",
    "MC": "motorcycle",
    "C": "bicycle",
    "F": "pedestrian",
}
_ONE: Final = frozenset({"S0201", "S0202", "S0203", "S0204"})
_ALL: Final = frozenset({"S0205", "S0206", "S0207", "S0208"})
"""Codes of one detector, and of all detectors in one text."""


@dataclass(frozen=True, slots=True)
class Message:
    """What all events of a message share; `stamp` reads another of its times."""

    component: str
    observed_at: datetime | None
    common: Mapping[str, Any]
    stamp: Callable[[str], datetime | None]


@dataclass(frozen=True, slots=True)
class _Code:
    """The values of one status code; None is a value that the site does not know."""

    code: str
    message: Message
    values: dict[str, str | None] = field(default_factory=dict)
    old: set[str] = field(default_factory=set)

    def common(self, name: str, *flags: str) -> dict[str, Any]:
        """Fields of an event of one of its names."""
        flags = (*flags, *(("value_unknown",) if self.values[name] is None else ()))
        return {
            **self.message.common,
            "replayed": name in self.old,
            "quality_flags": (*self.message.common["quality_flags"], *flags),
        }

    def numbers(self, name: str) -> list[str | None]:
        """One text a detector; one alone where the code is of a single detector."""
        text = self.values[name]
        return [text] if text is None or self.code in _ONE else [*text.split(",")]


def read_statuses(body: Mapping[str, Any], message: Message) -> Iterator[Outcome]:
    """The events of each status that is read; a rejection for each one that is none."""
    statuses = a_list(body.get("sS"), ("sS",))
    if len(statuses) > _STATUSES_MAX:
        what = f"{len(statuses)} statuses, at most {_STATUSES_MAX}"
        raise PayloadError(what, code="too-many", path="sS")
    codes: dict[str, _Code] = {}
    for place, status in enumerate(statuses):
        try:
            _take(an_object(status, ("sS", place)), codes, message)
        except PayloadError as error:
            path = error.path or shown(("sS", place))
            yield Rejection.of(error, path=path)
    told = False
    for code in codes.values():
        for outcome in _outcomes(code):
            told = True
            yield outcome
    if codes and not told:
        yield Nothing(why=f"statuses that are not read: {', '.join(sorted(codes))[:80]}")
    elif not statuses:
        yield Nothing(why="a message without statuses")


def _take(status: Mapping[str, Any], codes: dict[str, _Code], message: Message) -> None:
    name, code = the_text(status, "n"), the_text(status, "sCI")
    quality = the_text(status, "q").lower() or "recent"
    if quality == "undefined":
        what = f"{code[:20]} {name[:40]} of a component that does not exist"
        fix = "subscribe to components and statuses that the site's configuration has"
        raise PayloadError(what, code="undefined-component", fix=fix)
    value = status.get("s")
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:_TEXT_MAX]
    known = value is not None and quality != "unknown"
    each = codes.setdefault(code, _Code(code, message))
    each.values[name] = the_text({"s": value}, "s") if known else None
    if quality == "old":
        each.old.add(name)


def _outcomes(code: _Code) -> Iterator[Outcome]:
    for name in code.values:
        if (code.code, name) == ("S0001", "signalgroupstatus"):
            yield _signal_state(code, name)
        elif (code.code, name) in _MODES:
            yield _mode(code, name)
        elif code.code in _ONE or code.code in _ALL:
            yield from _measurements(code, name)


def _signal_state(code: _Code, name: str) -> Event | Rejection:
    """A letter for each group, in the order of their numbers."""
    letters = code.values[name] or ""
    if len(letters) > _GROUPS_MAX:
        what = f"{len(letters)} signal groups, at most {_GROUPS_MAX}"
        return Rejection(code="too-many", message=what, path="sS")
    groups = [
        {"signal_group": place, "state": _PHASES.get(letter, "UNKNOWN")}
        for place, letter in enumerate(letters, 1)
        if letter != "-"
    ]
    strange = any(group["state"] == "UNKNOWN" for group in groups)
    return Event(
        noun="signal_state",
        kind="signal.phase",
        subject=(code.message.component,),
        native_id=code.message.component,
        body={"intersection_name": code.message.component, "groups": groups},
        **code.common(name, *(("signal_group_unknown",) if strange else ())),
    )


def _mode(code: _Code, name: str) -> Event:
    """How the controller is run. Only the control mode says whether it is well."""
    component, value = _MODES[code.code, name], code.values[name] or ""
    modes = {_MODE_STATES.get(word, "UNKNOWN") for word in value.lower().split(",")}
    state = "FAULT" if "FAULT" in modes else modes.pop() if len(modes) == 1 else "UNKNOWN"
    return Event(
        noun="health",
        kind="signal.mode",
        subject=(code.message.component, code.code, name),
        native_id=f"{code.message.component}/{code.code}",
        severity="MODERATE" if component == "control_mode" and state == "FAULT" else "UNKNOWN",
        body={
            "state": state if component == "control_mode" else "UNKNOWN",
            "component": component,
            "detail": value[:_TEXT_MAX],
            "firmware": value[:_TEXT_MAX] if component == "firmware" else "",
        },
        **code.common(name),
    )


def _measurements(code: _Code, name: str) -> Iterator[Outcome]:
    """What a detector counted; of a code of all detectors, one for each."""
    quantity = _QUANTITIES.get(name, "vehicle_count" if name in _CLASSES else "")
    if not quantity:
        return
    texts = code.numbers(name)
    if len(texts) > _DETECTORS_MAX:
        what = f"{len(texts)} detectors, at most {_DETECTORS_MAX}"
        yield Rejection(code="too-many", message=what, path="sS")
        return
    component = code.message.component
    for place, text in enumerate(texts, 1):
        detector = str(place) if code.code in _ALL else ""
        value, flag = _quantity(text, quantity)
        body = {
            "site_ref": f"{component}/{detector}" if detector else component,
            "vehicle_class": _CLASSES.get(name, ""),
            "period_s": _period_s(code),
            **({} if value is None else {quantity: value}),
        }
        yield Event(
            noun="measurement",
            kind="traffic.flow",
            subject=(component, code.code, name, detector),
            native_id=f"{body['site_ref']}/{code.code}",
            body=body,
            **code.common(name, *((flag,) if flag else ())),
        )


def _quantity(text: str | None, quantity: str) -> tuple[float | int | None, str]:
    """The value, and a flag where there is none: -1 says that nothing could be measured."""
    if text is None:
        return None, ""
    value = number(text)
    if value == -1:
        return None, "not_measured"
    whole = quantity != "vehicle_count" or (value is not None and value.is_integer())
    if value is None or not whole or not 0 <= value <= _MOST[quantity]:
        return None, f"{quantity}_invalid"
    if quantity == "occupancy_ratio":
        return value / 100, ""
    return (int(value) if quantity == "vehicle_count" else value), ""


def _period_s(code: _Code) -> float | None:
    """From the start of counting, if that is of the last day, to the status."""
    began = code.message.stamp(code.values.get("starttime") or code.values.get("start") or "")
    ended = code.message.observed_at
    if began is None or ended is None:
        return None
    seconds = (ended - began).total_seconds()
    return seconds if 0 < seconds <= _PERIOD_MAX_S else None
