"""OpenALPR and Rekor agents: groups, single results, alerts and heartbeats, as their webhooks send.

A group is one passage of a vehicle, seen in several frames; its best reading is told. Results of a
single picture give one read each. Heartbeats are the health of each video stream.

Traps handled: times are milliseconds since 1970, of the first frame; confidences are of 100; a
plate is four corners; a preliminary group (`is_preview`) may come before the final one, with the
same id; a wrapper whose `data_type` is null is known by what it holds; an agent that was offline
sends a backlog; results of a picture name neither camera nor id.

Known from the project's documents and integrators' code. Not read: candidates, `company_id`, lists
behind an alert but for its name, pictures (they stay at the agent).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors._formats.flaws import Broken
from connectors._formats.json import Path, a_list, an_object, parse_json, shown
from connectors._formats.members import the_items, the_number, the_object, the_text, the_truth
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import Stamp, read_epoch
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_RESULTS_MAX: Final = 1_000


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The reads of a message, or the health of an agent's streams."""
    document = an_object(parse_json(payload.body, records=[("results",), ("video_streams",)]), ())
    kind = the_text(document, "data_type")
    group = the_object(document, "group") or document
    if kind == "heartbeat" or "video_streams" in document:
        yield from _streams(document, payload, options)
    elif "best_plate_number" in group or "best_plate" in group:
        listed = the_text(document, "alert_list") if kind == "alpr_alert" else ""
        yield _group(group, listed, payload, options)
    elif kind == "alpr_results" or "results" in document:
        yield from _results(document, payload, options)
    else:
        raise PayloadError(
            "neither a group nor results nor a heartbeat",
            code="no-event",
            path="data_type",
            fix="let the agent send alpr_group, alpr_results, alpr_alert or heartbeat",
        )


def _stamp(milliseconds: float | None, payload: Payload, options: Options) -> Stamp:
    return read_epoch(
        milliseconds and milliseconds / 1000, received_at=payload.received_at, options=options
    )


def _group(group: Mapping[str, Any], listed: str, payload: Payload, options: Options) -> Event:
    best = the_object(group, "best_plate")
    stamp = _stamp(the_number(group, "epoch_start"), payload, options)
    confidence = the_number(group, "best_confidence")
    plate, flags = _plate(
        the_text(group, "best_plate_number") or the_text(best, "plate"),
        confidence if confidence is not None else the_number(best, "confidence"),
    )
    native_id, withheld = without_plate(the_text(group, "best_uuid"), plate["text"])
    camera = "/".join(filter(None, (the_text(group, "site_id"), the_text(group, "camera_id"))))
    preview = ("preview",) if the_truth(group, "is_preview") else ()
    vehicle = the_object(group, "vehicle")
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        device_ref=camera,
        native_id=native_id,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        quality_flags=(*stamp.flags, *flags, *withheld, *preview),
        restricted={"plate": plate},
        body={
            "vehicle_type": _best(vehicle, "body_type"),
            "vehicle_colour": _best(vehicle, "color"),
            "vehicle_make": _best(vehicle, "make"),
            "country": the_text(group, "best_region") or the_text(best, "region"),
            "plate_box": _box(best),
            "list_name": listed,
        },
    )


def _results(document: Mapping[str, Any], payload: Payload, options: Options) -> Iterator[Outcome]:
    """The vehicles of one picture."""
    results = a_list(document.get("results"), ("results",))
    stamp = _stamp(the_number(document, "epoch_time"), payload, options)
    camera = the_text(document, "camera_id")
    if not results:
        yield Nothing(why="a picture without plates")
    for place, result in enumerate(results[:_RESULTS_MAX]):
        path: Path = ("results", place)
        if isinstance(result, Broken):
            yield Rejection.of(result.error(shown(path)))
            continue
        if not isinstance(result, dict):
            yield Rejection(code="wrong-type", message="expected an object", path=shown(path))
            continue
        plate, flags = _plate(the_text(result, "plate"), the_number(result, "confidence"))
        unnamed = () if camera else ("device_unnamed",)
        yield Event(
            noun="plate_read",
            kind="vehicle.passage",
            device_ref=camera,
            observed_at=stamp.at,
            time_quality=stamp.quality,
            severity="INFO",
            quality_flags=(*stamp.flags, *unnamed, *flags),
            restricted={"plate": plate},
            body={"country": the_text(result, "region"), "plate_box": _box(result)},
        )


def _streams(document: Mapping[str, Any], payload: Payload, options: Options) -> Iterator[Outcome]:
    streams = the_items(document, "video_streams")
    stamp = _stamp(the_number(document, "timestamp"), payload, options)
    if not streams:
        yield Nothing(why="a heartbeat without streams")
    for place, stream in enumerate(streams[:_RESULTS_MAX]):
        if isinstance(stream, Broken):
            yield Rejection.of(stream.error(shown(("video_streams", place))))
            continue
        if not isinstance(stream, dict):
            path = shown(("video_streams", place))
            yield Rejection(code="wrong-type", message="expected an object", path=path)
            continue
        runs = the_truth(stream, "is_streaming")
        camera = the_text(stream, "camera_id")
        yield Event(
            noun="health",
            kind="device.health",
            device_ref=camera,
            subject=(camera, "video"),
            observed_at=stamp.at,
            time_quality=stamp.quality,
            quality_flags=stamp.flags,
            severity="INFO" if runs else "MODERATE",
            body={
                "state": "ONLINE" if runs else "OFFLINE",
                "component": "video",
                "firmware": the_text(document, "agent_version"),
            },
        )


def _plate(raw: str, confidence: float | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A plate whose confidence is of 100."""
    known = confidence is not None and 0 <= confidence <= 100
    return read_plate(raw, confidence=round(confidence / 100, 6) if known and confidence else None)


def _best(vehicle: Mapping[str, Any], name: str) -> str:
    guesses = the_items(vehicle, name)
    first = guesses[0] if guesses and isinstance(guesses[0], dict) else {}
    return the_text(first, "name")


def _box(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Four corners in pixels as the rectangle around them."""
    corners = [each for each in the_items(result, "coordinates") if isinstance(each, dict)]
    xs = [x for each in corners if (x := the_number(each, "x")) is not None]
    ys = [y for each in corners if (y := the_number(each, "y")) is not None]
    if len(xs) < 2 or len(ys) < 2:
        return None
    return a_box([min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)], "PIXEL")


connector = Connector(
    name="openalpr",
    title="OpenALPR and Rekor agents, webhooks: groups, results, alerts, heartbeats",
    parse=parse,
    emits=("plate_read", "health"),
    identity={
        "plate_read": ("restricted.plate.raw", "body.plate_box"),
        "health": ("body.component", "body.state"),
    },
)
