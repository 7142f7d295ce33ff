"""Where a payload's bytes are, and what the current parser makes of them."""

from dataclasses import replace
from typing import Any

from hub.codec import LIFECYCLE
from hub.config import Config
from hub.connector import Rejection
from hub.discovery import connector
from hub.envelope import Canonical, Result, Withheld, received_of
from hub.errors import ConfigError, EnvironmentNotReadyError, HubError, UnavailableError
from hub.evidence import EvidenceStore
from hub.explain.difference import differing
from hub.explain.logs import Logs
from hub.explain.model import Check, Parse, Payload, Spot, appended_at
from hub.parsing import Parser, RawRecord, event_codecs
from hub.registry import Registry
from hub.replayed import as_sent
from hub.schema_ids import SchemaIds
from hub.snapshots import VANISHED, in_life
from hub.tables import defence_of

__all__ = ["Payloads", "text_of"]

_NO_BYTES = {"evidence-missing", "evidence-corrupt", "evidence-erased"}
_VERSION = "header.origin.connector_version"


def text_of(headers: Any, name: str) -> str:
    """A header's text; "" when it is not there."""
    return next((data or b"" for key, data in headers or () if key == name), b"").decode(
        "utf-8", "replace"
    )


class Payloads:
    """Raw records, each fetched and parsed once."""

    def __init__(self, config: Config, registry: Registry, logs: Logs) -> None:
        self._config = config
        self._logs = logs
        self._registry = registry
        self._ids = SchemaIds(registry)
        self._parser: Parser | None = None
        self._raw: dict[Spot, Any] = {}
        self._parsed: dict[Spot, list[tuple[int | None, Result]]] = {}

    def known(self, message: Any) -> None:
        """A raw record that was read already."""
        self._raw[Spot(message.topic(), message.partition(), message.offset())] = message

    def payload(self, spot: Spot, sha256: str) -> Payload:
        """What is known of a payload; without `appended_at` when it has expired."""
        message = self._message(spot)
        step = Payload(spot, sha256)
        if message is None:
            step.missing = self._logs.expiry(spot) or "there is no such record"
            return step
        headers = message.headers()
        step.source_id = text_of(headers, "source_id")
        step.transport = text_of(headers, "transport")
        step.content_type = text_of(headers, "content_type")
        step.payload_id = text_of(headers, "payload_id")
        step.received_at = received_of(dict(headers or ()))
        step.appended_at = appended_at(message)
        reference = text_of(headers, "body")
        if not reference:
            step.size_bytes = len(message.value() or b"")
            step.bytes_in = "the record"
            return step
        step.bytes_in = f"the evidence store, {reference}"
        try:
            step.size_bytes = len(EvidenceStore.open(self._config.evidence()).get(reference))
        except HubError as error:
            step.bytes_in += f" ({error.what})"
        return step

    def outcomes(self, spot: Spot) -> list[tuple[int | None, Result]]:
        """What the current parser makes of a raw record that is there."""
        if spot not in self._parsed:
            if self._parser is None:
                self._parser = Parser(
                    self._config,
                    codecs=event_codecs(self._ids),
                    evidence=EvidenceStore.open(self._config.evidence()),
                    keep_pictures=False,
                    defence=defence_of(self._config, self._registry),
                )
            raw = RawRecord.of(self._message(spot))
            self._parsed[spot] = list(self._parser.parse(raw).outcomes)
        return self._parsed[spot]

    def again(
        self,
        spot: Spot,
        index: int,
        key: bytes | None,
        value: bytes,
        *,
        sent_again: bool = False,
        life: bytes = b"",
    ) -> Check:
        """Whether the current parser gives the same event at that place.

        `sent_again`: a replay put the record there, marked as backlog or as a correction. `life`:
        its header, where its subject had vanished and came back.
        """
        if value[LIFECYCLE] == VANISHED:
            return Check("not run", "the payload says it by leaving the subject out")
        why = self.unable(spot)
        if why:
            return Check("not run", why)
        results = dict(self.outcomes(spot))
        result = results.get(index, results.get(None))
        if isinstance(result, Canonical):
            if sent_again:
                result = replace(result, value=as_sent(result.value, value))
            if life:
                told = in_life(self._config.site_key(), result.value, life[16:])
                result = replace(result, value=told)
            return self._compared(key, value, result)
        if isinstance(result, Rejection):
            return Check("DIFFERS", f"the parser refuses it now: {result.code}, {result.message}")
        if isinstance(result, Withheld):
            return Check("DIFFERS", f"parsed now, {result.why}")
        return Check("DIFFERS", "the parser finds no event at this place now")

    def unable(self, spot: Spot) -> str:
        """Why the payload can't be parsed again here; "" when it can."""
        message = self._message(spot)
        if message is None:
            return "the payload is not there any more"
        source = text_of(message.headers(), "source_id")
        if source not in self._config.source:
            return f"the configuration has no source.{source}, whose options the parser needs"
        try:
            results = self.outcomes(spot)
        except (ConfigError, EnvironmentNotReadyError, UnavailableError) as error:
            return str(error)
        for _, each in results:
            if isinstance(each, Rejection) and each.code == "evidence-erased":
                return f"its bytes were {each.message}"
            if isinstance(each, Rejection) and each.code in _NO_BYTES:
                return "its bytes are not in the evidence store (any more)"
        return ""

    def parse_step(self, name: str, version: str, index: int | None, outcome: str) -> Parse:
        """By which connector, which version, and which one there is now."""
        try:
            now = connector(name).version
        except ConfigError:
            now = ""
        if version.startswith(f"{now}+"):
            now = version  # what follows is of the source's own options
        return Parse(outcome, name, version, now, index)

    def _compared(self, key: bytes | None, value: bytes, now: Canonical) -> Check:
        """The record that is there, held against the one that the parser gives now."""
        if (now.key, now.value) == (key, value):
            return Check("same bytes")
        fields = differing(self._logs.decoded(value), self._logs.decoded(now.value))
        if fields == [_VERSION] and now.key == key:
            return Check("same bytes", "but for the connector's version")
        if not fields:
            fields = ["schema"] if value[:5] != now.value[:5] else ["key"]
        ids_alone = {"header.event_id", "header.subject_id", _VERSION}.issuperset(fields)
        return Check("DIFFERS", "is HUB_ID_KEY here the site's own?" if ids_alone else "", fields)

    def _message(self, spot: Spot) -> Any:
        if spot not in self._raw:
            self._raw[spot] = self._logs.history.at(*spot)
        return self._raw[spot]
