"""How payloads arrive: the settings of each kind of transport, as `[source.ID.transport]` has them.

What a kind does is `hub/ingest/server.py` (http_push), `hub/ingest/drop.py` (drop_folder) and, for
all that the hub goes and gets, `hub/ingest/sources/KIND.py`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator

__all__ = [
    "KINDS",
    "Credentials",
    "DropFolder",
    "Http",
    "HttpPoll",
    "HttpPush",
    "HttpStream",
    "Kafka",
    "Mqtt",
    "OnvifPullpoint",
    "Pulled",
    "RsmpStatus",
    "RsmpTcp",
    "Tls",
    "Transport",
]

_SECRET = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"  # noqa: S105 - the form of a name
# The name of a secret, never the secret: see `hub/secrets.py`.
SecretName = Annotated[str, Field(pattern=_SECRET)]
# A topic of ONVIF, and whether all below it: the concrete set of its topic expressions.
_TOPIC = re.compile(r"[\w-]+:[\w.-]+(?:/(?:[\w-]+:)?[\w.-]+)*(?://\.)?", re.ASCII)
_PREFIX, _NAME = re.compile(r"([\w-]+):"), re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpPush(_Model):
    """The source posts to the hub."""

    shards: ClassVar[tuple[str, ...]] = ("peer", "header:")

    kind: Literal["http_push"] = "http_push"


class DropFolder(_Model):
    """The source leaves files in a folder."""

    shards: ClassVar[tuple[str, ...]] = ("path",)

    kind: Literal["drop_folder"]
    folder: Path = Field(description="The watched folder")
    settle_s: float = Field(
        default=1.0, ge=0, description="Seconds a file must not change before it is taken"
    )


class Credentials(_Model):
    """How the hub proves who it is; secrets are named here and stand elsewhere."""

    kind: Literal["basic", "digest", "bearer"]
    user: str = ""
    secret: SecretName = Field(description="Name of the password's or token's variable or file")


class Tls(_Model):
    """How a peer's certificate is checked (by the system's authorities), and the hub's own."""

    ca: Path | None = Field(
        default=None, description="Certificates (PEM) to trust instead; a device's own will do"
    )
    check_name: bool = Field(
        default=True, description="Whether the certificate must name the host; needs `ca` if not"
    )
    certificate: Path | None = Field(default=None, description="The hub's own certificate (PEM)")
    key: Path | None = Field(default=None, description="Its key, when not in the same file")

    def files(self) -> tuple[Path, ...]:
        """The files it names."""
        return tuple(path for path in (self.ca, self.certificate, self.key) if path)

    @field_validator("check_name")
    @classmethod
    def _only_with_a_pin(cls, value: bool, info: Any) -> bool:  # noqa: FBT001 - pydantic calls it
        if not value and not info.data.get("ca"):
            raise ValueError("without the host's name, `ca` must hold the device's own certificate")
        return value


class Pulled(_Model):
    """What all sources have in common that the hub goes to."""

    shards: ClassVar[tuple[str, ...]] = ()

    slot: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="The only ingest that goes to it, where several machines share a configuration",
    )

    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets it needs."""
        return ()

    def files(self) -> tuple[Path, ...]:
        """Files it needs, such as certificates."""
        return ()


class _LoggedIn(Pulled):
    """What sources have in common that the hub logs in at."""

    user: str = ""
    secret: SecretName | None = Field(
        default=None, description="Name of the password's variable or file"
    )
    tls: Tls = Tls()

    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets it needs."""
        return (self.secret,) if self.secret else ()

    def files(self) -> tuple[Path, ...]:
        """Files it needs, such as certificates."""
        return self.tls.files()


class Http(Pulled):
    """What sources have in common that the hub asks over HTTP."""

    url: str = Field(description="Where to get it, without credentials")
    auth: Credentials | None = None
    tls: Tls = Tls()
    headers: Mapping[str, str] = Field(default_factory=dict, description="Sent as they are")
    secret_headers: Mapping[str, SecretName] = Field(
        default_factory=dict, description="Headers whose values are secrets, by their names"
    )
    secret_query: Mapping[str, SecretName] = Field(
        default_factory=dict, description="Parameters of the URL that are secrets, by their names"
    )

    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets it needs."""
        own = (self.auth.secret,) if self.auth else ()
        return (*own, *self.secret_headers.values(), *self.secret_query.values())

    def files(self) -> tuple[Path, ...]:
        """Files it needs, such as certificates."""
        return self.tls.files()

    @field_validator("url")
    @classmethod
    def _plain(cls, value: str) -> str:
        return _without_credentials(value, instead="`auth`")


def _without_credentials(url: str, *, instead: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an http:// or https:// URL is wanted")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"credentials in a URL end up in logs: use {instead}")
    return url


class HttpPoll(Http):
    """The hub asks again and again."""

    kind: Literal["http_poll"]
    every_s: float = Field(default=60.0, ge=0.05, le=86_400, description="Seconds between requests")
    jitter: float = Field(
        default=0.1, ge=0, le=0.5, description="Share of them by which each pause varies"
    )
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="For a whole answer")
    refresh_s: float = Field(
        default=3_600.0,
        gt=0,
        description="Seconds after which it asks unconditionally: a 304 can be wrong for ever",
    )
    method: Literal["GET", "POST"] = "GET"
    body: str = Field(default="", description="Body of a POST; `{cursor}` as in the URL")
    next: str = Field(
        default="",
        pattern=r"^(|link|/.*)$",
        description="Where an answer names its next page: `link` (the header), or a JSON pointer",
    )
    pages_max: int = Field(default=100, ge=1, le=10_000, description="Pages of one answer")
    cursor: str = Field(
        default="",
        pattern=r"^(|/.*)$",
        description="JSON pointer to what `{cursor}` in URL or body is the next time",
    )
    cursor_start: str = Field(default="", description="`{cursor}` the first time")


class HttpStream(Http):
    """The hub asks once, and the answer never ends."""

    kind: Literal["http_stream"]
    method: Literal["GET", "POST"] = "GET"
    body: str = Field(default="", description="Body of a POST, such as a subscription")
    silence_s: float = Field(
        default=60.0,
        gt=0,
        le=3_600,
        description="Seconds without a payload, heartbeats included, after which it connects anew",
    )


class Mqtt(_LoggedIn):
    """The hub subscribes at an MQTT broker, with a session that outlasts the connection."""

    shards: ClassVar[tuple[str, ...]] = ("mqtt_topic",)

    kind: Literal["mqtt"]
    url: str = Field(description="mqtt://host:1883, or mqtts://host:8883 with TLS")
    topics: tuple[str, ...] = Field(min_length=1, description="Topic filters; `+` and `#` allowed")
    version: Literal["3.1.1", "5"] = "5"
    client_id: str = Field(
        default="", max_length=128, description="Names the session; `hub.` and the source's id"
    )
    session_s: int = Field(
        default=604_800,
        ge=60,
        lt=2**32 - 1,
        description="Seconds that the broker keeps what comes while the hub is away (MQTT 5)",
    )
    in_flight: int = Field(
        default=100, ge=1, le=10_000, description="Messages under way without acknowledgement"
    )
    keepalive_s: int = Field(default=30, ge=5, le=3_600, description="Seconds between pings")

    @field_validator("url")
    @classmethod
    def _plain(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or parts.path.strip("/"):
            raise ValueError("mqtt://host:port or mqtts://host:port is wanted")
        if parts.username is not None or parts.password is not None:
            raise ValueError("credentials in a URL end up in logs: use `user` and `secret`")
        return value

    @field_validator("topics")
    @classmethod
    def _filters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for topic in value:
            levels = topic.split("/")
            misplaced = any(len(level) > 1 and set(level) & {"+", "#"} for level in levels)
            if not topic or misplaced or "#" in levels[:-1] or "\0" in topic:
                raise ValueError(f"{topic!r} is no topic filter: `+` is a level, `#` the last one")
        return value


class Kafka(Pulled):
    """The hub mirrors a topic of another cluster."""

    shards: ClassVar[tuple[str, ...]] = ("header:",)

    kind: Literal["kafka"]
    bootstrap: str = Field(min_length=1, description="Brokers of the other cluster: host:port,…")
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$", description="Its topic")
    group: str = Field(
        default="", max_length=249, description="Consumer group; `hub.` and the source's id"
    )
    start: Literal["earliest", "latest"] = Field(
        default="earliest", description="Where to begin while the group has no offsets"
    )
    client: Mapping[str, str | int | bool] = Field(
        default_factory=dict, description="librdkafka settings: security, certificates"
    )
    secret_client: Mapping[str, SecretName] = Field(
        default_factory=dict, description="Settings whose values are secrets, by their names"
    )

    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets it needs."""
        return tuple(self.secret_client.values())

    def files(self) -> tuple[Path, ...]:
        """Files it needs, such as certificates."""
        return tuple(Path(str(v)) for k, v in self.client.items() if k.endswith(".location"))


class RsmpStatus(_Model):
    """A status that a site is asked to send."""

    component: str = Field(min_length=1, description="Its component id")
    code: str = Field(pattern=r"^S\d{4}$", description="Status code of the signal exchange list")
    names: tuple[str, ...] = Field(min_length=1, description="Names of the values wanted")
    every_s: float = Field(default=0.0, ge=0, description="Seconds between updates; 0: on change")


class RsmpTcp(Pulled):
    """The hub is the supervisor that an RSMP site connects to."""

    kind: Literal["rsmp_tcp"]
    host: str = Field(default="127.0.0.1", description="Address that it listens on")
    port: int = Field(ge=0, le=65_535, description="Port that the site is told; one a site")
    site: str = Field(min_length=1, description="The site's id; any other one is turned away")
    sxl: str = Field(default="", description="Revision of its signal exchange list; any if empty")
    watchdog_s: float = Field(default=60.0, gt=0, le=3_600, description="Seconds between watchdogs")
    timeout_s: float = Field(
        default=30.0, gt=0, le=600, description="Seconds that an answer may take"
    )
    silence_s: float = Field(
        default=150.0, gt=0, le=7_200, description="Seconds of silence that end the connection"
    )
    statuses: tuple[RsmpStatus, ...] = Field(default=(), description="What it is asked to send")
    tls: Tls = Field(default=Tls(), description="`certificate` turns TLS on; `ca` asks for theirs")

    def files(self) -> tuple[Path, ...]:
        """Files it needs, such as certificates."""
        return self.tls.files()


class OnvifPullpoint(_LoggedIn):
    """The hub subscribes at an ONVIF camera, and asks it again and again what has happened."""

    kind: Literal["onvif_pullpoint"]
    url: str = Field(description="Its device service; http://host will do")
    events: str = Field(default="", pattern=r"^(|/[!-~]*)$", description="Path, if not as told")
    topics: tuple[str, ...] = Field(
        default=(), description="What is wanted, such as `tns1:RuleEngine//.`; all if empty"
    )
    prefixes: Mapping[str, str] = Field(
        default={}, validate_default=True, description="Namespaces of other prefixes than `tns1`"
    )
    wait_s: float = Field(
        default=30.0, ge=0.1, le=60, description="Seconds an answer may wait for an event"
    )
    messages: int = Field(default=100, ge=1, le=1_000, description="Most messages of an answer")
    lifetime_s: int = Field(default=180, ge=10, le=3_600, description="Until it forgets a dead hub")
    timeout_s: float = Field(default=15.0, gt=0, le=600, description="For an answer, plus `wait_s`")
    keep_port: bool = Field(default=False, description="Go to no other port that it names")

    @field_validator("url")
    @classmethod
    def _plain(cls, value: str) -> str:
        return _without_credentials(value, instead="`user` and `secret`")

    @field_validator("topics")
    @classmethod
    def _concrete(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for topic in value:
            if not _TOPIC.fullmatch(topic):
                raise ValueError(f"{topic!r} is no topic: tns1:A/B, or tns1:A//. for all below")
        return value

    @field_validator("prefixes")
    @classmethod
    def _known(cls, value: Mapping[str, str], info: Any) -> Mapping[str, str]:
        used = {name for topic in info.data.get("topics", ()) for name in _PREFIX.findall(topic)}
        for name in value:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no prefix")
        if unknown := used - {"tns1", *value}:
            raise ValueError(f'no namespace of {min(unknown)!r}: prefix = "http://…"')
        return value


def _kind(value: Any) -> str:
    """The kind of an entry's transport; a source pushes when nothing is said."""
    given = value.get("kind", "http_push") if isinstance(value, Mapping) else value.kind
    return str(given)


KINDS: dict[str, type[HttpPush | DropFolder | Pulled]] = {
    "http_push": HttpPush,
    "drop_folder": DropFolder,
    "http_poll": HttpPoll,
    "http_stream": HttpStream,
    "kafka": Kafka,
    "mqtt": Mqtt,
    "onvif_pullpoint": OnvifPullpoint,
    "rsmp_tcp": RsmpTcp,
}

Transport = Annotated[
    Annotated[HttpPush, Tag("http_push")]
    | Annotated[DropFolder, Tag("drop_folder")]
    | Annotated[HttpPoll, Tag("http_poll")]
    | Annotated[HttpStream, Tag("http_stream")]
    | Annotated[Kafka, Tag("kafka")]
    | Annotated[Mqtt, Tag("mqtt")]
    | Annotated[OnvifPullpoint, Tag("onvif_pullpoint")]
    | Annotated[RsmpTcp, Tag("rsmp_tcp")],
    Discriminator(
        _kind,
        custom_error_type="no_such_transport",
        custom_error_message=f"kind is one of {', '.join(KINDS)}",
    ),
]
