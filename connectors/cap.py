"""Public warnings in the Common Alerting Protocol (OASIS CAP 1.1 and 1.2; 1.0 as far as it agrees).

Read are alert documents, several of them in one document (in SOAP, in any wrapper), EDXL
distributions, feeds (Atom, RSS 0.9 to 2.0) and JSON: the mirror of an alert as NINA and MeteoAlarm
write it, lists of those, and lists of links. One alert gives one event; its info blocks (languages
or parts) stay together in a list, and readers choose their language.

Traps handled:

- The subject is the identifier alone. Updates and cancels name their predecessors by it, often with
  another sender string, in an empty or a misspelt element, or with blanks and commas inside.
- `sent` is written with `-00:00`, `Z` or an offset, by JSON mirrors as `2026/8/22 下午 02:10`. It
  may be weeks old in a feed that is an archive, which is no fault of the clock.
- `expires` ends the message, not the danger: EXPIRED means that all blocks had run out on receipt.
- Cancel withdraws (CANCELLED); an all clear is an Update with urgency Past and response AllClear in
  each block (ENDED).
- Exercise, System, Test and Draft carry their own status, so they never reach live readers. A drill
  that says Actual stays LIVE, with the flag `drill_suspected` where its texts tell of one.
- A missing mandatory element rejects the message; a bad date or number inside a block costs only
  itself and leaves a flag. In a feed or list, the neighbours still pass.
- An alert of more areas, outlines and texts than a record has room for is cut and flagged
  (`text_cut`, `areas_cut`, `polygons_cut`): headlines and the first areas stay. Half an outline is
  never told, and severity, end and position are those of the whole.
- An Update or Cancel without references leaves open what it follows: `references_missing`. An
  index tells no references, so there it is no flag.
- `contact`, `source` and `addresses` may name persons and are dropped; signatures are not judged,
  the raw topic keeps the signed bytes.
- A feed holds an alert in its entry (as elements or as text), tells of it in the entry's own `cap:`
  elements, or only links to it. Told entries of one identifier, one for each area and language, are
  folded into one event with the flag `index_only`; whoever wants the whole fetches the link, which
  has the same subject. A link alone is a `Nothing` that names it: a parser fetches nothing.
- The same alert again in a document is a `Nothing`; another text under the same identifier is an
  event of its own, with the flag `identifier_reused`.
- A feed without entries is an all clear; a login page or an error document with status 200 is not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from connectors._formats.cap_alert import ALERT_IDENTITY, read_alert, time_of
from connectors._formats.edxl import read_distribution
from connectors._formats.elements import as_elements
from connectors._formats.flaws import Broken
from connectors._formats.json import parse_json
from connectors._formats.spelt import as_iso
from connectors._formats.text import clean
from connectors._formats.xml import Node, parse_xml
from hub.connector import Connector, Event, Nothing, Options, Outcome, Payload, Rejection
from hub.errors import PayloadError

__all__ = ["Options", "connector", "parse"]

_BEFORE_TEXT: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_FEEDS: Final = {"feed": "entry", "rss": "channel/item", "channel": "item", "RDF": "item"}
_PUBLISHED: Final = ("updated", "published", "pubDate", "date")
_AS_TEXT: Final = ("content", "encoded", "description", "summary")
_LISTS: Final = ("alerts", "warnings", "entry", "entries", "items", "data", "value")
_RECORDS: Final = ((), *((name,) for name in _LISTS))
_TOLD: Final = ("event", "urgency", "severity", "certainty", "effective", "onset", "expires")
_LINK_MAX: Final = 200


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """An `alert` for each alert told; a rejection naming the element that is missing or unknown."""
    if payload.body.lstrip(_BEFORE_TEXT)[:1] in {b"{", b"["}:
        yield from _once(_of_json(parse_json(payload.body, records=_RECORDS), payload, options))
        return
    root = parse_xml(payload.body)
    if root.name == "alert":
        yield read_alert(root, payload, options, path="alert")
    else:
        yield from _once(_of_xml(root, payload, options))


def _once(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The outcomes without what repeats: feeds list an alert under each of its areas."""
    told: set[tuple[str, str, str]] = set()
    contents: dict[str, str] = {}
    for outcome in outcomes:
        if not isinstance(outcome, Event):
            yield outcome
            continue
        content = repr(outcome.body)
        # An envelope may withdraw an alert, or make it a test, without a change of its content.
        telling = (outcome.lifecycle, outcome.status, content)
        if telling in told:
            yield Nothing(why="the same alert again in one document")
            continue
        told.add(telling)
        if contents.setdefault(outcome.subject[0], content) == content:
            yield outcome
        else:
            yield replace(outcome, quality_flags=(*outcome.quality_flags, "identifier_reused"))


def _of_xml(root: Node, payload: Payload, options: Options) -> Iterator[Outcome]:
    if root.name in _FEEDS:
        yield from _of_feed(root, payload, options)
        return
    distributions = root.descendants("EDXLDistribution")
    for distribution in distributions:
        yield from read_distribution(distribution, payload, options)
    feeds = [] if distributions else root.descendants("feed")
    for feed in feeds:
        yield from _of_feed(feed, payload, options)
    alerts = [] if distributions or feeds else root.descendants("alert")
    for place, alert in enumerate(alerts):
        yield read_alert(alert, payload, options, path=f"{root.name}/alert[{place}]")
    if not (distributions or feeds or alerts):
        yield _not_cap(root.name)


def _not_cap(name: str) -> Rejection:
    page = name.lower() == "html"
    what = "a web page" if page else f"the root is {name[:60]!r}"
    return Rejection(
        code="not-cap",
        message=f"{what}, expected a CAP `alert`, a feed or a list of alerts",
        path=name[:80],
        fix="check the address and the login: an error page is no all clear"
        if page
        else "fetch the alerts or the feed itself",
    )


# Feeds


def _of_feed(feed: Node, payload: Payload, options: Options) -> Iterator[Outcome]:
    entries = feed.findall(_FEEDS[feed.name])
    if not entries:
        yield Nothing(why="a feed without entries: all clear")
    told: dict[str, list[tuple[Node, str]]] = {}
    for place, entry in enumerate(entries):
        path = f"{_FEEDS[feed.name]}[{place}]"
        alerts = entry.descendants("alert")
        if not alerts and _tells(entry):
            told.setdefault(clean(entry.value("identifier")), []).append((entry, path))
        elif not alerts and not _alert_text(entry):
            yield _linked(_link(entry), path)
        else:
            for outcome in _held(entry, alerts, path, payload, options):
                yield _published(outcome, entry, payload, options)
    for group in told.values():
        entry, path = group[0]
        alert = as_elements("alert", _folded([each for each, _ in group]))
        outcome = read_alert(alert, payload, options, path=path, partial=True)
        if isinstance(outcome, Event):
            flags = ("index_only", *([] if outcome.body["sender"] else ["sender_missing"]))
            outcome = replace(outcome, quality_flags=(*outcome.quality_flags, *flags))
        yield _published(outcome, entry, payload, options)


def _held(
    entry: Node, alerts: list[Node], path: str, payload: Payload, options: Options
) -> Iterator[Outcome]:
    """The alerts that stand in an entry, as elements or as a text."""
    if not alerts:
        try:
            root = parse_xml(_alert_text(entry).encode())
        except PayloadError as error:
            yield Rejection.of(error, path=path)
            return
        alerts = root.descendants("alert")
        if not alerts:
            yield _linked(_link(entry), path)
    for alert in alerts:
        yield read_alert(alert, payload, options, path=f"{path}/alert")


def _alert_text(entry: Node) -> str:
    for name in _AS_TEXT:
        text = entry.value(name)
        if text.startswith("<") and "alert" in text and "identifier" in text:
            return text
    return ""


def _published(outcome: Outcome, entry: Node, payload: Payload, options: Options) -> Outcome:
    if not isinstance(outcome, Event):
        return outcome
    text = next((text for name in _PUBLISHED if (text := entry.value(name))), "")
    return replace(outcome, published_at=time_of(as_iso(text, "dmy"), payload, options))


def _link(entry: Node) -> str:
    """Where the alert is to be had: a link of its media type, else any link, else the id."""
    links = entry.findall("link") + entry.findall("enclosure")
    links.sort(key=lambda link: "cap" not in link.attr("type"))
    found = [link.attr("href") or link.attr("url") or link.text for link in links]
    return next((link for link in found if link), entry.value("guid") or entry.value("id"))


def _linked(link: str, path: str) -> Outcome:
    if link:
        return Nothing(why=f"a link to an alert, not the alert: {clean(link)[:_LINK_MAX]}")
    return Rejection(
        code="entry-empty",
        message="neither an alert nor a link to one",
        path=path,
        fix="let the feed hold its alerts, or link to them",
    )


def _tells(entry: Node) -> bool:
    """Whether an entry tells enough of its alert to stand for it."""
    kind = entry.value("msgType") or entry.value("message_type")
    return bool(kind) and all(entry.value(name) for name in ("identifier", "sent", "status"))


def _folded(entries: list[Node]) -> dict[str, Any]:
    """Entries that tell of one alert, as one: an info block for each language and time."""
    first = entries[0]
    names = ("identifier", "sender", "sent", "status", "scope", "references", "note")
    alert: dict[str, Any] = {name: first.value(name) for name in names}
    alert["msgType"] = first.value("msgType") or first.value("message_type")
    infos: dict[tuple[str, ...], dict[str, Any]] = {}
    for entry in entries:
        language = next((text for n in entry.findall("link") if (text := n.attr("hreflang"))), "")
        told = {"language": language} | {name: entry.value(name) for name in _TOLD}
        info = infos.setdefault(tuple(told.values()), told | {"web": _link(entry), "area": []})
        if "category" not in info:
            info["category"] = [each.text for each in entry.findall("category") if each.text]
        info["area"].append(_area(entry))
    alert["info"] = list(infos.values())
    return alert


def _area(entry: Node) -> dict[str, Any]:
    """The area of an entry; its geocodes are one element each, or pairs in a single one."""
    codes = []
    for geocode in entry.findall("geocode"):
        names, values = geocode.findall("valueName"), geocode.findall("value")
        for name, value in zip(names, values, strict=False):
            several = value.text.split() if len(names) > 1 else [value.text]
            codes += [{"valueName": name.text, "value": code} for code in several]
    area: dict[str, Any] = {"areaDesc": entry.value("areaDesc"), "geocode": codes}
    for shape in ("polygon", "circle"):
        area[shape] = [node.text for node in entry.findall(shape) if node.text]
    return area


# JSON


def _of_json(value: Any, payload: Payload, options: Options) -> Iterator[Outcome]:
    if isinstance(value, dict) and not _is_alert(value):
        name = next((name for name in _LISTS if isinstance(value.get(name), list)), "")
        if not name:
            yield _not_cap(next(iter(value), "an empty object"))
            return
        items, prefix = value[name], name
    else:
        items, prefix = value if isinstance(value, list) else [value], ""
    if not items:
        yield Nothing(why="a list without alerts: all clear")
    for place, item in enumerate(items):
        path = f"{prefix}[{place}]" if isinstance(value, list) or prefix else "alert"
        if isinstance(item, dict) and _is_alert(item):
            alert = as_elements("alert", item.get("alert", item))
            yield read_alert(alert, payload, options, path=path)
        elif isinstance(item, dict):
            yield _linked(_link_of(item), path)
        elif isinstance(item, Broken):
            yield Rejection.of(item.error(path))
        else:
            what = f"expected an object, found {type(item).__name__}"
            yield Rejection(code="wrong-type", message=what, path=path)


def _is_alert(item: dict[str, Any]) -> bool:
    """Whether it is an alert, bare or under `alert`, however much of it is missing."""
    alert = item.get("alert", item)
    return isinstance(alert, dict) and ("identifier" in alert or "msgType" in alert)


def _link_of(item: dict[str, Any]) -> str:
    for name in ("link", "url", "href", "@href", "id"):
        value = item.get(name)
        if isinstance(value, list):
            value = next(iter(value), None)
        if isinstance(value, dict):
            value = value.get("@href") or value.get("href")
        if isinstance(value, str) and value:
            return value
    return ""


connector = Connector(
    name="cap",
    title="Public warnings, OASIS CAP 1.1 and 1.2: alerts, feeds, JSON mirrors, EDXL",
    parse=parse,
    emits=("alert",),
    identity={"alert": ALERT_IDENTITY},
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
