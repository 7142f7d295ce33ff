"""Context brokers of FIWARE and other NGSI ones: traffic flow, alerts, accidents and works.

Read are NGSI v2 (normalised and keyValues), NGSI-LD (normalised, concise, keyValues, GeoJSON), as
notifications (`data`), answers to queries or single entities. What an entity is, its type says:

- `TrafficFlowObserved` is a `measurement`;
- `Alert`, `WeatherAlert` and other types that end so are an `alert` of one information block;
- `RoadAccident`, `RoadEvent`, `RoadWork`, `RoadClosure`, `TrafficEvent` and `CityWork` are a
  `situation`.

Other types (devices, streets, parking) are a `Nothing` that names them.

Traps handled:

- One entity in three shapes gives one event; types and names may be whole URIs, types a list.
- The subject is the entity's id. A version is told by `dateObserved`, `observedAt` of attributes or
  the time of modification, the latest of them: brokers deliver at least once and out of order.
- A notification may hold only what changed: what is absent stays null. One without any measured
  value is a `Nothing`.
- `intensity` counts vehicles in the period of observation; it is no hourly flow. The period comes
  from `dateObservedFrom` and `To` or from `a/b` in `dateObserved`.
- `occupancy` above 1 is a percentage or a fault, nobody says which: null, with a flag. Negative
  numbers are sentinels. No vehicle and yet occupied all the time is a stuck detector: all null,
  flag `detector_stuck`. Speeds are km/h unless `unitCode` says otherwise.
- `geo:json` is longitude first, `geo:point` and its like latitude first.
- `validTo` in the past is EXPIRED for alerts and ENDED for situations; an entity deleted is
  CANCELLED; status `solved` or `archived` ends an accident.
- `alertSource` may be a user's page and `owner` a person: neither is read, but a device that is the
  source is the event's device. Contacts in texts are masked.

Known: the examples of the Smart Data Models and the NGSI specifications. Inferred: the types of
situations beyond RoadAccident and CityWork, which share its attributes.
"""

from collections.abc import Iterator
from typing import Any

from connectors._formats.flaws import Broken
from connectors._formats.json import parse_json
from connectors.ngsi.entity import RECORDS, Entity, entities_in
from connectors.ngsi.nouns import SITUATIONS, read_alert, read_measurement, read_situation
from connectors.ngsi.reading import ALWAYS_OK_S, Reading
from hub.connector import Connector, Nothing, Options, Outcome, Payload, Rejection

__all__ = ["Options", "connector", "parse"]


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each entity."""
    empty = True
    for path, value in entities_in(parse_json(payload.body, records=RECORDS)):
        empty = False
        yield _outcome(value, path, payload, options)
    if empty:
        yield Nothing(why="a notification without entities")


def _outcome(value: Any, path: str, payload: Payload, options: Options) -> Outcome:
    if isinstance(value, Broken):
        return Rejection.of(value.error(path))
    if not isinstance(value, dict):
        what = f"expected an entity, found {type(value).__name__}"
        return Rejection(code="wrong-type", message=what, path=path)
    if "contextResponses" in value:
        return Rejection(
            code="ngsi-v1",
            message="a notification of NGSI v1, which names attributes in lists",
            path=f"{path}/contextResponses".lstrip("/"),
            fix="set attrsFormat of the subscription to normalized or keyValues",
        )
    entity = Entity(value)
    for name, told in (("id", entity.id), ("type", entity.type)):
        if not told:
            what = f"an entity without {name}, or none that is a text"
            where = f"{path}/{name}".lstrip("/")
            fix = "subscribe to entities, with id and type, not to bare values"
            return Rejection(code="missing-field", message=what, path=where, fix=fix)
    if entity.type == "TrafficFlowObserved":
        return read_measurement(Reading(entity, payload, options))
    if entity.type.endswith("Alert"):
        return read_alert(Reading(entity, payload, options, late_ok_s=ALWAYS_OK_S))
    if entity.type in SITUATIONS:
        return read_situation(Reading(entity, payload, options, late_ok_s=ALWAYS_OK_S))
    return Nothing(why=f"an entity of type {entity.type[:60]}")


connector = Connector(
    name="ngsi",
    title="FIWARE and other NGSI context brokers: v2 and NGSI-LD, notifications and entities",
    parse=parse,
    emits=("alert", "situation", "measurement"),
    identity={
        "alert": ("body.sent_at", "body.infos"),
        "situation": (
            "body.detail",
            "body.valid_from",
            "body.valid_to",
            "body.validity_status",
            "body.texts",
            "body.road",
            "body.points",
        ),
        "measurement": (
            "body.lane",
            "body.vehicle_class",
            "body.speed_kmh",
            "body.occupancy_ratio",
            "body.vehicle_count",
            "body.period_s",
        ),
    },
    transports=("http_push", "http_poll", "drop_folder"),
)
