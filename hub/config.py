"""Configuration: `hub.toml` and `HUB_*` variables, as frozen, checked values with units.

Variables win over the file: `HUB_DATA`, `HUB_SLOT`, `HUB_KAFKA_BOOTSTRAP`, `HUB_REGISTRY_URL`,
`HUB_EVIDENCE_URL`, `HUB_HOLDS_URL`, `HUB_INGEST_PORT`, `HUB_METRICS_PORT`, `HUB_METRICS_HOST` and
`HUB_ID_KEY` (or `HUB_ID_KEY_FILE`).
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, ValidationError, field_validator

import schemas
from hub.errors import ConfigError
from hub.transports import KINDS, HttpPush, Transport

__all__ = [
    "TEST_ID_KEY",
    "Auth",
    "BreakerConfig",
    "Config",
    "IngestConfig",
    "KafkaConfig",
    "Limits",
    "SourceConfig",
    "load",
]

# Dry runs and tests make ids under this key, so that they can be compared; a site never uses it.
TEST_ID_KEY = b"dry-run: ids under this key are no secret"

_NAME = r"^[A-Za-z0-9._-]{1,64}$"
Name = Annotated[str, Field(pattern=_NAME)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Auth(_Model):
    """How a source proves who it is. Secrets are stored as the SHA-256 of their bytes, in hex."""

    bearer_sha256: tuple[str, ...] = Field(
        default=(), description="SHA-256 of `Authorization: Bearer` keys; two while rotating"
    )
    path_sha256: tuple[str, ...] = Field(
        default=(), description="SHA-256 of secret last path segments, for devices without headers"
    )
    allow: tuple[str, ...] = Field(
        default=(), description="Networks the secret path is taken from, in CIDR form"
    )


class Limits(_Model):
    """What one source may send."""

    body_bytes: int = Field(default=16 * 2**20, ge=1, description="Largest payload in bytes")
    per_second: float = Field(default=500, gt=0, description="Payloads a second, on average")
    burst: int = Field(default=2_000, ge=1, description="Payloads at once")


class BreakerConfig(_Model):
    """When a source is paused, as too much of what it sends is refused."""

    share: float = Field(
        default=0.5, gt=0, le=1, description="More than this share refused pauses it; 1: nothing"
    )
    payloads: int = Field(
        default=100, ge=1, le=10_000, description="Of so many payloads, the last ones"
    )


class SourceConfig(_Model):
    """One feed of one owner; not one camera."""

    connector: Name
    transport: Transport = HttpPush()
    auth: Auth = Auth()
    lane: Literal["bulk", "urgent"] | None = Field(
        default=None, description="Lane of its payloads; the connector's own when not given"
    )
    shard: str = Field(
        default="",
        pattern=r"^(|mqtt_topic|path|peer|header:[A-Za-z0-9-]{1,64})$",
        description="What spreads one large source over partitions; order is kept per shard",
    )
    ack: Literal["local", "replicated"] = "local"
    owner: str = Field(default="", description="Agency code of the owner")
    purpose: str = Field(
        default="", description="Why the data are processed; of `defence` nothing is taken"
    )
    zone: str = "Asia/Ho_Chi_Minh"
    area_scheme: str = ""
    snapshot: bool = Field(
        default=False,
        description="Each answer holds all there is: a situation or alert that is missing from a "
        "whole one has vanished",
    )
    limits: Limits = Limits()
    breaker: BreakerConfig = BreakerConfig()
    options: Mapping[str, Any] = Field(
        default_factory=dict, description="Settings of its connector"
    )

    def connector_options(self) -> dict[str, Any]:
        """The connector's options, with what the source's entry says itself."""
        return {"zone": self.zone, "area_scheme": self.area_scheme, **self.options}


class KafkaConfig(_Model):
    """The cluster, and what its topics must survive."""

    bootstrap: str = "127.0.0.1:9092"
    replication_factor: int = Field(default=3, ge=1)
    min_insync_replicas: int = Field(default=2, ge=1)
    client: Mapping[str, str | int | bool] = Field(
        default_factory=dict, description="librdkafka settings of every client: security, timeouts"
    )
    partitions: Mapping[str, int] = Field(
        default_factory=dict,
        description="Partitions by topic or class (`raw`, `canonical`, `subscriber`); before the "
        "topics are first made",
    )


class IngestConfig(_Model):
    """The HTTP front and its local log."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    log_max_bytes: int = Field(default=2 * 2**30, ge=2**20, description="Bound of each lane's log")
    log_segment_bytes: int = Field(default=32 * 2**20, ge=2**16)
    group_commit_ms: float = Field(default=5, ge=0, le=100)
    inline_bytes: int = Field(
        default=64 * 2**10, ge=0, le=900_000, description="Larger bodies go to the evidence store"
    )
    inflight_bytes: int = Field(default=256 * 2**20, ge=2**20)


class StageConfig(_Model):
    """How normalise and process batch their work."""

    commit_interval_ms: int = Field(default=100, ge=1, le=5_000)
    batch_records: int = Field(default=20_000, ge=1, le=50_000)
    poll_records: int = Field(default=5_000, ge=1, le=10_000)
    transaction_timeout_ms: int = Field(default=10_000, ge=1_000, le=60_000)
    session_timeout_ms: int = Field(default=6_000, ge=1_000)


class MergeConfig(_Model):
    """Which reports of one device are near duplicates; what is not given stays as declared."""

    gap_s: float | None = Field(default=None, ge=0, le=60)
    span_s: float | None = Field(default=None, gt=0, le=3_600)
    better: float | None = Field(default=None, gt=0, le=1)


class NounConfig(_Model):
    """How repeats of one kind of event are told; what is not given stays as declared."""

    # The changelog keeps three of the longest window.
    window_s: int | None = Field(default=None, ge=60, le=259_200)
    merge: MergeConfig | None = None
    keep_alive_s: int | None = Field(default=None, ge=60, le=86_400)
    ttl_h: Mapping[str, Annotated[float, Field(ge=2, le=8_760)]] = Field(default_factory=dict)


class Config(_Model):
    """The whole of `hub.toml`."""

    data: Path = Field(default=Path("data"), description="Folder of logs, evidence and caches")
    slot: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    kafka: KafkaConfig = KafkaConfig()
    registry_url: str = "http://127.0.0.1:8081/apis/ccompat/v7"
    evidence_url: str = Field(
        default="", description="Any fsspec URL; a folder under `data` when empty"
    )
    holds_url: str = Field(
        default="", description="Where legal holds copy to, as evidence_url; `holds` when empty"
    )
    retention: Mapping[str, int] = Field(
        default_factory=dict, description="Days by retention class, within the class's bounds"
    )
    ingest: IngestConfig = IngestConfig()
    stage: StageConfig = StageConfig()
    metrics_port: int = Field(
        default=0, ge=0, le=65_535, description="First port of the workers' /metrics; 0: none"
    )
    metrics_host: str = Field(default="127.0.0.1", description="Address /metrics is served on")
    routes: Path | None = Field(default=None, description="Routing rules (TOML); none: the shipped")
    id_key: SecretBytes = SecretBytes(b"")
    noun: Mapping[str, NounConfig] = Field(default_factory=dict)
    source: Mapping[Name, SourceConfig] = Field(default_factory=dict)

    @field_validator("noun")
    @classmethod
    def _declared(cls, given: Mapping[str, NounConfig]) -> Mapping[str, NounConfig]:
        for name, own in given.items():
            noun = schemas.nouns().get(name)
            if noun is None:
                raise ValueError(f"no such noun: {name}; there are {', '.join(schemas.nouns())}")
            if own.window_s is not None and noun.family != "occurrence":
                raise ValueError(f"{name} is a state: it is compared with its last, in no window")
            if own.merge is not None and noun.merge is None:
                raise ValueError(f"{name} has no near duplicates to merge")
            if own.keep_alive_s is not None and noun.family != "state":
                raise ValueError(f"{name} happens once: nothing of it is told again and again")
            if own.ttl_h and not noun.ttl_h:
                raise ValueError(f"{name} is nothing that goes on until its end is told")
        return given

    @field_validator("retention")
    @classmethod
    def _bounded(cls, given: Mapping[str, int]) -> Mapping[str, int]:
        classes = schemas.retention()
        for name, days in given.items():
            known = classes.get(name)
            if known is None:
                raise ValueError(f"no such class: {name}; there are {', '.join(classes)}")
            if known.days is None:
                raise ValueError(f"{name} is kept until people end it: it has no days")
            if not known.least <= days <= known.most:
                bounds = f"{known.least} to {known.most} days"
                raise ValueError(f"{name} is kept {bounds}, not {days} ({known.ground})")
        kept = {name: given.get(name, each.days or 0) for name, each in classes.items()}
        naming = max(("canonical", "police"), key=lambda name: kept[name])
        if kept["picture"] < kept[naming]:
            raise ValueError(
                f"pictures are kept {kept['picture']} days and {naming}, whose events name them, "
                f"{kept[naming]}: keep pictures as long"
            )
        return given

    def kept_days(self, retention: str) -> int | None:
        """Days that what is of this retention class is kept; None has no end."""
        return self.retention.get(retention, schemas.retention()[retention].days)

    def connectors(self) -> list[str]:
        """The connectors that sources name, sorted."""
        return sorted({source.connector for source in self.source.values()})

    def nouns(self) -> Mapping[str, schemas.NounSpec]:
        """The declared nouns with this site's own windows."""
        return {name: _own(noun, self.noun.get(name)) for name, noun in schemas.nouns().items()}

    def site_key(self) -> bytes:
        """The key of event ids; raises `ConfigError` when the site has none."""
        key = self.id_key.get_secret_value()
        if len(key) < 16:
            raise ConfigError(
                "the site's id key is missing or shorter than 16 bytes",
                where="HUB_ID_KEY or HUB_ID_KEY_FILE",
                fix="make one with `openssl rand -hex 32`, keep it for ever: ids depend on it",
            )
        return key

    def evidence(self) -> str:
        """URL or folder of the evidence store."""
        return self.evidence_url or str(self.data / "evidence")

    def holds(self) -> str:
        """URL or folder that legal holds copy to."""
        return self.holds_url or str(self.data / "holds")


def _own(noun: schemas.NounSpec, own: NounConfig | None) -> schemas.NounSpec:
    if own is None:
        return noun
    merge = noun.merge
    if merge is not None and own.merge is not None:
        merge = replace(merge, **own.merge.model_dump(exclude_none=True))
    return replace(
        noun,
        window_s=own.window_s or noun.window_s,
        merge=merge,
        keep_alive_s=own.keep_alive_s or noun.keep_alive_s,
        ttl_h={**noun.ttl_h, **own.ttl_h},
    )


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """Read `hub.toml` (when given) and the environment; `ConfigError` names what is wrong."""
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(
                f"can't read it: {error.strerror}", where=str(path), fix="give --config FILE"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"not TOML: {error}", where=str(path), fix="correct it") from error
    _from_environment(values, environment)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise _explained(error, where=str(path or "environment")) from error
    return config


_VARIABLES = {
    "HUB_DATA": ("data",),
    "HUB_SLOT": ("slot",),
    "HUB_KAFKA_BOOTSTRAP": ("kafka", "bootstrap"),
    "HUB_REGISTRY_URL": ("registry_url",),
    "HUB_EVIDENCE_URL": ("evidence_url",),
    "HUB_HOLDS_URL": ("holds_url",),
    "HUB_INGEST_PORT": ("ingest", "port"),
    "HUB_METRICS_PORT": ("metrics_port",),
    "HUB_METRICS_HOST": ("metrics_host",),
    "HUB_ID_KEY": ("id_key",),
}


def _from_environment(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    if "id_key" in values:
        raise ConfigError(
            "a secret has no place in the configuration file",
            where="id_key",
            fix="set HUB_ID_KEY, or HUB_ID_KEY_FILE to a file with mode 0400",
        )
    for variable, place in _VARIABLES.items():
        if value := environment.get(variable):
            target = values
            for part in place[:-1]:
                target = target.setdefault(part, {})
            target[place[-1]] = value
    if file := environment.get("HUB_ID_KEY_FILE"):
        try:
            values["id_key"] = Path(file).read_bytes().strip()
        except OSError as error:
            raise ConfigError(
                f"can't read the id key: {error.strerror}", where=file, fix="check HUB_ID_KEY_FILE"
            ) from error


def _explained(error: ValidationError, *, where: str) -> ConfigError:
    """The first fault of a validation, by key and expected value; never the value itself."""
    first = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(_keys(first["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return ConfigError(f"unknown key{more}", where=f"{where}: {key}", fix="remove or rename it")
    text = re.sub(r"^Value error, ", "", first["msg"])
    return ConfigError(f"{text}{more}", where=f"{where}: {key}", fix="correct this value")


def _keys(place: tuple[str | int, ...]) -> list[str]:
    """The keys as the file has them: without a transport's kind, which stands for its model."""
    keys = [str(part) for part in place]
    tagged = len(keys) > 3 and keys[0] == "source" and keys[2] == "transport" and keys[3] in KINDS
    return [*keys[:3], *keys[4:]] if tagged else keys
