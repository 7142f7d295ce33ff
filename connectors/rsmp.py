"""RSMP 3.1 and 3.2: alarms, statuses and detectors of traffic light controllers, one JSON each.

Transports frame messages with a form feed; a payload may hold several. Acknowledgements are the
transport's: here they, `Version`, `Watchdog`, requests and commands are no events.

Traps handled: an alarm has three switches (`aS` active, `ack`, `sS` suspended), of which only the
first says how the component is; `q` is `recent`, `old` (kept during an outage: `replayed`),
`undefined` or `unknown` (no value); `s` may be null; an update holds the names that changed alone;
values are texts, also `"True"`; the same message comes again after a reconnect (`mId` is its key);
sites of a test bench (`test_sites`).

Sources: RSMP 3.1.5 core; the signal exchange list for traffic lights (SXL 1.0.15 and 1.1), whose
letters for signal groups are in `_PHASES`. Read of its statuses: S0001 (signal groups), S0201 to
S0203 (a detector's vehicles, speed in km/h, occupancy in per cent). Not read: who acknowledged,
plans, counters, commands.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import Field

import hub
from connectors._formats.json import a_list, a_text, an_object, parse_json, shown
from connectors._formats.members import the_text
from connectors._formats.numbers import integer, number
from connectors._formats.times import Stamp, read_stamp
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection
from hub.connector import Severity

__all__ = ["Options", "connector", "parse"]

_FRAME: Final = b"\x0c"
_MESSAGES_MAX: Final = 10_000
_GROUPS_MAX: Final = 255
_PERIOD_MAX_S: Final = 86_400
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
"""What a group's letter shows. Whether green is protected, RSMP does not say."""
_SEVERITY: Final[dict[str, Severity]] = {"1": "SEVERE", "2": "MODERATE", "3": "MINOR"}
_GRAVITY: Final[dict[str, Severity]] = {
    "OFFLINE": "MODERATE",
    "FAULT": "MODERATE",
    "DEGRADED": "MINOR",
}
_FAULTS: Final = {"1": "FAULT", "2": "FAULT", "3": "DEGRADED"}
# Bits of an aggregated status, the worst first: place, state, words.
_AGGREGATED: Final = (
    (7, "OFFLINE", "not connected"),
    (1, "OFFLINE", "no communication"),
    (2, "FAULT", "high priority fault"),
    (3, "FAULT", "medium priority fault"),
    (4, "DEGRADED", "low priority fault"),
    (0, "DEGRADED", "local mode"),
    (5, "ONLINE", "normal"),
    (6, "ONLINE", "idle"),
)
_NO_EVENT: Final = frozenset(
    {"MessageAck", "MessageNotAck", "Version", "Watchdog", "StatusRequest", "StatusSubscribe",
     "StatusUnsubscribe", "CommandRequest", "CommandResponse", "AggregatedStatusRequest",
     "ComponentList"}
)  # fmt: skip
_TRUE: Final = frozenset({"true", "1"})
_DETECTOR: Final = {
    ("S0201", "vehicles"): "vehicle_count",
    ("S0202", "speed"): "speed_kmh",
    ("S0203", "occupancy"): "occupancy_ratio",
}


class Options(hub.Options):
    """What a site may say of an RSMP source."""

    test_sites: tuple[str, ...] = Field(
        default=(),
        description="Beginnings of component ids that are a test bench's: their events are TEST",
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The events of each message, in their order."""
    messages = [part for part in payload.body.split(_FRAME) if part.strip(b"\xef\xbb\xbf \t\r\n\0")]
    if not messages:
        raise PayloadError("an empty payload instead of a message", code="empty")
    for place, body in enumerate(messages[:_MESSAGES_MAX]):
        where = (place,) if len(messages) > 1 else ()
        try:
            yield from _message(an_object(parse_json(body), where), payload, options)
        except PayloadError as error:
            path = "/".join(filter(None, (shown(where), error.path)))
            yield Rejection(code=error.code, message=error.what, path=path, fix=error.fix)
    if len(messages) > _MESSAGES_MAX:
        what = f"more than {_MESSAGES_MAX} messages in one payload"
        yield Rejection(code="too-many-messages", message=what)


def _message(message: Mapping[str, Any], payload: Payload, options: Options) -> Iterator[Outcome]:
    kind = the_text(message, "type")
    if the_text(message, "mType") != "rSMsg" or not kind:
        raise PayloadError(
            "no RSMP message", code="not-rsmp", path="mType", fix='send messages of mType "rSMsg"'
        )
    if kind == "Alarm":
        yield _alarm(message, payload, options)
    elif kind == "AggregatedStatus":
        yield _aggregated(message, payload, options)
    elif kind in {"StatusUpdate", "StatusResponse"}:
        yield from _statuses(message, payload, options)
    elif kind in _NO_EVENT:
        yield Nothing(why=f"{kind}: part of the protocol, not an event")
    else:
        raise PayloadError(
            "a message of an unknown type",
            code="unknown-type",
            path="type",
            fix="report it with this message",
        )


def _common(
    message: Mapping[str, Any], stamp: Stamp, options: Options, flags: tuple[str, ...] = ()
) -> dict[str, Any]:
    component = a_text(message.get("cId"), ("cId",))
    if not component:
        raise PayloadError("a message without a component", code="missing-field", path="cId")
    tests = tuple(filter(None, options.test_sites))
    test = bool(tests) and (
        component.startswith(tests) or the_text(message, "ntsOId").startswith(tests)
    )
    return {
        "device_ref": component,
        "native_id": the_text(message, "mId") or None,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "status": "TEST" if test else "LIVE",
        "quality_flags": (*stamp.flags, *flags),
    }


def _stamp(
    message: Mapping[str, Any],
    name: str,
    payload: Payload,
    options: Options,
    *,
    replayed: bool = False,
) -> Stamp:
    return read_stamp(
        the_text(message, name), received_at=payload.received_at, options=options, replayed=replayed
    )


# Health


def _alarm(message: Mapping[str, Any], payload: Payload, options: Options) -> Outcome:
    """How a component is; acknowledging and suspending are what people do about it."""
    code = a_text(message.get("aCId"), ("aCId",))
    if not code:
        raise PayloadError("an alarm without a code", code="missing-field", path="aCId")
    active = the_text(message, "aS").lower()
    if active not in {"active", "inactive"}:
        return Nothing(
            why=f"an alarm's {the_text(message, 'aSp')[:32] or 'request'}, not its state"
        )
    priority = the_text(message, "pri")
    suspended = the_text(message, "sS").lower() == "suspended"
    common = _common(
        message,
        _stamp(message, "aTs", payload, options),
        options,
        ("alarm_suspended",) if suspended else (),
    )
    fault = _FAULTS.get(priority, "FAULT")
    words = the_text(message, "xACId")
    return Event(
        noun="health",
        kind="device.health",
        subject=(common["device_ref"], code),
        severity=_SEVERITY.get(priority, "UNKNOWN") if active == "active" else "INFO",
        body={
            "state": fault if active == "active" else "ONLINE",
            "component": code,
            "detail": f"{code} {words}".strip(),
        },
        **common,
    )


def _aggregated(message: Mapping[str, Any], payload: Payload, options: Options) -> Event:
    """The whole site in eight switches; the worst that is on is its state."""
    bits = [str(each).lower() in _TRUE for each in a_list(message.get("se"), ("se",))[:8]]
    common = _common(message, _stamp(message, "aSTS", payload, options), options)
    state, words = next(
        (
            (state, words)
            for place, state, words in _AGGREGATED
            if bits[place : place + 1] == [True]
        ),
        ("UNKNOWN", "no switch is on"),
    )
    return Event(
        noun="health",
        kind="device.health",
        subject=(common["device_ref"], "aggregated"),
        severity=_GRAVITY.get(state, "INFO"),
        body={"state": state, "component": "device", "detail": words},
        **common,
    )


# Statuses


def _statuses(message: Mapping[str, Any], payload: Payload, options: Options) -> Iterator[Outcome]:
    values: dict[tuple[str, str], str] = {}
    qualities: set[str] = set()
    for place, status in enumerate(a_list(message.get("sS"), ("sS",))):
        each = an_object(status, ("sS", place))
        quality = the_text(each, "q").lower() or "recent"
        if each.get("s") is None or quality not in {"recent", "old"}:
            continue
        values[the_text(each, "sCI"), the_text(each, "n")] = the_text(each, "s")
        qualities.add(quality)
    replayed = "old" in qualities
    stamp = _stamp(message, "sTs", payload, options, replayed=replayed)
    common = {**_common(message, stamp, options), "replayed": replayed}
    began = next(
        (values[code, "starttime"] for code, _ in values if (code, "starttime") in values), ""
    )
    told = False
    if letters := values.get(("S0001", "signalgroupstatus")):
        told = True
        yield _signal_state(letters, common)
    if any(name in values for name in _DETECTOR):
        told = True
        start = read_stamp(began, received_at=payload.received_at, options=options).at
        yield _measurement(values, common, _period_s(start, stamp))
    if not told:
        names = sorted({code for code, _ in values})
        yield Nothing(why=f"no status that is read: {', '.join(names)[:80] or 'none is known'}")


def _signal_state(letters: str, common: dict[str, Any]) -> Event:
    """A letter for each group, in the order of their numbers."""
    unknown = any(letter not in _PHASES for letter in letters)
    if len(letters) > _GROUPS_MAX:
        raise PayloadError(
            f"{len(letters)} signal groups, at most {_GROUPS_MAX}", code="too-many", path="sS"
        )
    flags = (*common["quality_flags"], *(("signal_group_unknown",) if unknown else ()))
    return Event(
        noun="signal_state",
        kind="signal.phase",
        subject=(common["device_ref"],),
        severity="INFO",
        body={
            "intersection_name": common["device_ref"],
            "groups": [
                {"signal_group": place, "state": _PHASES.get(letter, "UNKNOWN")}
                for place, letter in enumerate(letters, 1)
            ],
        },
        **{**common, "quality_flags": flags},
    )


def _period_s(start: datetime | None, end: Stamp) -> float | None:
    """How long a detector counted: from its start, if that is of the last day, to the status."""
    if start is None or end.at is None:
        return None
    seconds = (end.at - start).total_seconds()
    return seconds if 0 < seconds <= _PERIOD_MAX_S else None


def _measurement(
    values: Mapping[tuple[str, str], str], common: dict[str, Any], period_s: float | None
) -> Event:
    """What one detector counted."""
    body: dict[str, Any] = {"site_ref": common["device_ref"], "period_s": period_s}
    flags: tuple[str, ...] = ()
    for name, field in _DETECTOR.items():
        if name not in values:
            continue
        text = values[name]
        value = integer(text) if field == "vehicle_count" else number(text)
        if field == "occupancy_ratio" and value is not None:
            value = value / 100 if value <= 100 else None
        if value is None or value < 0:
            flags += (f"{field}_invalid",)
        else:
            body[field] = value
    return Event(
        noun="measurement",
        kind="traffic.flow",
        subject=(common["device_ref"],),
        severity="INFO",
        body=body,
        **{**common, "quality_flags": (*common["quality_flags"], *flags)},
    )


connector = Connector(
    name="rsmp",
    title="Traffic light controllers, RSMP 3.1 and 3.2 with the SXL for traffic lights",
    parse=parse,
    emits=("signal_state", "measurement", "health"),
    identity={
        "signal_state": ("body.groups",),
        "measurement": ("body.vehicle_count", "body.speed_kmh", "body.occupancy_ratio"),
        "health": ("body.component", "body.state", "body.detail"),
    },
    options=Options,
)
