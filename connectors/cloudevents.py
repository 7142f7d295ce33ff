"""CloudEvents 1.0 in the JSON format (structured and batched mode) and in binary mode over HTTP.

An envelope, not a kind of device: each event's `data` is handed on to the connector that the
source's options name, by the event's `type` or for all. Its events, refusals and ids are that
connector's own.

Traps handled:

- `source` and `id` together name an event: a report without an id and a time of its own is known
  by them, so the same event in another batch is the same report. One that a batch holds twice is
  read once; one whose data differ is kept.
- `time` is optional, and only taken by reports that tell none. `null` is as good as absent.
- The mode is often announced wrongly: a batch sent as one event, JSON sent as text. What the body
  is decides. Binary mode needs the attributes among the headers; `content-type` may be missing.
- `data` is JSON itself unless `datacontenttype` names another format: then it is a text.
  `data_base64` is bytes; both at once is a refusal, and so is a text that only looks like base64.
- Attributes in headers are percent-encoded, by older senders quoted.
- Each event of a batch is refused alone.

What the connector inside sees of the attributes: `ce.type`, `ce.source`, `ce.subject` and so on
among what the transport knows (`meta`), for a mapping to name.

Not read: versions before 1.0, the formats Avro, Protobuf and XML of the envelope, `dataschema`.
Sources: CloudEvents 1.0.2 core, JSON event format, HTTP and Kafka protocol bindings.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, Self
from urllib.parse import unquote_to_bytes

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

import hub.connector
from connectors._formats.json import Path, a_text, an_object, parse_json, shown
from connectors._formats.times import read_stamp
from hub.connector import Connector, Inner, Nothing, Outcome, Payload, Rejection
from hub.discovery import connector as connector_named
from hub.discovery import options_of
from hub.errors import ConfigError, PayloadError

__all__ = ["Handler", "Options", "connector", "parse"]

_REQUIRED: Final = ("id", "source", "type")
_ATTRIBUTES_MAX: Final = 64
_LENGTH_MAX: Final = 4_096
_NAME: Final = re.compile(r"[a-z0-9]{1,40}")
_JSON: Final = re.compile(r"[^/;]+/(?:[^/;]+\+)?json", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_STRUCTURED: Final = "application/cloudevents"
_PREFIXES: Final = ("header.ce-", "header.ce_")  # HTTP and Kafka write it differently


class Handler(BaseModel):
    """The connector that reads the data of some events, and its options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connector: str
    options: Mapping[str, Any] = Field(default_factory=dict)


class Options(hub.connector.Options):
    """Which connector reads what is inside."""

    connector: str = Field(
        default="", description="The connector that reads `data`, for types that `types` lacks"
    )
    options: Mapping[str, Any] = Field(
        default_factory=dict, description="Its options; zone and area scheme are the source's"
    )
    types: Mapping[str, Handler] = Field(
        default_factory=dict,
        description="Connector and options by the event's type; one that ends in * is a beginning",
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="Types that rightly give nothing, such as heartbeats"
    )
    _readers: dict[str, "_Reader"] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        handlers = dict(self.types)
        if self.connector:
            handlers["*"] = Handler(connector=self.connector, options=self.options)
        if not handlers:
            raise ConfigError(
                "no connector is named that reads what is inside",
                where="options of the connector cloudevents",
                fix='set connector = "…", or types."vn.example.type" = { connector = "…" }',
            )
        own = set(hub.connector.Options.model_fields)
        shared = {name: getattr(self, name) for name in own}
        for type_, handler in handlers.items():
            found = connector_named(handler.connector)
            where = f"types.{type_}.options" if type_ in self.types else "options"
            given = {**shared, **handler.options}
            self._readers[type_] = _Reader(found, options_of(found, given, where=where))
        return self

    def reader(self, type_: str) -> "_Reader | None":
        """Who reads the data of events of that type; the longest beginning wins."""
        found = self._readers.get(type_)
        if found is not None:
            return found
        fitting = (
            name for name in self._readers if name[-1:] == "*" and type_.startswith(name[:-1])
        )
        name = max(fitting, key=len, default=None)
        return None if name is None else self._readers[name]


@dataclass(frozen=True, slots=True)
class _Reader:
    connector: Connector
    options: hub.connector.Options


@dataclass(frozen=True, slots=True)
class _CloudEvent:
    """One event, in whatever mode it came."""

    attributes: Mapping[str, str]
    content_type: str
    data: bytes | None
    path: str


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """Hand on the data of every event; a bad one never hides its neighbours."""
    seen: set[bytes] = set()
    for event in _events(payload):
        if isinstance(event, PayloadError):
            yield Rejection(code=event.code, message=event.what, path=event.path, fix=event.fix)
        else:
            yield _outcome(event, payload, options, seen)


def _outcome(event: _CloudEvent, payload: Payload, options: Options, seen: set[bytes]) -> Outcome:
    type_ = event.attributes["type"]
    if type_ in options.ignore:
        return Nothing(why="a CloudEvent of a type that the source's options ignore")
    if event.data is None:
        return Nothing(why="a CloudEvent without data")
    reader = options.reader(type_)
    if reader is None:
        return Rejection(
            code="unknown-type",
            message="no connector is named for CloudEvents of this type",
            path=f"{event.path}/type".lstrip("/"),
            fix="name one in the source's options: types, connector or ignore",
        )
    name = json.dumps([event.attributes["source"], event.attributes["id"]])
    again = sha256(name.encode() + b"\0" + event.data).digest()
    if again in seen:
        return Nothing(why="the same CloudEvent again")
    seen.add(again)
    inner = Inner(
        connector=reader.connector,
        options=reader.options,
        payload=replace(
            payload,
            body=event.data,
            content_type=event.content_type,
            payload_id=name,
            meta={**payload.meta, **{f"ce.{key}": text for key, text in event.attributes.items()}},
        ),
        path=f"{event.path}/data".lstrip("/"),
    )
    time = event.attributes.get("time", "")
    if not time:
        return inner
    stamp = read_stamp(time, received_at=payload.received_at, options=options)
    flags = (*stamp.flags, "time_of_envelope")
    return replace(inner, observed_at=stamp.at, time_quality=stamp.quality, quality_flags=flags)


def _events(payload: Payload) -> Iterator[_CloudEvent | PayloadError]:
    announced = payload.content_type.strip().lower()
    headers = _from_headers(payload.meta)
    if not announced.startswith(_STRUCTURED) and "specversion" in headers:
        yield _guarded(_binary, payload, headers)
        return
    if announced.startswith(_STRUCTURED) and not _JSON.match(announced):
        raise PayloadError(
            "CloudEvents in another format than JSON",
            code="unsupported-format",
            fix="let the source send application/cloudevents+json",
        )
    value = parse_json(payload.body, records=[()])
    if isinstance(value, list):
        for place, each in enumerate(value):
            yield _guarded(_structured, each, (place,))
    else:
        yield _guarded(_structured, value, ())


def _guarded(read: Any, *given: Any) -> _CloudEvent | PayloadError:
    try:
        event: _CloudEvent = read(*given)
    except PayloadError as error:
        return error
    return event


def _binary(payload: Payload, headers: Mapping[str, str]) -> _CloudEvent:
    attributes = {name: _header_value(text, name) for name, text in headers.items()}
    # An empty body is no data: HTTP has no other way to say so.
    data = payload.body or None
    return _CloudEvent(_checked(attributes, ()), payload.content_type, data, "")


def _structured(value: Any, path: Path) -> _CloudEvent:
    event = an_object(value, path)
    attributes = {
        name: _attribute(each, (*path, name))
        for name, each in event.items()
        if each is not None and name not in {"data", "data_base64"} and _NAME.fullmatch(name)
    }
    attributes = _checked(attributes, path)
    content_type = attributes.pop("datacontenttype", "")
    where = shown(path)
    if event.get("data_base64") is not None:
        if event.get("data") is not None:
            raise PayloadError("both data and data_base64", code="ambiguous", path=where)
        data: bytes | None = _base64(event["data_base64"], (*path, "data_base64"))
    elif "data" not in event:
        data = None
    elif content_type and not _JSON.match(content_type):
        data = _as_text(event["data"], (*path, "data")).encode()
    else:
        data = json.dumps(event["data"], ensure_ascii=False, separators=(",", ":")).encode()
        content_type = content_type or "application/json"
    return _CloudEvent(attributes, content_type, data, where)


def _checked(attributes: dict[str, str], path: Path) -> dict[str, str]:
    version = attributes.get("specversion", "")
    if not version.startswith("1."):
        raise PayloadError(
            "no CloudEvent of version 1.0" if version else "no CloudEvent: specversion is missing",
            code="unsupported-version" if version else "missing-field",
            path=shown((*path, "specversion")),
        )
    for name in _REQUIRED:
        if not attributes.get(name):
            what = f"the mandatory attribute {name} is missing or empty"
            raise PayloadError(what, code="missing-field", path=shown((*path, name)))
    if len(attributes) > _ATTRIBUTES_MAX:
        what = f"{len(attributes)} attributes, at most {_ATTRIBUTES_MAX}"
        raise PayloadError(what, code="too-many", path=shown(path))
    return attributes


def _attribute(value: Any, path: Path) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and path[-1] not in _REQUIRED:
        return str(value)
    text = a_text(value, path)
    if len(text) > _LENGTH_MAX:
        raise PayloadError(f"more than {_LENGTH_MAX} letters", code="too-large", path=shown(path))
    return text


def _as_text(value: Any, path: Path) -> str:
    if not isinstance(value, str):
        what = "data must be a text, as datacontenttype names a format that is not JSON"
        raise PayloadError(what, code="wrong-type", path=shown(path))
    return value


def _base64(value: Any, path: Path) -> bytes:
    try:
        return base64.b64decode(_as_text(value, path), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PayloadError("no well-formed base64", code="encoding", path=shown(path)) from error


def _from_headers(meta: Mapping[str, str]) -> dict[str, str]:
    """The attributes that stand among the headers, as written there."""
    return {
        name[len(prefix) :]: text
        for name, text in meta.items()
        for prefix in _PREFIXES
        if name.startswith(prefix) and text
    }


def _header_value(text: str, name: str) -> str:
    """An attribute out of its header: unquoted, then percent-decoded once."""
    text = text.strip()
    quoted = _QUOTED.fullmatch(text)
    if quoted:
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        return _attribute(unquote_to_bytes(text).decode(), (name,))
    except UnicodeDecodeError as error:
        raise PayloadError(
            "no UTF-8 behind the percent signs", code="encoding", path=name
        ) from error


connector = Connector(
    name="cloudevents",
    title="CloudEvents 1.0, structured, batched or binary; what is inside, another connector reads",
    parse=parse,
    emits=(),
    identity={},
    options=Options,
    example_options={
        "connector": "spat",
        "types": {"vn.example.warning": {"connector": "cap"}},
        "ignore": ["vn.example.heartbeat"],
    },
)
