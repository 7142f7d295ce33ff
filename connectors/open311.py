"""Service requests of citizens, Open311 GeoReport v2 as JSON or XML: a lamp out, a blocked drain.

One `situation` for each request; its subject is jurisdiction and request id. `record_ref` is the
request, `situation_ref` the one it repeats where that is told, else itself.

Traps handled:

- Ids are texts in XML and numbers or `14-01100669` in JSON; all become texts. The specification's
  own JSON is none (`"service_code":006`); such codes are read, flag `json_repaired`.
- A request just posted has a token and no id yet. It is a `Nothing`: it is told again with its id.
  So is the answer to a post or a token, which has an id and nothing else of the request.
- A list may be complete and still miss changes, as servers filter by the time of the request. So
  every row is yielded, and the hub compares.
- Times: an empty update, an update before its request, a local time labelled UTC, which lies in the
  future (`clock_suspect`). The later of request and update orders versions.
- A duplicate is told in prose ("Duplicate request.") or in `extended_attributes`: it is closed like
  any other, with the flag `duplicate_request`.
- Closed is ENDED; a status nobody defined leaves the lifecycle open, with a flag.
- An error document is a rejection, a list of services a `Nothing`, an empty list no request.
- Reporters: names, mail addresses, telephone numbers, accounts and devices are not read, nor the
  link to the reporter's picture. What they wrote may name anybody, so it is carried only where the
  site asks for it; contacts left in any text are masked (`contact_masked`).

Known: the specification, and answers of Chicago and Toronto. Not read: expected times, service
definitions, other extended attributes.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import Field, field_validator

import hub
from connectors._formats.contacts import without_contacts
from connectors._formats.coordinates import read_position
from connectors._formats.flaws import Broken
from connectors._formats.leading_zeros import parse_with_zeros
from connectors._formats.text import clean
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection
from hub.connector import Lifecycle

__all__ = ["Options", "connector", "parse"]

_KIND: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_LIFECYCLE: Final[dict[str, Lifecycle]] = {"open": "UNKNOWN", "closed": "ENDED"}
_TEXTS: Final = (
    "service_name",
    "description",
    "status_notes",
    "service_notice",
    "agency_responsible",
)
_DUPLICATE: Final = re.compile(r"\bduplicate\b|\btrùng (?:lặp|với)\b|\bbị trùng\b", re.IGNORECASE)
_TEXT_MAX: Final = 8_000
_LISTS: Final = ("service_requests", "requests", "request")
_RECORDS: Final = (
    (),
    *((name,) for name in _LISTS),
    *((outer, inner) for outer in _LISTS for inner in _LISTS),
)
_BEFORE_TEXT: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_ALWAYS_OK_S: Final = 10**10  # a request may have been open for years


class Options(hub.Options):
    """What a site may say of an Open311 source."""

    jurisdiction: str = Field(
        default="",
        description="Jurisdiction the source speaks for, as answers do not name it: part of the "
        "identity where one address serves several",
    )
    kinds: Mapping[str, str] = Field(
        default_factory=dict,
        description="Kind of the requests of a service code, for rules to match: "
        '`{"RAC-01": "order.litter"}`; all others are `city.request`',
    )

    free_text: bool = Field(
        default=False,
        description="Carry what reporters wrote (`description`), with contacts masked; names in it "
        "can't be told from other words",
    )

    @field_validator("kinds")
    @classmethod
    def _dotted(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for code, kind in value.items():
            if not _KIND.fullmatch(kind):
                raise ValueError(f"{kind!r} ({code}) is no dotted kind such as order.litter")
        return value


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """An outcome for each request of a list, or for the single one."""
    flags: tuple[str, ...] = ()
    if payload.body.lstrip(_BEFORE_TEXT)[:1] in {b"{", b"["}:
        value, repaired = parse_with_zeros(payload.body, records=_RECORDS)
        flags = ("json_repaired",) if repaired else ()
        rows = _rows_of_json(value)
    else:
        rows = _rows_of_xml(parse_xml(payload.body))
    empty = True
    for path, row in rows:
        empty = False
        yield (
            row
            if isinstance(row, Rejection | Nothing)
            else _outcome(row, path, payload, options, flags)
        )
    if empty:
        yield Nothing(why="a list without requests")


# Rows: the members of a request by name, or the outcome of what is none

_Row = dict[str, Any] | Rejection | Nothing


def _rows_of_json(value: Any) -> Iterator[tuple[str, _Row]]:
    prefix = ""
    while isinstance(value, dict) and (name := next((n for n in _LISTS if n in value), "")):
        value, prefix = value[name], f"{prefix}/{name}".lstrip("/")
    if isinstance(value, dict) and isinstance(value.get("errors"), list):
        value, prefix = value["errors"], "errors"
    for place, row in enumerate(value if isinstance(value, list) else [value]):
        path = f"{prefix}[{place}]" if isinstance(value, list) else prefix
        if isinstance(row, Broken):
            yield path, Rejection.of(row.error(path))
        elif not isinstance(row, dict):
            what = f"expected a request, found {type(row).__name__}"
            yield path, Rejection(code="wrong-type", message=what, path=path)
        elif "code" in row and "service_code" not in row:
            yield path, _error(row, path)
        else:
            yield path, row


def _rows_of_xml(root: Node) -> Iterator[tuple[str, _Row]]:
    if root.name == "services":
        yield root.name, Nothing(why="a list of services, no request")
    elif root.name == "errors":
        for place, node in enumerate(root.children):
            path = f"{root.name}/{node.name}[{place}]"
            yield path, _error(_members(node), path)
    elif root.name == "service_requests":
        for place, node in enumerate(root.findall("request")):
            yield f"{root.name}/request[{place}]", _members(node)
    else:
        what = f"the root is {root.name[:60]!r}, expected service_requests"
        fix = "poll /requests.json or /requests.xml of the server"
        yield root.name, Rejection(code="not-open311", message=what, path=root.name[:80], fix=fix)


def _members(node: Node) -> dict[str, Any]:
    return {
        child.name: _members(child) if child.children else child.text for child in node.children
    }


def _error(row: dict[str, Any], path: str) -> Rejection:
    code, text = _text(row, "code"), without_contacts(_text(row, "description"))[0]
    return Rejection(
        code="source-error",
        message=f"the server answered with error {code[:40]}: {text[:200]}",
        path=path,
        fix="ask the operator of the server; no request is told by this answer",
    )


# One request


def _outcome(
    row: dict[str, Any], path: str, payload: Payload, options: Options, flags: tuple[str, ...]
) -> Outcome:
    try:
        id_ = _text(row, "service_request_id")
        if id_ and "status" not in row and "requested_datetime" not in row:
            return Nothing(why="an answer to a post or a token: the request is told by the list")
        if id_:
            return _event(row, id_, payload, options, list(flags))
    except PayloadError as error:
        where = f"{path}/{error.path}".lstrip("/")
        return Rejection.of(error, path=where)
    if "token" not in row and "requested_datetime" not in row and "service_code" in row:
        return Nothing(why="a service on offer, no request")
    return Nothing(why="a request without an id: it is told again once it has one")


def _event(
    row: dict[str, Any], id_: str, payload: Payload, options: Options, flags: list[str]
) -> Event:
    status, code = _text(row, "status").lower(), _text(row, "service_code")
    lifecycle = _LIFECYCLE.get(status)
    if lifecycle is None:
        flags.append("status_unknown" if status else "status_missing")
    requested, version = _times(row, payload, options, flags)
    position = None
    if _text(row, "lat") or _text(row, "long"):
        position, more = read_position(_text(row, "lat"), _text(row, "long"))
        flags.extend(more)
    parent = _parent(row, flags)
    return Event(
        noun="situation",
        kind=options.kinds.get(code, "city.request"),
        subject=(options.jurisdiction, id_),
        native_id=f"{options.jurisdiction}/{id_}" if options.jurisdiction else id_,
        version_at=version.at,
        observed_at=version.at,
        time_quality=version.quality,
        lifecycle=lifecycle or "UNKNOWN",
        position=position,
        body={
            "situation_ref": parent or id_,
            "record_ref": id_,
            "record_type": "ServiceRequest",
            "detail": code,
            "valid_from": requested,
            "validity_status": status,
            "texts": _texts(row, options, flags),
            "road": _shown(_text(row, "address"), flags),
            "points": [{"lat": position.lat, "lon": position.lon}] if position else [],
            "location_codes": [
                {"scheme": name, "table": "", "code": text}
                for name in ("address_id", "zipcode")
                if (text := _text(row, name))
            ],
        },
        quality_flags=tuple(dict.fromkeys(flags)),
    )


def _times(
    row: dict[str, Any], payload: Payload, options: Options, flags: list[str]
) -> tuple[datetime | None, Stamp]:
    """When it was requested, and the stamp of this version: the later of request and update."""
    requested, updated = (
        read_stamp(
            _text(row, name),
            received_at=payload.received_at,
            options=options,
            replayed=True,
            late_ok_s=_ALWAYS_OK_S,
        )
        for name in ("requested_datetime", "updated_datetime")
    )
    version = requested
    if updated.at is not None:
        if requested.at is not None and updated.at < requested.at:
            flags.append("updated_before_requested")
        else:
            version = updated
    elif _text(row, "updated_datetime"):
        flags.append("updated_unreadable")
    flags.extend(version.flags)
    return requested.at, version


def _parent(row: dict[str, Any], flags: list[str]) -> str:
    """The request that this one repeats; empty when it repeats none, or does not say which."""
    more = row.get("extended_attributes")
    more = more if isinstance(more, dict) else {}
    parent = _text(more, "parent_service_request_id") or _text(row, "parent_service_request_id")
    told = str(more.get("duplicate", "")).lower() in {"true", "1", "yes"}
    if parent or told or _DUPLICATE.search(_text(row, "status_notes")):
        flags.append("duplicate_request")
    return parent


def _texts(row: dict[str, Any], options: Options, flags: list[str]) -> list[dict[str, str]]:
    if not options.free_text and row.get("description"):
        flags.append("free_text_withheld")
        row = row | {"description": ""}
    return [
        {"language": "", "text": text, "role": name}
        for name in _TEXTS
        if (text := _shown(_text(row, name), flags))
    ]


def _shown(text: str, flags: list[str]) -> str:
    """A text that citizens wrote, without the contacts they left in it."""
    if len(text) > _TEXT_MAX:
        text = text[:_TEXT_MAX]
        flags.append("text_cut")
    text, masked = without_contacts(text)
    flags.extend(["contact_masked"] if masked else [])
    return text


def _text(row: dict[str, Any], name: str) -> str:
    """A member as a text, whatever scalar it is; empty for null and for what is absent."""
    value = row.get(name)
    if isinstance(value, str):
        return clean(value)
    if value is None or value == {}:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    what = f"expected a text or a number, found {type(value).__name__}"
    raise PayloadError(what, code="wrong-type", path=name)


connector = Connector(
    name="open311",
    title="Service requests of citizens, Open311 GeoReport v2 (JSON and XML)",
    parse=parse,
    emits=("situation",),
    identity={
        "situation": (
            "body.situation_ref",
            "body.detail",
            "body.valid_from",
            "body.validity_status",
            "body.texts",
            "body.road",
            "body.points",
            "body.location_codes",
        )
    },
    options=Options,
    transports=("http_poll", "http_push", "drop_folder"),
)
