"""RSMP 3.1 and 3.2: alarms, statuses and detectors of traffic light controllers, one JSON each.

Transports frame messages with a form feed; a payload may hold several. Acknowledgements are the
transport's: here they, `Version`, `Watchdog`, requests and commands are no events.

Traps handled:

- An alarm has three switches: `aS` active, `ack`, `sS` suspended; `aSp` says which one changed.
  Only the first says how the component is; the others stand in the detail.
- Sites send all their alarms after a reconnect, with the times at which they changed: old, but
  right.
- Each message has a GUID of its own, also one that is sent again, so ids come of the content.
- `q` is `recent`, `old` (kept during an outage: `replayed`), `unknown` (`s` is null: no value, with
  a flag), or `undefined`: the component does not exist, which is refused.
- An update holds the names that changed alone, so subjects are component, code and name.
- Values are texts, also `"True"`; since 3.2 numbers and lists as well.
- -1 is not measured. A count that began before yesterday has no period.
- Sites of a test bench (`test_sites`) are TEST.

By the signal exchange list for traffic lights (1.0.15 to 1.2): S0001, signal groups, whose letters
are in `statuses.py`. Whether green is protected, it does not say: it is given as permissive. S0201
to S0208, detectors. How the controller is run (S0005 to S0015, S0020, S0035, S0095) is `health` of
the kind `signal.mode`; only the control mode says whether it is well. Not read: who acknowledged or
logged in, inputs and outputs, detector logics, counters, tables, commands, and of which of several
intersections a mode is.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import Field

import hub
from connectors._formats.json import a_list, a_text, an_object, parse_json, shown
from connectors._formats.members import the_items, the_text
from connectors._formats.times import Stamp, read_stamp
from connectors.rsmp.statuses import Message, read_statuses
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection
from hub.connector import Severity

__all__ = ["Options", "connector", "parse"]

_FRAME: Final = b"\x0c"
_MESSAGES_MAX: Final = 10_000
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
_TEXT_MAX: Final = 2_000
_OUTAGE_OK_S: Final = 259_200
_ALWAYS_OK_S: Final = 10**10  # an alarm may have been active for months


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
            yield Rejection.of(error, path=path)
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


def _common(message: Mapping[str, Any], stamp: Stamp, options: Options) -> dict[str, Any]:
    component = a_text(message.get("cId"), ("cId",))
    if not component:
        raise PayloadError("a message without a component", code="missing-field", path="cId")
    tests = tuple(filter(None, options.test_sites))
    test = bool(tests) and (
        component.startswith(tests) or the_text(message, "ntsOId").startswith(tests)
    )
    return {
        "device_ref": component,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "status": "TEST" if test else "LIVE",
        "quality_flags": stamp.flags,
    }


def _stamp(text: str, payload: Payload, options: Options, late_ok_s: int) -> Stamp:
    return read_stamp(
        text,
        received_at=payload.received_at,
        options=options,
        replayed=late_ok_s > 0,
        late_ok_s=late_ok_s,
    )


def _statuses(message: Mapping[str, Any], payload: Payload, options: Options) -> Iterator[Outcome]:
    kept = any(isinstance(each, dict) and the_text(each, "q").lower() == "old"
               for each in the_items(message, "sS"))  # fmt: skip
    stamp = _stamp(the_text(message, "sTs"), payload, options, _OUTAGE_OK_S if kept else 0)
    common = _common(message, stamp, options)
    yield from read_statuses(
        message,
        Message(
            component=common["device_ref"],
            observed_at=stamp.at,
            common=common,
            stamp=lambda text: _stamp(text, payload, options, 0).at,
        ),
    )


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
    stamp = _stamp(the_text(message, "aTs"), payload, options, _ALWAYS_OK_S)
    common = _common(message, stamp, options)
    suspended = the_text(message, "sS").lower() == "suspended"
    if suspended:
        common["quality_flags"] = (*common["quality_flags"], "alarm_suspended")
    told = [the_text(message, "xACId")]
    told.append(
        ", ".join(
            f"{the_text(each, 'n')}={the_text(each, 'v')}"
            for each in the_items(message, "rvs")
            if isinstance(each, dict)
        )
    )
    told.append("acknowledged" if the_text(message, "ack").lower() == "acknowledged" else "")
    told.append("suspended" if suspended else "")
    return Event(
        noun="health",
        kind="device.health",
        subject=(common["device_ref"], code),
        native_id=f"{common['device_ref']}/{code}",
        severity=_SEVERITY.get(priority, "UNKNOWN") if active == "active" else "INFO",
        body={
            "state": _FAULTS.get(priority, "FAULT") if active == "active" else "ONLINE",
            "component": code,
            "detail": "; ".join(filter(None, told))[:_TEXT_MAX],
        },
        **common,
    )


def _aggregated(message: Mapping[str, Any], payload: Payload, options: Options) -> Event:
    """The whole site in eight switches; the worst that is on is its state, all are told."""
    switches = a_list(message.get("se"), ("se",))
    bits = [str(each).lower() in _TRUE for each in switches[:8]]
    stamp = _stamp(the_text(message, "aSTS"), payload, options, _ALWAYS_OK_S)
    common = _common(message, stamp, options)
    if len(switches) != 8:
        common["quality_flags"] = (*common["quality_flags"], "switches_missing")
    on = [
        (state, words) for place, state, words in _AGGREGATED if bits[place : place + 1] == [True]
    ]
    state = on[0][0] if on else "UNKNOWN"
    told = [words for _, words in on] or ["no switch is on"]
    told += [text for name in ("fP", "fS") if (text := the_text(message, name))]
    return Event(
        noun="health",
        kind="device.health",
        subject=(common["device_ref"], "aggregated"),
        native_id=f"{common['device_ref']}/aggregated",
        severity=_GRAVITY.get(state, "INFO"),
        body={"state": state, "component": "device", "detail": ", ".join(told)[:_TEXT_MAX]},
        **common,
    )


connector = Connector(
    name="rsmp",
    title="Traffic light controllers, RSMP 3.1 and 3.2 with the SXL for traffic lights",
    parse=parse,
    emits=("signal_state", "measurement", "health"),
    identity={
        "signal_state": ("body.groups",),
        "measurement": (
            "body.vehicle_class",
            "body.vehicle_count",
            "body.speed_kmh",
            "body.occupancy_ratio",
            "body.period_s",
        ),
        "health": ("body.component", "body.state", "body.detail"),
    },
    options=Options,
    transports=("rsmp_tcp", "http_push", "drop_folder"),
)
