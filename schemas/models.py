"""Typed dictionaries of every Avro record; generated from avro/*.avsc, do not edit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NotRequired, TypedDict

__all__ = [
    "AlertArea",
    "AlertBody",
    "AlertInfo",
    "AskedId",
    "Box",
    "BoxScale",
    "CorrectedPlate",
    "DeadId",
    "DeadLetter",
    "DeadReplay",
    "DetectionBody",
    "DetectionState",
    "Device",
    "DeviceAlias",
    "DeviceState",
    "Direction",
    "ErasedEventId",
    "ErasedObject",
    "Erasure",
    "ErasureId",
    "EventId",
    "ExpiredDay",
    "Header",
    "HeaderPair",
    "HealthBody",
    "HealthState",
    "HeldEventId",
    "HeldId",
    "Hold",
    "HoldId",
    "HubInfo",
    "IdBucket",
    "IngestMark",
    "LedgerCount",
    "LedgerRow",
    "Lifecycle",
    "Location",
    "LocationCode",
    "LocationKind",
    "MeasurementBody",
    "MessageType",
    "NamedValue",
    "Origin",
    "PersonRef",
    "PictureRef",
    "Place",
    "Plate",
    "PlateCategory",
    "PlateColour",
    "PlateReadBody",
    "Position",
    "Reference",
    "RemainingRecords",
    "ReportedArea",
    "Resolution",
    "Restricted",
    "ReviewId",
    "ReviewRestricted",
    "ReviewState",
    "Route",
    "Routing",
    "RuleRef",
    "Severity",
    "Sha256",
    "ShownByEvent",
    "SignMessageBody",
    "SignPage",
    "SignalGroup",
    "SignalPhase",
    "SignalStateBody",
    "SituationBody",
    "StateIds",
    "StateKeyed",
    "StateSnapshot",
    "Status",
    "SubjectId",
    "SuggestedDevice",
    "Text",
    "TimeQuality",
    "UnknownDevice",
    "UnknownDeviceArea",
    "Vertex",
    "View",
    "ViolationBody",
    "ViolationReview",
    "Waypoint",
    "Withheld",
]


EventId = bytes
"""A UUID of version 8, as its 16 bytes."""


SubjectId = bytes
"""A UUID of version 8, as its 16 bytes."""


Lifecycle = Literal["UNKNOWN", "NEW", "UPDATED", "ENDED", "CANCELLED", "EXPIRED", "VANISHED"]
"""Where the subject stands. ENDED: it is over. CANCELLED: withdrawn, it was wrong. EXPIRED: its time ran out. VANISHED: gone from a complete, fresh snapshot of its source."""


Status = Literal["UNKNOWN", "LIVE", "TEST", "EXERCISE", "SYSTEM"]
"""Whether the event is real life. Everything but LIVE goes to the ops topics only."""


Severity = Literal["UNKNOWN", "INFO", "MINOR", "MODERATE", "SEVERE", "EXTREME"]
"""How grave, in the words of CAP 1.2, with INFO below MINOR."""


TimeQuality = Literal["UNKNOWN", "DEVICE", "ASSUMED_ZONE", "SUSPECT", "RECEIVED"]
"""How observed_at is known. DEVICE: the device's clock with its zone. ASSUMED_ZONE: a local stamp read in the source's zone. SUSPECT: far from the time of receipt. RECEIVED: the source gave none."""


class Position(TypedDict):
    """A point on the earth (WGS 84)."""

    lat: float
    """Latitude in degrees, north positive."""
    lon: float
    """Longitude in degrees, east positive."""
    accuracy_m: NotRequired[float | None]
    """Radius of uncertainty in metres."""
    method: NotRequired[str]
    """How the position is known: `reported`, `register`, `centroid`."""


class ReportedArea(TypedDict):
    """An area in the words of the source."""

    scheme: NotRequired[str]
    """Naming scheme of the code, `nso-2025-07` for the wards since July 2025; empty when not declared."""
    code: NotRequired[str]
    """The code as given, with leading zeros."""
    name: NotRequired[str]
    """The name as given (NFC)."""


Sha256 = bytes
"""A SHA-256 digest."""


class Origin(TypedDict):
    """Where the bytes are that this event was read from."""

    topic: NotRequired[str | None]
    """Raw topic; null in a dry run."""
    partition: NotRequired[int | None]
    """Partition of the raw topic."""
    offset: NotRequired[int | None]
    """Offset in that partition."""
    index: NotRequired[int]
    """Place of the event in its payload, from 0."""
    sha256: Sha256
    """SHA-256 of the payload's bytes."""
    connector: NotRequired[str]
    """Connector that read it."""
    connector_version: NotRequired[str]
    """Version of that connector."""


class Header(TypedDict):
    """What every event says of itself. The first seven fields have a fixed length, so their bytes stand at fixed places; the order of the fields is contract."""

    event_id: EventId
    """The event: 128 bits of HMAC-SHA-256 under the site's id key. The same report always has the same id, so a reader may use it to drop repeats."""
    subject_id: SubjectId
    """The thing reported: equal for all its updates, its end and its cancel."""
    lifecycle: NotRequired[Lifecycle]
    """Where the subject stands with this event."""
    status: NotRequired[Status]
    """Whether the event is real life, a test, an exercise or system traffic."""
    severity: NotRequired[Severity]
    """How grave the event is, as far as its source says."""
    time_quality: NotRequired[TimeQuality]
    """How far observed_at can be trusted."""
    replayed: NotRequired[bool]
    """True for backlog and retransmissions; such an event must not raise a live alarm."""
    received_at: datetime
    """When the hub accepted the payload (UTC)."""
    observed_at: NotRequired[datetime | None]
    """When it happened by the source's clock (UTC); null when the source gives no time."""
    published_at: NotRequired[datetime | None]
    """When the source published it (UTC), where that is told apart from observed_at."""
    source_id: str
    """The source, as named in the hub's configuration."""
    device_ref: NotRequired[str]
    """The device as the source names it; empty when it names none."""
    kind: NotRequired[str]
    """What kind of event, as dotted open text: `vehicle.passage`, `signal.phase`, `weather.flood`."""
    native_id: NotRequired[str | None]
    """The source's own id of the thing reported, as given."""
    native_version: NotRequired[str | None]
    """The source's own version of the report, as given."""
    position: NotRequired[Position | None]
    """Where it happened, as the source reports it."""
    areas_reported: NotRequired[Sequence[ReportedArea]]
    """The areas the source names, untranslated."""
    drill_id: NotRequired[str | None]
    """The drill this event belongs to; null in real life."""
    quality_flags: NotRequired[Sequence[str]]
    """Short codes of what was repaired, missing or doubtful, such as `clock_suspect`."""
    origin: Origin
    """Where the bytes are that this event was read from."""


PlateCategory = Literal["UNKNOWN", "CAR", "MOTORBIKE", "SPECIAL", "DIPLOMATIC", "MILITARY", "FOREIGN"]
"""Category of vehicle the plate belongs to, as far as it is known."""


PlateColour = Literal["UNKNOWN", "WHITE", "YELLOW", "BLUE", "RED", "GREEN", "BLACK"]
"""Background colour of the plate (Circular 79/2024/TT-BCA)."""


class Plate(TypedDict):
    """A licence plate as read. Text alone is no vehicle key: text, category and colour together are."""

    raw: NotRequired[str]
    """The plate exactly as the source gave it."""
    text: NotRequired[str]
    """Upper case letters and digits only; Đ is written D. Empty when the source read none."""
    category: NotRequired[PlateCategory]
    """Category of vehicle."""
    colour: NotRequired[PlateColour]
    """Background colour of the plate."""
    confidence: NotRequired[float | None]
    """Confidence of the reading, 0 to 1; null when the source gives none."""


class PictureRef(TypedDict):
    """A picture in the evidence store."""

    sha256: Sha256
    """SHA-256 of the picture; its name in the evidence store."""
    role: NotRequired[str]
    """What it shows: `plate`, `vehicle`, `scene`."""
    size_bytes: NotRequired[int]
    """Size in bytes."""
    content_type: NotRequired[str]
    """Media type, `image/jpeg`."""


class PersonRef(TypedDict):
    """A person seen, never by name or face."""

    role: NotRequired[str]
    """`driver`, `passenger`, `pedestrian`, `subject`."""
    reference: NotRequired[str]
    """The source's opaque reference; never a name, number or template."""


class Restricted(TypedDict):
    """What the law treats as personal data (Decree 356/2025/ND-CP, article 3): given only to subscribers whose view allows it. Null means not given by the source, or withheld: `view.withheld` tells which."""

    plate: NotRequired[Plate | None]
    """The plate read."""
    pictures: NotRequired[Sequence[PictureRef] | None]
    """Pictures that came with the event."""
    persons: NotRequired[Sequence[PersonRef] | None]
    """Persons the event speaks of."""


Direction = Literal["UNKNOWN", "APPROACHING", "DEPARTING"]
"""Way of travel relative to the camera."""


BoxScale = Literal["UNKNOWN", "PIXEL", "UNIT", "PERMILLE", "GRID_8192"]
"""Unit of a rectangle's numbers."""


class Box(TypedDict):
    """A rectangle in a picture."""

    x: float
    """Left edge."""
    y: float
    """Upper edge."""
    width: float
    """Width."""
    height: float
    """Height."""
    scale: NotRequired[BoxScale]
    """Unit of the numbers; UNKNOWN when the source does not say."""
    picture_width_px: NotRequired[int | None]
    """Width of the picture the rectangle refers to."""
    picture_height_px: NotRequired[int | None]
    """Height of that picture."""


class PlateReadBody(TypedDict):
    """A vehicle passed a camera that reads plates. The plate itself is in `restricted.plate`."""

    direction: NotRequired[Direction]
    """Way of travel relative to the camera."""
    lane: NotRequired[int | None]
    """Lane as the source numbers it."""
    speed_kmh: NotRequired[float | None]
    """Speed in km/h."""
    speed_limit_kmh: NotRequired[float | None]
    """Limit that applies, in km/h."""
    vehicle_type: NotRequired[str]
    """Kind of vehicle in the source's words."""
    vehicle_colour: NotRequired[str]
    """Colour of the vehicle in the source's words."""
    vehicle_make: NotRequired[str]
    """Make, or the source's number for it."""
    country: NotRequired[str]
    """Country or region of the plate as the source gives it."""
    character_confidences: NotRequired[Sequence[float]]
    """Confidence of each character of the plate, 0 to 1."""
    plate_box: NotRequired[Box | None]
    """Where the plate stands in the picture."""
    list_name: NotRequired[str]
    """Name of the camera's own list the plate was on; never the list's content."""


DetectionState = Literal["UNKNOWN", "STARTED", "ONGOING", "STOPPED", "PULSE"]
"""Whether the condition begins, goes on or ends with this report."""


class Vertex(TypedDict):
    """A corner of a region in a picture."""

    x: float
    """Horizontal place."""
    y: float
    """Vertical place."""


class DetectionBody(TypedDict):
    """A camera's analytics reported something: a vehicle stopped, a line crossed, an input switched."""

    rule: NotRequired[str]
    """The rule or event type in the source's words."""
    state: NotRequired[DetectionState]
    """Whether the condition begins, goes on or ends."""
    target: NotRequired[str]
    """What was detected, in the source's words: `human`, `vehicle`."""
    region: NotRequired[str]
    """Region or line of the rule, as the source numbers it."""
    score: NotRequired[float | None]
    """Score of the detection, 0 to 1."""
    post_count: NotRequired[int | None]
    """How often the source has posted this alarm; neither an id nor a sequence."""
    box: NotRequired[Box | None]
    """The object in the picture."""
    polygon: NotRequired[Sequence[Vertex]]
    """The rule's region."""
    polygon_scale: NotRequired[BoxScale]
    """Unit of the polygon's numbers."""
    input_ref: NotRequired[str]
    """Number of the switched input, for input alarms."""


class ViolationBody(TypedDict):
    """A suspected violation seen by a device: a candidate, never a verdict. Only people decide, and their decisions stand on `police.violation_review.v1`. Its pictures, with their SHA-256, are in `restricted.pictures`."""

    act: NotRequired[str]
    """The act in the source's words; `act_word` has the hub's."""
    law_code: NotRequired[str]
    """Code of the act in `law_namespace`. National: `DDDYY.article.clause.point.seq`; the letter đ is not d; it ends with its point where the sequence is not known. Empty where several fit: only people can choose."""
    law_version: NotRequired[str]
    """Text of the decree that held at the time of the act: the decree, and the one that amended it (`168/2024/ND-CP+238/2026/ND-CP`)."""
    lane: NotRequired[int | None]
    """Lane as the source numbers it."""
    direction: NotRequired[Direction]
    """Way of travel relative to the camera."""
    speed_kmh: NotRequired[float | None]
    """Measured speed in km/h."""
    speed_limit_kmh: NotRequired[float | None]
    """Limit that applies, in km/h."""
    signal_state: NotRequired[str]
    """State of the signal at the act, as the source tells it."""
    red_elapsed_s: NotRequired[float | None]
    """Seconds since the signal turned red."""
    score: NotRequired[float | None]
    """Score of the detection, 0 to 1."""
    detector: NotRequired[str]
    """Model and version of the detector in one text, where the source does not tell them apart."""
    calibration_ref: NotRequired[str]
    """Certificate of the measuring device."""
    vehicle_type: NotRequired[str]
    """Kind of vehicle in the source's words."""
    act_word: NotRequired[str]
    """The act in the hub's own word, `red_light` (`hub violation act` lists them); empty when the source's words were not recognised."""
    source_code: NotRequired[str]
    """The source's own code of the act, as given."""
    law_namespace: NotRequired[str]
    """List of codes that `law_code` is of: `vn` for national codes, else a name its owner gives."""
    duration_s: NotRequired[float | None]
    """Seconds the act lasted, from its first picture to its last."""
    detector_model: NotRequired[str]
    """Model that saw the act."""
    detector_version: NotRequired[str]
    """Version of that model."""
    clock_sync: NotRequired[str]
    """How the device says its clock is set: `synchronised`, `unsynchronised`; empty when it does not say."""
    position_code: NotRequired[str]
    """Number of the camera's position, `VT87`, as records of violations write it."""


HealthState = Literal["UNKNOWN", "ONLINE", "DEGRADED", "OFFLINE", "FAULT"]
"""How the component is."""


class HealthBody(TypedDict):
    """How a device or one of its parts is."""

    state: NotRequired[HealthState]
    """How the component is."""
    component: NotRequired[str]
    """Which part: `video`, `storage`, `network`, `clock`, `device`."""
    detail: NotRequired[str]
    """The source's own words."""
    storage_used_ratio: NotRequired[float | None]
    """Share of storage in use, 0 to 1."""
    firmware: NotRequired[str]
    """Firmware version."""
    clock_offset_s: NotRequired[float | None]
    """Device clock minus the time of receipt, in seconds."""


SignalPhase = Literal["UNKNOWN", "UNAVAILABLE", "DARK", "STOP_THEN_PROCEED", "STOP_AND_REMAIN", "PRE_MOVEMENT", "PERMISSIVE_MOVEMENT_ALLOWED", "PROTECTED_MOVEMENT_ALLOWED", "PERMISSIVE_CLEARANCE", "PROTECTED_CLEARANCE", "CAUTION_CONFLICTING_TRAFFIC"]
"""Movement phase state of SAE J2735."""


class SignalGroup(TypedDict):
    """One signal group."""

    signal_group: int
    """Number of the group."""
    name: NotRequired[str]
    """Name, where given."""
    state: NotRequired[SignalPhase]
    """What the group shows."""
    start_at: NotRequired[datetime | None]
    """When this state began (UTC)."""
    min_end_at: NotRequired[datetime | None]
    """Earliest end (UTC)."""
    max_end_at: NotRequired[datetime | None]
    """Latest end (UTC)."""
    likely_at: NotRequired[datetime | None]
    """Likely end (UTC)."""
    next_at: NotRequired[datetime | None]
    """When this state comes again (UTC)."""
    confidence: NotRequired[int | None]
    """Confidence class of likely_at, 0 to 15."""


class SignalStateBody(TypedDict):
    """The state of all signal groups of one intersection (SAE J2735 SPaT)."""

    intersection_name: NotRequired[str]
    """Name, where the source gives one."""
    region: NotRequired[int | None]
    """Road regulator id of SAE J2735."""
    intersection: NotRequired[int]
    """Intersection id within its region."""
    revision: NotRequired[int | None]
    """Revision of the map the groups refer to; wraps at 127."""
    controller_status: NotRequired[Sequence[str]]
    """Flags of the controller that are set, `fixed_time_operation`."""
    groups: NotRequired[Sequence[SignalGroup]]
    """All groups, by number."""


class MeasurementBody(TypedDict):
    """Traffic measured at one place over one period."""

    site_ref: NotRequired[str]
    """Measurement site as the source names it."""
    lane: NotRequired[int | None]
    """Lane as the source numbers it."""
    vehicle_class: NotRequired[str]
    """Class of vehicles counted; empty for all."""
    flow_veh_h: NotRequired[float | None]
    """Flow in vehicles an hour."""
    speed_kmh: NotRequired[float | None]
    """Mean speed in km/h; null when no vehicle passed."""
    occupancy_ratio: NotRequired[float | None]
    """Occupancy, 0 to 1."""
    vehicle_count: NotRequired[int | None]
    """Vehicles counted in the period."""
    period_s: NotRequired[float | None]
    """Length of the period in seconds."""
    travel_time_s: NotRequired[float | None]
    """Travel time in seconds."""


class SignPage(TypedDict):
    """One page."""

    lines: NotRequired[Sequence[str]]
    """Lines of text; blanks are layout."""
    seconds_on: NotRequired[float | None]
    """How long the page stands."""


class SignMessageBody(TypedDict):
    """What a variable message sign shows."""

    controller_ref: NotRequired[str]
    """Controller or unit."""
    sign_index: NotRequired[int | None]
    """Sign of that controller."""
    blank: NotRequired[bool]
    """True when the sign is dark."""
    pages: NotRequired[Sequence[SignPage]]
    """Pages in order."""
    pictograms: NotRequired[Sequence[str]]
    """Pictograms, in the source's codes."""


class Text(TypedDict):
    """A text in one language."""

    language: NotRequired[str]
    """BCP 47 tag as given."""
    text: NotRequired[str]
    """The text (NFC)."""
    role: NotRequired[str]
    """What the text is for, in the source's words."""


class Waypoint(TypedDict):
    """A point of the location (WGS 84)."""

    lat: float
    """Latitude in degrees."""
    lon: float
    """Longitude in degrees."""


class LocationCode(TypedDict):
    """A coded location."""

    scheme: NotRequired[str]
    """`alert-c`, `openlr`, `linear`."""
    table: NotRequired[str]
    """Table or version the code refers to."""
    code: NotRequired[str]
    """The code."""


class SituationBody(TypedDict):
    """One record of a situation on the road (DATEX II): an accident, an obstruction, a closure."""

    situation_ref: NotRequired[str]
    """Id of the situation."""
    record_ref: NotRequired[str]
    """Id of the record within it."""
    record_type: NotRequired[str]
    """Type of the record, `Accident`."""
    detail: NotRequired[str]
    """Sub-type, `brokenDownVehicle`."""
    valid_from: NotRequired[datetime | None]
    """Start of validity (UTC)."""
    valid_to: NotRequired[datetime | None]
    """End of validity (UTC)."""
    validity_status: NotRequired[str]
    """`active`, `suspended`, `definedByValidityTimeSpec`."""
    probability: NotRequired[str]
    """`certain`, `probable`, `riskOf`."""
    texts: NotRequired[Sequence[Text]]
    """Public comments."""
    road: NotRequired[str]
    """Road name or number."""
    direction: NotRequired[str]
    """Direction in the source's words."""
    lanes: NotRequired[Sequence[str]]
    """Lanes affected, in the source's words."""
    impact: NotRequired[str]
    """Constriction of traffic."""
    speed_limit_kmh: NotRequired[float | None]
    """Temporary limit in km/h."""
    points: NotRequired[Sequence[Waypoint]]
    """Coordinates in order."""
    location_codes: NotRequired[Sequence[LocationCode]]
    """Codes that need a table to be placed."""
    source_name: NotRequired[str]
    """Who reported it, as an organisation."""
    confidentiality: NotRequired[str]
    """Confidentiality in the source's words."""


MessageType = Literal["UNKNOWN", "ALERT", "UPDATE", "CANCEL", "ACK", "ERROR"]
"""What the message does."""


class Reference(TypedDict):
    """A message this one follows."""

    sender: NotRequired[str]
    """Sender as referenced."""
    identifier: NotRequired[str]
    """Identifier as referenced."""
    sent: NotRequired[str]
    """Time as referenced, verbatim."""
    subject_id: SubjectId
    """Subject of the referenced message."""


class NamedValue(TypedDict):
    """A name and a value."""

    name: NotRequired[str]
    """Name."""
    value: NotRequired[str]
    """Value."""


class AlertArea(TypedDict):
    """An area of the alert."""

    description: NotRequired[str]
    """In words."""
    polygons: NotRequired[Sequence[str]]
    """`lat,lon lat,lon …` as given."""
    circles: NotRequired[Sequence[str]]
    """`lat,lon km` as given."""
    geocodes: NotRequired[Sequence[NamedValue]]
    """Codes of the area."""
    altitude_ft: NotRequired[float | None]
    """Altitude in feet."""
    ceiling_ft: NotRequired[float | None]
    """Ceiling in feet."""


class AlertInfo(TypedDict):
    """One info block: a language, or a part."""

    language: NotRequired[str]
    """BCP 47 tag; en-US where the message gives none."""
    categories: NotRequired[Sequence[str]]
    """CAP categories."""
    event: NotRequired[str]
    """What the alert is about."""
    response_types: NotRequired[Sequence[str]]
    """What to do."""
    urgency: NotRequired[str]
    """CAP urgency."""
    severity: NotRequired[str]
    """CAP severity."""
    certainty: NotRequired[str]
    """CAP certainty."""
    audience: NotRequired[str]
    """Who is meant."""
    event_codes: NotRequired[Sequence[NamedValue]]
    """Coded events."""
    effective_at: NotRequired[datetime | None]
    """Effective from (UTC)."""
    onset_at: NotRequired[datetime | None]
    """Expected begin (UTC)."""
    expires_at: NotRequired[datetime | None]
    """Expiry of the message (UTC), not the end of the event."""
    sender_name: NotRequired[str]
    """Agency that issued it."""
    headline: NotRequired[str]
    """Headline."""
    description: NotRequired[str]
    """Description."""
    instruction: NotRequired[str]
    """Instruction."""
    web: NotRequired[str]
    """Link."""
    parameters: NotRequired[Sequence[NamedValue]]
    """Parameters of the profile, such as the national disaster level."""
    areas: NotRequired[Sequence[AlertArea]]
    """Areas."""


class AlertBody(TypedDict):
    """One message of the Common Alerting Protocol (CAP 1.1, 1.2)."""

    identifier: NotRequired[str]
    """Identifier of the message."""
    sender: NotRequired[str]
    """Sender of the message."""
    sent_at: NotRequired[datetime | None]
    """When it was sent (UTC)."""
    message_type: NotRequired[MessageType]
    """What the message does."""
    scope: NotRequired[str]
    """`Public`, `Restricted`, `Private`."""
    restriction: NotRequired[str]
    """Rule of a restricted message."""
    note: NotRequired[str]
    """Note."""
    references: NotRequired[Sequence[Reference]]
    """Messages this one updates or cancels."""
    incidents: NotRequired[Sequence[str]]
    """Names of incidents."""
    codes: NotRequired[Sequence[str]]
    """Profile codes."""
    infos: NotRequired[Sequence[AlertInfo]]
    """Info blocks in the order of the message."""
    national_level: NotRequired[str]
    """Disaster risk level 1 to 5 as given (Decision 18/2021/QD-TTg)."""


Resolution = Literal["UNKNOWN", "EXACT", "WHOLE", "BY_POSITION", "AMBIGUOUS", "UNREGISTERED"]
"""How the areas were found."""


class Place(TypedDict):
    """Where the event happened, by the city's register at the event's time."""

    device_id: NotRequired[str]
    """The device in the register; empty when it knows none."""
    name: NotRequired[str]
    """Name of the place."""
    owner_agency: NotRequired[str]
    """Agency that owns the device."""
    purpose: NotRequired[str]
    """What the device is for."""
    road: NotRequired[str]
    """Road."""
    junction: NotRequired[str]
    """Junction."""
    lane: NotRequired[int | None]
    """Lane by the register."""
    position: NotRequired[Position | None]
    """Where the device stands."""
    areas_then: NotRequired[Sequence[ReportedArea]]
    """Areas by the scheme valid when it happened."""
    areas_now: NotRequired[Sequence[ReportedArea]]
    """Areas by today's scheme."""
    legacy_district: NotRequired[str]
    """District until 30 June 2025."""
    resolution: NotRequired[Resolution]
    """How the areas were found."""
    road_id: NotRequired[str]
    """Road in the city's register of places; empty when it is not certain."""
    junction_id: NotRequired[str]
    """Junction in the register of places; empty when it is not certain."""
    position_code: NotRequired[str]
    """Number of the camera position, `VT87`, by that register or the device's own entry."""


class RuleRef(TypedDict):
    """A rule that chose this topic."""

    id: str
    """Rule id."""
    valid_from: datetime
    """Start of the rule's validity: its version."""


class Routing(TypedDict):
    """Why this subscriber got the event."""

    rules: NotRequired[Sequence[RuleRef]]
    """Rules that matched."""
    recipients: NotRequired[Sequence[str]]
    """Whom it is meant for: agency codes, and roles where no code is published (`ward-police:nso-2025-07:00004`)."""
    lane: NotRequired[str]
    """Lane that carried it: `bulk`, `urgent`."""


class Withheld(TypedDict):
    """A field the source gave and the view holds back."""

    field: str
    """Path of the field."""
    right: str
    """Right that would open it; `personal-data` where the subscriber has none at any time."""


class View(TypedDict):
    """What was kept back from this subscriber, and what stands for it."""

    id: NotRequired[str]
    """View that was applied."""
    withheld: NotRequired[Sequence[Withheld]]
    """Fields held back; null and not listed means the source gave none."""
    pseudonym: NotRequired[str | None]
    """Stands for the plate in views that may not know it: equal for one vehicle (text, category and colour as read) within this subscriber's view and a month in Hanoi. Pseudonyms of two views or two months do not join; events do, by `event_id`. Null when no plate was read, or no right gives it."""


class HubInfo(TypedDict):
    """When and by whom it was delivered."""

    processed_at: NotRequired[datetime]
    """When the hub wrote this record (UTC)."""
    slot: NotRequired[str]
    """Slot of the worker that wrote it."""


DeadId = bytes
"""A UUID of version 8, as its 16 bytes."""


class HeaderPair(TypedDict):
    """A record header."""

    name: str
    """Name."""
    value: NotRequired[bytes]
    """Value."""


class DeadLetter(TypedDict):
    """What was refused, why, where its bytes are and how to send it again. As restricted as what it holds."""

    dead_id: DeadId
    """Id of this dead letter; the same record refused again for the same cause has the same id."""
    stage: NotRequired[str]
    """Stage that refused it: `normalise`, `process`."""
    code: NotRequired[str]
    """Short code that groups causes."""
    message: NotRequired[str]
    """What is wrong."""
    path: NotRequired[str]
    """Field that is wrong."""
    fix: NotRequired[str]
    """How to mend it."""
    source_id: NotRequired[str]
    """Source."""
    component: NotRequired[str]
    """Connector or step."""
    component_version: NotRequired[str]
    """Its version."""
    topic: NotRequired[str]
    """Topic the record stands on."""
    partition: NotRequired[int]
    """Partition."""
    offset: NotRequired[int]
    """Offset."""
    index: NotRequired[int | None]
    """Place in the payload; null when the whole payload was refused."""
    payload_id: NotRequired[str]
    """Id the payload was accepted under."""
    received_at: NotRequired[datetime | None]
    """When the payload was accepted (UTC)."""
    failed_at: datetime
    """When it was refused (UTC)."""
    content_type: NotRequired[str]
    """Content type as received."""
    sha256: NotRequired[bytes]
    """SHA-256 of the bytes; empty when unknown."""
    body: NotRequired[bytes]
    """The bytes, up to 256 KiB."""
    truncated: NotRequired[bool]
    """True when the bytes are not here, or not all of them: longer, or of a feed that is shared with defence. The whole stands at topic and offset."""
    body_ref: NotRequired[str]
    """Name of the bytes in the evidence store, where they are there."""
    record_headers: NotRequired[Sequence[HeaderPair]]
    """Headers of the record as it was."""
    last_index: NotRequired[int | None]
    """Last place of a run of refused parts that share this letter, from `index` on; null where it stands for one. After 1,000 refusals of one payload, those that follow each other share a letter."""


class DeadReplay(TypedDict):
    """That a dead letter was replayed, when and by whom; written in the transaction that sends it again."""

    dead_id: DeadId
    """The dead letter."""
    written_at: datetime
    """When it was replayed (UTC)."""
    replayed_by: NotRequired[str]
    """User and machine that ran the command."""
    topic: NotRequired[str]
    """Topic its record was put on again; empty when there was nothing left to send."""


ReviewId = bytes
"""A UUID, as its 16 bytes."""


ReviewState = Literal["UNKNOWN", "UNDER_REVIEW", "APPROVED", "REJECTED", "NOTIFIED", "CONTESTED", "FINED", "CLOSED"]
"""Where the case stands. APPROVED: a person found a violation. NOTIFIED: the owner was told. CONTESTED: the owner objects. CLOSED: the file is ended."""


class CorrectedPlate(TypedDict):
    """The plate as the reviewer reads it."""

    text: NotRequired[str]
    """Upper case letters and digits only; Đ is written D."""
    category: NotRequired[PlateCategory]
    """Category of vehicle."""
    colour: NotRequired[PlateColour]
    """Background colour of the plate."""


class ReviewRestricted(TypedDict):
    """What the law treats as personal data (Decree 356/2025/ND-CP, article 3)."""

    plate: NotRequired[CorrectedPlate | None]
    """The plate as the reviewer corrected it; null: as the camera read it."""


class ViolationReview(TypedDict):
    """What a person decided about a violation candidate. The hub never makes one; a candidate without decisions is a candidate still. A decision holds when it builds on the last one that holds, and its state may follow: the first such record of the log wins, any other is void."""

    review_id: ReviewId
    """This decision. The same record again is a repeat."""
    event_id: EventId
    """The candidate: `header.event_id` on `police.violation.v1`."""
    subject_id: SubjectId
    """The candidate's `header.subject_id`."""
    previous_id: NotRequired[ReviewId | None]
    """The decision this one builds on; null for the first."""
    state: NotRequired[ReviewState]
    """Where the case stands with this decision."""
    decided_at: datetime
    """When it was decided (UTC)."""
    act_at: NotRequired[datetime | None]
    """When the act was, as the candidate says (UTC): it chooses the text of the decree, and its limitation of a year runs from it."""
    reviewer: NotRequired[str]
    """Who decided: the officer's number, never a name."""
    unit: NotRequired[str]
    """Agency code of the officer's unit."""
    reason: NotRequired[str]
    """Why, without names and plates."""
    law_namespace: NotRequired[str]
    """List of codes that `law_code` is of, as in the candidate."""
    law_code: NotRequired[str]
    """Code as decided; a decision APPROVED names it."""
    law_version: NotRequired[str]
    """Text of the decree that held at the time of the act."""
    case_ref: NotRequired[str]
    """The unit's own reference of the file."""
    restricted: NotRequired[ReviewRestricted]
    """Personal data."""


ErasureId = bytes
"""A UUID of version 8, as its 16 bytes."""


AskedId = bytes
"""A UUID of version 8, as its 16 bytes."""


ErasedEventId = bytes
"""A UUID of version 8, as its 16 bytes."""


class ErasedObject(TypedDict):
    """A stored object, and what became of it."""

    sha256: NotRequired[bytes]
    """Its name: the SHA-256 of its bytes."""
    kind: NotRequired[str]
    """`body` or `picture`."""
    outcome: NotRequired[str]
    """`deleted`, `absent` (nothing was there any more) or `kept`."""
    why: NotRequired[str]
    """Why it is kept."""


class RemainingRecords(TypedDict):
    """Records on one topic, which go at their retention."""

    topic: NotRequired[str]
    """Topic."""
    count: NotRequired[int]
    """How many records."""
    gone_by: NotRequired[datetime | None]
    """When the last of them will have gone (UTC); null: the topic keeps all."""


class ExpiredDay(TypedDict):
    """A day's objects of one kind that were past their class."""

    kind: NotRequired[str]
    """`body` or `picture`."""
    day: NotRequired[str]
    """The day on which they were last needed, UTC."""
    objects: NotRequired[int]
    """How many objects."""
    size_bytes: NotRequired[int]
    """Their size."""
    held: NotRequired[int]
    """How many were left, as a legal hold names them."""


class Erasure(TypedDict):
    """That stored objects were deleted: on request, or because they were past their retention class (Circular 67/2024/TT-BCA: deletion leaves a record). Never holds what was deleted. Two records of one id: `begun` before the first deletion, `done` after the last."""

    erasure_id: ErasureId
    """Id of this deletion; the marks in the evidence store name it."""
    written_at: datetime
    """When this record was written (UTC)."""
    state: NotRequired[str]
    """`begun` or `done`; `begun` alone: it broke off, the same command ends it."""
    cause: NotRequired[str]
    """`request`: somebody asked for it; `expiry`: past its retention class."""
    asked: NotRequired[AskedId | None]
    """The event or subject that was asked for; null for an expiry."""
    by: NotRequired[str]
    """Who decided it; empty for an expiry."""
    run_by: NotRequired[str]
    """User and machine that ran the command."""
    reason: NotRequired[str]
    """Why, with the request's own reference."""
    event_ids: NotRequired[Sequence[ErasedEventId]]
    """The events whose objects were deleted."""
    objects: NotRequired[Sequence[ErasedObject]]
    """Each stored object of these events."""
    records: NotRequired[Sequence[RemainingRecords]]
    """What the topics hold of these events until it expires."""
    expired: NotRequired[Sequence[ExpiredDay]]
    """What an expiry deleted."""


HoldId = bytes
"""A UUID of version 8, as its 16 bytes."""


HeldId = bytes
"""A UUID of version 8, as its 16 bytes."""


HeldEventId = bytes
"""A UUID of version 8, as its 16 bytes."""


class Hold(TypedDict):
    """A legal hold was added or released: who, when, for which case, and the digest of the manifest that names every part of the copy. Never holds what is held."""

    hold_id: HoldId
    """Id of the hold: its folder in the hold area."""
    written_at: datetime
    """When this record was written (UTC)."""
    state: NotRequired[str]
    """`added` or `released`."""
    asked: NotRequired[HeldId | None]
    """The event or subject that is held."""
    case_ref: NotRequired[str]
    """The case it is held for, by its own reference."""
    by: NotRequired[str]
    """Who decided it."""
    run_by: NotRequired[str]
    """User and machine that ran the command."""
    reason: NotRequired[str]
    """Why."""
    until: NotRequired[str]
    """Day up to which it is meant to last, in Hanoi; empty: open. Only people release it."""
    event_ids: NotRequired[Sequence[HeldEventId]]
    """The events that are held."""
    parts: NotRequired[int]
    """Records, payloads and pictures in the copy."""
    missing: NotRequired[int]
    """Parts that were gone already; the manifest names them."""
    manifest_sha256: NotRequired[bytes]
    """SHA-256 of the manifest."""


class LedgerCount(TypedDict):
    """Counts of one source, noun and minute."""

    source_id: str
    """Source."""
    noun: NotRequired[str]
    """Noun; empty for raw payloads."""
    minute: datetime
    """Minute of received_at (UTC)."""
    outcome: NotRequired[str]
    """What became of them: payloads with `events`, only `refused`, with `nothing`; of what was in them events `found`, `dead`, and `withheld` (of defence: neither event nor dead letter); of events `delivered`, `merged`, `duplicate`, `superseded`, `dropped` by rule, `dead`."""
    count: NotRequired[int]
    """Records of the input."""
    produced: NotRequired[int]
    """Events or dead letters that came of them."""


class LedgerRow(TypedDict):
    """What one transaction did with one input partition: the books of the hub."""

    stage: str
    """Stage."""
    lane: NotRequired[str]
    """Lane."""
    slot: NotRequired[str]
    """Slot of the worker."""
    topic: str
    """Input topic."""
    partition: int
    """Input partition."""
    from_offset: int
    """First offset handled."""
    to_offset: int
    """Offset after the last one handled."""
    written_at: datetime
    """When the row was written (UTC)."""
    counts: NotRequired[Sequence[LedgerCount]]
    """Counts."""


class IngestMark(TypedDict):
    """How far an ingest log was moved to Kafka; written in the same transaction as the payloads."""

    slot: str
    """Slot and lane of the log."""
    sequence: int
    """Last sequence number moved."""
    written_at: datetime
    """When (UTC)."""


class DeviceAlias(TypedDict):
    """How a source names the device."""

    source_id: str
    """Source."""
    device_ref: str
    """Name by that source."""


DeviceState = Literal["UNKNOWN", "PLANNED", "ACTIVE", "MAINTENANCE", "RETIRED"]
"""State of the device in its life."""


class Device(TypedDict):
    """One entry of the device register, true from valid_from until valid_to."""

    device_id: str
    """The city's id of the device."""
    valid_from: datetime
    """Entry is true from (UTC)."""
    valid_to: NotRequired[datetime | None]
    """Entry is true until (UTC); null: until further notice."""
    aliases: NotRequired[Sequence[DeviceAlias]]
    """Names by source: channel, IP address, serial number or name, whatever its events carry."""
    name: NotRequired[str]
    """Name."""
    owner_agency: NotRequired[str]
    """Agency that owns it."""
    managing_unit: NotRequired[str]
    """Unit that runs it."""
    purpose: NotRequired[str]
    """What it is for: `traffic`, `security`, `environment`."""
    road: NotRequired[str]
    """Road."""
    junction: NotRequired[str]
    """Junction."""
    lane: NotRequired[int | None]
    """Lane it watches, where it is one alone."""
    heading_deg: NotRequired[float | None]
    """Heading in degrees from north."""
    lat: NotRequired[float | None]
    """Latitude (WGS 84)."""
    lon: NotRequired[float | None]
    """Longitude (WGS 84)."""
    area_scheme: NotRequired[str]
    """Scheme of area_code."""
    area_code: NotRequired[str]
    """Ward or commune."""
    area_name: NotRequired[str]
    """Its name."""
    legacy_district: NotRequired[str]
    """District until 30 June 2025."""
    state: NotRequired[DeviceState]
    """State in its life."""
    firmware: NotRequired[str]
    """Firmware."""
    qcvn135_conformity: NotRequired[str]
    """Conformity with QCVN 135:2024/BTTTT, which IP cameras need since 1 January 2026: number of the declaration, or `no`."""
    lanes: NotRequired[Sequence[int]]
    """Lanes it watches, numbered as on the road's drawings."""
    zone: NotRequired[str]
    """Time zone its clock is set to (IANA). For people: times are read in the zone of the source, as parsing knows no register."""


LocationKind = Literal["UNKNOWN", "ROAD", "JUNCTION", "POSITION", "MILESTONE_ROAD"]
"""Kind of place."""


class Location(TypedDict):
    """One entry of the register of places, true from valid_from until valid_to."""

    location_id: str
    """The city's id of the place."""
    valid_from: datetime
    """Entry is true from (UTC)."""
    valid_to: NotRequired[datetime | None]
    """Entry is true until (UTC); null: until further notice."""
    kind: NotRequired[LocationKind]
    """Road, junction, camera position, or road with kilometre stones."""
    name: NotRequired[str]
    """Name; of a junction mostly its roads, `A - B`."""
    aliases: NotRequired[Sequence[str]]
    """Other names: spellings, abbreviations, the streets of a ring road."""
    roads: NotRequired[Sequence[str]]
    """Ids of the roads that meet at a junction, or that a position watches."""
    junction: NotRequired[str]
    """Id of the junction a position stands at."""
    position_code: NotRequired[str]
    """Number of a camera position: `VT87`."""
    lat: NotRequired[float | None]
    """Latitude (WGS 84)."""
    lon: NotRequired[float | None]
    """Longitude (WGS 84)."""
    areas: NotRequired[Sequence[str]]
    """Areas it lies in, as `scheme:code`."""


ShownByEvent = bytes
"""A UUID of version 8, as its 16 bytes."""


class UnknownDeviceArea(TypedDict):
    """An area as the source gave it."""

    scheme: NotRequired[str]
    """Scheme of the code."""
    code: NotRequired[str]
    """Code."""
    name: NotRequired[str]
    """Name."""


class SuggestedDevice(TypedDict):
    """An entry for the register as far as the event tells it, named like the fields of `device.v1`. People look at it first."""

    device_id: str
    """The registered device of that name, else source and name."""
    valid_from: datetime
    """The time at which the event's place is looked up."""
    lat: NotRequired[float | None]
    """Latitude (WGS 84)."""
    lon: NotRequired[float | None]
    """Longitude (WGS 84)."""
    area_scheme: NotRequired[str]
    """Scheme of area_code."""
    area_code: NotRequired[str]
    """Ward or commune: where the position lies if boundaries are imported, else the only one reported."""
    area_name: NotRequired[str]
    """Its name."""


class UnknownDevice(TypedDict):
    """A device that events came from and the register did not know: a row for each hour in which they arrived."""

    source_id: str
    """Source."""
    device_ref: str
    """Device as the source names it."""
    hour: datetime
    """Begin of the hour (UTC), by the time at which the event was appended to its canonical topic."""
    event_id: ShownByEvent
    """The first event of that hour that showed it, as its worker saw them; it was delivered all the same."""
    observed_at: NotRequired[datetime | None]
    """When that happened by the source's clock (UTC); null when the source gives no time."""
    received_at: datetime
    """When the hub accepted its payload (UTC)."""
    noun: NotRequired[str]
    """Kind of event, as topics name it."""
    kind: NotRequired[str]
    """What it said, in the words of header.kind."""
    lat: NotRequired[float | None]
    """Latitude as reported (WGS 84)."""
    lon: NotRequired[float | None]
    """Longitude as reported (WGS 84)."""
    areas_reported: NotRequired[Sequence[UnknownDeviceArea]]
    """Areas as the source gave them."""
    registered_as: NotRequired[str]
    """Device that the register knows by this name at other times: retired, or not yet begun. Empty: none ever had it."""
    suggested: SuggestedDevice
    """Entry for the register, as far as the event tells it."""


class Route(TypedDict):
    """One dated routing rule."""

    rule_id: str
    """Rule id."""
    valid_from: datetime
    """Rule holds from (UTC), by the append time of the canonical record."""
    valid_to: NotRequired[datetime | None]
    """Rule holds until (UTC)."""
    text: NotRequired[str]
    """Why, in words, for people."""
    nouns: NotRequired[Sequence[str]]
    """Nouns it matches; empty: all."""
    kinds: NotRequired[Sequence[str]]
    """Kinds it matches, `weather.*` by prefix; empty: all."""
    severities: NotRequired[Sequence[str]]
    """Severities; empty: all."""
    owners: NotRequired[Sequence[str]]
    """Owner agencies of the device; empty: all."""
    purposes: NotRequired[Sequence[str]]
    """Purposes of the device; empty: all."""
    areas: NotRequired[Sequence[str]]
    """Areas `scheme:code`, of a ward, a commune or a district, in any list of units; empty: all."""
    subscriber: str
    """Subscriber that gets it."""
    recipients: NotRequired[Sequence[str]]
    """Whom it is meant for: agency codes, and roles where no code is published (`ward-police:{area}`). `{owner}` stands for the device's owner, `{area}` for its ward of now, each one that comes into question."""
    drop: NotRequired[bool]
    """True: matching events are dropped by rule, and counted."""
    statuses: NotRequired[Sequence[str]]
    """Statuses; empty: LIVE. What is not LIVE goes to `ops` alone, so only a rule to `ops` may name others."""
    junctions: NotRequired[Sequence[str]]
    """Junctions by name, roads in any order; empty: all."""
    hours: NotRequired[Sequence[str]]
    """Hours of the day in Hanoi at which the event happened, `22:00-05:00`; empty: all."""
    weekdays: NotRequired[Sequence[str]]
    """Days on which these hours begin, `MON` to `SUN`; empty: all."""


class IdBucket(TypedDict):
    """Ids that arrived in one span of time."""

    start_ms: int
    """Start of the span, append time of the input in ms."""
    ids: bytes
    """16 bytes an id."""


class StateIds(TypedDict):
    """What one transaction learnt of one input partition's occurrences: the changelog of the duplicate window and of near duplicates."""

    topic: str
    """Input topic."""
    partition: int
    """Input partition."""
    next_offset: int
    """Input offset after this transaction."""
    buckets: NotRequired[Sequence[IdBucket]]
    """New ids by arrival."""
    things: NotRequired[bytes]
    """Things reported lately that changed, as the step that merges near duplicates packs them."""


class StateKeyed(TypedDict):
    """Last state of one subject, or how far an input partition was handled (empty subject)."""

    topic: str
    """Input topic."""
    partition: int
    """Input partition."""
    next_offset: int
    """Input offset after the transaction that wrote this."""
    subject: NotRequired[bytes]
    """Subject id; empty for the partition's mark."""
    value: NotRequired[bytes]
    """The state, as the step that owns it packs it."""


class StateSnapshot(TypedDict):
    """What normalise keeps of a source's full snapshots: one of its subjects, or (empty subject) how far its current snapshot was read."""

    topic: str
    """Raw topic."""
    partition: int
    """Raw partition."""
    source_id: str
    """The source."""
    subject: NotRequired[bytes]
    """Subject id; empty for the source's own record."""
    noun: NotRequired[str]
    """Noun of the subject's events."""
    key: NotRequired[bytes]
    """Key of the subject's canonical records."""
    event: NotRequired[bytes]
    """The subject's last event as on its canonical topic, without what is restricted."""
    life: NotRequired[bytes]
    """Id of the event that said VANISHED before the subject came back; empty in its first life."""
    over: NotRequired[bool]
    """Whether the source has ended it itself: then it can go without a word."""
    gone_at: NotRequired[datetime | None]
    """When the snapshot was received in which it was missing; null while it is there (UTC)."""
    snapshot: NotRequired[str]
    """Of the source: the snapshot that is being read."""
    pages: NotRequired[int]
    """Of the source: pages of it that were read, in their order."""
    whole: NotRequired[bool]
    """Of the source: whether nothing of those pages was refused or left out."""
    seen: NotRequired[bytes]
    """Of the source: the subjects on those pages, 16 bytes each."""
    judged_at: NotRequired[datetime | None]
    """Of the source: when the last snapshot was received that told what is missing (UTC)."""
    newest_at: NotRequired[datetime | None]
    """Of the source: when the newest snapshot before the one that is being read was published (UTC); null where none has told it."""
    published_at: NotRequired[datetime | None]
    """Of the source: when the snapshot that is being read was published, by its oldest page (UTC); null where none has told it."""
