"""The road in DATEX II: situations, measured and elaborated data, what signs show.

Read are versions 2.x and 3.x in XML (also gzip) and the JSON mapping of 3.x: one event for each
situation record, each index of a measurement site, each elaborated value and each sign.
Elements are matched by local name and `xsi:type`, because every publisher has its own prefixes and
wrapping: `d2LogicalModel` bare or in SOAP, `payload`, `messageContainer`, `situationPublication`.

Traps handled:

- One document may hold a situation or a record several times: the newest by version time, then by
  version as a number, then by place is taken. Records of an older copy of a situation that a newer
  copy no longer has are dropped.
- Versions stay "1" for ever, are empty, or are milliseconds since 1970; they never order updates
  alone.
- The end is spelt as a flag, as `suspended` with an end in the past, or only as an end time that is
  not after the publication. `cancel` means that the report was wrong.
- Latitude and longitude may be projected metres; often there are only codes (Alert-C, OpenLR).
- Tests and exercises carry their own status, so they never reach live readers.
- Only public comments are read, without the contacts left in them: comments for operators and
  contact data may name persons. What a sign shows all who pass stays as it is shown.
- Comments, codes and texts of signs beyond what a record has room for are cut, flag `text_cut`, or
  the list's name and `_cut`.
- What an index of a measurement site means (lane, class, period) stands in the site table of the
  same version only: in the same document, else in the file that the option `site_table` names.
  Without it values have the flag `site_table_missing` and no lane; a table that says another kind
  of value than arrives gets `site_table_contradicts`.
- `dataError`, a fault beside it and -1 are no values; a speed or travel time of no vehicle is none,
  not 0. No flow and yet 100 per cent occupied, told by one index, is a stuck detector: all null,
  flag `detector_stuck`. Forecasts among elaborated data have a kind of their own.
- Measured data of any length: above 4 MiB, and gzip, they are read slice by slice. Values that come
  before their table in such a document do not know it.
- Blanks in a sign's lines are layout; `blankVoid` and a message without text are a dark sign.
- An envelope may say that it holds all there is (`snapshotPull`) or only changes (`deltaPush`,
  `allElementUpdate`): an empty one of the latter is no all clear. A refused request is a rejection.

Known: published files of situations, speeds and signs, and the schemas of 2.3 and 3.7. Not read:
values of weather, headways, densities, pollution, shares of long vehicles; named lanes such as the
hard shoulder; parking, energy and other publications, which give a `Nothing` that names them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from connectors._formats.flaws import taken_out
from connectors._formats.inflate import pieces_of
from connectors._formats.json import parse_json
from connectors._formats.xml import Node, parse_xml
from connectors._formats.xml_slices import XmlSlices
from connectors.datex2.exchange import Exchange
from connectors.datex2.json_mapping import RECORDS, as_xml
from connectors.datex2.measured import MEASURED_PARTS, VALUE_PARTS, Measured
from connectors.datex2.record import Context, number_of, read_record, version_stamp
from connectors.datex2.signs import read_signs
from connectors.datex2.sites import SITE_PARTS, Options, Sites
from hub.connector import Connector, Nothing, Outcome, Payload, Rejection

__all__ = ["Options", "connector", "parse"]

_ENVELOPES = frozenset(
    {"d2LogicalModel", "payload", "messageContainer", "Envelope", "exchange", "exchangeInformation"}
)
_DEPTH_OF_ENVELOPES = 6
_BEFORE_TEXT = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_GZIP = b"\x1f\x8b"
_WHOLE_MAX = 4 * 1024 * 1024
_JSON_MAX = 64 * 1024 * 1024
_MEASURED = frozenset({"MeasuredDataPublication", "ElaboratedDataPublication"})
_TABLE = "MeasurementSiteTablePublication"
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)

_Rank = tuple[datetime, int]


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The events of each publication; a rejection for each part that can't become one."""
    readers = _Readers(payload, options)
    if _is_json(payload.body):
        whole = b"".join(pieces_of(payload.body, max_bytes=_JSON_MAX))
        document = parse_json(whole, records=RECORDS)
        yield from map(Rejection.of, taken_out(document, RECORDS))
        root = as_xml(document)
    elif payload.body.startswith(_GZIP) or len(payload.body) > _WHOLE_MAX:
        sliced = XmlSlices(pieces_of(payload.body), MEASURED_PARTS)
        for publication, part in sliced:
            yield from readers.of(publication).read(part)
        root = sliced.root
    else:
        root = parse_xml(payload.body)
    exchange = Exchange.of(root)
    publications = list(_publications(root, _DEPTH_OF_ENVELOPES))
    if not publications and not readers.began:
        yield _no_publication(root, exchange)
    # Tables first, wherever they stand: values are read with them.
    for kind, publication in sorted(publications, key=lambda one: one[0] != _TABLE):
        if kind == "SituationPublication":
            yield from _situations(publication, exchange, payload, options)
        elif kind == "VmsPublication":
            yield from _signs(publication, exchange, payload, options)
        elif kind in _MEASURED or kind == _TABLE:
            yield from _measured(kind, publication, exchange, readers)
        else:
            what = f"a {kind[:60]}: this connector reads situations, measured data and signs"
            yield Nothing(why=what)
    yield from readers.rest()


def _is_json(body: bytes) -> bool:
    first = next(pieces_of(body), b"") if body.startswith(_GZIP) else body
    return first.lstrip(_BEFORE_TEXT)[:1] in {b"{", b"["}


def _situations(
    publication: Node, exchange: Exchange, payload: Payload, options: Options
) -> Iterator[Outcome]:
    situations = publication.findall("situation")
    context = Context(publication, payload, options)
    if not situations:
        what = "a SituationPublication without situations"
        yield exchange.without(what, context.published_at)
    records = _Records(context)
    for situation in situations:
        yield from records.add(situation)
    yield from records.newest()


def _signs(
    publication: Node, exchange: Exchange, payload: Payload, options: Options
) -> Iterator[Outcome]:
    found = False
    for outcome in read_signs(Context(publication, payload, options)):
        found = True
        yield outcome
    if not found:
        yield exchange.without("a VmsPublication without signs")


class _Readers:
    """The reader of the publication whose parts are being read, and the sites known by then."""

    def __init__(self, payload: Payload, options: Options) -> None:
        self._payload = payload
        self._options = options
        self._sites = Sites(options.sites)
        self._reader: Measured | None = None
        self._of: Node | None = None
        self._rest: list[Nothing] = []

    @property
    def began(self) -> bool:
        """Whether any part was read."""
        return self._reader is not None

    def of(self, publication: Node) -> Measured:
        """The reader of this publication; a new one when it is another than before."""
        if self._reader is None or self._of is None or not self._of.is_same(publication):
            self._rest.extend(self.rest())
            self._of = publication
            context = Context(publication, self._payload, self._options)
            self._reader = Measured(context, self._sites)
        return self._reader

    def rest(self) -> Iterator[Nothing]:
        """What was left unread."""
        yield from self._rest
        self._rest = []
        if self._reader is not None:
            yield from self._reader.rest()


def _measured(
    kind: str, publication: Node, exchange: Exchange, readers: _Readers
) -> Iterator[Outcome]:
    began = readers.began
    reader = readers.of(publication)
    if kind == _TABLE:
        tables = [*publication.findall("measurementSiteTable"), publication]
        for part in (p for t in tables for name in SITE_PARTS for p in t.findall(name)):
            yield from reader.read(part)
        yield Nothing(why="a table of measurement sites: says what indices of values mean")
        return
    parts = [part for name in VALUE_PARTS for part in publication.findall(name)]
    if not parts and not began:
        yield exchange.without(f"a {kind} without values")
    for part in parts:
        yield from reader.read(part)


def _publications(node: Node, depth: int) -> Iterator[tuple[str, Node]]:
    """The publications in their envelopes, each with its type."""
    kind = node.type_name
    if not kind.endswith("Publication"):
        kind = node.name[:1].upper() + node.name[1:]
    if kind == "PayloadPublication" or (kind == "Payload" and node.find("situation")):
        kind = "SituationPublication" if node.find("situation") else kind
    if kind.endswith("Publication"):
        yield kind, node
    elif depth > 0:
        for child in node.children:
            yield from _publications(child, depth - 1)


def _no_publication(root: Node, exchange: Exchange) -> Outcome:
    fault = root.find("Body/Fault")
    if fault is not None:
        what = f"a SOAP fault: {fault.value('faultstring')[:200]}"
        return Rejection(code="soap-fault", message=what, path=fault.path)
    if root.name in _ENVELOPES:
        return exchange.alone(root.name)
    what = f"the root element is {root.name[:60]!r}, no DATEX II publication"
    return Rejection(code="not-datex2", message=what, path=root.name[:80])


class _Records:
    """The records of a publication, folded to the newest copy of each."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._newest: dict[tuple[str, str], tuple[_Rank, Node, Node]] = {}
        self._situations: dict[str, _Rank] = {}

    def add(self, situation: Node) -> Iterator[Rejection]:
        """Take in one copy of a situation; yields what can't be told apart without an id."""
        situation_id = situation.attr("id")
        if not situation_id:
            yield _without_id(situation)
            return
        ranked = []
        for record in situation.findall("situationRecord"):
            if record.attr("id"):
                ranked.append((self._rank(record, situation), record))
            else:
                yield _without_id(record)
        whole = max((rank for rank, _ in ranked), default=self._rank(situation, situation))
        before = self._situations.get(situation_id, whole)
        if _older(whole, before):
            return
        if _older(before, whole):
            for key in [key for key in self._newest if key[0] == situation_id]:
                del self._newest[key]
        self._situations[situation_id] = max(before, whole)
        for rank, record in ranked:
            key = (situation_id, record.attr("id"))
            if key not in self._newest or rank >= self._newest[key][0]:
                self._newest[key] = (rank, situation, record)

    def newest(self) -> Iterator[Outcome]:
        """The outcomes of the records that are left."""
        for _, situation, record in self._newest.values():
            yield read_record(situation, record, self._context)

    def _rank(self, record: Node, situation: Node) -> _Rank:
        at = version_stamp(record, situation, self._context).at or _EARLIEST
        version = record.attr("version") or situation.attr("version")
        number = number_of(version)
        return at, -1 if number is None else number


def _older(one: _Rank, other: _Rank) -> bool:
    """Older by time and not newer by version: only such a copy is superseded as a whole."""
    return one[0] < other[0] and one[1] <= other[1]


def _without_id(node: Node) -> Rejection:
    return Rejection(
        code="missing-field",
        message=f"{node.name} has no id, so its updates could not be told from new ones",
        path=f"{node.path}/@id",
        fix="let the publisher set the id attribute, as the DATEX II schema demands",
    )


connector = Connector(
    name="datex2",
    title="Road situations, measured data and signs, DATEX II 2.x and 3.x, XML and JSON of 3.x",
    parse=parse,
    emits=("situation", "measurement", "sign_message"),
    identity={
        "situation": (
            "body.record_type",
            "body.detail",
            "body.validity_status",
            "body.valid_from",
            "body.valid_to",
            "body.probability",
            "body.texts",
            "body.road",
            "body.direction",
            "body.lanes",
            "body.impact",
            "body.speed_limit_kmh",
            "body.points",
            "body.location_codes",
        ),
        "measurement": (
            "body.flow_veh_h",
            "body.speed_kmh",
            "body.occupancy_ratio",
            "body.travel_time_s",
        ),
        "sign_message": ("body.pages", "body.pictograms", "body.blank"),
    },
    options=Options,
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
